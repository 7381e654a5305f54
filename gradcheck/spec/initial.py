"""How a network's weights are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any

from gradcheck.errors import OptionError, finite, one_of
from gradcheck.spec.names import FREE_SCALE, INITIALIZERS


@dataclass(frozen=True, kw_only=True)
class InitialSpec:
    """How a network's weights are drawn, whatever its family.

    Attributes
    ----------
    init : str or None
        One of ``INITIALIZERS``; None means that the weights are given, not drawn.
    gain : float
        Multiplies the standard deviation of the initial weights.
    weight_std : float or None
        That standard deviation itself, for ``init`` normal and uniform.
    bias_std : float
        Standard deviation of the initial biases.
    """

    init: str | None = "xavier"
    gain: float = 1.0
    weight_std: float | None = None
    bias_std: float = 0.0

    def __post_init__(self) -> None:
        if self.init is not None:
            one_of("init", self.init, INITIALIZERS)
        gain = finite("gain", self.gain, "it multiplies the initial standard deviation; 1 leaves it as it is", above=0)
        bias = finite("bias_std", self.bias_std, "it is a standard deviation; 0 starts all biases at zero", low=0)
        self._settle(gain=gain, bias_std=bias)
        if self.weight_std is not None:
            reason = "it is the standard deviation of the weights"
            self._settle(weight_std=finite("weight_std", self.weight_std, reason, above=0))
            if self.init not in FREE_SCALE:
                whose = f"{self.init} sets its own, scaled by --gain" if self.init else "given weights have their own"
                raise OptionError("weight_std", f"goes with --init normal or uniform only; {whose}")
        elif self.init in FREE_SCALE:
            raise OptionError("init", f"{self.init} needs --weight-std, the standard deviation (0.05, say)")

    def _settle(self, **values: Any) -> None:  # noqa: ANN401
        """Keep checked values as the plain types they stand for (an int for NumPy's, a tuple for a list)."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return Python's own number for NumPy's, and a path as text."""
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        return value.item()
    return str(value) if isinstance(value, PathLike) else value


def pick(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are fields of the dataclass `cls`."""
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}
