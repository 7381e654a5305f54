import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.diagnosis.summary import dead_layers, gradient_shrinks, narrowest, possible_rank, summarize
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow
from gradcheck.flow.layer_flow import LayerFlow

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


# ---- the weights' own gradients, and the least rank


def flow_of(norms, *, fans=None, unit="layer", points=(), ranks=None, **more):
    """A flow with these log10 norms of weight gradients; its gradients are alike."""
    fans = fans or [(10, 10)] * len(norms)
    layers = tuple(
        LayerFlow(log10_gradient_rms=0.0, log10_weight_gradient_norm=norm, effective_rank=rank)
        for norm, rank in zip(norms, ranks or [9.0] * len(norms), strict=True)
    )
    fan_in, fan_out = zip(*fans, strict=True)
    return GradientFlow(fan_in, fan_out, layers, OutputFlow(), len(norms), unit=unit, points=points, **more)


def test_weight_gradients_are_held_against_each_other_entry_by_entry():
    """A matrix of 10,000 times as many entries has a norm 100 times as large."""
    flow = flow_of([0.0, 2.0, 1.5], fans=[(10, 10), (1000, 1000), (1000, 1000)])
    assert summarize(flow).weight_gradient_span == pytest.approx(0.5)


def test_an_exact_zero_among_the_weight_gradients_is_infinitely_far():
    assert summarize(flow_of([0.0, -math.inf, 0.0])).weight_gradient_span == math.inf


def test_flow_points_are_held_against_those_of_their_kind_and_those_without_weights_left_out():
    flow = flow_of([0.0, 4.0, math.nan, 1.0, 6.0, math.nan], unit="block", points=("attention", "mlp", "residual"))
    assert summarize(flow).weight_gradient_span == 2.0


def test_steps_share_their_weights_and_have_no_span_of_them():
    assert math.isnan(summarize(flow_of([0.0, 5.0], unit="step", shared=True)).weight_gradient_span)


def test_the_least_rank_is_that_of_any_layer_of_a_stream_behind_its_blocks_of_a_recurrence_the_last():
    ranks = [9.0, 2.0, 8.0, 3.0, 1.0, 7.0]
    points = ("attention", "mlp", "residual")
    assert summarize(flow_of([0.0] * 6, ranks=ranks)).effective_rank_least == 1.0
    assert summarize(flow_of([0.0] * 6, ranks=ranks, unit="block", points=points)).effective_rank_least == 7.0
    assert summarize(flow_of([0.0] * 6, ranks=ranks, unit="step", shared=True)).effective_rank_least == 7.0
    assert narrowest(flow_of([0.0] * 6, ranks=ranks)) == (5, 1.0)


def test_the_rank_that_can_be_is_the_narrowest_layers_or_the_batchs_without_its_mean():
    fans = [(64, 30), (30, 7), (7, 30)]
    assert possible_rank(flow_of([0.0] * 3, fans=fans)) == 7
    assert possible_rank(flow_of([0.0] * 3, fans=fans, rows=5)) == 4
    assert possible_rank(flow_of([0.0] * 3, fans=fans, features=1)) == 1
