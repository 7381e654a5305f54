"""The pages of ``gradcheck explain``: plain data, in the order in which they are listed. Loads no NumPy."""

from gradcheck.explanations.architectures import ARCHITECTURES
from gradcheck.explanations.causes import CAUSES
from gradcheck.explanations.findings import FINDINGS
from gradcheck.explanations.learning_rate import LEARNING_RATE
from gradcheck.explanations.measures import MEASURES
from gradcheck.explanations.number_formats import NUMBER_FORMATS
from gradcheck.explanations.parametrization import PARAMETRIZATION
from gradcheck.explanations.probing import PROBING
from gradcheck.explanations.tables import TABLES
from gradcheck.explanations.topic import Example, Topic
from gradcheck.explanations.verdicts import VERDICTS
from gradcheck.spec.names import SYNONYMS

__all__ = ["NAMES", "TOPICS", "Example", "Topic"]

PAGES = (
    *VERDICTS,
    *CAUSES,
    *ARCHITECTURES,
    *MEASURES,
    *TABLES,
    *NUMBER_FORMATS,
    *LEARNING_RATE,
    *PARAMETRIZATION,
    *PROBING,
    *FINDINGS,
)
TOPICS: dict[str, Topic] = {topic.name: topic for topic in PAGES}

#: Every name that a page answers to, aliases and the words of other libraries included ↦ the name of the page.
NAMES: dict[str, str] = {name: topic.name for topic in TOPICS.values() for name in (topic.name, *topic.aliases)}
NAMES |= {word: NAMES[name] for word, name in SYNONYMS.items() if name in NAMES and word not in NAMES}
