"""What network: a frozen, validated description that goes to a dict and back. Loads no NumPy.

The names stand here as literals, so that a type checker and the shell's completion know them; the tables of
the engine hold what they mean, and a test keeps both alike.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike
from typing import Any, Literal, Self, get_args

from gradcheck.errors import OptionError, at_least, finite, one_of, switch

ArchitectureName = Literal["mlp"]
ActivationName = Literal[
    "linear", "step", "sigmoid", "tanh", "hard_tanh", "relu", "leaky_relu",
    "elu", "selu", "gelu", "silu", "softplus", "mish",
]  # fmt: skip
InitializerName = Literal[
    "xavier", "xavier_uniform", "he", "he_uniform", "lecun", "lecun_uniform",
    "orthogonal", "torch_default", "normal", "uniform",
]  # fmt: skip
NormName = Literal["none", "batch", "layer", "rms"]
DtypeName = Literal["float64", "float32"]
LayersName = Literal["auto", "dense"]

#: Data sets by name, and the kinds of files that hold the user's own.
DATA_NAMES = ("digits", "gaussian")
DATA_SUFFIXES = (".npy", ".npz", ".csv")

ARCHITECTURES: tuple[str, ...] = get_args(ArchitectureName)
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)
INITIALIZERS: tuple[str, ...] = get_args(InitializerName)
NORMS: tuple[str, ...] = get_args(NormName)
DTYPES: tuple[str, ...] = get_args(DtypeName)
LAYERS: tuple[str, ...] = get_args(LayersName)

#: Initialisations whose standard deviation the user gives, rather than the fan.
FREE_SCALE = ("normal", "uniform")


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A multilayer perceptron with a linear read-out.

    Attributes
    ----------
    depth : int
        Hidden layers; the read-out comes on top.
    width : int or tuple of int
        Units of every hidden layer, or of each.
    activation, norm : str
        One of ``ACTIVATIONS``, ``NORMS``. The norm sits between the linear map and the activation.
    init : str or None
        One of ``INITIALIZERS``; None means that the weights are given, not drawn.
    gain : float
        Multiplies the standard deviation of the initial weights.
    weight_std : float or None
        That standard deviation itself, for ``init`` normal and uniform.
    bias_std : float
        Standard deviation of the initial biases.
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
    init: str | None = "xavier"
    gain: float = 1.0
    weight_std: float | None = None
    bias_std: float = 0.0
    norm: str = "none"
    residual: bool = False
    residual_scale: float = 1.0

    def __post_init__(self) -> None:
        one_of("arch", self.arch, ARCHITECTURES)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("norm", self.norm, NORMS)
        if self.init is not None:
            one_of("init", self.init, INITIALIZERS)
        self._settle("depth", at_least("depth", self.depth, 1, "a network has at least one hidden layer"))
        self._check_scales()
        self._check_widths()

    def _settle(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Keep a checked value as the plain type it stands for (an int for NumPy's, a tuple for a list)."""
        object.__setattr__(self, name, value)

    def _check_scales(self) -> None:
        gain = finite("gain", self.gain, "it multiplies the initial standard deviation; 1 leaves it as it is", above=0)
        bias = finite("bias_std", self.bias_std, "it is a standard deviation; 0 starts all biases at zero", low=0)
        scale = finite("residual_scale", self.residual_scale, "it multiplies the residual branch")
        for name, value in (("gain", gain), ("bias_std", bias), ("residual_scale", scale)):
            self._settle(name, value)
        if self.weight_std is not None:
            reason = "it is the standard deviation of the weights"
            self._settle("weight_std", finite("weight_std", self.weight_std, reason, above=0))
            if self.init not in FREE_SCALE:
                whose = f"{self.init} sets its own, scaled by --gain" if self.init else "given weights have their own"
                raise OptionError("weight_std", f"goes with --init normal or uniform only; {whose}")
        elif self.init in FREE_SCALE:
            raise OptionError("init", f"{self.init} needs --weight-std, the standard deviation (0.05, say)")

    def _check_widths(self) -> None:
        reason = "a layer has at least one unit; 128 is the default"
        if isinstance(self.width, list | tuple):
            self._settle("width", tuple(at_least("width", one, 1, reason) for one in self.width))
        else:
            self._settle("width", at_least("width", self.width, 1, reason))
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
        """Return the description as plain JSON values."""
        plain = asdict(self)
        return plain | {"width": plain["width"] if isinstance(self.width, int) else list(self.width)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; keys that aren't a network's are passed over."""
        known = pick(cls, values)
        if not isinstance(known.get("width", 1), int):
            known["width"] = tuple(known["width"])
        return cls(**known)


def known_data(name: str) -> str:
    """Return the name of a data set, or of a file that could be one; otherwise raise an error."""
    if name.lower().endswith(DATA_SUFFIXES):
        return name
    return one_of("data", name, DATA_NAMES, beside=f", or a {', '.join(DATA_SUFFIXES)} file")


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return Python's own number for NumPy's, and a path as text."""
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        return value.item()
    return str(value) if isinstance(value, PathLike) else value


def pick(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are fields of the dataclass `cls`."""
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}
