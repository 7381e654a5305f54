"""``gradcheck compare --baseline``: one network held against an earlier report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.cli.output import JSON
from gradcheck.cli.shown import Shown
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import OptionError, finite, one_of
from gradcheck.spec.grid import Grid
from gradcheck.spec.options.simulation import OF_SIMULATIONS

if TYPE_CHECKING:
    from gradcheck.cli.compare import RankingOptions
    from gradcheck.spec.options.sweep import CompareOptions

FORMATS = {"text": "gradcheck.diagnosis.text.regression:as_text", "json": JSON}


def run_baseline(
    old: Path, given: Mapping[str, str], options: "CompareOptions", ranking: "RankingOptions", shown: Shown
) -> int:
    """Compare, print, and return the exit code."""
    from gradcheck.diagnosis.regression import compare_reports, read_report

    one_of("format", shown.format, FORMATS)
    tolerance = finite("tolerance", ranking["tolerance"], "it counts decades; 0.1 is the default", low=0)
    before, new = read_report(old), ranking["new"]
    if new and given:
        problem = f"is held against {new} or against a network; drop NEW or --{next(iter(given)).replace('_', '-')}"
        raise OptionError("baseline", problem)
    after = read_report(new) if new else _simulated(given, options, before)
    regression = compare_reports(before, after, tolerance)
    shown.show(regression, FORMATS)
    return 1 if _fails(regression, after, shown.causes) else 0


def _simulated(given: Mapping[str, str], options: "CompareOptions", before: Mapping[str, Any]) -> dict[str, Any]:
    """Simulate the one network that the options describe, as often as the baseline's was."""
    grid = Grid.from_text(given)
    if len(grid) > 1:
        varied = ", ".join(f"--{name.replace('_', '-')}" for name in grid.varied)
        raise OptionError("baseline", f"is held against one network, but {varied} gives several; give one value each")
    settle_threads()
    from gradcheck import simulate

    seeds = options["seeds"] or before.get("config", {}).get("seeds", 1)
    shared = {name: value for name, value in options.items() if name in OF_SIMULATIONS}
    return simulate(**{**shared, **next(iter(grid)), "seeds": seeds}).to_dict()


def _fails(regression: Any, after: Mapping[str, Any], causes: Sequence[str]) -> bool:  # noqa: ANN401
    """Whether there is a regression, or the new report has one of the other causes, and it was asked for."""
    found = {after["verdict"]["status"], *(layer.get("flag") for layer in after["layers"])} - {"healthy", "ok"}
    if regression.regression:
        found.add("regression")
    return bool(found if "any" in causes else found & set(causes))
