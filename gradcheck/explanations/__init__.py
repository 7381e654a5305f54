"""The pages of ``gradcheck explain``: plain data, in the order in which they are listed. Loads no NumPy."""

from gradcheck.explanations.architectures import ARCHITECTURES
from gradcheck.explanations.causes import CAUSES
from gradcheck.explanations.findings import FINDINGS
from gradcheck.explanations.measures import MEASURES
from gradcheck.explanations.topic import Example, Topic
from gradcheck.explanations.verdicts import VERDICTS

__all__ = ["NAMES", "TOPICS", "Example", "Topic"]

TOPICS: dict[str, Topic] = {topic.name: topic for topic in (*VERDICTS, *CAUSES, *ARCHITECTURES, *MEASURES, *FINDINGS)}

#: Every name that a page answers to, aliases included ↦ the name of the page.
NAMES: dict[str, str] = {
    name: topic.name for topic in TOPICS.values() for name in (topic.name, *topic.aliases)
}  # fmt: skip
