"""The names that options take, and what belongs to which family. Loads no NumPy."""

from typing import Literal, get_args

ArchitectureName = Literal["mlp", "rnn", "lstm", "gru", "transformer"]
ActivationName = Literal[
    "linear", "step", "sigmoid", "tanh", "hard_tanh", "relu", "leaky_relu",
    "elu", "selu", "gelu", "silu", "softplus", "mish",
]  # fmt: skip
InitializerName = Literal[
    "xavier", "xavier_uniform", "he", "he_uniform", "lecun", "lecun_uniform",
    "orthogonal", "torch_default", "normal", "uniform",
    "xavier_truncated", "he_truncated", "lecun_truncated", "haiku_default", "truncated_normal", "trunc_normal",
]  # fmt: skip
FrameworkName = Literal[
    "torch", "keras", "flax", "haiku", "equinox", "paddle", "sklearn", "mlx", "tinygrad", "jax-vit", "gpt2",
]  # fmt: skip
GatedName = Literal["geglu", "swiglu"]
NormName = Literal["none", "batch", "layer", "rms"]
PlacementName = Literal["pre", "post", "both"]
PositionsName = Literal["learned", "sinusoidal", "rotary", "none"]
ResidualScaleName = Literal["gpt2", "deepnorm"]
DtypeName = Literal["float64", "float32"]
LayersName = Literal["auto", "dense", "weightless"]
ParametrizationName = Literal["mup", "standard", "ntk"]
NumberFormatName = Literal["fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "mxfp8"]

#: Data sets by name, and the kinds of files that hold the user's own.
DATA_NAMES = ("digits", "gaussian", "text")
DATA_SUFFIXES = (".npy", ".npz", ".csv")

#: What other libraries call them, ``gradcheck.errors.folded``.
SYNONYMS = {
    "kaiming": "he", "kaimingnormal": "he", "kaiminguniform": "he_uniform", "henormal": "he", "glorot": "xavier",
    "glorotnormal": "xavier", "glorotuniform": "xavier_uniform", "xaviernormal": "xavier", "lecunnormal": "lecun",
    "swish": "silu", "identity": "linear", "logistic": "sigmoid", "batchnorm": "batch", "batchnorm1d": "batch",
    "layernorm": "layer", "rmsnorm": "rms", "perceptron": "mlp", "single": "float32", "double": "float64",
    "fp32": "float32", "fp64": "float64", "float16": "fp16", "half": "fp16", "bfloat16": "bf16",
    "e4m3": "fp8-e4m3", "float8e4m3fn": "fp8-e4m3", "e5m2": "fp8-e5m2", "float8e5m2": "fp8-e5m2",
    "kerashenormal": "he_truncated", "kerasglorotnormal": "xavier_truncated", "keraslecunnormal": "lecun_truncated",
    "jaxhenormal": "he_truncated", "jaxglorotnormal": "xavier_truncated", "jaxlecunnormal": "lecun_truncated",
    "flaxhenormal": "he_truncated", "flaxglorotnormal": "xavier_truncated", "flaxlecunnormal": "lecun_truncated",
    "mlxhenormal": "lecun", "mlxheuniform": "lecun_uniform", "mlxglorotnormal": "xavier",
    "pytorch": "torch", "tfkeras": "keras", "nnx": "flax", "linen": "flax", "dmhaiku": "haiku", "hk": "haiku",
    "eqx": "equinox", "paddlepaddle": "paddle", "scikitlearn": "sklearn",
    "tensorflow": "keras", "keras3": "keras",
    "nan": "nonfinite", "inf": "nonfinite",
    "crossentropyloss": "cross-entropy", "mse": "mean-square", "mseloss": "mean-square", "globalnorm": "global-norm",
}  # fmt: skip

ARCHITECTURES: tuple[str, ...] = get_args(ArchitectureName)
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)
GATED: tuple[str, ...] = get_args(GatedName)
INITIALIZERS: tuple[str, ...] = get_args(InitializerName)
FRAMEWORKS: tuple[str, ...] = get_args(FrameworkName)
NORMS: tuple[str, ...] = get_args(NormName)
PLACEMENTS: tuple[str, ...] = get_args(PlacementName)
POSITIONS: tuple[str, ...] = get_args(PositionsName)
RESIDUAL_SCALES: tuple[str, ...] = get_args(ResidualScaleName)
DTYPES: tuple[str, ...] = get_args(DtypeName)
LAYERS: tuple[str, ...] = get_args(LayersName)
NUMBER_FORMATS: tuple[str, ...] = get_args(NumberFormatName)
PARAMETRIZATIONS: tuple[str, ...] = get_args(ParametrizationName)

#: Optimizers that divide the gradient by its size.
ADAPTIVE = ("adam", "adamw")

#: The function of a gated activation: Shazeer 2020.
GATES = {"geglu": "gelu", "swiglu": "silu"}

#: Architectures that repeat one layer over time.
RECURRENT = ("rnn", "lstm", "gru")

#: How a digit is read: in steps of a row of eight pixels, or of one pixel.
SEQUENCES = {"rows": 8, "pixels": 64}

#: What becomes of a step whose gradient is not finite.
POLICIES = ("skip", "stop", "zero", "apply")

#: Optimizers whose learning rate is searched.
RATED_OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")

#: What the rows of a sweep are ranked by.
ORDERS = ("score", "span", "gain", "rank", "grid")

#: The initial bias of the gate that keeps the memory: an lstm's forget gate, a gru's update gate.
USUAL_FORGET_BIAS = {"lstm": 1.0, "gru": 0.0}

#: Initialisations whose standard deviation the user gives, rather than the fan.
FREE_SCALE = ("normal", "uniform", "truncated_normal", "trunc_normal")

#: Those of them whose given deviation is that before a cut: at two deviations, or at ±2.
CUT = ("truncated_normal", "trunc_normal")

#: Initialisations that weightless layers can draw from: independent normal entries, or Haar frames.
WEIGHTLESS = ("xavier", "he", "lecun", "normal", "orthogonal")
