"""Two reports side by side: did a layer's gradient move, or did the verdict get worse? The regression test for CI."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gradcheck.base.files import near
from gradcheck.base.record import Record, item
from gradcheck.diagnosis.status import Status
from gradcheck.errors import InputError, OptionError
from gradcheck.spec import FAMILIES
from gradcheck.version import SCHEMA_VERSION, __version__

#: Verdicts from good to bad; some are as bad as one another.
SEVERITY = {
    "healthy": 0, "collapsed": 1, "vanishing": 2, "exploding": 2, "not-learning": 2, "dead": 3, "no-gradient": 3,
    "nonfinite": 4,
}  # fmt: skip

#: Said of a verdict that got better.
AGAIN = "write the baseline anew: from then on it is held against this"

#: Why a user's own model isn't held against a simulated network.
MIXED = (
    "is held against a report of its own kind, and only one of the two is of probe: "
    "hold a model of your own against its baseline with gradcheck probe MODEL --baseline OLD.json"
)


class Move(Record):
    """One layer's log10 gradient, then and now."""

    name: str
    before: float | None = item("None: not a finite number")
    after: float | None
    change: float | None = item("after - before; None: one of them is missing")
    moved: bool = item("it changed by more than the tolerance, or was finite in one of the reports only")


class Regression(Record):
    """How a network has changed since its baseline."""

    figure = "gradcheck.diagnosis.plot.regression:plot"

    schema_version: int = item(default=SCHEMA_VERSION)
    gradcheck_version: str = item(default=__version__)
    command: str = item(default="compare")
    schema: str = item("the name of its schema: gradcheck schema baseline", default="baseline")
    layers: tuple[Move, ...] = item("layers that both reports have, by name")
    only_before: tuple[str, ...] = item("layers that only the baseline has")
    only_after: tuple[str, ...] = item("layers that only the new report has")
    status_before: Status
    status_after: Status
    tolerance: float = item("decades by which a gradient may move")
    regression: bool = item(
        "whether the verdict got worse, a gradient moved too far while it got no better, or most of the baseline's "
        "layers are missing"
    )
    unit: str = item("what a layer is called", default="layer", inner=True)

    @property
    def worse(self) -> bool:
        """Whether the verdict got worse."""
        return _worsening(self.status_before, self.status_after) > 0

    @property
    def outcome(self) -> str:
        """``regression``, ``no regression``, or ``improved``: the verdict got better."""
        if self.regression:
            return "regression"
        return "improved" if _worsening(self.status_before, self.status_after) < 0 else "no regression"


def compare_reports(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float) -> Regression:
    """Compare two reports of ``simulate``, as dicts, layer by layer.

    Parameters
    ----------
    before, after : mapping
        ``Report.to_dict()``, or the JSON read back.
    tolerance : float
        Decades by which a layer's log10 gradient may move.

    Raises
    ------
    OptionError
        They have no layer in common, or only one of them is of the user's own model.
    """
    kinds = [one.get("command", "simulate") for one in (before, after)]
    if ("probe" in kinds) and kinds[0] != kinds[1]:
        raise OptionError("baseline", MIXED)
    old, new = ({layer["name"]: layer["log10_gradient_rms"] for layer in one["layers"]} for one in (before, after))
    layers = tuple(_move(name, old[name], new[name], tolerance) for name in old if name in new)
    if not layers:
        problem = f"has no layer of the new report ({_some(old)} then, {_some(new)} now): there is nothing to compare"
        raise OptionError("baseline", f"{problem}; they are reports of different networks")
    was, became = before["verdict"]["status"], after["verdict"]["status"]
    units = {_unit(before), _unit(after)}
    return Regression(
        layers=layers,
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        status_before=was,
        status_after=became,
        tolerance=tolerance,
        regression=_worsening(was, became) > 0
        or (_worsening(was, became) == 0 and any(layer.moved for layer in layers))
        or _are_most_missing(len(layers), len(old) - len(layers)),
        unit=units.pop() if len(units) == 1 else "layer",
    )


def _worsening(before: Status, after: Status) -> int:
    """Return by how much the verdict got worse; below 0 where it got better."""
    return SEVERITY[after] - SEVERITY[before]


def _are_most_missing(common: int, gone: int) -> bool:
    """Whether more of the baseline's layers are missing than both reports have."""
    return gone > common


def missing_layers(regression: Regression) -> str:
    """Return that most layers of the baseline are missing, or nothing if they aren't."""
    gone, common = len(regression.only_before), len(regression.layers)
    if not _are_most_missing(common, gone):
        return ""
    return f"{gone} of the baseline's {gone + common} {regression.unit}s are missing: is it another network?"


def _some(names: Iterable[str]) -> str:
    """Return the first of some layers' names."""
    return next((f"{name[:40]} …" for name in names), "no layer")


def _move(name: str, before: float | None, after: float | None, tolerance: float) -> Move:
    change = None if before is None or after is None else after - before
    moved = before is not after if change is None else abs(change) > tolerance
    return Move(name=name, before=before, after=after, change=change, moved=moved)


def _unit(report: Mapping[str, Any]) -> str:
    """Return what a layer is called: of a user's own model, ``layer``."""
    return FAMILIES[report.get("config", {}).get("arch", "mlp")].layer


def read_report(path: Path) -> dict[str, Any]:
    """Return a report that ``simulate --json`` wrote.

    Raises
    ------
    InputError
        The file can't be read, or isn't such a report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        meant = near(path) if isinstance(error, FileNotFoundError) else ""
        raise InputError(path, f"can't be read: {(error.strerror or str(error)).lower()}{meant}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is not JSON ({error}); write one with: gradcheck simulate --json -o {path}") from error
    if not _is_report(report):
        raise InputError(path, f"isn't a report; write one with: gradcheck simulate --json -o {path}")
    if report.get("schema_version") != SCHEMA_VERSION:
        problem = f"has schema version {report.get('schema_version')}, this gradcheck reads {SCHEMA_VERSION}"
        raise InputError(path, f"{problem}; write it again")
    return dict(report)


def _is_report(document: Any) -> bool:  # noqa: ANN401
    """Whether a document has what the comparison reads."""
    try:
        layers, status = document["layers"], document["verdict"]["status"]
        numbers = [layer["log10_gradient_rms"] for layer in layers if isinstance(layer["name"], str)]
        finite = all(value is None or math.isfinite(value) for value in numbers)
        return len(numbers) == len(layers) and finite and status in SEVERITY and bool(_unit(document))
    except (AttributeError, KeyError, TypeError, OverflowError):
        return False
