"""What is checked: every entry of the engine's tables, alone and together, each by a second route."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gradcheck.checking.differences import Case, Cases, Draw, Followed, Source, against_differences
from gradcheck.checking.network_checks import gradient_of_parameters, gradient_of_start, sublayers
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads
from gradcheck.engine.blocks import HiddenLayer
from gradcheck.engine.cells import CELLS
from gradcheck.engine.initializers import Law
from gradcheck.engine.layered import LayerPass
from gradcheck.engine.linear import Beside, Dense, log10_weight_gradient_norm
from gradcheck.engine.loss import Loss, cross_entropy, mean_square
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.network import weightless_maps
from gradcheck.engine.normalization import EPSILON, NORMS
from gradcheck.engine.recurrence import Recurrence
from gradcheck.engine.transformer import AttentionBranch, MlpBranch
from gradcheck.engine.types import Array, Block
from gradcheck.families import FAMILIES
from gradcheck.spec import PLACEMENTS, WEIGHTLESS
from gradcheck.spec.names import GATES

BATCH, WIDTH = 5, 6

#: Points keep this distance from a kink, or a step would cross it.
AWAY = 0.1

MASKS, GROUPS, TURNS = ("full", "causal"), ("", "grouped"), ("", "rotary")


class Check(NamedTuple):
    """One thing that is checked."""

    kind: str
    name: str
    method: str  # ``differences``, or ``identity`` for what holds exactly but for rounding
    error: Callable[[Source], float]  # random numbers ↦ the largest relative error
    note: str = ""  # an explanation, or empty


def list_checks() -> list[Check]:
    """Return every check; a new entry of the engine's tables gets one by itself."""
    return [
        *map(_of_activation, ACTIVATIONS),
        *(_by_differences("norm", name, partial(_norm, name)) for name in NORMS),
        *(_by_differences("map", name, cases) for name, cases in MAPS.items()),
        *(Check("map", f"weightless-{init}", "identity", partial(_adjoint, init)) for init in WEIGHTLESS),
        Check("map", "weight-gradient-norm", "identity", _weight_gradient_norm),
        _by_differences("loss", "cross-entropy", partial(_loss, cross_entropy(np.arange(BATCH) % 4))),
        _by_differences("loss", "mean-square", partial(_loss, mean_square)),
        *(
            _by_differences("block", f"{way}-{name}", partial(_hidden_layer, name, scale))
            for way, scale in (("plain", None), ("residual", 0.7))
            for name in NORMS
        ),
        *(_by_differences("cell", name, partial(_cell, name)) for name in CELLS),
        *(
            _by_differences("attention", "-".join(filter(None, words)), partial(_attention, *words))
            for words in product(MASKS, GROUPS, TURNS)
        ),
        _by_differences("branch", "attention", _attention_branch),
        _by_differences("branch", "mlp", partial(_mlp_branch, "gelu", False)),
        *(_by_differences("branch", name, partial(_mlp_branch, gate, True)) for name, gate in GATES.items()),
        *(_by_differences("sublayer", name, partial(sublayers, name)) for name in PLACEMENTS),
        *(_by_differences("network", name, partial(gradient_of_start, name)) for name in FAMILIES),
        *(
            _by_differences("training", name, partial(gradient_of_parameters, name))
            for name, family in FAMILIES.items()
            if family.weights
        ),
    ]


def _by_differences(kind: str, name: str, cases: Cases, note: str = "") -> Check:
    return Check(kind, name, "differences", partial(against_differences, cases), note)


# ---- what has one argument


def _of_activation(name: str) -> Check:
    flat = "derivative 0 wherever there is one, and so are its differences" if not ACTIVATIONS[name].steepest else ""
    return _by_differences("activation", name, partial(_activation, name), flat)


def _activation(name: str, draw: Draw) -> Iterator[Case]:
    z = draw(200, std=3.0)
    for kink in ACTIVATIONS[name].kinks:
        z = np.where(np.abs(z - kink) < AWAY, kink + np.copysign(AWAY, z - kink), z).astype(z.dtype)

    def function(z: Array) -> Followed:
        value, slope = ACTIVATIONS[name](z)
        return value, lambda delta: (delta * slope,)

    yield Case(function, (z,))


def _of_block(block: Block, x: Array) -> Case:
    """Return the case of a block: one argument, and a pullback to it alone."""

    def function(x: Array) -> Followed:
        y, pullback = block(x)
        return y, lambda delta: (pullback(delta),)

    return Case(function, (x,))


def _norm(name: str, draw: Draw) -> Iterator[Case]:
    for std in (math.sqrt(EPSILON), 1.0, 1e3):  # about as large as ε, above it, far above
        yield _of_block(NORMS[name].block, draw(BATCH, WIDTH, std=std))


def _attention(mask: str, grouped: str, rotary: str, draw: Draw) -> Iterator[Case]:
    heads = Heads(4, 4, 2 if grouped else 4, WIDTH, mask == "causal", bool(rotary))
    yield _of_block(heads.__call__, draw(2 * heads.tokens, (heads.queries + 2 * heads.keys) * heads.width))


# ---- linear maps


def _dense(draw: Draw) -> Iterator[Case]:
    def function(x: Array, weight: Array, bias: Array) -> Followed:
        linear = Dense(weight, bias)
        z, pullback = linear(x)
        return z, lambda delta: (pullback(delta), *linear.gradient(x, delta))

    yield Case(function, (draw(BATCH, WIDTH), draw(WIDTH, 4), draw(4)))


