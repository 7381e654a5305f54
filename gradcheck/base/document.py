"""What every report has in common: it prints itself as its command does."""

from importlib import import_module
from typing import ClassVar

from gradcheck.base.record import Record, told
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
