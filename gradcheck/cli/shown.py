"""How a command shows its result: the options of its output, and what was asked for by them."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from gradcheck.base.files import check_writable, write_whole
from gradcheck.cli.output import show
from gradcheck.errors import MissingExtraError, OptionError, did_you_mean, one_of
from gradcheck.spec.options.measurement import VERDICT
from gradcheck.spec.options.option import OUTPUT, Names, Option

#: Suffix of a file ↦ the format that it promises.
SUFFIXES = {
    ".json": "json", ".jsonl": "jsonl", ".csv": "csv", ".md": "markdown", ".xml": "junit", ".html": "html",
    ".svg": "svg", ".png": "png", ".pdf": "pdf",
}  # fmt: skip

#: Formats that are read by people: what would heal a network is tried for them unasked.
FOR_PEOPLE = ("text", "html")

#: Endings of a figure's file.
PLOTS = (".svg", ".png", ".pdf")

#: ``any`` is any of those before it.
CAUSES = ("vanishing", "exploding", "collapsed", "dead", "nonfinite", "any")

#: What stands for several findings at once, here or elsewhere.
GROUPS = ("remark", "doubt", "error", "warning", "note")

#: A layer's flag that leaves a verdict as it is, and a build alone that asks for it by its name.
SATURATED = "saturated"

#: The same of a user's own model.
MODEL_CAUSES = (*CAUSES[:-1], "no-gradient", "not-learning", "any")

# fmt: off
AS_JSON = Option("Short for --format json.", OUTPUT, default=False, flags=("--json",), name="json", type=bool)
FILE = Option(
    "Write there instead of stdout, whole or not at all.", OUTPUT, "FILE", flags=("--output", "-o"), name="output",
    type=Path | None,
)
FAIL_ON = Option(
    "Exit with 1 if the verdict or a layer's flag is this (repeatable)", VERDICT, "CAUSE",
    range=Names((*CAUSES, SATURATED)),
    name="fail_on", type=list[str] | None,
)
ALL_LAYERS = Option(
    "Show every layer of a deep network in the text.", OUTPUT, default=False, flags=("--all-layers",),
    name="all_layers", type=bool,
)
PLOT = Option(
    "Draw the figure there, too: FILE.svg, FILE.png or FILE.pdf (needs matplotlib).", OUTPUT, "FILE",
    flags=("--plot",), name="plot", type=Path | None,
)
BASELINE = Option("An earlier report, written with --json, to compare with.", "Baseline", "OLD")
TOLERANCE = Option("With --baseline: how far a gradient may move.", "Baseline", "DECADES", default=0.1)
QUIET = Option(
    "Silence all but errors; the result goes to --output, if given.", OUTPUT, default=False, flags=("--quiet", "-q"),
    name="quiet", type=bool,
)
# fmt: on


def format_of(formats: Iterable[str], meaning: str = "Output format") -> Option:
    """Return the option that names one of the formats."""
    names = Names(tuple(formats))
    return Option(meaning, OUTPUT, "NAME", default="text", range=names, name="format", type=str)


class Shown(NamedTuple):
    """How the result is shown."""

    format: str
    output: Path | None  # a file, in place of stdout
    causes: list[str]  # what the command is to fail on
    layers: dict[str, bool]  # whether all are shown, where the format can leave some out
    quiet: bool
    typed: set[str]  # options that were given, whatever they were given
    plot: Path | None = None  # where the figure is drawn, beside the result

    @classmethod
    def of(cls, rows: Mapping[str, Option], words: Mapping[str, Any], typed: set[str]) -> Self:
        """Return what the words of a command line ask for.

        Raises
        ------
        GradcheckError
            There is no such format or cause, or the file can't be written.
        """
        name = words.get("format", "text")
        if "format" in rows:
            name = one_of("format", name, rows["format"].names)
        if words.get("json") and name not in ("text", "json"):
            raise OptionError("json", f"is short for --format json, but --format is {name}: drop one")
        asked = (cause.strip() for word in words.get("fail_on") or () for cause in word.split(","))
        causes = [_cause(rows["fail_on"].names, cause) for cause in asked]
        if words["output"] is not None:
            check_writable(words["output"])
        chosen = "json" if words.get("json") else name
        if words["output"] is not None and (offered := _offered(rows)):
            chosen = _format_by_suffix(words["output"], chosen, offered, named=bool({"format", "json"} & typed))
        if chosen == "html":
            _check_html(words["output"])
        layers = {"all_layers": words["all_layers"]} if "all_layers" in rows and chosen == "text" else {}
        plot = words.get("plot")
        if plot is not None:
            _check_plot(plot, words["output"])
        return cls(chosen, words["output"], causes, layers, words.get("quiet", False), typed, plot)

    @property
    def silent(self) -> bool:
        """Whether nobody sees the text."""
        return self.quiet and self.format == "text" and self.output is None

    def draw(self, document: object, **how: object) -> None:
        """Draw a document into the file of --plot, if there is one; `how` is passed on to what draws it."""
        if self.plot is not None:
            from gradcheck.base.document import drawing_of
            from gradcheck.render.figure import encoded

            axes = drawing_of(document)(document, **how)
            write_whole(self.plot, encoded(axes.figure, self.plot.suffix[1:].lower()))

    def show(self, document: object, formats: Mapping[str, str], *, drawn: bool = False, **how: object) -> None:
        """Draw a document unless it is drawn already, and write it in the format that was asked for.

        `how` is passed on to what writes it.
        """
        if not drawn:
            self.draw(document)
        if not self.silent:
            show(document, self.format, formats, self.output, **how)


def _cause(names: tuple[str, ...], word: str) -> str:
    """Return the cause that is meant, or raise an error: what is named elsewhere on the screen is said to be that."""
    try:
        return Names(names)("fail_on", word)
    except OptionError:
        what = _named_elsewhere(word)
        if not what:
            raise
    whole = "for whatever is serious here: --fail-on any; " if word.rstrip("s") in GROUPS and "any" in names else ""
    meant = whole or did_you_mean(word, names, 0.7)
    raise OptionError("fail_on", f"{word!r} is {what}; {meant}allowed: {', '.join(names)}")


def _named_elsewhere(word: str) -> str:
    """Return what a name is that some report shows; nothing of any other word."""
    from gradcheck.diagnosis.remarks import ANY_DOUBT, ASKED_FOR, BY_NAME, REMARKS  # only a mistake pays for these
    from gradcheck.diagnosis.sentences.codes import CODES
    from gradcheck.diagnosis.status import STATUSES
    from gradcheck.logs.findings.finding import FINDING_KINDS, SEVERITIES

    if word.rstrip("s") in SEVERITIES:
        return "how severe a finding of gradcheck diagnose is, not what it is"
    if word in ("healthy", "ok"):
        return "nothing to fail on"
    if word in CAUSES:
        return "what gradcheck simulate and probe find"
    if word in (*STATUSES, *ASKED_FOR, *BY_NAME, REMARKS, ANY_DOUBT):
        return "what gradcheck probe finds"
    if word in FINDING_KINDS:
        return "what gradcheck diagnose finds"
    return "a reason, and no verdict or flag" if word in CODES else ""


def _check_html(output: Path | None) -> None:
    """Raise an error, before any work, where a page for a browser can't be made, or would be spilled on a terminal."""
    if not _is_installed("jinja2"):
        raise MissingExtraError("--format html", "Jinja2", "jinja2")
    if output is None and sys.stdout is not None and sys.stdout.isatty():
        raise OptionError(
            "format", "html is a page for a browser, and this is a terminal: name a file, as in --output report.html"
        )


