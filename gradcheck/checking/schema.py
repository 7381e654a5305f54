"""The JSON Schema of a verification's JSON."""

from gradcheck.base.schema import Schema, document_schema
from gradcheck.checking.verification import Verification


def verification_schema() -> Schema:
    """Return the schema of ``verify --json``."""
    return document_schema(Verification, "verify")
