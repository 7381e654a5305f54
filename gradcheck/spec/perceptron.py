"""Multilayer perceptrons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gradcheck.errors import OptionError, at_least, finite, one_of, switch
from gradcheck.spec.initial import InitialSpec, pick
from gradcheck.spec.names import ACTIVATIONS, IDLE, NORMS


@dataclass(frozen=True, kw_only=True)
class NetworkSpec(InitialSpec):
    """A multilayer perceptron with a linear read-out.

    Attributes
    ----------
    depth : int
        Hidden layers; the read-out comes on top.
    width : int or tuple of int
        Units of every hidden layer, or of each.
    activation, norm : str
        One of ``ACTIVATIONS``, ``NORMS``. The norm sits between the linear map and the activation.
    init, gain, weight_std, bias_std
        As in ``InitialSpec``.
    residual : bool
        ``x + residual_scale · activation(norm(x W + b))`` from the second hidden layer on.

    Raises
    ------
    OptionError
        A value, or a combination of values, that no network can have.
    """

    arch: str = "mlp"
    depth: int = 50
    width: int | tuple[int, ...] = 128
    activation: str = "sigmoid"
    norm: str = "none"
    residual: bool = False
    residual_scale: float = 1.0

    def __post_init__(self) -> None:
        one_of("arch", self.arch, ("mlp",))
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("norm", self.norm, NORMS)
        super().__post_init__()
        scale = finite("residual_scale", self.residual_scale, "it multiplies the residual branch")
        depth = at_least("depth", self.depth, 1, "a network has at least one hidden layer")
        self._settle(residual_scale=scale, depth=depth)
        self._check_widths()

    def _check_widths(self) -> None:
        reason = "a layer has at least one unit; 128 is the default"
        if isinstance(self.width, list | tuple):
            self._settle(width=tuple(at_least("width", one, 1, reason) for one in self.width))
        else:
            self._settle(width=at_least("width", self.width, 1, reason))
        if len(self.widths) != self.depth:
            problem = f"names {len(self.widths)} layers but --depth is {self.depth}"
            raise OptionError("width", f"{problem}: give one width a layer, or one for all")
        if switch("residual", self.residual) and len(set(self.widths)) > 1:
            raise OptionError("residual", "adds a layer's input to its output: all --width must be equal")

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer, first to last."""
        return (self.width,) * self.depth if isinstance(self.width, int) else tuple(self.width)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values: every option of a network."""
        plain = self._laid_out(IDLE[self.arch])
        return plain | {"width": plain["width"] if isinstance(self.width, int) else list(self.width)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; keys that aren't a network's are passed over."""
        known = pick(cls, values)
        if not isinstance(known.get("width", 1), int):
            known["width"] = tuple(known["width"])
        return cls(**known)
