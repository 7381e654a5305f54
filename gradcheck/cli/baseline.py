"""``gradcheck compare --baseline``: one network held against an earlier report."""

from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.cli.options import LIMITS
from gradcheck.cli.output import JSON, show
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import OptionError, finite, one_of
from gradcheck.spec.grid import PARSERS, Grid

FORMATS = {"text": "gradcheck.diagnosis.text.regression:as_text", "json": JSON}

#: Options that a sweep and a single network share.
SHARED = ("labels", "shuffle", "seed", *LIMITS)


def run_baseline(given: Mapping[str, Any], format_name: str, causes: Sequence[str]) -> int:
    """Compare, print, and return the exit code."""
    from gradcheck.diagnosis.regression import compare_reports, read_report

    one_of("format", format_name, FORMATS)
    tolerance = finite("tolerance", given["tolerance"], "it counts decades; 0.1 is the default", low=0)
    before = read_report(given["baseline"])
    asked = [name for name in PARSERS if given[name] is not None]
    if given["new"] and asked:
        problem = f"is held against {given['new']} or against a network; drop NEW or --{asked[0].replace('_', '-')}"
        raise OptionError("baseline", problem)
    after = read_report(given["new"]) if given["new"] else _simulated(given, before)
    regression = compare_reports(before, after, tolerance)
    show(regression, format_name, FORMATS, given["output"], quiet=given["quiet"])
    return 1 if _fails(regression, after, causes) else 0


def _simulated(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Simulate the one network that the options describe, as often as the baseline's was."""
    grid = Grid.from_text({name: given[name] for name in PARSERS})
    if len(grid) > 1:
        varied = ", ".join(f"--{name.replace('_', '-')}" for name in grid.varied)
        raise OptionError("baseline", f"is held against one network, but {varied} gives several; give one value each")
    options = next(iter(grid))
    settle_threads()
    from gradcheck import simulate

    seeds = given["seeds"] or before.get("config", {}).get("seeds", 1)
    return simulate(**options, seeds=seeds, **{name: given[name] for name in SHARED}).to_dict()


def _fails(regression: Any, after: Mapping[str, Any], causes: Sequence[str]) -> bool:  # noqa: ANN401
    """Whether there is a regression, or the new report has one of the other causes, and it was asked for."""
    found = {after["verdict"]["status"], *(layer.get("flag") for layer in after["layers"])} - {"healthy", "ok"}
    if regression.found:
        found.add("regression")
    return bool(found if "any" in causes else found & set(causes))
