"""What every report has in common: it prints itself as its command does."""

from collections.abc import Callable
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from gradcheck.base.loading import named
from gradcheck.base.record import Record, item, plain
from gradcheck.errors import MissingExtraError, OptionError, shown
from gradcheck.version import SCHEMA_VERSION, __version__

#: What a class of documents says of itself: no completion shows it.
OF_CLASSES = ("text", "table", "figure", "page")


class Document:
    """A result that can be printed."""

    # the function that makes its text, as ``module:function``: loaded when it is printed, and by nothing else
    text: ClassVar[str]
    table: ClassVar[str] = "layers"  # the attribute that holds its rows

    def __repr__(self) -> str:
        return f"<{' '.join([type(self).__name__, self._in_short()]).strip()}>"

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if not name.startswith("_") and name not in OF_CLASSES)

    def _in_short(self) -> str:
        """Return what it says in a few words."""
        return ""

    def _repr_html_(self) -> str:
        """Return its text for a notebook."""
        from html import escape  # only a notebook pays for its table of entities

        return f'<pre style="line-height: 1.2">{escape(str(self))}</pre>'

    def to_json(self, path: str | Path | None = None) -> str:
        """Return its JSON, as --json prints it; with a path also write it there, whole or not at all."""
        text: str = named("gradcheck.render.documents:as_json")(self)
        _write(text, path)
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
        text: str = named(self.text)(self)
        return text


def _write(text: str, path: str | Path | None) -> None:
    """Write a text to a file, whole or not at all; without a path do nothing."""
    if path is None:
        return
    if not isinstance(path, str | PathLike):
        raise OptionError("path", f"{shown(path)} is no path")
    from gradcheck.base.files import write_whole

    write_whole(Path(path), text.encode())


class Drawn(Document):
    """A result that can be drawn, too."""

    # the function that draws it, as ``module:function``: loaded when it is drawn, and by nothing else
    figure: ClassVar[str]

    def plot(self, ax: Any = None, **how: Any) -> Any:  # noqa: ANN401
        """Draw it with matplotlib: the figure that --plot writes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where its first panel is drawn; without it a figure is made, with all panels.
        **how
            Of a comparison: ``top``, ``group_by``, as on the command line.

        Returns
        -------
        matplotlib Axes
            Those of the first panel, always. ``.figure.axes`` has the others, ``.figure.savefig("figure.pdf")``
            writes them. No window opens; a notebook shows the figure.

        Raises
        ------
        MissingExtraError
            matplotlib isn't installed.
        """
        return drawing_of(self)(self, ax, **how)

    def _repr_html_(self) -> str:
        """Return its text for a notebook, and its figure where matplotlib is installed."""
        from importlib.util import find_spec

        text = super()._repr_html_()
        if find_spec("matplotlib") is None:
            return text
        return text + str(self.plot()._repr_svg_())


class Paged(Drawn):
    """A result that has a page for a browser, too."""

    # the function that writes it, as ``module:function``: loaded when it is written, and by nothing else
    page: ClassVar[str]

    def to_html(self, path: str | Path | None = None) -> str:
        """Return its page for a browser, as --format html writes it; with a path also write it there.

        Raises
        ------
        MissingExtraError
            Jinja2 isn't installed.
        """
        text: str = named(self.page)(self)
        _write(text, path)
        return text


def drawing_of(document: Any) -> Callable[..., Any]:  # noqa: ANN401
    """Return the function that draws a document."""
    figure: Callable[..., Any] = named(document.figure)
    return figure


class Cause(Record):
    """What decided, as data and as a sentence."""

    code: str
    layers: tuple[str, ...] | None = item("those concerned, the first to move first; null: it is about none")
    value: float | None = item("the number that decided")
    limit: float | None = item("what it was compared with")
    text: str = item("the same in words, as in reasons")


class CommandReport(Paged, Record):
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
