"""``gradcheck compare --baseline``: one network held against an earlier report."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.cli import note
from gradcheck.cli.output import JSON
from gradcheck.cli.ranking import RankingOptions
from gradcheck.cli.shown import Shown
from gradcheck.diagnosis.label import is_doubtful
from gradcheck.diagnosis.regression import MIXED, Regression, compare_reports, read_report
from gradcheck.diagnosis.remarks import ANY_DOUBT, ASKED_FOR, BY_NAME, REMARKS
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import InputError, OptionError, finite
from gradcheck.spec.command_line import ONCE
from gradcheck.spec.grid import Grid
from gradcheck.spec.options.simulation import OF_SIMULATIONS
from gradcheck.spec.options.sweep import VARIED

if TYPE_CHECKING:
    from gradcheck.spec.options.sweep import CompareOptions

#: What a report's config says of its network and limits; neither what is written nor what is shown is of these.
OF_BASELINES = {*VARIED, *OF_SIMULATIONS} - {*ONCE, "number_format", "lr"}

#: Options that are names or files.
FILES = ("data", "weights")

FORMATS = {
    "text": "gradcheck.diagnosis.text.regression:as_text",
    "json": JSON,
    "markdown": "gradcheck.diagnosis.formats:regression_as_markdown",
    "github": "gradcheck.diagnosis.ci:regression_as_github",
    "junit": "gradcheck.diagnosis.ci:regression_as_junit",
}


def run_baseline(
    old: Path, given: Mapping[str, str], options: "CompareOptions", ranking: RankingOptions, shown: Shown
) -> int:
    """Compare, print, and return the exit code."""
    tolerance = checked_tolerance(ranking["tolerance"], shown)
    before, new = read_report(old), ranking["new"]
    if new and given:
        problem = f"is held against {new} or against a network; drop NEW or --{next(iter(given)).replace('_', '-')}"
        raise OptionError("baseline", problem)
    after = read_report(new) if new else _simulated(old, given, options, before, shown.typed)
    return hold_against(before, after, tolerance, shown)


def hold_against(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float, shown: Shown) -> int:
    """Compare two reports, print what moved, and return the exit code."""
    regression = compare_reports(before, after, tolerance)
    shown.show(regression, FORMATS)
    failing = _failing(regression, after, shown.causes)
    if failing and not regression.regression:  # the comparison itself doesn't say why
        texts = [cause["text"] for cause in after["verdict"].get("causes", ()) if cause["code"] in failing]
        what = ", ".join(sorted(failing)) + (f": {'; '.join(texts)}" if texts else "")
        note(f"note: the new report has {what}", shown.quiet)
    return 1 if failing else 0


def checked_tolerance(tolerance: float, shown: Shown) -> float:
    """Return the tolerance, if the comparison can be shown as it is to be; otherwise raise an error."""
    if shown.format not in FORMATS:
        problem = (
            f"{shown.format} has no form for two reports side by side; with --baseline allowed: {', '.join(FORMATS)}"
        )
        raise OptionError("format", problem)
    return finite("tolerance", tolerance, "it counts decades; 0.1 is the default", low=0)


def _simulated(
    old: Path, given: Mapping[str, str], options: "CompareOptions", before: Mapping[str, Any], typed: Collection[str]
) -> dict[str, Any]:
    """Simulate the baseline's own network, changed by the options that were typed."""
    grid = Grid.from_text(given)
    if len(grid) > 1:
        varied = ", ".join(f"--{name.replace('_', '-')}" for name in grid.varied)
        raise OptionError("baseline", f"is held against one network, but {varied} gives several; give one value each")
    if before.get("command") == "probe":
        raise OptionError("baseline", MIXED)
    settle_threads()
    from gradcheck import simulate

    row = next(iter(grid))
    said = {name: value for name, value in options.items() if name in OF_SIMULATIONS and name in typed}
    network = _network(old, before.get("config", {}), {**said, **row})
    seeds = options["seeds"] or before.get("config", {}).get("seeds", 1)
    return simulate(**{**network, **said, **row, "seeds": seeds}).to_dict()


def _network(path: Path, config: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a report's network; of another architecture or preset none holds.

    Raises
    ------
    InputError
        One of them has a value that no report has.
    """
    if said.get("preset") or said.get("arch", config.get("arch")) != config.get("arch"):
        return {}
    given = {"depth", "width", "init"} if config.get("weights") else set()
    kept = {name: config[name] for name in OF_BASELINES - given if config.get(name) is not None}
    for name, value in kept.items():
        kinds = str if name in FILES else int | float | str
        if not all(
            isinstance(one, kinds) for one in (value if name == "width" and isinstance(value, list) else [value])
        ):
            raise InputError(path, f"its config has {name}: {value!r:.40}; write it again")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}


def _failing(regression: Regression, after: Mapping[str, Any], causes: Sequence[str]) -> set[str]:
    """Return what the command fails on: a regression, or causes of the new report that were asked for."""
    found = {after["verdict"]["status"], *(layer.get("flag") for layer in after["layers"])} - {"healthy", "ok"}
    if regression.regression:
        found.add("regression")
    codes = {cause["code"] for cause in after["verdict"].get("causes", ())}
    remarks = codes & {*ASKED_FOR}
    if is_doubtful(after["verdict"]["status"], codes):
        remarks.add(ANY_DOUBT)
    asked = {*causes, *(found if "any" in causes else ()), *(remarks if REMARKS in causes else ())}
    return (found | remarks | codes & {*BY_NAME}) & asked
