import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.flow import GradientFlow, LayerFlow, OutputFlow
from gradcheck.summary import dead_layers, gradient_shrinks, summarize

LOGARITHMS = st.lists(st.floats(-150, 150), min_size=2, max_size=30)


def flow_with(gradients, *, dead=0.0, rank=7.0, reached=None, obstacle=""):
    """A flow with these log10 gradients; the last layers, beyond `reached`, have no numbers."""
    depth, fans = len(gradients), (4,) * len(gradients)
    reached = depth if reached is None else reached
    layers = [
        LayerFlow(log10_gradient_rms=gradient, dead_fraction=share, effective_rank=rank)
        for gradient, share in zip(gradients, np.broadcast_to(dead, depth).tolist(), strict=True)
    ]
    layers[reached:] = [LayerFlow()] * (depth - reached)
    return GradientFlow(fans, fans, tuple(layers), OutputFlow(), reached, obstacle)


@given(LOGARITHMS)
def test_span_counts_the_decades_between_the_strongest_and_the_weakest_layer(gradients):
    assert summarize(flow_with(gradients)).gradient_span == sorted(gradients)[-1] - sorted(gradients)[0]


@given(LOGARITHMS)
def test_mean_local_gain_is_the_geometric_mean_of_the_local_gains(gradients):
    flow = flow_with(gradients)
    expected = sum(flow.log10_local_gain[:-1]) / (len(gradients) - 1)
    assert math.log10(summarize(flow).mean_local_gain) == pytest.approx(expected, abs=1e-9)


def test_a_span_of_thousands_of_decades_is_as_exact_as_any():
    summary = summarize(flow_with([-6000.5 + layer for layer in range(6001)]))
    assert summary.gradient_span == 6000
    assert summary.mean_local_gain == pytest.approx(0.1)


def test_a_gain_beyond_the_range_of_floats_is_infinite():
    assert summarize(flow_with([400.0, 0.0])).mean_local_gain == math.inf


def test_effective_rank_last_is_the_last_layers():
    flow = flow_with([0.0, 0.0], rank=3.5)
    assert summarize(flow).effective_rank_last == 3.5


def test_a_single_layer_has_no_span_and_no_gain():
    summary = summarize(flow_with([-3.0]))
    assert summary.gradient_span == 0
    assert math.isnan(summary.mean_local_gain)


@pytest.mark.parametrize("gradients", [[-math.inf, -1.0, -2.0], [-1.0, -math.inf, -2.0], [-math.inf, -math.inf]])
def test_an_exact_zero_makes_the_span_infinite(gradients):
    assert summarize(flow_with(gradients)).gradient_span == math.inf


def test_a_last_layer_without_gradient_leaves_the_gain_undefined():
    summary = summarize(flow_with([-1.0, -2.0, -math.inf]))
    assert summary.gradient_span == math.inf
    assert math.isnan(summary.mean_local_gain)


def test_layers_behind_an_overflow_are_left_out():
    summary = summarize(flow_with([-5.0, -3.0, -1.0, 0.0, 0.0], reached=3, obstacle="overflow"))
    assert summary.gradient_span == 4
    assert summary.mean_local_gain == pytest.approx(0.01)
    assert math.isnan(summary.effective_rank_last)


def test_nothing_reached_has_no_summary():
    assert np.isnan(summarize(flow_with([0.0, 0.0], reached=0, obstacle="nan"))).all()


# ---- which way


@given(LOGARITHMS)
def test_a_gradient_that_rises_towards_the_output_shrinks_on_its_way_back(gradients):
    assert gradient_shrinks(flow_with(sorted(gradients)))


@given(LOGARITHMS.filter(lambda gradients: min(gradients) < max(gradients)))
def test_a_gradient_that_falls_towards_the_output_grows_on_its_way_back(gradients):
    assert not gradient_shrinks(flow_with(sorted(gradients, reverse=True)))


def test_only_layers_that_were_reached_tell_which_way():
    assert gradient_shrinks(flow_with([-2.0, -1.0, 0.0, -9.0], reached=3))


# ---- dead layers


def test_a_layer_is_dead_when_every_unit_is():
    assert dead_layers(flow_with([0.0] * 5, dead=[0.5, 1.0, 0.999, 1.0, 0.0])) == [2, 4]


def test_layers_without_numbers_are_not_dead():
    assert dead_layers(flow_with([0.0] * 3, reached=0)) == []
