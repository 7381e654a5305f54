"""A comparison for other programs: JSON, JSON Lines, CSV, Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from gradcheck.render import documents
from gradcheck.render.documents import json_line, markdown_table, records_as_csv
from gradcheck.render.numbers import percent, significant
from gradcheck.render.style import escaped
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.ranking import differences, grouped, ranked
from gradcheck.sweep.rows import SweepRow


def as_json(comparison: Comparison, top: int | None = None, group_by: str | None = None) -> str:
    """Return the whole comparison as one JSON document."""
    document = comparison.to_dict(group_by)
    return documents.as_json(document | {"rows": document["rows"][:top]})


def as_jsonl(comparison: Comparison) -> str:
    """Return one line a row, in the order in which they finished."""
    return "".join(map(json_line, comparison.finished))


def as_csv(comparison: Comparison, top: int | None = None, group_by: str | None = None) -> str:
    """Return one line a row, best first, each option a column; or one line a group."""
    if group_by:
        return records_as_csv(grouped(comparison.finished, group_by))
    rows = ranked(comparison.finished, comparison.order)[:top]
    plain = [
        {"place": place, "index": row["index"], **row["options"]}
        | {name: _cell(value) for name, value in row.items() if name not in ("index", "options", "log10_gradient")}
        for place, row in enumerate(rows, start=1)
    ]
    return records_as_csv(plain)


def _cell(value: Any) -> Any:  # noqa: ANN401
    return " ".join(value) if isinstance(value, tuple) else value


def as_markdown(comparison: Comparison, top: int | None = None, group_by: str | None = None) -> str:
    """Return the ranked table, or the groups, as GitHub-flavoured Markdown."""
    if group_by:
        records = grouped(comparison.finished, group_by)
        return _markdown(list(records[0]), [[_or_dash(value) for value in record.values()] for record in records])
    rows = ranked(comparison.finished, comparison.order)[:top]
    header = ["place", "verdict", "trains", "span", "gain", "rank", "options"]
    return _markdown(header, [_markdown_row(place, row, rows[0]) for place, row in enumerate(rows, start=1)])


def _or_dash(value: Any) -> str:  # noqa: ANN401
    return "-" if value is None else significant(value, 3) if isinstance(value, float) else str(value)


def _markdown_row(place: int, row: SweepRow, best: SweepRow) -> list[str]:
    own = row["options"] if place == 1 else differences(row, best)
    words = " ".join(f"{name}={value}" for name, value in own.items())
    if row["error"] is not None:
        return [str(place), "error", "", "", "", "", f"{words}: {row['error']}"]
    numbers = [significant(row[name]) for name in ("gradient_span", "mean_local_gain", "effective_rank_last")]
    return [str(place), row["status"], percent(row["score"]), *numbers, words]


def _markdown(header: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    return "\n".join(markdown_table(header, (map(escaped, cells) for cells in lines))) + "\n"
