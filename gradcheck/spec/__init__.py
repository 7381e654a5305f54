"""What network: frozen, validated descriptions that go to a dict and back, one class a family. Loads no NumPy.

The names stand in ``names`` as literals, so that a type checker and the shell's completion know them; the tables of
the engine hold what they mean, and a test keeps both alike.
"""

from gradcheck.spec.families import FAMILIES, known_data, network_spec
from gradcheck.spec.family import Spec
from gradcheck.spec.initial import InitialSpec, pick, plain
from gradcheck.spec.names import (
    ACTIVATIONS,
    ARCHITECTURES,
    DATA_NAMES,
    DATA_SUFFIXES,
    DTYPES,
    FREE_SCALE,
    GATED,
    INITIALIZERS,
    LAYERS,
    NORMS,
    PLACEMENTS,
    POSITIONS,
    RECURRENT,
    RESIDUAL_SCALES,
    USUAL_FORGET_BIAS,
    WEIGHTLESS,
)  # fmt: skip
from gradcheck.spec.options.network import NETWORK_OPTIONS
from gradcheck.spec.perceptron import NetworkSpec
from gradcheck.spec.recurrent import RecurrentSpec
from gradcheck.spec.transformer import TransformerSpec

__all__ = [
    "ACTIVATIONS", "ARCHITECTURES", "DATA_NAMES", "DATA_SUFFIXES", "DTYPES", "FAMILIES", "FREE_SCALE", "GATED",
    "INITIALIZERS", "LAYERS", "NETWORK_OPTIONS", "NORMS", "PLACEMENTS",
    "POSITIONS", "RECURRENT", "RESIDUAL_SCALES", "USUAL_FORGET_BIAS", "WEIGHTLESS",
    "InitialSpec", "NetworkSpec", "RecurrentSpec", "Spec", "TransformerSpec",
    "known_data", "network_spec", "pick", "plain",
]  # fmt: skip
