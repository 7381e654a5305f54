"""``gradcheck explain``."""

from collections.abc import Iterable
from typing import Annotated

import typer

from gradcheck.cli.options import Json
from gradcheck.cli.output import JSON, OutputFile, check_writable, show
from gradcheck.engine.threads import settle_threads
from gradcheck.explanations import NAMES, TOPICS

#: Format ↦ where it is made: of a page, and of the list of them.
FORMATS = {"text": "gradcheck.explanations.text:as_text", "json": JSON}
LIST_FORMATS = {"text": "gradcheck.explanations.text:topics_as_text", "json": JSON}


def completed_topic(incomplete: str) -> list[str]:
    """Return the topics that a word may become; where there are none, their other names."""
    return _starting(TOPICS, incomplete) or _starting(NAMES, incomplete)


def _starting(names: Iterable[str], start: str) -> list[str]:
    return [name for name in names if name.startswith(start)]


def explain(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help=f"What to explain: {' '.join(TOPICS)}; nothing lists them.",
            autocompletion=completed_topic,
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    output: OutputFile = None,
) -> None:
    """Explain a verdict, a flag or a remedy: what it is, why it matters, its formula, what to type next."""
    check_writable(output)
    from gradcheck.explanations.explanation import explain as explanation
    from gradcheck.explanations.explanation import topics

    settle_threads()
    form = "json" if json else "text"
    if topic is None:
        show(topics(), form, LIST_FORMATS, output)
    else:
        show(explanation(topic), form, FORMATS, output)
