"""JSON, strict (RFC 8259) and ASCII only, so that it survives every pipe."""

import json

from gradcheck.report import Report


def as_json(report: Report) -> str:
    """Return the report as an indented JSON document."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"
