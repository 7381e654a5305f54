"""The verdict in a word or two, and its colour. Loads no NumPy."""

from collections.abc import Iterable

from gradcheck.diagnosis.remarks import ASKED_FOR, DOUBTS
from gradcheck.render.style import STYLES

#: A verdict of the gradient alone, where a reason says that the model, its batch or its loss is wrong.
DOUBTFUL, COLOUR = "healthy, but", "yellow"


def is_doubtful(status: str, codes: Iterable[str]) -> bool:
    """Whether a verdict is of the gradient alone, and a cause beside it leaves a doubt."""
    return status == "healthy" and not {*DOUBTS}.isdisjoint(codes)


def label_of(status: str, codes: Iterable[str]) -> tuple[str, str]:
    """Return what a verdict with such causes is called where its reasons stand beside it, and its colour."""
    if is_doubtful(status, codes):
        return DOUBTFUL, COLOUR
    return status, STYLES[status]


def in_a_line(status: str, codes: Iterable[str]) -> str:
    """Return the same where no reason stands beside it: with the first doubt's name."""
    doubt = remark(codes) if status == "healthy" else None
    return status if doubt is None else f"{DOUBTFUL} {doubt}"


def remark(codes: Iterable[str]) -> str | None:
    """Return the first cause that ``--fail-on`` can name beside a verdict, or else the first doubt."""
    known = list(codes)
    return next((code for of_kind in (ASKED_FOR, DOUBTS) for code in known if code in of_kind), None)
