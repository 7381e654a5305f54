"""Linear maps of one input beside each other, their outputs side by side or each in its own place."""

import math

import numpy as np
import pytest

from gradcheck.engine.linear import Beside, Dense, Weightless
from gradcheck.engine.noise import Noise


@pytest.fixture
def x(rng):
    return rng.standard_normal((3, 6))


@pytest.fixture
def maps(rng):
    """Maps of six inputs: stored ones with and without a bias, normal ones and a frame without a matrix."""
    return (
        Dense(rng.standard_normal((6, 4)), rng.standard_normal(4)),
        Weightless(6, 3, Noise(1, 1)),
        Dense(rng.standard_normal((6, 1))),
        Weightless(6, 7, Noise(1, 2), 0.5, haar=True),
    )


@pytest.fixture
def columns(rng):
    return rng.permutation(15)


def test_outputs_are_side_by_side(maps, x):
    z, _ = Beside(maps)(x)
    np.testing.assert_array_equal(z, np.concatenate([one(x)[0] for one in maps], axis=1))


def test_the_pullback_is_the_sum_of_the_parts(maps, x, rng, relative_error):
    delta = rng.standard_normal((3, 15))
    parts = delta[:, :4], delta[:, 4:7], delta[:, 7:8], delta[:, 8:]
    total = sum(one(x)[1](part) for one, part in zip(maps, parts, strict=True))
    assert relative_error(Beside(maps)(x)[1](delta), total) < 1e-14


def test_maps_side_by_side_agree_with_autograd_and_differences(maps, x, check_pullback):
    stored = [maps[0], maps[2]]
    weight, bias = np.hstack([one.weight for one in stored]), np.append(stored[0].bias, 0)
    check_pullback(Beside(tuple(stored)), lambda x: x @ weight + bias, x)


def test_one_map_alone_is_what_it_is(maps, x, rng):
    z, pullback = Beside(maps[3:])(x)
    delta = rng.standard_normal((3, 7))
    np.testing.assert_array_equal(z, maps[3](x)[0])
    np.testing.assert_array_equal(pullback(delta), maps[3](x)[1](delta))


def test_the_norm_of_several_maps_is_that_of_all_their_weights(rng):
    maps = [Dense(rng.standard_normal((6, width))) for width in (2, 5)]
    whole = math.log10(np.linalg.norm(np.hstack([one.weight for one in maps])))
    assert Beside(tuple(maps)).log10_weight_norm == pytest.approx(whole, rel=1e-13)
    spread = Beside(tuple(maps), np.arange(7)[::-1])
    assert spread.log10_weight_norm == pytest.approx(whole, rel=1e-13)


def test_a_part_that_holds_a_nan_is_found(maps, columns):
    broken = (*maps[:3], Dense(np.array([[math.nan]])))
    for held, parts in ((False, maps), (True, broken)):
        assert Beside(parts).holds_nan is held
        assert Beside(parts, columns).holds_nan is held


def test_spread_outputs_are_each_in_the_place_that_is_named(maps, x, columns):
    z, _ = Beside(maps, columns)(x)
    side_by_side, _ = Beside(maps)(x)
    for index, place in enumerate(columns):
        np.testing.assert_array_equal(z[:, place], side_by_side[:, index])


def test_the_pullback_of_spread_outputs_is_the_transpose_of_the_map(maps, x, columns, rng):
    unbiased = (Dense(maps[0].weight), *maps[1:])
    z, pullback = Beside(unbiased, columns)(x)
    delta = rng.standard_normal(z.shape)
    np.testing.assert_allclose(pullback(delta) @ x.T, delta @ z.T, rtol=0, atol=1e-12)


def test_spread_outputs_agree_with_autograd_and_differences(x, rng, check_pullback):
    one, other = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    places = np.array([3, 0, 5, 1, 4, 2])
    whole = np.hstack([one, other])[:, np.argsort(places)]
    check_pullback(Beside((Dense(one), Dense(other)), places), lambda x: x @ whole, x)


def test_a_gradient_is_left_alone(maps, x, columns, rng):
    delta = rng.standard_normal((3, 15))
    before = delta.copy()
    Beside(maps, columns)(x)[1](delta)
    np.testing.assert_array_equal(delta, before)
