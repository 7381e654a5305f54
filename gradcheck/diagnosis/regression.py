"""Two reports side by side: did a layer's gradient move, or the verdict get worse? The regression test for CI."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gradcheck.errors import InputError
from gradcheck.version import SCHEMA_VERSION

#: Verdicts from good to bad; vanishing and exploding are as bad as one another.
SEVERITY = {"healthy": 0, "collapsed": 1, "vanishing": 2, "exploding": 2, "dead": 3, "nonfinite": 4}


class Move(NamedTuple):
    """One layer's log10 gradient, then and now.

    Attributes
    ----------
    name : str
    before, after : float or None
        None where there is no finite number.
    change : float or None
        after − before; None where one of them is missing.
    moved : bool
        It changed by more than the tolerance, or a number came or went.
    """

    name: str
    before: float | None
    after: float | None
    change: float | None
    moved: bool


class Regression(NamedTuple):
    """What became of a network since its baseline.

    Attributes
    ----------
    layers : list of Move
        Layers that both reports have, by name.
    only_before, only_after : list of str
        Layers that one of them lacks.
    status_before, status_after : str
    tolerance : float
        Decades by which a gradient may move.
    """

    layers: list[Move]
    only_before: list[str]
    only_after: list[str]
    status_before: str
    status_after: str
    tolerance: float

    @property
    def worse(self) -> bool:
        """Whether the verdict got worse."""
        return SEVERITY[self.status_after] > SEVERITY[self.status_before]

    @property
    def found(self) -> bool:
        """Whether a gradient moved too far, or the verdict got worse."""
        return self.worse or any(move.moved for move in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "compare",
            **self._asdict(),
            "layers": [move._asdict() for move in self.layers],
            "regression": self.found,
        }


def compare_reports(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float) -> Regression:
    """Compare two reports of ``simulate``, as dicts, layer by layer.

    Parameters
    ----------
    before, after : mapping
        ``Report.to_dict()``, or the JSON read back.
    tolerance : float
        Decades by which a layer's log10 gradient may move.
    """
    old, new = ({layer["name"]: layer["log10_gradient_rms"] for layer in one["layers"]} for one in (before, after))
    return Regression(
        layers=[_move(name, old[name], new[name], tolerance) for name in old if name in new],
        only_before=[name for name in old if name not in new],
        only_after=[name for name in new if name not in old],
        status_before=before["verdict"]["status"],
        status_after=after["verdict"]["status"],
        tolerance=tolerance,
    )


def _move(name: str, before: float | None, after: float | None, tolerance: float) -> Move:
    if before is None or after is None:
        return Move(name, before, after, None, before is not after)
    return Move(name, before, after, after - before, abs(after - before) > tolerance)


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
        raise InputError(path, f"can't be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is not JSON ({error}); write one with: gradcheck simulate --json -o {path}") from error
    if not _is_report(report):
        raise InputError(path, f"is no report; write one with: gradcheck simulate --json -o {path}")
    if report.get("schema_version") != SCHEMA_VERSION:
        problem = f"has schema version {report.get('schema_version')}, this gradcheck reads {SCHEMA_VERSION}"
        raise InputError(path, f"{problem}; write it anew")
    return dict(report)


def _is_report(document: Any) -> bool:  # noqa: ANN401
    """Whether a document has what the comparison reads."""
    try:
        layers, status = document["layers"], document["verdict"]["status"]
        numbers = [layer["log10_gradient_rms"] for layer in layers if isinstance(layer["name"], str)]
        finite = all(value is None or math.isfinite(value) for value in numbers)
        return len(numbers) == len(layers) and finite and status in SEVERITY
    except (KeyError, TypeError, OverflowError):
        return False
