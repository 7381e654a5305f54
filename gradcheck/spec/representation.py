"""How random layers are represented: as stored matrices, or without any."""

from gradcheck.errors import OptionError
from gradcheck.spec import WEIGHTLESS, Spec
from gradcheck.spec.frameworks import laws_of

#: From this width on, and from so many times the rows of a batch, a weightless layer is the cheaper one
#: (benchmarks/weightless.py).
WIDE, TIMES_THE_ROWS = 256, 8


def chosen_layers(asked: str, network: Spec, batch_size: int, *, given: bool = False, stored: str = "") -> str:
    """Return ``dense`` or ``weightless``: what was asked for, or of ``auto`` the cheaper one.

    Raises
    ------
    OptionError
        Weightless layers are asked for where there can be none: the weights are given, or are to be stored.
    """
    obstacle = stored or why_dense(network, given)
    if asked == "weightless" and obstacle:
        raise OptionError("layers", f"weightless is not possible here: {obstacle}; take auto or dense")
    if asked != "auto":
        return asked
    return "dense" if obstacle or not cheaper(network, batch_size) else "weightless"


def why_dense(network: Spec, given: bool = False) -> str:
    """Return why a network can't do without its matrices; empty if it can."""
    if given:
        return "--weights gives the matrices"
    if obstacle := network.why_dense():
        return obstacle
    if network.init and not laws_of(network.init, network.arch) <= set(WEIGHTLESS):
        allowed = ", ".join(WEIGHTLESS)
        return f"--init {network.init} is not normal, and only of {allowed} the law without a matrix is known"
    return ""


def cheaper(network: Spec, batch_size: int) -> bool:
    """Whether weightless layers cost less: the batch is clearly below the width of every hidden layer."""
    return min(network.widths) >= max(WIDE, TIMES_THE_ROWS * batch_size * network.rows)
