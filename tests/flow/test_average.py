"""The average of several draws."""

import math

import numpy as np

from gradcheck.flow.average import average
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow
from gradcheck.flow.layer_flow import LayerFlow

OUTPUT = OutputFlow(2.0, 0.0, 0.0)


def flow_with(layers, output=OUTPUT, reached=None, obstacle=""):
    fans = (4,) * len(layers)
    return GradientFlow(fans, fans, tuple(layers), output, reached or len(layers), obstacle)


def test_average_takes_means_of_logarithms_geometric_means_and_the_mean_cosine():
    low = LayerFlow(-1, -2, -0.5, 2.0, 0.1, 0.4, -30.0, 0.0, 1.0)
    high = LayerFlow(-3, -4, 0.1, 8.0, 0.4, 0.1, -10.0, 1.0, 3.0)
    mean = average([flow_with([low], OutputFlow(2.0, -1.0, 4.0)), flow_with([high], OutputFlow(8.0, 1.0, 2.0))])
    np.testing.assert_allclose(mean.layers[0], LayerFlow(-2, -3, -0.2, 4.0, 0.2, 0.2, -20.0, 0.5, 2.0), rtol=1e-14)
    np.testing.assert_allclose(mean.output, OutputFlow(4.0, 0.0, 3.0), rtol=1e-14, atol=1e-15)
    assert (mean.fan_in, mean.fan_out) == ((4,), (4,))


def test_average_of_one_flow_is_that_flow(flow_of):
    flow = flow_of(depth=3, width=4)
    assert average([flow]) is flow


def test_average_of_equal_flows_is_that_flow(flow_of):
    flow = flow_of(depth=3, width=6, activation="relu")
    mean = average([flow] * 3)
    np.testing.assert_allclose(np.array(mean.layers), np.array(flow.layers), rtol=1e-14)
    np.testing.assert_allclose(mean.output, flow.output, rtol=1e-14)


def test_average_is_nan_where_a_draw_is_and_reaches_as_far_as_the_shortest():
    whole = flow_with([LayerFlow(*[0.5] * 10), LayerFlow(*[0.5] * 10)])
    broken = flow_with([LayerFlow(*[0.5] * 10), LayerFlow()], OutputFlow(), reached=1, obstacle="overflow")
    mean = average([whole, broken, whole])
    np.testing.assert_allclose(mean.layers[0], 0.5, rtol=1e-14)
    assert np.isnan(mean.layers[1]).all()
    assert np.isnan(mean.output).all()
    assert (mean.reached, mean.obstacle) == (1, "overflow")


def test_average_keeps_exact_zeros():
    zero = LayerFlow(*[0.5] * 10)._replace(log10_gradient_rms=-math.inf, dead_fraction=0.0)
    other = LayerFlow(*[0.5] * 10)
    mean = average([flow_with([zero]), flow_with([other])])
    assert mean.layers[0].log10_gradient_rms == -math.inf
    assert mean.layers[0].dead_fraction == 0
