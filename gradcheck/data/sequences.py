"""Examples as sequences: into how many time steps they are cut."""

from dataclasses import replace

from gradcheck.data.datasets import FEATURES, Dataset
from gradcheck.errors import OptionError
from gradcheck.spec import RecurrentSpec


def cut(
    spec: RecurrentSpec, dataset: Dataset, name: str, *, given: bool, per_step: int | None = None
) -> tuple[RecurrentSpec, Dataset]:
    """Return a recurrence with the time steps that the data has, and the data.

    Parameters
    ----------
    spec : RecurrentSpec
    dataset : Dataset
    name : str
        What the data is called, for errors.
    given : bool
        The user gave the number of steps; otherwise a file of (examples, steps, features) says it, and any other
        data goes in one number at a time.
    per_step : int, optional
        Numbers that given weights take at a time.

    Raises
    ------
    OptionError
        The examples can't be cut into so many equal steps.
    """
    if dataset.inputs is None:  # drawn anew: each step gets as many numbers as a perceptron
        return spec, dataset._replace(drawn=spec.steps * (per_step or FEATURES))
    features = dataset.features
    if not given:
        usual = dataset.steps if dataset.steps > 1 else features
        spec = replace(spec, steps=max(1, features // per_step) if per_step else usual)
    if features % spec.steps or (per_step and spec.steps * per_step != features):
        raise OptionError("steps", _misfit(spec.steps, features, name, per_step))
    return spec, dataset


def _misfit(steps: int, features: int, name: str, per_step: int | None) -> str:
    """Say which numbers of steps there can be."""
    if per_step:
        fitting = f"allowed: {features // per_step}" if features % per_step == 0 else "those weights fit other data"
        return (
            f"{steps} of {per_step} numbers each, as the weights take them, are not the {features} of {name}; {fitting}"
        )
    divisors = [str(number) for number in range(1, features + 1) if features % number == 0]
    shown = ", ".join(divisors if len(divisors) <= 12 else [*divisors[:6], "...", *divisors[-5:]])
    return f"{steps} can't cut the {features} numbers of an example of {name} evenly; allowed: {shown}"
