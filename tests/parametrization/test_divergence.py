"""When networks that are compared diverge."""

import math

import pytest

from gradcheck.parametrization.coordinates import Coordinate, Size
from gradcheck.parametrization.divergence import before, find_divergence

CALM = (2.3, 2.2, 2.1)


def networks(moved=2.0, scales=(8, 16), seeds=2):
    """Records of three steps, in each of which a layer of size 1 has moved so far."""
    return [
        Coordinate(scale, seed, step, "layer 1", "hidden", Size(1, 1), Size(0, moved) if step else None)
        for scale in scales for seed in range(seeds) for step in range(3)
    ]  # fmt: skip


def test_a_loss_that_falls_is_none():
    assert find_divergence(networks(), {8: [CALM, CALM], 16: [CALM, CALM]}) is None


def test_a_loss_above_four_times_its_first_value_is_one():
    found = find_divergence(networks(), {8: [CALM, CALM], 16: [CALM, (2.0, 2.0, 9.0)]})
    assert (found.scales, found.everywhere, found.step, found.times) == ((16,), False, 2, 4.5)


def test_a_loss_that_rises_while_nothing_has_moved_far_is_none():
    assert find_divergence(networks(moved=0.1), {8: [CALM, CALM], 16: [(1e-6, 1e-2, 1e-3)] * 2}) is None


def test_a_loss_below_zero_diverges_upwards_only():
    assert find_divergence(networks(), {8: [(-1.0, -9.0, -20.0)] * 2, 16: [CALM, CALM]}) is None
    assert find_divergence(networks(), {8: [(-1.0, 3.0, 2.5)] * 2, 16: [CALM, CALM]}).scales == (8,)


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_a_loss_that_is_not_finite_is_one_unless_the_first_isnt_either(loss):
    found = find_divergence(networks(moved=0.1), {8: [CALM, CALM], 16: [(2.0, loss, loss)] * 2})
    assert (found.scales, found.step, found.times) == ((16,), 1, math.inf)
    assert find_divergence(networks(), {8: [(loss, loss, loss)] * 2, 16: [CALM, CALM]}) is None


def test_an_output_that_overflows_is_one_without_any_loss():
    records = [one._replace(size=Size(1, math.inf)) if one.step == 2 else one for one in networks()]
    found = find_divergence(records, {})
    assert (found.scales, found.everywhere, found.step) == ((8, 16), True, 2)


def test_steps_before_it_are_kept_and_the_first_where_some_networks_hold_on():
    wild = (2.0, 9.0, 90.0)
    some = find_divergence(networks(), {8: [CALM, CALM], 16: [wild, wild]})
    every = find_divergence(networks(), {8: [wild, wild], 16: [wild, wild]})
    assert {one.step for one in before(networks(), some)} == {0, 1}
    assert {one.step for one in before(networks(), every)} == {0}
