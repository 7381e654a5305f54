"""Every table's entry has a check, and a check finds what is broken: each kind of slip, by its name."""

import math

import numpy as np
import pytest

from gradcheck.checking.checks import list_checks
from gradcheck.checking.differences import Source
from gradcheck.checking.verification import LIMITS, verify
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS
from gradcheck.engine.normalization import NORMS
from gradcheck.spec import ARCHITECTURES, GATED, PLACEMENTS, RECURRENT, WEIGHTLESS

WAYS = ["", "-rotary", "-grouped", "-grouped-rotary"]
ATTENTION = [f"{mask}{way}" for mask in ("full", "causal") for way in WAYS]

#: One is enough for each run, others prove it again.
SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4)))


@pytest.fixture
def failing():
    """What fails: kind and name of each check."""
    return lambda **how: {(check.kind, check.name) for check in verify(**how).failed}


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
    assert sorted(check.name for check in list_checks() if check.kind == kind) == sorted(table)


def test_a_check_is_known_by_its_kind_and_name():
    known = [(check.kind, check.name) for check in list_checks()]
    assert len(set(known)) == len(known)
    assert not {kind for kind, _ in known} & {name for _, name in known if name != "attention"}


@pytest.mark.parametrize(("table", "kinds"), [(ACTIVATIONS, 1), (NORMS, 3), (CELLS, 1)])
def test_a_new_entry_is_checked_without_more_ado(table, kinds, monkeypatch):
    before = len(list_checks())
    monkeypatch.setitem(table, "new", table[list(table)[-1]])
    added = [check for check in list_checks() if check.name in ("new", "plain-new", "residual-new")]
    assert (len(added), len(list_checks())) == (kinds, before + kinds)
    assert all(check.error(Source(0, "new")) < 1e-6 for check in added)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("seed", SEEDS)
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
    alone = name == "softplus"  # nothing else is made of it
    found = failing(only=() if alone else "activation")
    assert ("activation", name) in found
    assert [one for kind, one in found if kind == "activation"] == [name]
    if alone:
        assert len(found) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_derivative_that_is_wrong_on_one_side_is_found_with_any_seed(seed, monkeypatch, failing):
    right = ACTIVATIONS["leaky_relu"]

    def wrong(z):
        value, slope = right.evaluate(z)
        return value, np.where(z < 0, 0.011, slope)

    monkeypatch.setitem(ACTIVATIONS, "leaky_relu", right._replace(evaluate=wrong))
    assert failing(only="leaky_relu", seed=seed) == {("activation", "leaky_relu")}


@pytest.mark.parametrize("seed", SEEDS)
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
