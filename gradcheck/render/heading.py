"""The first line of every report: what was run."""

from collections.abc import Iterator, Mapping
from typing import Any

from gradcheck.base.wording import counted
from gradcheck.spec import FAMILIES

SEPARATOR = " · "


def what_was_run(config: Mapping[str, Any]) -> str:
    """Return the network, the data and the seed in one line."""
    return SEPARATOR.join(_parts(config))


def what_network(config: Mapping[str, Any]) -> str:
    """Return the network in one line."""
    return SEPARATOR.join(FAMILIES[config["arch"]].heading(config))


def _parts(config: Mapping[str, Any]) -> Iterator[str]:
    if "model" in config:
        yield from _probed(config)
        return
    family = FAMILIES[config["arch"]]
    yield from family.heading(config)
    yield f"{config['data']}, batch {config['batch_size']}{family.heading_of_example(config)}"
    first, draws = config["seed"], config.get("seeds", 1)
    yield f"seed {first}" if draws == 1 else f"seeds {first} to {first + draws - 1}"
    if config["dtype"] != "float64":
        yield config["dtype"]
    if config.get("layers") == "weightless":
        yield "weightless"


def _probed(config: Mapping[str, Any]) -> Iterator[str]:
    """A user's own model, and what it was run on."""
    target = config.get("target")
    yield f"{target}, {config['model']}" if target else config["model"]
    if config.get("framework"):
        yield f"{config['framework']} on {config['backend']}" if config.get("backend") else config["framework"]
    if config.get("batch"):
        yield f"batch of {config['batch']}"
    elif config.get("input"):
        yield f"input {', '.join(config['input'])}"
    yield f"loss {config['loss']}"
    if config["mode"] != "train":
        yield f"{config['mode']} mode"
    if config.get("amp"):
        yield config["amp"]
    if config.get("steps"):
        yield "".join(_steps(config))
    yield f"seed {config['seed']}"


def _steps(config: Mapping[str, Any]) -> Iterator[str]:
    """How many steps are taken, and how."""
    yield f"{counted(config['steps'], 'step')} of {config['optimizer']}"
    if config["lr"] is not None:
        yield f", rate {config['lr']:g}"
    for name, value in (config.get("optimizer_options") or {}).items():
        yield f", {name} {value}"
    if config.get("warmup"):
        yield f", warm-up {config['warmup']}"
    if config.get("clip"):
        yield f", clip {config['clip']}"
