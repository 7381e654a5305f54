"""What the schemas of all commands are made of."""

from typing import Any

Schema = dict[str, Any]


def closed(properties: Schema, optional: Schema | None = None) -> Schema:
    """Return an object with these properties and no others; those not optional must be there."""
    return {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def described_number(meaning: str) -> Schema:
    """Return a number, or null, and what it means."""
    return {"type": ["number", "null"], "description": meaning}
