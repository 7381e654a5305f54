"""Every table's entry has a check, and a check finds what is broken: each kind of slip, by its name."""

import functools
import math

import numpy as np
import pytest

from gradcheck.checks import checks
from gradcheck.differences import Source
from gradcheck.engine import linear
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads
from gradcheck.engine.blocks import HiddenLayer
from gradcheck.engine.cells import CELLS
from gradcheck.engine.linear import Beside, Dense, Spread, Weightless
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.network import Network
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.transformer import AttentionBranch, MlpBranch, Sublayer
from gradcheck.spec import ARCHITECTURES, GATED, PLACEMENTS, RECURRENT, WEIGHTLESS
from gradcheck.verification import LIMITS, verify

WAYS = ["", "-rotary", "-grouped", "-grouped-rotary"]
ATTENTION = [f"{mask}{way}" for mask in ("full", "causal") for way in WAYS]
ROTARY = {name for name in ATTENTION if name.endswith("rotary")}


@pytest.fixture
def failing():
    """What fails: kind and name of each check."""
    return lambda **how: {(check.kind, check.name) for check in verify(**how).failed}


def of(kind, names):
    return {(kind, name) for name in names}


# ---- every entry has a check


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("activation", ACTIVATIONS),
        ("norm", NORMS),
        ("cell", CELLS),
        ("block", [f"{way}-{norm}" for way in ("plain", "residual") for norm in NORMS]),
        ("attention", ATTENTION),
        ("branch", ["attention", "mlp", *GATED]),
        ("sublayer", PLACEMENTS),
        ("network", ARCHITECTURES),
        ("training", ["mlp", *RECURRENT]),
        ("loss", ["cross-entropy", "mean-square"]),
        ("map", ["dense", "beside", "spread", *(f"weightless-{init}" for init in WEIGHTLESS), "weight-gradient-norm"]),
    ],
)
def test_every_entry_of_a_table_has_one_check(kind, table):
    assert sorted(check.name for check in checks() if check.kind == kind) == sorted(table)


def test_a_check_is_known_by_its_kind_and_name():
    known = [(check.kind, check.name) for check in checks()]
    assert len(set(known)) == len(known)
    assert not {kind for kind, _ in known} & {name for _, name in known if name != "attention"}


@pytest.mark.parametrize(("table", "kinds"), [(ACTIVATIONS, 1), (NORMS, 3), (CELLS, 1)])
def test_a_new_entry_is_checked_without_more_ado(table, kinds, monkeypatch):
    before = len(checks())
    monkeypatch.setitem(table, "new", table[list(table)[-1]])
    added = [check for check in checks() if check.name in ("new", "plain-new", "residual-new")]
    assert (len(added), len(checks())) == (kinds, before + kinds)
    assert all(check.error(Source(0, "new")) < 1e-6 for check in added)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("seed", range(3))
def test_the_engine_passes_every_check_by_a_decade_at_least(dtype, seed):
    assert [check for check in verify(seed=seed, dtype=dtype).checks if not check.error < check.limit / 10] == []


def test_points_of_an_activation_stay_away_from_its_kinks(monkeypatch):
    seen = []
    hard_tanh = ACTIVATIONS["hard_tanh"]

    def watched(z):
        seen.append(z)
        return hard_tanh.evaluate(z)

    monkeypatch.setitem(ACTIVATIONS, "hard_tanh", hard_tanh._replace(evaluate=watched))
    verify(only="hard_tanh")
    points = np.concatenate([z.ravel() for z in seen])
    assert len(points) > 1000
    assert min(np.abs(points - kink).min() for kink in hard_tanh.kinks) > 0.05


# ---- what is broken is found: activations


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_that_is_one_percent_wrong_is_found(name, monkeypatch, failing):
    right = ACTIVATIONS[name]

    def wrong(z):
        value, slope = right.evaluate(z)
        return value, slope * 1.01 + (0.01 if name == "step" else 0)

    monkeypatch.setitem(ACTIVATIONS, name, right._replace(evaluate=wrong))
    found = failing()
    assert ("activation", name) in found
    assert of("activation", ACTIVATIONS) & found == {("activation", name)}
    if name in ("softplus", "relu", "step"):  # nothing else is made of them
        assert len(found) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_derivative_that_is_wrong_on_one_side_is_found_with_any_seed(seed, monkeypatch, failing):
    right = ACTIVATIONS["leaky_relu"]

    def wrong(z):
        value, slope = right.evaluate(z)
        return value, np.where(z < 0, 0.011, slope)

    monkeypatch.setitem(ACTIVATIONS, "leaky_relu", right._replace(evaluate=wrong))
    assert failing(only="leaky_relu", seed=seed) == {("activation", "leaky_relu")}


