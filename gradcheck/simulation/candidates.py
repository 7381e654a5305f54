"""Single changes that may bring a network back: what theory says first, then what papers advise."""

import math
from collections.abc import Iterator
from typing import Any

from gradcheck.mean_field.fixed_point import FixedPoint, find_fixed_point
from gradcheck.mean_field.phase import critical_point, critical_weight
from gradcheck.mean_field.prediction import Prediction, predict
from gradcheck.mean_field.theory import layer_map
from gradcheck.spec import FREE_SCALE, GATED, NetworkSpec, RecurrentSpec, Spec, TransformerSpec

#: Options and their new values.
Change = dict[str, Any]

#: Activations worth a try, each with the initialisation that was derived for it.
PARTNERS = {"tanh": "lecun", "relu": "he", "gelu": "he", "selu": "lecun"}

#: Activations of transformers that are none of them dead for a whole batch.
SMOOTH_IN_TRANSFORMERS = ("gelu", "silu", *GATED)

#: Digits of a gain that is worth typing.
DIGITS = 4


def changes(spec: Spec, batch_size: int, shallower: bool) -> Iterator[Change]:
    """Yield the single changes worth a simulation: each alters one thing that a theorem or a paper names.

    Parameters
    ----------
    spec : Spec
        The network that is to be changed.
    batch_size : int
        Examples of the batch.
    shallower : bool
        Fewer layers may help too; not where the signal overflows within a few.
    """
    if isinstance(spec, RecurrentSpec):
        yield from _recurrent_changes(spec)
        return
    if isinstance(spec, TransformerSpec):
        yield from _transformer_changes(spec, shallower)
        return
    yield from _critical(spec)
    yield from _activations(spec)
    yield from _initialisations(spec)
    for norm in ("layer", "rms", "batch"):
        if norm != spec.norm and (norm != "batch" or batch_size > 1):
            yield {"norm": norm}
    yield from _skips(spec)
    if shallower:
        yield from _depths(spec)


def is_hopeless(spec: Spec, batch_size: int, max_span: float) -> bool:
    """Whether theory knows that a network loses or gains far more than it may: no need to simulate it.

    So batch norm is never tried where it makes gradients explode (Yang et al. 2019).
    """
    found = predict(spec, input_square=1.0, batch_size=batch_size)
    return isinstance(found, Prediction) and found.gradient_span > 2 * max_span + 1


def _critical(spec: NetworkSpec) -> Iterator[Change]:
    """The gain at which this activation neither loses nor gains gradient, with the weights' law as it is or orthogonal.

    Saxe et al. 2014; Pennington, Schoenholz & Ganguli 2017: at the same gain orthogonal weights lose least.
    """
    layer = None if spec.residual or spec.norm == "batch" else layer_map(spec)
    if layer is None:
        return
    if layer.normalised:
        weight = critical_weight(layer)
        sigma = None if weight is None else math.sqrt(weight)
    else:
        point = critical_point(layer.kernel, layer.bias)
        sigma = None if point is None else point.weight_std
    if sigma is None:
        return
    gain = float(f"{spec.gain * sigma / math.sqrt(layer.weight):.{DIGITS}g}")
    own = float(f"{sigma:.{DIGITS}g}")
    if gain != spec.gain and spec.init not in FREE_SCALE:
        yield {"gain": gain}
    for init in ("lecun", "orthogonal"):
        if (init, own) != (spec.init, spec.gain):
            yield {"init": init, "gain": own, "weight_std": None}


def depth_limit(spec: NetworkSpec) -> int | None:
    """Return 6 ξ_c, beyond which no network of this kind trains (Schoenholz et al. 2017); None if not known."""
    layer = None if spec.residual or spec.norm == "batch" else layer_map(spec)
    found: FixedPoint | None = None if layer is None else find_fixed_point(layer, layer.weight + layer.bias)
    limit = None if found is None else found.deepest_trainable
    return None if limit is None or not 1 <= limit < math.inf else int(limit)


def _recurrent_changes(spec: RecurrentSpec) -> Iterator[Change]:
    """A cell with a memory, its gate opened wider as well; and what keeps a plain recurrence near gain 1."""
    open_gate = round(math.log(max(2, spec.steps)), 2)  # remembers over as many steps: Tallec & Ollivier 2018
    for arch in ("lstm", "gru"):
        for bias in (None, open_gate):
            if (arch, bias) != (spec.arch, None):
                yield {"arch": arch, "activation": "tanh", "forget_bias": bias}
    if spec.recurrent_gain != 1:
        yield {"recurrent_gain": 1.0}
    yield from _initialisations(spec)
    if spec.arch == "rnn":
        for activation in ("tanh", "relu"):
            yield {
                "activation": activation,
                "init": "orthogonal",
                "gain": 1.0,
                "recurrent_gain": 1.0,
                "weight_std": None,
            }


def _transformer_changes(spec: TransformerSpec, shallower: bool) -> Iterator[Change]:
    """Where the norms sit, how much a branch adds, how large the weights start, gelu; then fewer blocks."""
    scale = 1.0 if spec.residual_scale == "deepnorm" else spec.residual_scale
    for placement in ("pre", "both", "post"):
        if placement != spec.norm_placement or spec.norm == "none":
            yield {"norm": "layer" if spec.norm == "none" else spec.norm, "norm_placement": placement} | (
                {"residual_scale": scale} if scale != spec.residual_scale else {}
            )
    if spec.residual_scale != "gpt2":
        yield {"residual_scale": "gpt2"}
    if spec.norm_placement == "post" and spec.norm != "none" and spec.residual_scale != "deepnorm":
        yield {"residual_scale": "deepnorm"}
    for init, std in (("normal", 0.02), ("xavier", None)):
        if init != spec.init:
            yield {"init": init, "weight_std": std, "gain": 1.0}
    if spec.gain != 1 and spec.init not in FREE_SCALE:
        yield {"gain": 1.0}
    if spec.activation not in SMOOTH_IN_TRANSFORMERS:
        yield {"activation": "gelu"}
    if shallower:
        yield from ({"blocks": spec.blocks // part} for part in (2, 4, 8) if spec.blocks // part > 0)


def _activations(spec: NetworkSpec) -> Iterator[Change]:
    for activation, init in PARTNERS.items():
        if activation != spec.activation:
            yield {"activation": activation, "init": init, "gain": 1.0, "weight_std": None}


def _initialisations(spec: Spec) -> Iterator[Change]:
    for init in ("he", "lecun", "orthogonal"):
        if init != spec.init:
            yield {"init": init, "gain": 1.0, "weight_std": None}
    if spec.gain != 1 and spec.init not in FREE_SCALE:
        yield {"gain": 1.0}


def _skips(spec: NetworkSpec) -> Iterator[Change]:
    """Skip connections, also with the scale that keeps the signal's size over the depth."""
    if len(set(spec.widths)) > 1:
        return
    damped = round(1 / math.sqrt(spec.depth), 3)
    for scale in (1.0, damped):
        if not spec.residual or scale != spec.residual_scale:
            yield {"residual": True, "residual_scale": scale}


def _depths(spec: NetworkSpec) -> Iterator[Change]:
    """The depth that theory allows, and a half, a quarter, an eighth of what there is."""
    if not isinstance(spec.width, int):
        return
    for depth in (depth_limit(spec), spec.depth // 2, spec.depth // 4, spec.depth // 8):
        if depth is not None and 0 < depth < spec.depth:
            yield {"depth": depth}
