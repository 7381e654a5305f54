"""CSV: one line a layer."""

import csv
import io

from gradcheck.report import Report


def as_csv(report: Report) -> str:
    """Return the layers as comma-separated values with a header; an empty cell is a number that isn't finite."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(report.layers[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(report.layers)
    return text.getvalue()
