"""What a command line names beside the model: the batch and the loss of a model of arrays, the names of a report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.base.record import Frozen
from gradcheck.diagnosis.report import Report
from gradcheck.errors import OptionError
from gradcheck.probing.loading import load_attribute
from gradcheck.probing.shapes import draw_array
from gradcheck.probing.user_errors import errors_in_one_line


def load_batch(shapes: Sequence[str], function: str | None, seed: int, hint: Callable[[], str]) -> Any:  # noqa: ANN401
    """Return the batch that a function returns, or inputs of these shapes.

    Parameters
    ----------
    shapes : sequence of str
        Of random inputs, one each.
    function : str, optional
        ``module:function``.
    seed : int
    hint : callable
        Returns how --input could be given, where neither is.

    Raises
    ------
    OptionError
        Both are given, or neither.
    """
    if function is not None:
        if shapes:
            raise OptionError("batch", "brings its own inputs: drop --input")
        made = load_attribute(function, "--batch")
        with errors_in_one_line(f"--batch {function} failed: "):
            return made()
    if not shapes:
        raise OptionError("input", f"is not given; {hint()}")
    generator = np.random.default_rng(seed)
    inputs = [draw_array(one, generator) for one in shapes]
    return inputs[0] if len(inputs) == 1 else inputs


def load_loss(loss: str | None) -> Any:  # noqa: ANN401
    """Return the function that ``module:function`` names; a name as it is."""
    return load_attribute(loss, "--loss") if loss is not None and ":" in loss else loss


def with_names(report: Report, names: dict[str, Any], **typed: str | dict[str, Any] | None) -> Report:
    """Return the report with target, arguments, inputs and batch before its options, and those that were typed."""
    given = {name: one for name, one in typed.items() if one is not None}
    return replace(report, config=Frozen(names | report.config.to_dict() | given))
