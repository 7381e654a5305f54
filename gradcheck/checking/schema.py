"""The JSON Schema (draft 2020-12) of a verification's JSON."""

from gradcheck.base.schema import Schema, closed, described_number
from gradcheck.checking.verification import LIMITS
from gradcheck.spec import DTYPES
from gradcheck.version import SCHEMA_VERSION

WORD: Schema = {"type": "string"}
PERHAPS: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}
YES_OR_NO: Schema = {"type": "boolean"}


def verification_schema() -> Schema:
    """Return the schema of ``verify --json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gradcheck verify",
        **closed(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "gradcheck_version": WORD,
                "command": {"const": "verify"},
                "config": closed(
                    {"seed": COUNT, "dtype": {"enum": list(DTYPES)}, "only": {"type": "array", "items": WORD}}
                ),
                "environment": _environment(),
                "summary": _summary(),
                "checks": {"type": "array", "items": _check(), "minItems": 1},
            }
        ),
    }


def _environment() -> Schema:
    return closed(
        {
            "python": WORD,
            "numpy": WORD,
            "blas": PERHAPS | {"description": "the library that NumPy was built with; null where it doesn't say"},
            "blas_version": PERHAPS,
            "machine": WORD,
            "threads": {"type": "integer", "minimum": 1},
            "epsilon": POSITIVE | {"description": "rounding of the arithmetic that is checked"},
        }
    )


def _summary() -> Schema:
    return closed(
        {
            "passed": YES_OR_NO,
            "checks": COUNT,
            "failed": COUNT,
            "worst_kind": WORD,
            "worst_name": WORD,
            "worst_error": described_number("the largest; null where a check has none"),
            "seconds": POSITIVE,
        }
    )


def _check() -> Schema:
    return closed(
        {
            "kind": WORD,
            "name": WORD,
            "method": {"enum": list(LIMITS["float64"]), "description": "what the pullback is held against"},
            "error": described_number("largest relative error; null: not finite, or the problem says why"),
            "limit": POSITIVE,
            "passed": YES_OR_NO,
            "problem": PERHAPS | {"description": "why there is no error to measure"},
            "note": PERHAPS,
        }
    )
