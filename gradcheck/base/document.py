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


class CommandReport(Document, Record):
    """What a command found: a document whose JSON says by which command and version it was written."""

    schema_version: int = told(const=SCHEMA_VERSION, default=SCHEMA_VERSION)
    gradcheck_version: str = told(default=__version__)
    command: str