@pytest.mark.parametrize("seed", range(5))
def test_the_slope_of_a_near_function_is_found(seed, monkeypatch, failing):
    right = ACTIVATIONS["gelu"]

    def wrong(z):  # that of the tanh approximation
        factor = math.sqrt(2 / math.pi)
        gate = np.tanh(factor * (z + 0.044715 * z**3))
        slope = (1 + gate + z * (1 - gate**2) * factor * (1 + 3 * 0.044715 * z**2)) / 2
        assert np.abs(slope - right.evaluate(z)[1]).max() < 2e-3
        return right.evaluate(z)[0], slope

    monkeypatch.setitem(ACTIVATIONS, "gelu", right._replace(evaluate=wrong))
    assert failing(only="gelu", seed=seed) == {("activation", "gelu")}


# ---- norms


def standardised(axis, *, along=True, centre=True, epsilon=1e-5):
    """A norm whose pullback may forget a term, or have another ε than the forward pass."""

    def block(z):
        centred = z - z.mean(axis, keepdims=True)
        variance = np.square(centred).mean(axis, keepdims=True)
        unit = centred / np.sqrt(variance + 1e-5)

        def pullback(delta):
            kept = delta - centre * delta.mean(axis, keepdims=True)
            kept = kept - along * unit * (delta * unit).mean(axis, keepdims=True)
            return kept / np.sqrt(variance + epsilon)

        return unit, pullback

    return block


@pytest.mark.parametrize(("name", "axis"), [("batch", 0), ("layer", 1)])
@pytest.mark.parametrize("slip", [{"along": False}, {"centre": False}, {"epsilon": 0.0}])
def test_a_norm_whose_pullback_forgets_a_term_is_found(name, axis, slip, monkeypatch, failing):
    monkeypatch.setitem(NORMS, name, NORMS[name]._replace(block=standardised(axis)))
    assert failing(only=["norm", "block"]) == set()
    monkeypatch.setitem(NORMS, name, NORMS[name]._replace(block=standardised(axis, **slip)))
    found = failing(only=["norm", "block"])
    assert ("norm", name) in found
    assert found <= {("norm", name), ("block", f"plain-{name}"), ("block", f"residual-{name}")}
    if "epsilon" not in slip:
        assert len(found) == 3


# ---- everything else: a pullback is wrapped, and what is made of it fails


def wrapped(owner, change):
    """A __call__ that returns what the owner's does, changed."""
    right = owner.__call__

    @functools.wraps(right)
    def call(self, *arguments):
        return change(self, right(self, *arguments))

    return call


def scaled(factor):
    """The pullback behind (output, pullback), so many times."""
    return lambda _, result: (result[0], lambda delta: factor * result[1](delta))


def without_skip(layer, passage):
    """A hidden layer that forgets the way beside the branch."""
    if layer.skip_scale is None:
        return passage

    def pullback(delta):
        pulled = passage.pullback(delta)
        return pulled._replace(at_x=pulled.at_x - delta)

    return passage._replace(pullback=pullback)


def keys_wrong(heads, result):
    """Attention whose keys' gradient is 1 % too large."""
    output, pullback = result

    def wrong(delta):
        gradient = pullback(delta)
        gradient[:, heads.queries * heads.width : (heads.queries + heads.keys) * heads.width] *= 1.01
        return gradient

    return output, wrong


def product_lost(_, branched):
    """A branch whose last map's weight gradient is 1 % too large."""

    def pullback(delta):
        at_x, (first, (X, D)) = branched.pullback(delta)
        return at_x, (first, (X, 1.01 * D))

    return branched._replace(pullback=pullback)


def bare_stream(sublayer, point):
    """A sublayer that forgets what the branch gives back."""
    return point._replace(pullback=lambda delta: point.pullback(delta)._replace(at_x=sublayer.stream_scale * delta))


TRANSFORMERS = {*of("sublayer", PLACEMENTS), ("network", "transformer")}
ON_DENSE = {("map", "dense"), ("map", "beside"), ("map", "spread")}

BROKEN = {
    "dense": (Dense, scaled(1.01), ON_DENSE),
    "beside": (Beside, scaled(1.01), {("map", "beside"), ("map", "spread")}),
    "spread": (Spread, scaled(1.01), {("map", "spread")}),
    "weightless": (Weightless, scaled(1 + 1e-8), of("map", [f"weightless-{init}" for init in WEIGHTLESS])),
    "residual": (HiddenLayer, without_skip, of("block", [f"residual-{norm}" for norm in NORMS])),
    "attention": (Heads, keys_wrong, of("attention", ATTENTION) | TRANSFORMERS | {("branch", "attention")}),
    "attention branch": (AttentionBranch, product_lost, {("branch", "attention")}),
    "mlp branch": (MlpBranch, product_lost, of("branch", ["mlp", *GATED])),
    "sublayer": (Sublayer, bare_stream, TRANSFORMERS),
}


