"""The first line of every report: what was run."""

from collections.abc import Iterator, Mapping
from typing import Any

SEPARATOR = " · "


def what_was_run(config: Mapping[str, Any]) -> str:
    """Return the network, the data and the seed in one line."""
    return SEPARATOR.join(_parts(config))


def _parts(config: Mapping[str, Any]) -> Iterator[str]:
    yield config["activation"]
    yield from _weights(config)
    if config["norm"] != "none":
        yield f"{config['norm']} norm"
    if config["residual"]:
        yield "residual" if config["residual_scale"] == 1 else f"residual × {config['residual_scale']:g}"
    yield f"{config['depth']} {'layer' if config['depth'] == 1 else 'layers'} of {_width(config['width'])}"
    yield f"{config['data']}, batch {config['batch_size']}"
    first, draws = config["seed"], config["seeds"]
    yield f"seed {first}" if draws == 1 else f"seeds {first} to {first + draws - 1}"
    if config["dtype"] != "float64":
        yield config["dtype"]


def _weights(config: Mapping[str, Any]) -> Iterator[str]:
    if config["weights"]:
        yield f"weights of {config['weights']}"
        return
    std = f" {config['weight_std']:g}" if config["weight_std"] is not None else ""
    gain = f" × {config['gain']:g}" if config["gain"] != 1 else ""
    yield f"{config['init']}{std}{gain}"


def _width(width: int | list[int]) -> str:
    if isinstance(width, int):
        return str(width)
    if len(set(width)) == 1:
        return str(width[0])
    return ",".join(map(str, width)) if len(width) <= 6 else f"{min(width)} to {max(width)}"
