"""What a demonstration trains by default: a recurrence whose gradients explode. Loads no NumPy."""

from collections.abc import Mapping
from typing import Any

from gradcheck.errors import OptionError, one_of
from gradcheck.spec.clip_rules import parse_rules
from gradcheck.spec.command_line import command_line
from gradcheck.spec.families import IN_STEPS, TRAINED
from gradcheck.spec.names import SEQUENCES
from gradcheck.spec.training import TrainingSpec

#: A recurrence whose gradient grows by more than two decades over the rows of a digit.
EXPLODING = {"width": 64, "init": "orthogonal", "recurrent_gain": 5.0}


#: Hidden layers of a perceptron: it is trained once for each strategy, and 50 layers take minutes.
LAYERS = 10


def usual(arch: str, data: str, weights: str | None, width: object = None) -> dict[str, Any]:
    """Return the defaults of a network's options that differ from those of simulate."""
    if weights is not None:
        return {}
    if arch not in IN_STEPS:  # a width for each layer says how many there are
        return {} if isinstance(width, list | tuple) else {"depth": LAYERS}
    return EXPLODING | ({"steps": SEQUENCES["rows"]} if data == "digits" else {})


def network_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a demonstration's options as those of an experiment.

    Raises
    ------
    OptionError
        The way of reading doesn't go with the other options.
    """
    options = dict(values)
    arch = options["arch"] = one_of("network", options.pop("network", "rnn"), TRAINED)
    data, reading = options.get("data", "digits"), options.pop("sequence", None)
    if reading is not None:
        reading = one_of("sequence", reading, SEQUENCES)
        if arch not in IN_STEPS or data != "digits":
            problem = f"{reading} is a way to read the digits with --network {', '.join(IN_STEPS)}"
            raise OptionError("sequence", f"{problem}; drop it, or use --steps for other data")
        if "steps" in options:
            raise OptionError("sequence", f"{reading} means {SEQUENCES[reading]} steps: drop it, or --steps")
        options["steps"] = SEQUENCES[reading]
    return usual(arch, data, options.get("weights"), options.get("width")) | options


def reading_of(config: Mapping[str, Any]) -> str | None:
    """Return the name of the way in which the digits are read, if it has one."""
    if config["data"] != "digits" or config["steps"] is None:
        return None
    return next((name for name, steps in SEQUENCES.items() if steps == config["steps"]), None)


def demo_command_line(config: Mapping[str, Any], **changes: Any) -> str:  # noqa: ANN401
    """Return ``gradcheck clip-demo …`` for the config of a demonstration, some options changed."""
    changed = {**config, **changes}
    own = {
        **TrainingSpec(library=changed["library"]).to_dict(),
        **usual(changed["arch"], changed["data"], changed["weights"], changed["width"]),
        "network": "rnn",
        "arch": changed["arch"],  # the network says the same
        "sequence": changed["sequence"],  # the steps say the same
    }
    typed = {name: value for name, value in changed.items() if name not in ("clip", "library")}
    words = command_line("clip-demo", typed | {"as": changed["library"]}, own)
    rules = [] if list(changed["clip"]) == [str(rule) for rule in parse_rules(())] else changed["clip"]
    return " ".join([words, *(f"--clip {rule}" for rule in rules)])
