"""The JSON Schema (draft 2020-12) of a demonstration's JSON."""

from gradcheck.base.schema import Schema, closed, described_number
from gradcheck.diagnosis.verdict import STATUSES as NETWORK_STATUSES
from gradcheck.spec.clip_rules import RULES
from gradcheck.training.conclusions import VERDICTS
from gradcheck.training.strategy import STATUSES
from gradcheck.version import SCHEMA_VERSION

#: Numbers of a strategy, null where there is none.
NUMBERS = {
    "threshold": "the rule's own; null: it has none",
    "final_loss": "mean over all examples, behind the last step",
    "final_accuracy": "share of all examples that are classified right; null without labels",
    "largest_norm_before": "largest global norm of a gradient, before clipping; null if none was finite",
    "largest_norm_after": "the same, after clipping",
    "clipped_fraction": "of the steps with a finite gradient, those in which the rule was at work",
    "mean_cosine": "between clipped and raw gradient: mean over the tensors, and over the steps with a finite gradient",
    "mean_global_cosine": "the same with all tensors as one vector",
    "learning_rate_lost": "1 - the mean part of the raw gradient that is left along it",
}
SERIES = {
    "loss": "of the batch, before the step",
    "gradient_norm": "global norm before clipping",
    "clipped_norm": "global norm after clipping",
    "threshold": "the limit that the rule applied; null: none",
}


def demo_schema() -> Schema:
    """Return the schema of ``clip-demo --json``."""
    properties = {
        "schema_version": {"const": SCHEMA_VERSION},
        "gradcheck_version": {"type": "string"},
        "command": {"const": "clip-demo"},
        "config": {"type": "object", "description": "every option with its resolved value"},
        "start": _start(),
        "strategies": {"type": "array", "items": _strategy(), "description": "in the order of config.clip"},
        "verdict": {"oneOf": [_verdict(), {"type": "null"}], "description": "null if no strategy is finished"},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "suggestion": {"type": ["string", "null"], "description": "how the threshold of --clip suggest came about"},
        "complete": {"type": "boolean", "description": "false: interrupted before all strategies were finished"},
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gradcheck clip-demo"}
    return head | closed(properties)


def _start() -> Schema:
    return closed(
        {
            "parameters": {"type": "integer", "minimum": 1},
            "status": {"enum": list(NETWORK_STATUSES), "description": "simulate's verdict before the first step"},
            "gradient_span": described_number("decades between the strongest and the weakest layer's gradient"),
            "mean_local_gain": described_number("geometric mean of the local gains"),
        }
    )


def _strategy() -> Schema:
    step = {"type": ["integer", "null"], "minimum": 1}
    count = {"type": "integer", "minimum": 0}
    return closed(
        {
            "rule": {"type": "string", "description": "name:threshold"},
            "name": {"enum": list(RULES)},
            "status": {"enum": list(STATUSES)},
            "diverged": {"type": "boolean"},
            "diverged_at_step": step
            | {"description": "the loss is above its limit, or not finite, in most steps from it on"},
            "steps": count,
            "nonfinite_steps": count | {"description": "steps whose gradient was not finite"},
            "first_nonfinite_step": step,
            "first_nonfinite_tensor": {
                "type": ["string", "null"],
                "description": "first on the way back from the loss",
            },
            "conclusion": {"type": "string"},
            "series": closed(
                {
                    name: {
                        "type": "array",
                        "items": {"type": ["number", "null"]},
                        "description": f"{text}, a step each",
                    }
                    for name, text in SERIES.items()
                }
            ),
            **{name: described_number(text) for name, text in NUMBERS.items()},
        }
    )


def _verdict() -> Schema:
    return closed(
        {
            "status": {"enum": list(VERDICTS)},
            "best": {"type": "string", "description": "the strategy with the best final accuracy, or loss"},
            "reasons": {"type": "array", "items": {"type": "string"}},
        }
    )