@pytest.mark.parametrize("slip", BROKEN)
def test_a_broken_part_is_found_and_so_is_what_is_made_of_it(slip, monkeypatch, failing):
    owner, change, expected = BROKEN[slip]
    monkeypatch.setattr(owner, "__call__", wrapped(owner, change))
    found = failing()
    assert found >= expected
    if slip != "dense":  # everything is made of those
        assert found - expected <= {*of("network", ARCHITECTURES), *of("training", ARCHITECTURES)}


def test_positions_that_are_not_turned_back_are_found_where_there_are_some(monkeypatch, failing):
    right = Heads._turned
    monkeypatch.setattr(Heads, "_turned", lambda self, heads, sign: right(self, heads, 1.0))
    found = failing()
    assert found & of("attention", ATTENTION) == of("attention", ROTARY)
    assert found - of("attention", ROTARY) <= TRANSFORMERS


def forgetful(cell):
    """A cell that forgets what comes past its pre-activations."""

    def step(*arguments):
        right = cell.step(*arguments)

        def pullback(delta):
            at_z, at_state = right.pullback(delta)
            return at_z, 0 * at_state

        return right._replace(pullback=pullback)

    return cell._replace(step=step)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_cell_that_forgets_the_way_past_its_gates_is_found(name, monkeypatch, failing):
    monkeypatch.setitem(CELLS, name, forgetful(CELLS[name]))
    assert failing() == {("cell", name), ("network", name), ("training", name)}


def test_a_reset_gate_that_is_left_out_on_the_way_back_is_found_in_the_gru_alone(monkeypatch, failing):
    monkeypatch.setattr("gradcheck.engine.recurrence._through_reset", lambda reset, at_z: at_z)
    assert failing() == {("cell", "gru"), ("network", "gru"), ("training", "gru")}


def test_a_plain_cell_with_a_wrong_slope_is_found(monkeypatch, failing):
    rnn = CELLS["rnn"]

    def step(*arguments):
        right = rnn.step(*arguments)
        return right._replace(pullback=lambda delta: (1.01 * right.pullback(delta)[0], None))

    monkeypatch.setitem(CELLS, "rnn", rnn._replace(step=step))
    assert failing() == {("cell", "rnn"), ("network", "rnn"), ("training", "rnn")}


def test_a_bias_s_gradient_that_is_a_mean_is_found(monkeypatch, failing):
    right = Dense.gradient

    def wrong(self, x, delta):
        at_weight, *at_bias = right(self, x, delta)
        return at_weight, *(one / len(x) for one in at_bias)

    monkeypatch.setattr(Dense, "gradient", wrong)
    assert failing() == {("map", "dense"), *of("training", ["mlp", *RECURRENT])}


@pytest.mark.parametrize(("module", "kinds"), [("checks", {"loss"}), ("network_checks", {"network", "training"})])
def test_a_loss_that_forgets_the_batch_is_found(module, kinds, monkeypatch, failing):
    def wrong(labels):
        def loss(logits):
            value, delta = cross_entropy(labels)(logits)
            return value, delta * len(labels)

        return loss

    monkeypatch.setattr(f"gradcheck.{module}.cross_entropy", wrong)
    found = failing()
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
    (check,) = verify().failed
    assert (check.kind, check.name, check.error) == ("training", "mlp", None)
    assert check.problem.startswith("ValueError: the pullback returns float64 (5,) for float64 (8, 6)")


def test_a_part_that_raises_fails_alone(monkeypatch):
    def broken(z):
        raise ZeroDivisionError("of all things")

    monkeypatch.setitem(ACTIVATIONS, "softplus", ACTIVATIONS["softplus"]._replace(evaluate=broken))
    (check,) = verify().failed
    assert (check.name, check.error, check.problem) == ("softplus", None, "ZeroDivisionError: of all things")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_derivative_that_is_not_finite_fails(bad, monkeypatch):
    right = ACTIVATIONS["softplus"]
    monkeypatch.setitem(ACTIVATIONS, "softplus", right._replace(evaluate=lambda z: (right.evaluate(z)[0], bad * z)))
    (check,) = verify().failed
    assert (check.name, check.error, check.problem) == ("softplus", None, "a number is not finite")


def test_an_activation_that_leaves_single_precision_is_found_there_and_only_there(monkeypatch):
    right = ACTIVATIONS["softplus"]
    wide = right._replace(evaluate=lambda z: (right.evaluate(z)[0], right.evaluate(z)[1].astype("f8")))
    monkeypatch.setitem(ACTIVATIONS, "softplus", wide)
    assert verify().passed
    (check,) = verify(dtype="float32").failed
    assert check.problem == "ValueError: the pullback returns float64 (200,) for float32 (200,)"
