"""What every report has in common: it prints itself as its command does."""

from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from gradcheck.base.record import Record, item, plain
from gradcheck.errors import MissingExtraError, OptionError, shown
from gradcheck.version import SCHEMA_VERSION, __version__


class Document:
    """A result that can be printed.

    Attributes
    ----------
    text : str
        The function that makes its text, as ``module:function``: loaded when it is printed, and by nothing else.
    table : str
        The attribute that holds its rows.
    """

    text: ClassVar[str]
    table: ClassVar[str] = "layers"

    def __repr__(self) -> str:
        return f"<{' '.join([type(self).__name__, self._in_short()]).strip()}>"

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if not name.startswith("_") and name not in ("text", "table"))

    def _in_short(self) -> str:
        """Return what it says in a few words."""
        return ""

    def _repr_html_(self) -> str:
        """Return its text for a notebook."""
        from html import escape  # only a notebook pays for its table of entities

        return f'<pre style="line-height: 1.2">{escape(str(self))}</pre>'

    def to_json(self, path: str | Path | None = None) -> str:
        """Return its JSON, as --json prints it; with a path also write it there, whole or not at all."""
        text: str = import_module("gradcheck.render.documents").as_json(self)
        if path is not None:
            if not isinstance(path, str | PathLike):
                raise OptionError("path", f"{shown(path)} is no path")
            from gradcheck.base.files import write_whole

            write_whole(Path(path), text.encode())
        return text

    def to_frame(self) -> Any:  # noqa: ANN401
        """Return its table as a pandas DataFrame: layers, rows, strategies, checks or findings.

        Raises
        ------
        MissingExtraError
            pandas isn't installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise MissingExtraError("to_frame()", "pandas", "pandas") from error
        return pandas.DataFrame([plain(row) for row in getattr(self, self.table)])

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

    def _in_short(self) -> str:
        verdict, layers = self.get("verdict"), self.get("layers")
        span = self.get("summary", {}).get("gradient_span")
        parts = [
            verdict.get("status") if verdict else None,
            f"{len(layers)} layers" if layers else None,
            f"span {span:.3g}" if span is not None else None,
        ]
        return ", ".join(part for part in parts if part)
