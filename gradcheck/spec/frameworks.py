"""What frameworks draw where nothing is asked for: a law for each kind of matrix, from their code. Loads no NumPy."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from gradcheck.spec.names import CUT, RECURRENT

#: What a law takes for the fans of a matrix with several parts (gates; queries, keys and values): those of each part,
#: those of all parts as one matrix, which is then drawn as one; the hidden units; input and hidden units together.
Fans = Literal["part", "whole", "hidden", "joined"]

#: Which biases follow the law of their matrix; of a recurrence perhaps those of one gate.
Biases = Literal["none", "all", "candidate"]


class Drawn(NamedTuple):
    """How one kind of matrix is drawn."""

    law: str  # one of ``INITIALIZERS``
    std: float = 1.0  # multiplies the law's standard deviation: where the user would give it, that deviation itself
    fans: Fans = "part"  # what counts as the fans
    biases: Biases = "none"  # which biases follow the same law; the others are zero


class Cell(NamedTuple):
    """How a recurrent layer is drawn."""

    # input, recurrent: the matrices of the input and of the hidden state, each with its biases
    input: Drawn
    recurrent: Drawn
    forget_bias: float = 0.0  # initial bias of the gate that keeps the memory, where there is one


class Attention(NamedTuple):
    """How what a transformer has beside dense layers is drawn."""

    project: Drawn  # to queries, keys and values
    write: Drawn  # from the heads to the stream
    embedding: Drawn  # of tokens and of learned positions


class Framework(NamedTuple):
    """What a framework, or the code of a model, draws by default."""

    version: str  # of the package that the laws were read from
    source: str  # which layers, and how they differ from what their names say
    dense: Drawn  # dense layers and read-outs
    cells: Mapping[str, Cell] = {}  # architecture ↦ its recurrent layer
    attention: Attention | None = None
    lacks: str = ""  # why an architecture is not among them
    logistic: Drawn | None = None  # dense layers with the activation sigmoid, where they are drawn otherwise

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that can be drawn."""
        return ("mlp", *self.cells, *(("transformer",) if self.attention else ()))


#: U(±1/√fan_in), the biases too; the same by the hidden units; and without biases.
LINEAR = Drawn("torch_default", biases="all")
BY_HIDDEN = LINEAR._replace(fans="hidden")
UNBIASED = Drawn("torch_default")

#: Both matrices and both biases of every cell by the hidden units.
OF_TORCH = Cell(BY_HIDDEN, BY_HIDDEN)

#: The same with one bias beside the input, in a gru with another of the candidate.
ONE_BIAS = Cell(BY_HIDDEN, BY_HIDDEN._replace(biases="none"))
CANDIDATE_BIAS = Cell(BY_HIDDEN, BY_HIDDEN._replace(biases="candidate"))

#: N(0, 1/width): an embedding's outputs are counted.
BY_WIDTH = Drawn("lecun", fans="hidden")

GLOROT, FLAX, HAIKU = Drawn("xavier_uniform"), Drawn("lecun_truncated"), Drawn("haiku_default")
FRAME = Drawn("orthogonal")
OF_KERAS = Cell(GLOROT._replace(fans="whole"), FRAME._replace(fans="whole"))
OF_FLAX = Cell(FLAX, FRAME)
OF_HAIKU = Cell(HAIKU, HAIKU)

#: N(0, 0.02²), whole and cut at two deviations.
SMALL, SMALL_CUT = Drawn("normal", 0.02), Drawn("truncated_normal", 0.02)

UNIT = Drawn("normal")
NO_RECURRENCE = "a transformer has no recurrence"

