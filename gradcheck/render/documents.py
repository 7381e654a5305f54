"""Documents for other programs: JSON, CSV, Markdown."""

import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import methodcaller
from typing import Any

from gradcheck.render.style import without_controls


def as_json(document: object) -> str:
    """Return plain data, or a report, as an indented JSON document.

    It is strict (RFC 8259): a number that isn't finite is an error; and ASCII only, so that it survives every pipe.
    """
    document = document.to_dict() if hasattr(document, "to_dict") else document  # a named tuple would be a list
    return json.dumps(document, indent=2, allow_nan=False, default=methodcaller("to_dict")) + "\n"


def json_line(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON, as strict."""
    return json.dumps(record, allow_nan=False, default=methodcaller("to_dict")) + "\n"


def records_as_csv(records: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return one line a record below a header of the columns, or of all their names; an empty cell is None."""
    import csv  # of all formats this one alone needs it

    records, text = list(records), io.StringIO()
    names = columns or list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a value of CSV: of text its control characters are shown; a formula stays what it is, for programs."""
    return without_controls(value) if isinstance(value, str) else value


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]], right: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a table in GitHub-flavoured Markdown, the columns named in `right` flush right."""
    header = list(header)
    rule = ("---:" if name in right else "---" for name in header)
    yield from (f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
