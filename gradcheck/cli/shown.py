"""How a command shows its result: the options of its output, and what was asked for by them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from gradcheck.cli.output import check_writable, show
from gradcheck.errors import OptionError, one_of
from gradcheck.spec.options.measurement import VERDICT
from gradcheck.spec.options.option import OUTPUT, Names, Option

CAUSES = ("vanishing", "exploding", "collapsed", "dead", "nonfinite", "any")

# fmt: off
AS_JSON = Option("Short for --format json.", OUTPUT, default=False, flags=("--json",), name="json", type=bool)
FILE = Option(
    "Write there instead of stdout, whole or not at all.", OUTPUT, "FILE", flags=("--output", "-o"), name="output",
    type=Path | None,
)
FAIL_ON = Option(
    "Exit with 1 if the verdict or a layer's flag is this (repeatable)", VERDICT, "CAUSE", range=Names(CAUSES),
    name="fail_on", type=list[str] | None,
)
ALL_LAYERS = Option(
    "Show every layer of a deep network in the text.", OUTPUT, default=False, flags=("--all-layers",),
    name="all_layers", type=bool,
)
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
    """How the result is shown.

    Attributes
    ----------
    format : str
    output : Path or None
        A file, in place of stdout.
    causes : list of str
        What the command is to fail on.
    layers : dict
        Whether all are shown, where the format can leave some out.
    quiet : bool
    typed : set of str
        Options that were given, whatever they were given.
    """

    format: str
    output: Path | None
    causes: list[str]
    layers: dict[str, bool]
    quiet: bool
    typed: set[str]

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
            one_of("format", name, rows["format"].names)
        if words.get("json") and name not in ("text", "json"):
            raise OptionError("json", f"is short for --format json, but --format is {name}: drop one")
        causes = [one_of("fail_on", cause, rows["fail_on"].names) for cause in words.get("fail_on") or ()]
        check_writable(words["output"])
        chosen = "json" if words.get("json") else name
        layers = {"all_layers": words["all_layers"]} if "all_layers" in rows and chosen == "text" else {}
        return cls(chosen, words["output"], causes, layers, words.get("quiet", False), typed)

    def show(self, document: object, formats: Mapping[str, str], **how: object) -> None:
        """Write a document in the format that was asked for; `how` is passed on to what makes it."""
        show(document, self.format, formats, self.output, quiet=self.quiet, **how)