def _beside(draw: Draw) -> Iterator[Case]:
    beside = Beside((Dense(draw(WIDTH, 4)), Dense(draw(WIDTH, 3), draw(3))))
    yield _of_block(beside.__call__, draw(BATCH, WIDTH))


def _spread(draw: Draw) -> Iterator[Case]:
    spread = Beside((Dense(draw(WIDTH, 4)), Dense(draw(WIDTH, 3))), draw.generator.permutation(7))
    yield _of_block(spread.__call__, draw(BATCH, WIDTH))


MAPS: dict[str, Cases] = {"dense": _dense, "beside": _beside, "spread": _spread}


def _adjoint(init: str, source: Source) -> float:
    """Return how far ⟨D, X W⟩ is from ⟨D Wᵀ, X⟩, over ‖D‖·‖X W‖, for a W that is never built.

    A second pass would draw another W, so that no differences can be taken; but all that is drawn of one W must agree.
    """
    draw, errors = source.draw(0), []
    for batch, fan_in, fan_out in ((3, 40, 30), (3, 30, 40), (9, 5, 7)):
        widths = (fan_in, fan_out, 1)
        x, delta = draw(batch, fan_in), draw(batch, fan_out)
        z, pullback = weightless_maps(Law(init), widths, source.seed, source.dtype)(1)(x)
        forward, back = np.vdot(delta, z), np.vdot(pullback(delta), x)
        errors.append(abs(forward - back) / (np.linalg.norm(delta) * np.linalg.norm(z)))
    return float(np.max(errors))


def _weight_gradient_norm(source: Source) -> float:
    """Return how far ‖Xᵀ D‖ is from the norm of the matrix: from itself, from Gram matrices, and where those cancel."""
    draw, errors = source.draw(0), []
    for batch, fan_in, fan_out, opposite in ((9, 4, 3, 0.0), (3, 40, 30, 0.0), (2, 40, 30, 1.0)):
        x, delta = draw(batch, fan_in), draw(batch, fan_out)
        x[1] = x[1] * (1 - opposite) + (x[0] + x[1] / 64) * opposite
        delta[1] -= (delta[0] + delta[1]) * opposite
        logarithm = log10_weight_gradient_norm(Scaled(x, 3), Scaled(delta, -2))
        exact = 2 * np.linalg.norm(x.T.astype(np.float64) @ delta)
        errors.append(abs(10**logarithm / exact - 1))
    return float(np.max(errors))


# ---- losses


def _loss(loss: Loss, draw: Draw) -> Iterator[Case]:
    def function(outputs: Array) -> Followed:
        value, at_outputs = loss(outputs)
        return np.asarray(value), lambda delta: (at_outputs * delta,)

    yield Case(function, (draw(BATCH, 4),))


# ---- layers, cells and branches


def _of_layer(build: Callable[..., Any], x: Array, *weights: Array) -> Case:
    """Return the case of a layer that is built of weights: ∂𝓛/∂x, and ∂𝓛/∂W = Xᵀ D of each linear map."""

    def function(x: Array, *weights: Array) -> Followed:
        layer_pass = build(*weights)(x)

        def pullback(delta: Array) -> tuple[Array, ...]:
            *_, at_x, products = layer_pass.pullback(delta)
            return at_x, *(X.T @ D for X, D in products)

        return layer_pass.output, pullback

    return Case(function, (x, *weights))


def _hidden_layer(norm: str, skip_scale: float | None, draw: Draw) -> Iterator[Case]:
    def build(weight: Array) -> HiddenLayer:
        return HiddenLayer(Dense(weight), NORMS[norm].block, ACTIVATIONS["tanh"], skip_scale)

    yield _of_layer(build, draw(BATCH, WIDTH), draw(WIDTH, WIDTH))


def _cell(name: str, draw: Draw) -> Iterator[Case]:
    cell, x = CELLS[name], draw(BATCH, 3)
    pre_activations = len(cell.gates) * WIDTH
    bias = draw(pre_activations)

    def build(of_input: Array, of_state: Array) -> Callable[[Array], LayerPass]:
        layer = Recurrence(cell, Dense(of_input, bias), Dense(of_state), ACTIVATIONS["tanh"])
        return lambda state: layer(x, state)

    state = draw(BATCH, cell.states * WIDTH)
    yield _of_layer(build, state, draw(3, pre_activations), draw(WIDTH, pre_activations, std=0.5))


def _attention_branch(draw: Draw) -> Iterator[Case]:
    def build(project: Array, write: Array) -> AttentionBranch:
        return AttentionBranch(Dense(project), Heads(BATCH, 4, 2, 2), Dense(write))

    yield _of_layer(build, draw(2 * BATCH, WIDTH), draw(WIDTH, 16, std=0.5), draw(8, WIDTH))


def _mlp_branch(activation: str, gated: bool, draw: Draw) -> Iterator[Case]:
    def build(expand: Array, write: Array) -> MlpBranch:
        return MlpBranch(Dense(expand), ACTIVATIONS[activation], gated, Dense(write))

    yield _of_layer(build, draw(BATCH, WIDTH), draw(WIDTH, 16, std=0.5), draw(8 if gated else 16, WIDTH))