FRAMEWORKS: dict[str, Framework] = {
    "torch": Framework(
        "torch 2.13.0",
        "Linear U(±1/√fan_in) with its bias; RNN, LSTM, GRU U(±1/√hidden) all through; MultiheadAttention: queries, "
        "keys and values xavier_uniform as one matrix; Embedding N(0, 1)",
        LINEAR,
        dict.fromkeys(RECURRENT, OF_TORCH),
        Attention(GLOROT._replace(fans="whole"), UNBIASED, UNIT),
    ),
    "keras": Framework(
        "keras 3.15.1",
        "glorot_uniform, over all gates at once; recurrent kernels a frame over all gates, so their entries are "
        "smaller; LSTM's forget bias 1; Embedding U(±0.05)",
        GLOROT,
        {"rnn": OF_KERAS, "lstm": OF_KERAS._replace(forget_bias=1.0), "gru": OF_KERAS},
        Attention(GLOROT, GLOROT, Drawn("uniform", 0.05 / 3**0.5)),
    ),
    "flax": Framework(
        "flax 0.12.8",
        "nnx: lecun_normal, cut at two deviations and corrected; recurrent kernels orthogonal, a GRUCell's as one "
        "frame; no forget bias; Embed N(0, 1/width)",
        FLAX,
        {"rnn": OF_FLAX, "lstm": OF_FLAX, "gru": Cell(FLAX, FRAME._replace(fans="whole"))},
        Attention(FLAX, FLAX, BY_WIDTH),
    ),
    "haiku": Framework(
        "dm-haiku 0.0.17",
        "Linear N(0, 1/fan_in) cut at two deviations, not corrected: 0.88 of it; LSTM so over input and hidden units, "
        "with a forget bias of 1; GRU corrected",
        HAIKU,
        {
            "rnn": OF_HAIKU,
            "lstm": Cell(HAIKU._replace(fans="joined"), HAIKU._replace(fans="joined"), 1.0),
            "gru": Cell(FLAX, FLAX),
        },
        lacks="hk.MultiHeadAttention has no default, it asks for w_init",
    ),
    "equinox": Framework(
        "equinox 0.13.8",
        "Linear as PyTorch's; LSTMCell and GRUCell U(±1/√hidden), one bias, a GRUCell another for the candidate; "
        "MultiheadAttention without biases; Embedding N(0, 1)",
        LINEAR,
        {"lstm": ONE_BIAS, "gru": CANDIDATE_BIAS},
        Attention(UNBIASED, UNBIASED, UNIT),
        lacks="equinox.nn has LSTMCell and GRUCell, and no plain recurrence",
    ),
    "paddle": Framework(
        "paddlepaddle 3.3.1",
        "Linear and Embedding XavierUniform, biases zero; SimpleRNN, LSTM, GRU U(±1/√hidden) all through",
        GLOROT,
        dict.fromkeys(RECURRENT, OF_TORCH),
        Attention(GLOROT, GLOROT, GLOROT),
    ),
    "sklearn": Framework(
        "scikit-learn 1.9.1",
        "MLPClassifier and MLPRegressor U(±√(6/(fan_in + fan_out))) with their intercepts; with logistic (sigmoid) "
        "the 6 is a 2",
        GLOROT._replace(biases="all"),
        lacks="scikit-learn has perceptrons only",
        logistic=Drawn("xavier_uniform", 3**-0.5, biases="all"),
    ),
    "mlx": Framework(
        "mlx 0.32.4",
        "Linear as PyTorch's; RNN, LSTM, GRU U(±1/√hidden), one bias, a GRU another for the candidate; "
        "MultiHeadAttention without biases; Embedding N(0, 1/width)",
        LINEAR,
        {"rnn": ONE_BIAS, "lstm": ONE_BIAS, "gru": CANDIDATE_BIAS},
        Attention(UNBIASED, UNBIASED, BY_WIDTH),
    ),
    "tinygrad": Framework(
        "tinygrad 0.14.0",
        "Linear as PyTorch's; LSTMCell U(±1/√hidden), its biases zero",
        LINEAR,
        {"lstm": Cell(BY_HIDDEN._replace(biases="none"), BY_HIDDEN._replace(biases="none"))},
        lacks="tinygrad.nn has LSTMCell, no other recurrence and no attention",
    ),
    "jax-vit": Framework(
        "jax 0.10.2",
        "jax.nn.initializers.truncated_normal(0.02) for all matrices: cut at two deviations, not corrected, so 0.0176",
        SMALL_CUT,
        attention=Attention(SMALL_CUT, SMALL_CUT, SMALL_CUT),
        lacks=NO_RECURRENCE,
    ),
    "gpt2": Framework(
        "transformers 5.24.0",
        "GPT2Model: N(0, 0.02²), what writes to the stream over √(2·blocks); Radford et al. 2019",
        SMALL,
        attention=Attention(SMALL, SMALL, SMALL),
        lacks=NO_RECURRENCE,
    ),
}  # fmt: skip


def dense_of(init: str, activation: str) -> Drawn:
    """Return how dense layers with an activation are drawn by a law or a framework."""
    if init not in FRAMEWORKS:
        return LINEAR if init == LINEAR.law else Drawn(init)
    framework = FRAMEWORKS[init]
    return (framework.logistic or framework.dense) if activation == "sigmoid" else framework.dense


def cell_of(init: str, arch: str) -> Cell:
    """Return how a recurrent layer is drawn by a law or a framework that has it."""
    if init in FRAMEWORKS:
        return FRAMEWORKS[init].cells[arch]
    return OF_TORCH if init == LINEAR.law else Cell(Drawn(init), Drawn(init))


def attention_of(init: str) -> Attention:
    """Return how attention and embeddings are drawn by a framework that has them, or by a law."""
    if init in FRAMEWORKS:
        attention = FRAMEWORKS[init].attention
        assert attention is not None  # or there is no such spec
        return attention
    drawn = dense_of(init, "")
    return Attention(drawn, drawn, Drawn(init if init in CUT else "normal"))


def laws_of(init: str, arch: str) -> set[str]:
    """Return the laws of a network's linear maps."""
    drawn = [dense_of(init, "")]
    if arch == "transformer":
        drawn += attention_of(init)[:2]
    return {one.law for one in drawn}


def lacking(init: str, arch: str) -> str:
    """Say why a framework draws no such network; empty if it does, or for a law."""
    if init not in FRAMEWORKS or arch in FRAMEWORKS[init].architectures:
        return ""
    others = ", ".join(name for name, one in FRAMEWORKS.items() if arch in one.architectures)
    return f"{init} draws no {arch}: {FRAMEWORKS[init].lacks}; those that do: {others}, or a law by its name"
