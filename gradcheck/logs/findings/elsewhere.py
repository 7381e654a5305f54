"""A loss that isn't a number in other lines, such as what an epoch ends with, where the rows that are judged have none.

The progress bar may show the loss of a few steps and the line below it the mean of all.
"""

from gradcheck.logs.columns import Column
from gradcheck.logs.console_kinds import TRAINING
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.series import Series


def find_elsewhere(series: Series) -> list[Finding]:
    """Find such a line; a note where it is of a validation, or where no line of its kind has a number."""
    log, loss, found = series.log, Column("loss"), []
    for kind, table in log.tables.items() if series.run is series.table.run else ():
        table.flush()
        wrong = table.run.nonfinite_of.get(loss)
        if table is series.table or wrong is None:
            continue
        name, by = table.names.get(loss, loss.quantity), table.numbered_by
        trained, some = log.reader.worth(kind) >= TRAINING, wrong.rows < table.run.rows
        if not some and not (trained and name in log.reader.listed):
            continue  # a placeholder, or a sentence
        details = {"elsewhere": name, "value": wrong.values[loss], "numbered_by": by, "trained": trained}
        numbers = {"rows": float(wrong.rows), "place": wrong.first_step}
        severity = "" if trained and some else NOTE
        ends = _steps(series, by, wrong.first_step), series.ends[1]
        found.append(Finding("nonfinite", *ends, (), numbers, None, details, severity))
    return sorted(found, key=lambda one: one.severity)[:1]


def _steps(series: Series, by: str, place: float) -> float:
    """Return the first step that is judged of an epoch, or the step itself; the first of all where that isn't known."""
    places = series.values("epoch") if by == "epoch" else series.steps if by == "step" else series.steps[:0]
    there = series.steps[: len(places)][places >= place]
    return float(there[0]) if len(there) else series.ends[0]
