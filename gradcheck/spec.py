"""What network: a frozen, validated description that goes to a dict and back. Loads no NumPy.

The names stand here as literals, so that a type checker and the shell's completion know them; the tables of
the engine hold what they mean, and a test keeps both alike.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike
from typing import Any, Literal, Self, get_args

from gradcheck.errors import OptionError, at_least, finite, one_of, switch

ArchitectureName = Literal["mlp", "rnn", "lstm", "gru"]
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

#: Architectures that repeat one layer over time.
RECURRENT = ("rnn", "lstm", "gru")

#: The initial bias of the gate that keeps the memory: an lstm's forget gate, a gru's update gate.
USUAL_FORGET_BIAS = {"lstm": 1.0, "gru": 0.0}

#: What each family takes for an option of the other's: its only value there, None where it means nothing.
NEVER_RECURRENT = {"depth": 1, "norm": "none", "residual": False, "residual_scale": 1.0}
ALWAYS_RECURRENT = {"steps": None, "recurrent_gain": None, "forget_bias": None}

#: Every option of a network, in the order of help and reports.
NETWORK_OPTIONS = (
    "arch", "depth", "steps", "width", "activation", "init", "gain", "recurrent_gain", "forget_bias",
    "weight_std", "bias_std", "norm", "residual", "residual_scale",
)  # fmt: skip

#: Initialisations whose standard deviation the user gives, rather than the fan.
FREE_SCALE = ("normal", "uniform")


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

    def _laid_out(self, foreign: dict[str, Any]) -> dict[str, Any]:
        """Return every option of a network in order, those of the other family at the value they have here."""
        values = asdict(self) | foreign
        return {name: values[name] for name in NETWORK_OPTIONS}


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
        plain = self._laid_out(ALWAYS_RECURRENT)
        return plain | {"width": plain["width"] if isinstance(self.width, int) else list(self.width)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; keys that aren't a network's are passed over."""
        known = pick(cls, values)
        if not isinstance(known.get("width", 1), int):
            known["width"] = tuple(known["width"])
        return cls(**known)


@dataclass(frozen=True, kw_only=True)
class RecurrentSpec(InitialSpec):
    """One recurrent layer that reads a sequence, and a linear read-out of its last hidden state.

    Attributes
    ----------
    arch : str
        One of ``RECURRENT``.
    steps : int
        Time steps: an example's features are cut into so many equal pieces.
    width : int
        Units of the hidden state.
    activation : str
        One of ``ACTIVATIONS``, of an rnn; lstm and gru have tanh.
    init, gain, weight_std, bias_std
        As in ``InitialSpec``, of each gate's matrices.
    recurrent_gain : float
        Multiplies the standard deviation of the recurrent weights, from hidden state to hidden state, once more.
    forget_bias : float or None
        Initial bias of the gate that keeps the memory: an lstm's forget gate (1; Gers et al. 2000), a gru's update
        gate (0); an rnn has none.
    """

    arch: str = "rnn"
    steps: int = 64
    width: int = 128
    activation: str = "tanh"
    recurrent_gain: float = 1.0
    forget_bias: float | None = None

    def __post_init__(self) -> None:
        one_of("arch", self.arch, RECURRENT)
        one_of("activation", self.activation, ACTIVATIONS)
        super().__post_init__()
        if isinstance(self.width, list | tuple):
            raise OptionError("width", f"is one number with --arch {self.arch}: it has one hidden layer")
        gain = finite("recurrent_gain", self.recurrent_gain, "it multiplies the recurrent weights", above=0)
        self._settle(
            steps=at_least("steps", self.steps, 1, "a sequence has at least one time step"),
            width=at_least("width", self.width, 1, "the hidden state has at least one unit; 128 is the default"),
            recurrent_gain=gain,
            forget_bias=self._keeper_bias(),
        )
        if self.arch != "rnn" and self.activation != "tanh":
            problem = f"{self.activation} goes with --arch rnn; {self.arch} has sigmoid gates and tanh: drop it"
            raise OptionError("activation", problem)

    def _keeper_bias(self) -> float | None:
        """Return the bias of the gate that keeps the memory; None where there is no such gate, or weights are given."""
        usual = USUAL_FORGET_BIAS.get(self.arch)
        if self.forget_bias is None:
            return None if self.init is None else usual
        if usual is None:
            raise OptionError("forget_bias", "goes with --arch lstm or gru; an rnn has no gate that keeps its memory")
        return finite("forget_bias", self.forget_bias, "it opens the gate that keeps the memory; 1 is usual")

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values: every option of a network."""
        return self._laid_out(NEVER_RECURRENT)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; keys that aren't a network's are passed over."""
        return cls(**pick(cls, values))


#: The description of a network, of whichever family.
Spec = NetworkSpec | RecurrentSpec


def network_spec(values: Mapping[str, Any]) -> Spec:
    """Return the network that options describe; those that aren't there have their family's default.

    Raises
    ------
    OptionError
        A value no network can have, or an option of another family.
    """
    arch = one_of("arch", values.get("arch", "mlp"), ARCHITECTURES)
    recurrent = arch in RECURRENT
    for name, only in (NEVER_RECURRENT if recurrent else ALWAYS_RECURRENT).items():
        if values.get(name, only) not in (only, None):
            raise OptionError(name, _foreign(arch, name, values[name]))
    return (RecurrentSpec if recurrent else NetworkSpec).from_dict(values)


def _foreign(arch: str, name: str, value: object) -> str:
    """Say why an option is not this architecture's."""
    if arch not in RECURRENT:
        theirs = USUAL_FORGET_BIAS if name == "forget_bias" else RECURRENT
        return f"{value} goes with --arch {', '.join(theirs)}; {arch} has no time steps"
    if name == "depth":
        return f"{value} goes with --arch mlp; {arch} has one hidden layer, unrolled over its --steps"
    return f"goes with --arch mlp; {arch} has none"


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
