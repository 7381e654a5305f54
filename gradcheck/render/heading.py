"""The first line of every report: what was run."""

from collections.abc import Iterator, Mapping
from typing import Any

from gradcheck.spec import RECURRENT, USUAL_FORGET_BIAS

SEPARATOR = " · "


def what_was_run(config: Mapping[str, Any]) -> str:
    """Return the network, the data and the seed in one line."""
    return SEPARATOR.join(_parts(config))


def what_network(config: Mapping[str, Any]) -> str:
    """Return the network in one line."""
    return SEPARATOR.join(_network(config))


def _parts(config: Mapping[str, Any]) -> Iterator[str]:
    if "model" in config:
        yield from _probed(config)
        return
    yield from _network(config)
    tokens = f" of {config['tokens']} tokens" if config["arch"] == "transformer" else ""
    yield f"{config['data']}, batch {config['batch_size']}{tokens}"
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
    shapes = ", ".join(config.get("input") or ())
    batch = f"batch of {config['batch']}" if config.get("batch") else f"input {shapes}"
    if shapes or config.get("batch"):
        yield batch
    yield f"loss {config['loss']}"
    if config["mode"] != "train":
        yield f"{config['mode']} mode"
    if config["amp"]:
        yield config["amp"]
    if config["steps"]:
        rate = "" if config["lr"] is None else f", rate {config['lr']:g}"
        yield f"{config['steps']} {'step' if config['steps'] == 1 else 'steps'} of {config['optimizer']}{rate}"
    yield f"seed {config['seed']}"


def _network(config: Mapping[str, Any]) -> Iterator[str]:
    if config["arch"] == "transformer":
        yield from _transformer(config)
        return
    recurrent = config["arch"] in RECURRENT
    yield f"{config['activation']} rnn" if config["arch"] == "rnn" else config["arch" if recurrent else "activation"]
    yield from _weights(config)
    if recurrent:
        if config["forget_bias"] is not None and config["forget_bias"] != USUAL_FORGET_BIAS[config["arch"]]:
            yield f"forget bias {config['forget_bias']:g}"
        yield f"{config['steps']} {'step' if config['steps'] == 1 else 'steps'} of width {config['width']}"
        return
    if config["norm"] != "none":
        yield f"{config['norm']} norm"
    if config["residual"]:
        yield "residual" if config["residual_scale"] == 1 else f"residual × {config['residual_scale']:g}"
    yield f"{config['depth']} {'layer' if config['depth'] == 1 else 'layers'} of {_width(config['width'])}"


def _transformer(config: Mapping[str, Any]) -> Iterator[str]:
    """A transformer's name, its blocks and what is not as usual in them."""
    kind = "decoder" if config["causal"] else "encoder"
    yield f"{config['preset'] or 'transformer'} {kind}, {config['activation']}"
    yield from _weights(config)
    norm = "no norm" if config["norm"] == "none" else f"{config['norm']} norm {config['norm_placement']}"
    scale = config["residual_scale"]
    scaled = "" if scale == 1 else f", residual {scale}" if isinstance(scale, str) else f", residual × {scale:g}"
    yield norm + scaled
    blocks, width, heads = config["blocks"], config["model_width"], config["heads"]
    yield f"{blocks} {'block' if blocks == 1 else 'blocks'} of {width}, {heads} {'head' if heads == 1 else 'heads'}"


def _weights(config: Mapping[str, Any]) -> Iterator[str]:
    if config["weights"]:
        yield f"weights of {config['weights']}"
        return
    std = f" {config['weight_std']:g}" if config["weight_std"] is not None else ""
    gain = f" × {config['gain']:g}" if config["gain"] != 1 else ""
    within = f", recurrent × {config['recurrent_gain']:g}" if config["recurrent_gain"] not in (None, 1) else ""
    yield f"{config['init']}{std}{gain}{within}"


def _width(width: int | list[int]) -> str:
    if isinstance(width, int):
        return str(width)
    if len(set(width)) == 1:
        return str(width[0])
    return ",".join(map(str, width)) if len(width) <= 6 else f"{min(width)} to {max(width)}"
