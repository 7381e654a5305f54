"""The JSON Schema (draft 2020-12) of a diagnosed log's JSON."""

from gradcheck.base.schema import Schema, closed, described_number
from gradcheck.logs.findings.finding import ERROR, KINDS, NOTE, WARNING
from gradcheck.version import SCHEMA_VERSION

#: What a clipping threshold or rule does.
CLIPS = {
    "clipped_fraction": "share of the steps in which it would have been at work",
    "kept": "mean part of the gradient that it would have left",
}


def log_schema() -> Schema:
    """Return the schema of ``diagnose --json``."""
    text = {"type": "string"}
    properties = {
        "schema_version": {"const": SCHEMA_VERSION},
        "gradcheck_version": text,
        "command": {"const": "diagnose"},
        "config": closed({"file": text, "max_norm": described_number("as it was given; null: what the log says")}),
        "log": _log(),
        "verdict": _verdict(),
        "findings": {"type": "array", "items": finding_schema(), "description": "by weight; none: a healthy run"},
        "thresholds": {"type": "array", "items": _threshold(), "description": "percentiles of the gradient norm"},
        "replays": {"type": "array", "items": _replay(), "description": "the adaptive rules on the logged norms"},
        "curves": closed({"grad_norm": _curve(), "loss": _curve()}),
        "warnings": {"type": "array", "items": text, "description": "what was wrong with the log, and left out"},
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gradcheck diagnose"}
    return head | closed(properties)


def _log() -> Schema:
    count = {"type": "integer", "minimum": 0}
    return closed(
        {
            "format": {"type": "string"},
            "rows": count,
            "first_step": described_number("of the rows that count"),
            "last_step": described_number("of the rows that count"),
            "layers": count | {"description": "layers with a gradient norm of their own"},
            "rows_per_sample": count | {"description": "above 1: of so many rows the first and the highest are kept"},
        }
    )


def _verdict() -> Schema:
    return closed(
        {
            "status": {"enum": ["healthy", *KINDS]},
            "first_step": described_number("where it begins"),
            "layer": {"type": ["string", "null"], "description": "that moved first"},
            "reasons": {"type": "array", "items": {"type": "string"}},
        }
    )


def finding_schema() -> Schema:
    """Return the schema of a line of ``diagnose --format jsonl``."""
    texts = {"type": "array", "items": {"type": "string"}}
    return closed(
        {
            "kind": {"enum": list(KINDS)},
            "severity": {"enum": [ERROR, WARNING, NOTE]},
            "message": {"type": "string"},
            "first_step": described_number("where it begins"),
            "last_step": described_number("where it ends"),
            "layer": {"type": ["string", "null"], "description": "that moved first"},
            "layers": texts | {"description": "all that are concerned, the first to move first"},
            "numbers": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
            "advice": texts | {"description": "what to try"},
        }
    )


def _threshold() -> Schema:
    return closed(
        {
            "percentile": {"type": "number"},
            "norm": described_number("of the steps before until_step"),
            **{name: described_number(meaning) for name, meaning in CLIPS.items()},
            "until_step": described_number("where the run goes wrong; null: it doesn't"),
        }
    )


def _replay() -> Schema:
    return closed(
        {
            "rule": {"type": "string", "description": "name:threshold, as of clip-demo"},
            "lowest": described_number("limit of the norm that it set"),
            "highest": described_number("limit of the norm that it set"),
            **{name: described_number(meaning) for name, meaning in CLIPS.items()},
        }
    )


def _curve() -> Schema:
    numbers = {"type": "array", "items": {"type": ["number", "null"]}}
    return closed(
        {"step": numbers, "value": numbers | {"description": "highest of its part of the run; null: not finite"}}
    )
