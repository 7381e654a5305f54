"""What network: frozen, validated descriptions that go to a dict and back, one class a family. Loads no NumPy.

The names are in ``names`` as literals, so that a type checker and the shell's completion know them; the tables of
the engine hold what they mean, and a test keeps both alike.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gradcheck.spec.names import (
    ACTIVATIONS,
    ARCHITECTURES,
    DATA_NAMES,
    DATA_SUFFIXES,
    DTYPES,
    FRAMEWORKS,
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

if TYPE_CHECKING:
    from gradcheck.spec.families import FAMILIES, known_data, network_spec
    from gradcheck.spec.family import Spec
    from gradcheck.spec.initial import InitialSpec, pick
    from gradcheck.spec.options.network import NETWORK_OPTIONS
    from gradcheck.spec.options.option import plain
    from gradcheck.spec.perceptron import NetworkSpec
    from gradcheck.spec.recurrent import RecurrentSpec
    from gradcheck.spec.transformer import TransformerSpec

#: Where the rest is, which a command pays for when it describes a network, not when it shows its help.
_HOME = {
    "FAMILIES": "gradcheck.spec.families",
    "known_data": "gradcheck.spec.families",
    "network_spec": "gradcheck.spec.families",
    "Spec": "gradcheck.spec.family",
    "InitialSpec": "gradcheck.spec.initial",
    "pick": "gradcheck.spec.initial",
    "plain": "gradcheck.spec.options.option",
    "NETWORK_OPTIONS": "gradcheck.spec.options.network",
    "NetworkSpec": "gradcheck.spec.perceptron",
    "RecurrentSpec": "gradcheck.spec.recurrent",
    "TransformerSpec": "gradcheck.spec.transformer",
}

__all__ = [
    "ACTIVATIONS", "ARCHITECTURES", "DATA_NAMES", "DATA_SUFFIXES", "DTYPES", "FAMILIES", "FRAMEWORKS", "FREE_SCALE",
    "GATED", "INITIALIZERS", "LAYERS", "NETWORK_OPTIONS", "NORMS", "PLACEMENTS",
    "POSITIONS", "RECURRENT", "RESIDUAL_SCALES", "USUAL_FORGET_BIAS", "WEIGHTLESS",
    "InitialSpec", "NetworkSpec", "RecurrentSpec", "Spec", "TransformerSpec",
    "known_data", "network_spec", "pick", "plain",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck.spec' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value
