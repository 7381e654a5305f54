"""The JSON Schema (draft 2020-12) of what only the report of a user's own model has."""

from gradcheck.base.schema import Schema, closed, described_number
from gradcheck.diagnosis.verdict import STATUSES

STRINGS: Schema = {"type": "array", "items": {"type": "string"}}


def of_models() -> Schema:
    """Return the schema of a probe's ``model``."""
    return closed(
        {
            "loss_by_default": {"type": "boolean", "description": "nobody named a loss: config has the one taken"},
            "readout": {
                "type": ["string", "null"],
                "description": "the last module with weights that is used: it is output, not one of layers",
            },
            "unused": STRINGS | {"description": "parameters that never receive a gradient"},
            "zero_gradient": STRINGS | {"description": "parameters whose gradient is exactly zero on this batch"},
            "opened": STRINGS
            | {"description": "weights that start at exactly zero, measured as their first step opens them"},
            "training": {"oneOf": [_training(), {"type": "null"}], "description": "null: no steps were taken"},
            "precision": {"oneOf": [_precision(), {"type": "null"}], "description": "null: full precision"},
        }
    )


def _training() -> Schema:
    return closed(
        {
            "losses": {
                "type": "array",
                "items": {"type": ["number", "null"]},
                "description": "before each step, and behind the last",
            },
            "statuses": {"type": "array", "items": {"enum": list(STATUSES)}, "description": "as many verdicts"},
            "sick_from_step": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "steps after which it is ill to the end; null: it is healthy then",
            },
            "first_layer": {"type": ["string", "null"], "description": "where that showed first"},
        }
    )


def _precision() -> Schema:
    share = described_number(
        "of the entries of its gradient that are not zero in full precision, those that are in half"
    )
    return closed(
        {
            "amp": {"enum": ["fp16", "bf16"]},
            "loss_scale": {"type": "integer", "minimum": 1},
            "underflow": {
                "type": "array",
                "items": closed({"layer": {"type": "string"}, "share": share}),
                "description": "layers that lose more than 1 %, worst first",
            },
        }
    )
