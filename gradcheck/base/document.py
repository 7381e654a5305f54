"""What every report has in common: it prints itself as its command does."""

from importlib import import_module
from typing import ClassVar

from gradcheck.base.record import Record, item
from gradcheck.version import SCHEMA_VERSION, __version__


class Document:
    """A result that can be printed.

    Attributes
    ----------
    text : str
        The function that makes its text, as ``module:function``: loaded when it is printed, and by nothing else.
    """

    text: ClassVar[str]

    def __str__(self) -> str:
        module, _, function = self.text.partition(":")
        text: str = getattr(import_module(module), function)(self)
        return text


class Cause(Record):
    """What decided, as data and as a sentence."""

    code: str
    layers: tuple[str, ...] | None = item("those concerned, the first to move first; null: it is about none")
    value: float | None = item("the number that decided")
    limit: float | None = item("what it was compared with")
    text: str = item("the same in words, as in reasons")


class CommandReport(Document, Record):
    """What a command found: a document whose JSON says by which command and version it was written."""

    schema_version: int = item(const=SCHEMA_VERSION, default=SCHEMA_VERSION)
    gradcheck_version: str = item(default=__version__)
    command: str
