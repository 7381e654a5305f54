"""How a network's weights are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, get_args

from gradcheck.errors import OptionError
from gradcheck.spec.names import FREE_SCALE
from gradcheck.spec.options.network import OF_NETWORKS
from gradcheck.spec.options.option import checked


@dataclass(frozen=True, kw_only=True)
class InitialSpec:
    """How a network's weights are drawn, whatever its family.

    Attributes
    ----------
    init : str or None
        One of ``INITIALIZERS`` or of ``FRAMEWORKS``; None means that the weights are given, not drawn.
    gain : float
        Multiplies the standard deviation of the initial weights.
    weight_std : float or None
        That standard deviation itself, for ``init`` normal and uniform; for truncated_normal and trunc_normal that
        before the cut.
    bias_std : float
        Standard deviation of the initial biases.
    """

    init: str | None = "xavier"
    gain: float = 1.0
    weight_std: float | None = None
    bias_std: float = 0.0

    def __post_init__(self) -> None:
        self._settle(**checked(OF_NETWORKS, self._numbers_and_names()))
        if self.weight_std is not None:
            if self.init not in FREE_SCALE:
                whose = f"{self.init} sets its own, scaled by --gain" if self.init else "given weights have their own"
                *others, last = FREE_SCALE
                raise OptionError("weight_std", f"goes with --init {', '.join(others)} or {last} only; {whose}")
        elif self.init in FREE_SCALE:
            raise OptionError("init", f"{self.init} needs --weight-std, the standard deviation (0.05, say)")

    def _numbers_and_names(self) -> dict[str, Any]:
        """Return the fields that have a range: no list, and None only where it isn't allowed."""
        values = {field: getattr(self, field.name) for field in fields(self)}
        return {
            field.name: value
            for field, value in values.items()
            if not isinstance(value, list | tuple) and not (value is None and NoneType in get_args(field.type))
        }

    def _settle(self, **values: Any) -> None:  # noqa: ANN401
        """Keep checked values as their plain types (an int for NumPy's, a tuple for a list)."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def pick(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are fields of the dataclass `cls`."""
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}