def _check_plot(plot: Path, output: Path | None) -> None:
    """Raise the error of a figure that couldn't be written, before any work is done."""
    if plot.suffix.lower() not in PLOTS:
        ending = f"ends with {plot.suffix}" if plot.suffix else "has no ending"
        problem = f"{plot} {ending}; the file's ending says what is drawn: {', '.join(PLOTS)}, as in --plot figure.svg"
        raise OptionError("plot", problem)
    if output is not None and plot.resolve() == output.resolve():
        raise OptionError("plot", f"{plot} is where --output writes the result: name another file")
    check_writable(plot)
    if not _is_installed("matplotlib"):
        raise MissingExtraError("--plot", "matplotlib", "matplotlib")


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec  # only a figure or a page pays for it

    return find_spec(package) is not None


def _offered(rows: Mapping[str, Option]) -> tuple[str, ...]:
    """Return the formats that a command can choose from; none where it has one only."""
    if "format" in rows:
        return tuple(rows["format"].names)
    return ("text", "json") if "json" in rows else ()


def _format_by_suffix(output: Path, chosen: str, offered: tuple[str, ...], *, named: bool) -> str:
    """Return the format of a file: the one that was named, else the one that its suffix promises.

    Raises
    ------
    OptionError
        The suffix promises a format that this command hasn't, or another one than was named.
    """
    promised = SUFFIXES.get(output.suffix.lower(), chosen)
    if promised not in offered:
        formats = ", ".join(f"--format {name}" for name in offered)
        raise OptionError("output", f"{output} promises {promised}, which this command doesn't write; it has {formats}")
    if named and promised != chosen:
        problem = (
            f"{output} promises {promised}, but the format is {chosen}: name the file otherwise, or drop the format"
        )
        raise OptionError("output", problem)
    return promised
