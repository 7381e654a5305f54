"""The JSON Schema of theory's JSON."""

from gradcheck.base.schema import Schema, document_schema
from gradcheck.mean_field.report import TheoryReport


def theory_schema() -> Schema:
    """Return the schema of ``theory --json``."""
    return document_schema(TheoryReport, "theory")
