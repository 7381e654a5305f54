"""``gradcheck explain``."""

from collections.abc import Iterable
from typing import Annotated

import typer

from gradcheck.cli.options import Json
from gradcheck.cli.output import OutputFile, check_writable, write
from gradcheck.engine.threads import settle_threads
from gradcheck.explanations import NAMES, TOPICS


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
    page = None if topic is None else explanation(topic)
    if json:
        from json import dumps

        write(dumps(topics() if page is None else page.to_dict(), indent=2, allow_nan=False) + "\n", output)
        return
    from gradcheck.cli.terminal import terminal
    from gradcheck.explanations.text import explanation_as_text, topics_as_text

    shown = terminal(output)
    write(topics_as_text(topics(), shown) if page is None else explanation_as_text(page, shown), output)
