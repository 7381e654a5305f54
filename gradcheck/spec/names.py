"""The names that options take, and what belongs to which family. Loads no NumPy."""

from typing import Any, Literal, get_args

ArchitectureName = Literal["mlp", "rnn", "lstm", "gru", "transformer"]
ActivationName = Literal[
    "linear", "step", "sigmoid", "tanh", "hard_tanh", "relu", "leaky_relu",
    "elu", "selu", "gelu", "silu", "softplus", "mish",
]  # fmt: skip
InitializerName = Literal[
    "xavier", "xavier_uniform", "he", "he_uniform", "lecun", "lecun_uniform",
    "orthogonal", "torch_default", "normal", "uniform",
]  # fmt: skip
GatedName = Literal["geglu", "swiglu"]
NormName = Literal["none", "batch", "layer", "rms"]
PlacementName = Literal["pre", "post", "both"]
PositionsName = Literal["learned", "sinusoidal", "rotary", "none"]
ResidualScaleName = Literal["gpt2", "deepnorm"]
DtypeName = Literal["float64", "float32"]
LayersName = Literal["auto", "dense", "weightless"]

#: Data sets by name, and the kinds of files that hold the user's own.
DATA_NAMES = ("digits", "gaussian", "text")
DATA_SUFFIXES = (".npy", ".npz", ".csv")

ARCHITECTURES: tuple[str, ...] = get_args(ArchitectureName)
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)
GATED: tuple[str, ...] = get_args(GatedName)
INITIALIZERS: tuple[str, ...] = get_args(InitializerName)
NORMS: tuple[str, ...] = get_args(NormName)
PLACEMENTS: tuple[str, ...] = get_args(PlacementName)
POSITIONS: tuple[str, ...] = get_args(PositionsName)
RESIDUAL_SCALES: tuple[str, ...] = get_args(ResidualScaleName)
DTYPES: tuple[str, ...] = get_args(DtypeName)
LAYERS: tuple[str, ...] = get_args(LayersName)

#: Architectures that repeat one layer over time.
RECURRENT = ("rnn", "lstm", "gru")

#: The initial bias of the gate that keeps the memory: an lstm's forget gate, a gru's update gate.
USUAL_FORGET_BIAS = {"lstm": 1.0, "gru": 0.0}

#: Options of transformers alone, and of recurrent networks alone.
OF_TRANSFORMERS = (
    "blocks", "model_width", "heads", "kv_heads", "mlp_ratio", "tokens", "norm_placement", "causal", "positions",
    "tied", "biases", "vocabulary", "context", "patch",
)  # fmt: skip
OF_RECURRENCES = ("steps", "recurrent_gain", "forget_bias")

#: What each family has for the options of the others: the only value there, None where the option means nothing.
_OF_RECURRENCES_NOT = {"depth": 1, "norm": "none", "residual": False, "residual_scale": 1.0}
IDLE: dict[str, dict[str, Any]] = {
    "mlp": dict.fromkeys((*OF_RECURRENCES, *OF_TRANSFORMERS)),
    **{arch: _OF_RECURRENCES_NOT | dict.fromkeys(OF_TRANSFORMERS) for arch in RECURRENT},
    "transformer": {**dict.fromkeys(("depth", "width", *OF_RECURRENCES)), "residual": True},
}

#: Every option of a network, in the order of help and reports.
NETWORK_OPTIONS = (
    "preset", "arch", "depth", "steps", "width", *OF_TRANSFORMERS[:6], "activation", "init", "gain", "recurrent_gain",
    "forget_bias", "weight_std", "bias_std", "norm", "norm_placement", "residual", "residual_scale",
    *OF_TRANSFORMERS[7:],
)  # fmt: skip

#: Initialisations whose standard deviation the user gives, rather than the fan.
FREE_SCALE = ("normal", "uniform")

#: Initialisations that weightless layers can draw from: independent normal entries, or Haar frames.
WEIGHTLESS = ("xavier", "he", "lecun", "normal", "orthogonal")
