"""What every report has in common: it prints itself as its command does."""

from importlib import import_module

from gradcheck.base.record import Record, told
from gradcheck.version import SCHEMA_VERSION, __version__

#: Where a document's text is made, by its class: loaded when it is printed, and by nothing else.
TEXTS = {
    "Report": "gradcheck.diagnosis.text:as_text",
    "TheoryReport": "gradcheck.mean_field.text:theory_as_text",
    "Comparison": "gradcheck.sweep.text:comparison_as_text",
    "DemoReport": "gradcheck.training.text:demo_as_text",
    "LogReport": "gradcheck.logs.text:log_as_text",
    "Verification": "gradcheck.checking.text:verification_as_text",
    "Explanation": "gradcheck.explanations.text:explanation_as_text",
}


class Document:
    """A result that can be printed."""

    def __str__(self) -> str:
        module, _, function = TEXTS[type(self).__name__].partition(":")
        text: str = getattr(import_module(module), function)(self)
        return text


class Cause(Record):
    """A reason of a verdict as data."""

    code: str
    layers: tuple[str, ...] = told("those concerned, where it is about some")
    value: float | None = told("what was measured")
    limit: float | None = told("what the value is held against")
    text: str = told("the same in words, as among the reasons")


class CommandReport(Document, Record):
    """What a command found: a document whose JSON says by which command and version it was written."""

    schema_version: int = told(const=SCHEMA_VERSION, default=SCHEMA_VERSION)
    gradcheck_version: str = told(default=__version__)
    command: str
