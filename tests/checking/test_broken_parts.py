"""A part of the engine that is broken is found by its name, and so is what is made of it."""

import functools
import math

import numpy as np
import pytest

from gradcheck.checking.verification import verify
from gradcheck.engine import linear
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads
from gradcheck.engine.blocks import HiddenLayer
from gradcheck.engine.cells import CELLS
from gradcheck.engine.linear import Beside, Dense, Weightless
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.network import Network
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.transformer import AttentionBranch, MlpBranch, Sublayer
from gradcheck.spec import GATED, PLACEMENTS, RECURRENT, WEIGHTLESS

WAYS = ["", "-rotary", "-grouped", "-grouped-rotary"]
ATTENTION = [f"{mask}{way}" for mask in ("full", "causal") for way in WAYS]
ROTARY = {name for name in ATTENTION if name.endswith("rotary")}


@pytest.fixture
def failing():
    """What fails: kind and name of each check."""
    return lambda **how: {(check.kind, check.name) for check in verify(**how).failed}


#: What is not made of nearly everything else, and the network that is made of sublayers.
PARTS = "activation", "norm", "map", "cell", "block", "attention", "branch", "sublayer", "loss", "transformer"


def of(kind, names):
    return {(kind, name) for name in names}


def wrapped(owner, change):
    """A __call__ that returns what the owner's does, changed."""
    right = owner.__call__

    @functools.wraps(right)
    def call(self, *arguments):
        return change(self, right(self, *arguments))

    return call


def scaled(factor):
    """The pullback of (output, pullback), so many times."""
    return lambda _, result: (result[0], lambda delta: factor * result[1](delta))


def without_skip(layer, layer_pass):
    """A hidden layer that forgets the path beside the branch."""
    if layer.skip_scale is None:
        return layer_pass

    def pullback(delta):
        cotangents = layer_pass.pullback(delta)
        return cotangents._replace(at_x=cotangents.at_x - delta)

    return layer_pass._replace(pullback=pullback)


def keys_wrong(heads, result):
    """Attention whose keys' gradient is 1 % too large."""
    output, pullback = result

    def wrong(delta):
        gradient = pullback(delta)
        gradient[:, heads.queries * heads.width : (heads.queries + heads.keys) * heads.width] *= 1.01
        return gradient

    return output, wrong


def product_lost(_, branch_pass):
    """A branch whose last map's weight gradient is 1 % too large."""

    def pullback(delta):
        at_x, (first, (X, D)) = branch_pass.pullback(delta)
        return at_x, (first, (X, 1.01 * D))

    return branch_pass._replace(pullback=pullback)


def bare_stream(sublayer, point):
    """A sublayer that forgets what the branch gives back."""
    return point._replace(pullback=lambda delta: point.pullback(delta)._replace(at_x=sublayer.stream_scale * delta))


def misplaced(beside, result):
    """Outputs in their own columns, whose gradients are taken from the next ones."""
    output, pullback = result
    return result if beside.columns is None else (output, lambda delta: pullback(np.roll(delta, 1, axis=1)))


TRANSFORMERS = {*of("sublayer", PLACEMENTS), ("network", "transformer")}
ON_DENSE = {("map", "dense"), ("map", "beside"), ("map", "spread")}

BROKEN = {
    "dense": (Dense, scaled(1.01), ON_DENSE),
    "beside": (Beside, scaled(1.01), {("map", "beside"), ("map", "spread")}),
    "spread": (Beside, misplaced, {("map", "spread")}),
    "weightless": (Weightless, scaled(1 + 1e-8), of("map", [f"weightless-{init}" for init in WEIGHTLESS])),
    "residual": (HiddenLayer, without_skip, of("block", [f"residual-{norm}" for norm in NORMS])),
    "attention": (Heads, keys_wrong, of("attention", ATTENTION) | TRANSFORMERS | {("branch", "attention")}),
    "attention branch": (AttentionBranch, product_lost, {("branch", "attention")}),
    "mlp branch": (MlpBranch, product_lost, of("branch", ["mlp", *GATED])),
    "sublayer": (Sublayer, bare_stream, TRANSFORMERS),
}


#: As others of the same kinds are: looked for where slow proofs are run.
ALIKE = ("spread", "attention branch")


@pytest.mark.parametrize("slip", [pytest.param(one, marks=[pytest.mark.slow] * (one in ALIKE)) for one in BROKEN])
def test_a_broken_part_is_found_and_so_is_what_is_made_of_it(slip, monkeypatch, failing):
    owner, change, expected = BROKEN[slip]
    monkeypatch.setattr(owner, "__call__", wrapped(owner, change))
    if slip == "dense":  # everything is made of those
        assert failing(only="map") == expected
    else:
        assert failing(only=PARTS) == expected


def test_positions_that_are_not_turned_back_are_found_where_there_are_some(monkeypatch, failing):
    right = Heads._turned
    monkeypatch.setattr(Heads, "_turned", lambda self, heads, sign: right(self, heads, 1.0))
    found = failing(only=PARTS)
    assert found & of("attention", ATTENTION) == of("attention", ROTARY)
    assert found - of("attention", ROTARY) <= TRANSFORMERS


