"""A network's options as the command line that one would type."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from gradcheck.base.wording import shortest
from gradcheck.spec import FAMILIES, network_spec
from gradcheck.spec.data import DataSpec
from gradcheck.spec.representation import chosen_layers
from gradcheck.spec.run import RunSpec
from gradcheck.spec.thresholds import Thresholds

#: What a command line of ``simulate`` doesn't repeat: what else is done with the network.
ONCE = ("suggest", "save_weights", "trial", "trial_seconds")


def command_line(command: str, config: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """Return ``gradcheck COMMAND …`` with every option that isn't at its default, or at the command's own one."""
    defaults = {
        **DataSpec().to_dict(),
        **Thresholds().to_dict(),
        **RunSpec().to_dict(),
        **FAMILIES[config.get("arch", "mlp")].usual(config),
        "layers": _usual_layers(config),
        **(own or {}),
    }
    changed = {name: value for name, value in config.items() if value != defaults.get(name) and value != "auto"}
    given = {name: value for name, value in changed.items() if value is not None and name not in ONCE}
    if "weights" in given:
        given = {name: value for name, value in given.items() if name not in ("depth", "width", "init")}
    return shlex.join(["gradcheck", command, *options(given)])


def row_command_line(given: Mapping[str, Any], common: Mapping[str, Any]) -> str:
    """Return ``gradcheck simulate …`` for a row of a comparison, with what all rows share.

    The row's own options were typed, and are typed again: whether one is at its default depends on the others.
    """
    usual = {**DataSpec().to_dict(), **Thresholds().to_dict(), **RunSpec().to_dict()}
    changed = {name: value for name, value in common.items() if value != usual[name]}
    return shlex.join(["gradcheck", "simulate", *options({**given, **changed})])


def _usual_layers(config: Mapping[str, Any]) -> str:
    """Return how layers are represented by default."""
    if config.get("weights") or "batch_size" not in config:
        return "dense"
    return chosen_layers("auto", network_spec(config), config["batch_size"])


def options(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words that set options to values: ``--depth``, ``50``; a switch is one word."""
    for name, value in given.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        elif isinstance(value, list | tuple):
            yield from (f"--{flag}", ",".join(str(item) for item in value))
        else:
            yield from (f"--{flag}", shortest(value) if isinstance(value, float) else str(value))
