"""A loss that isn't a number in other lines, such as what an epoch ends with, where the rows that are judged have none.

The progress bar may show the loss of a few steps and the line below it the mean of all.
"""

from gradcheck.logs.console.kinds import LOSS, TRAINING
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.series import Series


def find_elsewhere(series: Series) -> list[Finding]:
    """Find such a line: a fault where its kind is of the training, is numbered and had numbers, and ends so.

    A note where it is of a validation, comes back to a number or never had one; nothing where only the first lines of
    its kind are so: a mean of no rows, the best loss so far.
    """
    log, found = series.log, []
    for kind, table in log.tables.items() if series.run is series.table.run else ():
        table.flush()
        wrong, run, by = table.run.nonfinite_of.get(LOSS), table.run, table.numbered_by
        if table is series.table or wrong is None or LOSS not in table.names:
            continue
        name, trained = table.names[LOSS], log.reader.worth(kind) >= TRAINING
        some, lasts = wrong.rows < run.rows, wrong.last_step >= run.last_step
        if not (lasts or wrong.first_step > run.first_step) or not (some or (trained and name in log.reader.listed)):
            continue
        details = {"elsewhere": name, "value": wrong.values[LOSS], "numbered_by": by, "trained": trained}
        numbers = {"rows": float(wrong.rows), "place": wrong.first_step}
        severity = "" if trained and some and lasts and by else NOTE
        ends = _steps(series, by, wrong.first_step), series.ends[1]
        found.append(Finding("nonfinite", *ends, (), numbers, None, details, severity))
    return sorted(found, key=lambda one: one.severity)[:1] or _find_parts(series)


def _find_parts(series: Series) -> list[Finding]:
    """Note a part of the loss that isn't finite, beside a whole one that is: some trainers leave out such terms."""
    key = next((key for key, table in series.log.tables.items() if table is series.table), "")
    lost = sorted(series.log.reader.lost_parts(key).items(), key=lambda one: -one[1].rows)
    if not lost or series.run is not series.table.run:
        return []
    name, part = lost[0]
    details = {"elsewhere": name, "value": part.value, "is_part": True}
    first = part.step if part.step in series.steps else series.ends[0]
    return [Finding("nonfinite", first, series.ends[1], (), {"rows": float(part.rows)}, None, details, NOTE)]


def _steps(series: Series, by: str, place: float) -> float:
    """Return the first step that is judged of an epoch, or the step itself; the first of all where that isn't known."""
    places = series.values("epoch") if by == "epoch" else series.steps if by == "step" else series.steps[:0]
    there = series.steps[: len(places)][places >= place]
    return float(there[0]) if len(there) else series.ends[0]
