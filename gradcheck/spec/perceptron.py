"""Multilayer perceptrons."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from gradcheck.base.calls import public_class
from gradcheck.base.wording import counted
from gradcheck.errors import OptionError, finite, one_of
from gradcheck.spec.family import Spec, heading_of_weights
from gradcheck.spec.names import ACTIVATIONS
from gradcheck.spec.options.network import OF_NETWORKS
from gradcheck.spec.options.option import Names


@public_class
@dataclass(frozen=True, kw_only=True)
class NetworkSpec(Spec):
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

    architectures: ClassVar[tuple[str, ...]] = ("mlp",)

    arch: str = "mlp"
    depth: int = 50
    width: int | tuple[int, ...] = 128
    activation: str = "sigmoid"
    norm: str = "none"
    residual: bool = False
    residual_scale: float = 1.0

    def __post_init__(self) -> None:
        one_of("arch", self.arch, self.architectures)
        self._settle(activation=Names(ACTIVATIONS)("activation", self.activation))
        finite("residual_scale", self.residual_scale, "it multiplies the residual branch")  # no name
        super().__post_init__()
        if isinstance(self.width, list | tuple):
            self._settle(width=tuple(OF_NETWORKS["width"].check(one) for one in self.width))
        if len(self.widths) != self.depth:
            problem = f"names {len(self.widths)} layers but --depth is {self.depth}"
            raise OptionError("width", f"{problem}: give one width a layer, or one for all")
        if self.residual and len(set(self.widths)) > 1:
            raise OptionError("residual", "adds a layer's input to its output: all --width must be equal")

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer, first to last."""
        return (self.width,) * self.depth if isinstance(self.width, int) else tuple(self.width)

    def check_batch(self, batch_size: int) -> None:
        """Raise an OptionError if the network can't take a batch of this size."""
        if self.norm == "batch" and batch_size == 1:
            raise OptionError("batch_size", "1 has no variance for --norm batch: use 2 or more, or --norm layer")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; a list of widths says how deep it is."""
        width = values.get("width")
        return super().from_dict(
            ({"depth": len(width)} if isinstance(width, list | tuple) and width else {}) | dict(values)
        )

    @classmethod
    def heading(cls, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield the parts of a line that says which network it is."""
        yield config["activation"]
        yield heading_of_weights(config)
        if config["norm"] != "none":
            yield f"{config['norm']} norm"
        if config["residual"]:
            yield "residual" if config["residual_scale"] == 1 else f"residual × {config['residual_scale']:g}"
        yield f"{counted(config['depth'], 'layer')} of {_width(config['width'])}"


def _width(width: int | list[int]) -> str:
    if isinstance(width, int):
        return str(width)
    if len(set(width)) == 1:
        return str(width[0])
    return ",".join(map(str, width)) if len(width) <= 6 else f"{min(width)} to {max(width)}"
