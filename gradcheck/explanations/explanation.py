"""``explain``: what a verdict, a flag or a remedy is, why it matters, and what to type next. Loads no NumPy itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from gradcheck.base.calls import public
from gradcheck.base.document import Document
from gradcheck.base.record import plain
from gradcheck.diagnosis.sentences.codes import CODES
from gradcheck.errors import GradcheckError, folded, shown
from gradcheck.explanations import NAMES, TOPICS, Topic

#: The page that multiplies the factors of a network out, and the network.
MULTIPLIED_OUT, DEPTH, WIDTH = "chain-rule", 8, 32


class Factor(NamedTuple):
    """The chain rule at one layer."""

    layer: int  # counted from 1
    local_gain: float  # its gradient over that of the next layer
    product: float  # of the local gains from the last layer but one to this
    gradient_ratio: float  # its gradient over that of the last layer, as measured


class Contents(Document, list[dict[str, Any]]):
    """The pages that there are, each with its name, summary and aliases; ``print`` shows them."""

    text = "gradcheck.explanations.text:topics_as_text"
    table = "pages"

    @property
    def pages(self) -> list[dict[str, Any]]:
        """The same as a list."""
        return list(self)

    def _in_short(self) -> str:
        return f"{len(self)} pages"


@dataclass(frozen=True, repr=False)
class Explanation(Document):
    """A page, and the chain rule of a real network where the page is about that."""

    text = "gradcheck.explanations.text:as_text"

    topic: Topic
    cause: str = ""  # the code of a cause that was asked for, where the page is about several
    factors: tuple[Factor, ...] = ()  # from the last layer but one to the first, the way that the gradient goes

    def _in_short(self) -> str:
        return self.topic.name

    @property
    def meaning(self) -> str:
        """What the cause means that was asked for; nothing without one."""
        said = CODES[self.cause].meaning.partition("; ")[0] if self.cause else ""
        return f"its {said}" if said.startswith("value: ") else said

    def to_dict(self) -> dict[str, Any]:
        """Return the page as JSON values."""
        page: dict[str, Any] = plain(self.topic._asdict())
        if self.cause:
            page |= {"cause": self.cause, "meaning": self.meaning}
        for name in ("examples", "try_next"):
            page[name] = [{"command": one.command, "shows": one.shows} for one in getattr(self.topic, name)]
        return page | ({"factors": [factor._asdict() for factor in self.factors]} if self.factors else {})


@public
def topics() -> Contents:
    """Return what ``explain`` knows of: each topic's name, summary and aliases."""
    return Contents(
        {"name": topic.name, "summary": topic.summary, "aliases": list(topic.aliases)} for topic in TOPICS.values()
    )


@overload
def explain() -> Contents: ...


@overload
def explain(topic: object) -> Explanation: ...


@public
def explain(topic: object = None) -> Explanation | Contents:
    """Return what a topic is, why it matters, its formula, commands that show it and fix it, and its sources.

    >>> gradcheck.explain("Kaiming").topic.name
    'initialisation'
    >>> print(gradcheck.explain(gradcheck.simulate(depth=50)))  # doctest: +ELLIPSIS
    vanishing  the gradient fades on its way back to the first layers
    ...

    Parameters
    ----------
    topic : str or report, optional
        A name or an alias as in ``topics()``; case doesn't matter, nor whether words are joined by ``-`` or ``_``. Of a
        report its verdict is explained.

    Returns
    -------
    Explanation or Contents
        ``print`` shows the page; of ``chain-rule`` it has the factors of a network that is simulated on the spot.
        Without a topic: the list of all.

    Raises
    ------
    GradcheckError
        There is no such topic; the message names the nearest ones.
    """
    if topic is None:
        return topics()
    asked = getattr(getattr(topic, "verdict", None), "status", topic)
    if isinstance(asked, str):
        asked = asked.replace("'", "")  # as in the heading "tokens' cosine"
    name = {folded(name): page for name, page in NAMES.items()}.get(folded(asked))
    if name is None:
        raise GradcheckError(f"topic {shown(asked)} is unknown; {_hint(str(asked))}gradcheck explain lists all")
    code = next((code for code in CODES if folded(code) == folded(asked) and code != name), "")
    return Explanation(TOPICS[name], code, tuple(_factors()) if name == MULTIPLIED_OUT else ())


def _hint(topic: str) -> str:
    """Return the names that are nearest to one that is none."""
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(topic.lower(), TOPICS) or get_close_matches(topic.lower(), NAMES)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _factors() -> Iterator[Factor]:
    """Yield the factors of a network that is simulated now, from its last layer but one to the first."""
    from gradcheck.simulation.simulate import simulate

    product = 1.0
    for layer in reversed(simulate(depth=DEPTH, width=WIDTH).layers[:-1]):
        gain, ratio = layer["local_gain"], layer["gradient_ratio"]
        product *= gain
        yield Factor(layer.index, gain, product, ratio)
