"""From options to the description of a network, of whichever family."""

from collections.abc import Mapping
from typing import Any

from gradcheck.errors import OptionError, one_of
from gradcheck.spec.names import (
    ARCHITECTURES,
    DATA_NAMES,
    DATA_SUFFIXES,
    IDLE,
    OF_TRANSFORMERS,
    RECURRENT,
    USUAL_FORGET_BIAS,
)  # fmt: skip
from gradcheck.spec.perceptron import NetworkSpec
from gradcheck.spec.recurrent import RecurrentSpec
from gradcheck.spec.transformer import TransformerSpec

#: The description of a network, of whichever family.
Spec = NetworkSpec | RecurrentSpec | TransformerSpec

FAMILIES: dict[str, type[Spec]] = {
    "mlp": NetworkSpec,
    **dict.fromkeys(RECURRENT, RecurrentSpec),
    "transformer": TransformerSpec,
}


def network_spec(values: Mapping[str, Any]) -> Spec:
    """Return the network that options describe; those that aren't there, or are None, have their family's default.

    Raises
    ------
    OptionError
        A value no network can have, or an option of another family.
    """
    arch = one_of("arch", values.get("arch") or "mlp", ARCHITECTURES)
    for name, only in IDLE[arch].items():
        if values.get(name) not in (only, None):
            raise OptionError(name, _foreign(arch, name, values[name]))
    kept = {name: value for name, value in values.items() if name not in IDLE[arch]}
    return FAMILIES[arch].from_dict(kept | {"arch": arch})


def _foreign(arch: str, name: str, value: object) -> str:
    """Say why an option is not this architecture's."""
    if name in OF_TRANSFORMERS:
        return f"{value} goes with --arch transformer; {arch} has none"
    if arch == "transformer":
        return f"{_of_others(name, value)}; a transformer has --blocks, --model-width and residual streams of its own"
    if arch not in RECURRENT:
        theirs = USUAL_FORGET_BIAS if name == "forget_bias" else RECURRENT
        return f"{value} goes with --arch {', '.join(theirs)}; {arch} has no time steps"
    if name == "depth":
        return f"{value} goes with --arch mlp; {arch} has one hidden layer, unrolled over its --steps"
    return f"goes with --arch mlp; {arch} has none"


def _of_others(name: str, value: object) -> str:
    """Say whose an option is that a transformer has not."""
    if name in ("depth", "residual"):
        return f"{value} goes with --arch mlp"
    return f"{value} goes with --arch {'mlp, ' if name == 'width' else ''}{', '.join(RECURRENT)}"


def known_data(name: str) -> str:
    """Return the name of a data set, or of a file that could be one; otherwise raise an error."""
    if name.lower().endswith(DATA_SUFFIXES):
        return name
    return one_of("data", name, DATA_NAMES, beside=f", or a {', '.join(DATA_SUFFIXES)} file")
