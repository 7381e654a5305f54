"""The JSON Schema of a demonstration's JSON."""

from gradcheck.base.schema import Schema, document_schema
from gradcheck.training.report import DemoReport


def demo_schema() -> Schema:
    """Return the schema of ``clip-demo --json``."""
    return document_schema(DemoReport, "clip-demo")
