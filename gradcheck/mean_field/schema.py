"""The JSON Schema (draft 2020-12) of theory's JSON."""

from gradcheck.base.schema import Schema, closed, described_number
from gradcheck.mean_field.report import PHASES, QUANTITIES
from gradcheck.version import SCHEMA_VERSION

NETWORK = {
    "log10_gradient_ratio": "log10 of the first layer's gradient over the last layer's",
    "log10_gradient_ratio_std": "its standard deviation among networks of this width; null where it isn't known",
    "gradient_span": "decades between the strongest and the weakest layer's gradient",
    "mean_local_gain": "geometric mean of the local gains; null of a single layer",
}
LAYER = {
    "preactivation_std": "standard deviation of the pre-activations",
    "log10_local_gain": "log10 of the gradient over the next layer's; null of the last layer",
    "log10_gradient_ratio": "log10 of the gradient over the last layer's",
    "log10_local_gain_std": "standard deviation of log10_local_gain among networks of this width",
    "log10_gradient_ratio_std": "standard deviation of log10_gradient_ratio among networks of this width",
}


def theory_schema() -> Schema:
    """Return the schema of ``theory --json``."""
    text = {"type": "string"}
    index = {"index": {"type": "integer", "minimum": 1}}
    phase = {"phase": {"enum": [*PHASES, None], "description": "null where there is no fixed point"}}
    properties = {
        "schema_version": {"const": SCHEMA_VERSION},
        "gradcheck_version": text,
        "command": {"const": "theory"},
        "config": {"type": "object", "description": "every option with its resolved value; sigma_w, sigma_b"},
        "fixed_point": closed(phase | _numbers(QUANTITIES)),
        "network": closed(_numbers(NETWORK)),
        "layers": {
            "type": "array", "items": closed(index | _numbers(LAYER)),
            "description": "the hidden layers, first to last; empty where theory has no answer",
        },
        "reasons": {
            "type": "object", "additionalProperties": text,
            "description": "why a number is null; an infinite one says so",
        },
        "notes": {"type": "array", "items": text, "description": "what a number takes for granted"},
    }  # fmt: skip
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gradcheck theory"}
    return head | closed(properties, {"phase_diagram": _diagram()})


def _numbers(meanings: dict[str, str]) -> Schema:
    return {name: described_number(meaning) for name, meaning in meanings.items()}


def _diagram() -> Schema:
    """Return the plane that --phase-diagram adds."""
    line = {"type": "array", "items": {"type": "number"}}
    rows = {"type": "array", "items": line, "description": "chi_1: a line for each sigma_b, a number for each sigma_w"}
    return closed({"sigma_w": line, "sigma_b": line, "chi": rows})