def forgetful(cell):
    """A cell that forgets what comes past its pre-activations."""

    def step(*arguments):
        right = cell.step(*arguments)

        def pullback(delta):
            at_z, at_state, at_product = right.pullback(delta)
            return at_z, 0 * at_state, at_product

        return right._replace(pullback=pullback)

    return cell._replace(step=step)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_cell_that_forgets_the_way_past_its_gates_is_found(name, monkeypatch, failing):
    monkeypatch.setitem(CELLS, name, forgetful(CELLS[name]))
    assert failing(only=["cell", "network", "training"]) == {("cell", name), ("network", name), ("training", name)}


def test_a_reset_gate_that_is_left_out_on_the_way_back_is_found_in_the_gru_alone(monkeypatch, failing):
    gru = CELLS["gru"]

    def step(*arguments):
        right = gru.step(*arguments)

        def pullback(delta):
            at_z, at_state, _ = right.pullback(delta)
            return at_z, at_state, at_z

        return right._replace(pullback=pullback)

    monkeypatch.setitem(CELLS, "gru", gru._replace(step=step))
    assert failing(only=["cell", "network", "training"]) == {("cell", "gru"), ("network", "gru"), ("training", "gru")}


def test_a_plain_cell_with_a_wrong_slope_is_found(monkeypatch, failing):
    rnn = CELLS["rnn"]

    def step(*arguments):
        right = rnn.step(*arguments)

        def pullback(delta):
            at_z = 1.01 * right.pullback(delta)[0]
            return at_z, None, at_z

        return right._replace(pullback=pullback)

    monkeypatch.setitem(CELLS, "rnn", rnn._replace(step=step))
    assert failing(only=["cell", "network", "training"]) == {("cell", "rnn"), ("network", "rnn"), ("training", "rnn")}


def test_a_bias_s_gradient_that_is_a_mean_is_found(monkeypatch, failing):
    right = Dense.gradient

    def wrong(self, x, delta):
        at_weight, *at_bias = right(self, x, delta)
        return at_weight, *(one / len(x) for one in at_bias)

    monkeypatch.setattr(Dense, "gradient", wrong)
    assert failing(only=["map", "network", "training"]) == {("map", "dense"), *of("training", ["mlp", *RECURRENT])}


@pytest.mark.parametrize(("module", "kinds"), [("checks", {"loss"}), ("network_checks", {"network", "training"})])
def test_a_loss_that_forgets_the_batch_is_found(module, kinds, monkeypatch, failing):
    def wrong(labels):
        def loss(logits):
            value, delta = cross_entropy(labels)(logits)
            return value, delta * len(labels)

        return loss

    monkeypatch.setattr(f"gradcheck.checking.{module}.cross_entropy", wrong)
    found = failing(only=["loss", "network", "training"])
    assert {kind for kind, _ in found} == kinds
    assert (("loss", "cross-entropy") in found) == ("loss" in kinds)


@pytest.mark.parametrize("way", ["_square_by_gram_matrices", "sum_of_squares"])
def test_a_weight_gradient_s_norm_that_is_wrong_on_one_way_is_found(way, monkeypatch, failing):
    right = getattr(linear, way)
    monkeypatch.setattr(linear, way, lambda *arguments: (right(*arguments) or 0.0) * (1 + 1e-6) or None)
    assert ("map", "weight-gradient-norm") in failing(only="weight-gradient-norm")


def test_gradients_of_training_in_the_wrong_order_are_an_error_in_words(monkeypatch):
    right = Network.gradient

    def wrong(self, inputs, loss):
        gradient = right(self, inputs, loss)
        return gradient._replace(parts=gradient.parts[::-1])

    monkeypatch.setattr(Network, "gradient", wrong)
    (check,) = verify(only=["network", "training"]).failed
    assert (check.kind, check.name, check.error) == ("training", "mlp", None)
    assert check.problem.startswith("ValueError: the pullback returns float64 (5,) for float64 (8, 6)")


def test_a_part_that_raises_fails_alone(monkeypatch):
    def broken(z):
        raise ZeroDivisionError("of all things")

    monkeypatch.setitem(ACTIVATIONS, "softplus", ACTIVATIONS["softplus"]._replace(evaluate=broken))
    (check,) = verify(only=["activation", "cell", "block"]).failed
    assert (check.name, check.error, check.problem) == ("softplus", None, "ZeroDivisionError: of all things")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_derivative_that_is_not_finite_fails(bad, monkeypatch):
    right = ACTIVATIONS["softplus"]
    monkeypatch.setitem(ACTIVATIONS, "softplus", right._replace(evaluate=lambda z: (right.evaluate(z)[0], bad * z)))
    (check,) = verify(only=["activation", "cell", "block"]).failed
    assert (check.name, check.error, check.problem) == ("softplus", None, "a number is not finite")


def test_an_activation_that_leaves_single_precision_is_found_there_and_only_there(monkeypatch):
    right = ACTIVATIONS["softplus"]
    wide = right._replace(evaluate=lambda z: (right.evaluate(z)[0], right.evaluate(z)[1].astype("f8")))
    monkeypatch.setitem(ACTIVATIONS, "softplus", wide)
    assert verify(only="activation").passed
    (check,) = verify(only="activation", dtype="float32").failed
    assert check.problem == "ValueError: the pullback returns float64 (200,) for float32 (200,)"
