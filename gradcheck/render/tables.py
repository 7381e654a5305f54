"""Records as lines of a table."""

import csv
import io
from collections.abc import Sequence
from typing import Any


def records_as_csv(records: Sequence[dict[str, Any]]) -> str:
    """Return one line a record, with a header of all their names."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()
