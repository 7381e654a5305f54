"""The JSON Schemas of a diagnosed log."""

from gradcheck.base.schema import Schema, document_schema, schema_of
from gradcheck.logs.report import LogFinding, LogReport


def log_schema() -> Schema:
    """Return the schema of ``diagnose --json``."""
    return document_schema(LogReport, "diagnose")


def finding_schema() -> Schema:
    """Return the schema of a line of ``diagnose --format jsonl``."""
    return schema_of(LogFinding)
