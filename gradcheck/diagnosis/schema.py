"""The JSON Schema (draft 2020-12) that a report's JSON validates against."""

from importlib import import_module

from gradcheck.base.schema import Schema, closed, described_number
from gradcheck.diagnosis.verdict import FLAGS, STATUSES
from gradcheck.errors import GradcheckError
from gradcheck.flow.quantities import QUANTITIES
from gradcheck.version import SCHEMA_VERSION

#: Commands whose JSON output has a schema.
COMMANDS = ("simulate", "probe", "clip-demo", "theory", "verify", "diagnose")

#: Where the schemas of commands are that measure something else: loaded when they are asked for.
ELSEWHERE = {
    "clip-demo": "gradcheck.training.schema:demo_schema",
    "theory": "gradcheck.mean_field.schema:theory_schema",
    "verify": "gradcheck.checking.schema:verification_schema",
    "diagnose": "gradcheck.logs.schema:log_schema",
}

BANDS = {"": "", "_low": "; lowest of the draws", "_high": "; highest of the draws"}

SUMMARY = {
    "gradient_span": "decades between the strongest and the weakest layer's gradient; null: one is exactly zero",
    "mean_local_gain": "geometric mean of the local gains; of a transformer, per block",
    "effective_rank_last": "effective rank of the last hidden layer's outputs",
    "weight_gradient_span": "decades between the strongest and the weakest layer's weight gradient (root mean square "
    "of its entries; of a transformer, among flow points of one kind); null: one is exactly zero",
    "effective_rank_least": "smallest effective rank of the layers, of a transformer's stream behind its blocks; of a "
    "recurrence that of the last step",
}
KIND = "what the layer is: gradient_ratio, local_gain and the spans compare layers of one kind only"
OUTPUT = {
    "loss": "mean over the batch",
    "logit_rms": "root mean square of the read-out's outputs",
    "weight_gradient_norm": "Frobenius norm of ∂loss/∂W of the read-out",
}


def json_schema(command: str = "simulate") -> Schema:
    """Return the schema of a command's JSON output.

    Raises
    ------
    GradcheckError
        There is no such command, or its JSON output has no schema.
    """
    if command not in COMMANDS:
        raise GradcheckError(f"schema {command!r} is unknown; allowed: {', '.join(COMMANDS)}")
    if command in ELSEWHERE:
        module, _, function = ELSEWHERE[command].partition(":")
        schema: Schema = getattr(import_module(module), function)()
        return schema
    return _of_flows(command)


def _of_flows(command: str) -> Schema:
    """Return the schema of a command that measures the flow through a network."""
    properties = {
        "schema_version": {"const": SCHEMA_VERSION},
        "gradcheck_version": {"type": "string"},
        "command": {"const": command},
        "config": {"type": "object", "description": "every option with its resolved value"},
        "layers": {"type": "array", "items": _layer(command), "description": "the hidden layers, first to last"},
        "output": _numbers(OUTPUT),
        "regions": {"type": "array", "items": _region()},
        "summary": _summary(),
        "verdict": _verdict(),
    }
    if command == "probe":
        from gradcheck.diagnosis.probe_schema import of_models

        properties["model"] = of_models()
    else:
        properties["prediction"] = _prediction()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"gradcheck {command}",
        **closed(properties),
        "properties": properties | {"suggestions": {"type": "array", "items": _suggestion()}},
    }


def _numbers(meanings: dict[str, str]) -> Schema:
    """Return an object of numbers, each with its extremes where several seeds were drawn."""
    every = {
        name + band: described_number(text + note) for name, text in meanings.items() for band, note in BANDS.items()
    }
    return closed({name: every[name] for name in meanings}, every)


def _summary() -> Schema:
    """Return the whole network's numbers."""
    numbers = _numbers(SUMMARY)
    count = {"type": "integer", "description": "how many numbers training would change, all biases among them"}
    required = {name: numbers["properties"][name] for name in SUMMARY} | {"parameters": count}
    return closed(required, numbers["properties"])


def _layer(command: str) -> Schema:
    meanings = {}
    for name, quantity in QUANTITIES.items():
        meanings[name] = quantity.meaning
        if quantity.show_log:
            meanings[f"log10_{name}"] = f"base-10 logarithm of {name}, right where {name} is null"
    numbers = _numbers(meanings)
    whole = {"type": "integer", "minimum": 1}
    fixed = {
        "index": whole,
        "name": {"type": "string"},
        **({"kind": {"type": "string", "description": KIND}} if command == "probe" else {}),
        "fan_in": whole,
        "fan_out": whole,
        "status": {
            "enum": ["ok", "underflow", "overflow", "nan"],
            "description": "why a number is null or 0: a magnitude is exactly zero or too small for a float, "
            "too large for one, or not a number",
        },
        "flag": {"enum": list(FLAGS)},
    }
    required = {**fixed, **{name: numbers["properties"][name] for name in meanings}}
    return closed(required, numbers["properties"])


def _prediction() -> Schema:
    """Return what mean-field theory says; all null but the words where it says nothing."""
    numbers = {
        "mean_local_gain": "geometric mean of the predicted local gains",
        "gradient_span": "decades between the strongest and the weakest layer's predicted gradient",
        "log10_gradient_ratio": "predicted log10 of the first layer's gradient_rms over the last one's",
        "log10_gradient_ratio_std": "its standard deviation among networks of this width",
    }
    agrees = {"type": ["boolean", "null"], "description": "whether the measurement lies where such networks lie"}
    gains = {
        "type": ["array", "null"], "items": described_number("one layer's"),
        "description": "the local gain of each layer, first to last; null for the last",
    }  # fmt: skip
    says = {"type": "string", "description": "the comparison in words, or why there is no prediction"}
    return closed(
        {name: described_number(text) for name, text in numbers.items()}
        | {"agrees": agrees, "local_gains": gains, "says": says}
    )


def _region() -> Schema:
    whole = {"type": "integer", "minimum": 1}
    return closed(
        {
            "flag": {"enum": [flag for flag in FLAGS if flag != "ok"]},
            "first_layer": whole,
            "last_layer": whole,
            "worst_layer": whole,
            "log10_worst_ratio": described_number("log10 of the gradient_ratio furthest from 1; null where it is zero"),
        }
    )


def _verdict() -> Schema:
    return closed(
        {
            "status": {"enum": list(STATUSES)},
            "trainable": {"type": "boolean", "description": "score ≥ 0.5"},
            "score": {
                "type": "number", "minimum": 0, "maximum": 1,
                "description": "probability that plain SGD trains the network",
            },
            "reasons": {"type": "array", "items": {"type": "string"}},
        }
    )  # fmt: skip


def _suggestion() -> Schema:
    return closed(
        {
            "changes": {"type": "object", "description": "options and their new values"},
            "command": {"type": "string", "description": "the whole command line with these changes"},
            "status": {"enum": list(STATUSES)},
            "score": {"type": "number", "minimum": 0, "maximum": 1, "description": "as in the verdict"},
            "gradient_span": described_number(SUMMARY["gradient_span"]),
            "effective_rank_last": described_number(SUMMARY["effective_rank_last"]),
        }
    )
