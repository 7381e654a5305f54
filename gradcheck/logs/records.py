"""The file that a recorder writes: JSON Lines, one object a sampled step, headed by one that says what they hold.

The first line is the header::

    {"gradcheck_log": 1, "gradcheck_version": "0.1.0", "every": 10, "layers": ["0.weight", "0.bias", "2.weight"],
     "clip": {"rule": "global-norm", "threshold": 1.0}}

``layers`` are the names of the parameters, in the order of the forward pass; ``clip`` is null where nothing clips.
Every other line is a record::

    {"step": 120, "loss": 0.31, "lr": 0.001, "loss_scale": 65536.0, "grad_norm": 2.1, "grad_norm_after": 1.0,
     "layers": {"grad_norm": [1.9, 0.2, 0.8], "weight_norm": [7.1, 0.4, 3.0], "update_ratio": [0.0003, 0.001, 0.0002]}}

Each list has one number for each name in ``layers``: no name is repeated, and a record is parsed as fast as its
numbers. All but ``step`` may be left out. Numbers that aren't finite are written as strings, "NaN", "Infinity" and
"-Infinity": the file stays strict JSON (RFC 8259). null means no number: the parameter got no gradient in this step.

Norms are Euclidean, of gradients without their loss scale; ``grad_norm`` is that of all parameters together before
clipping, ``grad_norm_after`` after it. ``update_ratio`` is ‖update‖/‖weights‖ of the step. A resumed run may write
another header and goes on in the same file; where a step occurs twice, the later record counts.
"""

import json
import math
from collections.abc import Mapping, Sequence

#: Version of the format; a reader refuses a later one.
FORMAT = 1

#: The header's first key.
MARK = "gradcheck_log"

#: Numbers of a whole step, and what they mean.
GLOBAL_QUANTITIES = {
    "step": "number of the optimiser's step",
    "loss": "of the batch",
    "lr": "learning rate",
    "loss_scale": "what the loss was multiplied by before the backward pass",
    "grad_norm": "norm of all gradients together, before clipping",
    "grad_norm_after": "the same, after clipping",
    "max_norm": "threshold of the global norm",
    "grad_left": "norm of one parameter's gradient that was still there when backward() began; left out if 0",
}

#: Numbers of each layer, and what they mean.
LAYER_QUANTITIES = {
    "grad_norm": "norm of the parameter's gradient, before clipping",
    "grad_norm_after": "the same, after clipping",
    "weight_norm": "norm of the parameter",
    "update_norm": "norm of what the step added to the parameter",
    "update_ratio": "update_norm over weight_norm",
    "activation_rms": "root mean square of the layer's output",
    "dead_fraction": "share of the layer's units whose output is zero for the whole batch",
}

#: The least number of steps from one record with norms of weights and updates to the next: they change slowly, and the
#: copy that an update is measured against is most of what a record costs. Short runs have them at these steps, too.
WEIGHTS_EVERY, EARLY = 50, (10, 20)


def has_weights(step: int, every: int) -> bool:
    """Whether the record of a step has norms of weights and updates, where each so many steps there is a record."""
    record = step // every
    return record % -(-WEIGHTS_EVERY // every) == 0 or record in [-(-early // every) for early in EARLY]


def header_line(
    layers: Sequence[str], *, every: int = 1, rule: str | None = None, threshold: float | None = None
) -> bytes:
    """Return the first line of a file.

    Parameters
    ----------
    layers : sequence of str
        Names of the parameters, in the order of the forward pass.
    every : int
        Steps from one record to the next.
    rule, threshold : str, float, optional
        How gradients are clipped: a name of ``gradcheck list`` and its threshold.
    """
    from gradcheck.version import __version__

    clip = None if rule is None else {"rule": rule, "threshold": threshold}
    header = {MARK: FORMAT, "gradcheck_version": __version__, "every": every, "layers": list(layers), "clip": clip}
    return json.dumps(header, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def record_line(
    step: int,
    layers: Mapping[str, Sequence[float | None]] | None = None,
    *,
    digits: int | None = None,
    **quantities: float | None,
) -> bytes:
    """Return the line of one step; put together by hand, because training waits for it.

    Parameters
    ----------
    step : int
    layers : mapping, optional
        A name of ``LAYER_QUANTITIES`` ↦ one number for each of the header's layers; None for no number.
    digits : int, optional
        That the layers' numbers have; all that they need, without it.
    quantities : float
        Numbers of the whole step, by names of ``GLOBAL_QUANTITIES``; None leaves one out.
    """
    numbers = [f'"{name}":{_json(value)}' for name, value in quantities.items() if value is not None]
    pairs = [f'"step":{step}', *numbers]
    if layers:
        lists = ",".join([f'"{name}":{_list(values, digits)}' for name, values in layers.items()])
        pairs.append(f'"layers":{{{lists}}}')
    return f"{{{','.join(pairs)}}}\n".encode()


def _list(values: Sequence[float | None], digits: int | None) -> str:
    """Return numbers as JSON; in one go where all are finite, as nearly always."""
    if digits is not None and None not in values:
        text = f"%.{digits}g," * len(values) % tuple(values)
        if "n" not in text:  # nan, inf
            return f"[{text[:-1]}]"
    rounded = (value if value is None or digits is None else float(f"{value:.{digits}g}") for value in values)
    return f"[{','.join(map(_json, rounded))}]"


def _json(value: float | None) -> str:
    """Return a number as JSON, or the name of one that isn't finite."""
    if value is None:
        return "null"
    if math.isfinite(value):
        return repr(float(value))
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
