"""``gradcheck explain``."""

from typing import Annotated, TypedDict

from gradcheck.cli.options import command
from gradcheck.cli.output import JSON
from gradcheck.cli.shown import AS_JSON, FILE, Shown
from gradcheck.engine.threads import settle_threads
from gradcheck.explanations import NAMES, TOPICS
from gradcheck.spec.options.option import ARGUMENT, Option, beginning

#: Format ↦ where it is made: of a page, and of the list of them.
FORMATS = {"text": "gradcheck.explanations.text:as_text", "json": JSON}
LIST_FORMATS = {"text": "gradcheck.explanations.text:topics_as_text", "json": JSON}


def completed_topic(incomplete: str) -> list[str]:
    """Return the topics that a word may become; where there are none, their other names."""
    return beginning(*TOPICS)(incomplete) or beginning(*NAMES)(incomplete)


class TopicOptions(TypedDict):
    """What to explain."""

    # fmt: off
    topic: Annotated[str | None, Option(
        f"What to explain: {' '.join(TOPICS)}; nothing lists them.", ARGUMENT, "TOPIC", completion=completed_topic,
    )]
    # fmt: on


@command(TopicOptions, shown=(AS_JSON, FILE))
def explain(options: TopicOptions, shown: Shown) -> None:
    """What is a verdict, a flag or a remedy?

    Prints one page: what it is, why it matters, its formula, commands that show it and fix it, sources. Without a
    topic: the list of all pages.
    """
    from gradcheck.explanations.explanation import explain as explanation
    from gradcheck.explanations.explanation import topics

    settle_threads()
    if options["topic"] is None:
        shown.show(topics(), LIST_FORMATS)
    else:
        shown.show(explanation(options["topic"]), FORMATS)
