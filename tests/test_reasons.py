import math

import pytest

from gradcheck.diagnosis import diagnose
from gradcheck.flow import GradientFlow, LayerFlow, OutputFlow
from gradcheck.reasons import as_multiple
from gradcheck.summary import summarize
from gradcheck.thresholds import Thresholds


def reasons_for(gradients, *, reached=None, obstacle="", limits=None, rank=9.0, unit="layer", **columns):
    """The reasons for a flow with these log10 gradients; other fields one a layer, by name."""
    depth = len(gradients)
    reached = depth if reached is None else reached
    layers = [
        LayerFlow(log10_gradient_rms=gradient, effective_rank=rank)._replace(
            **{name: column[index] for name, column in columns.items()}
        )
        for index, gradient in enumerate(gradients)
    ]
    layers[reached:] = [LayerFlow()] * (depth - reached)
    flow = GradientFlow((4,) * depth, (4,) * depth, tuple(layers), OutputFlow(), reached, obstacle, unit)
    return diagnose(flow, summarize(flow), Thresholds(**(limits or {}))).verdict.reasons


def test_a_healthy_network_hears_by_how_much():
    assert reasons_for([-1.0, -0.5, 0.0]) == (
        "1.00 decades apart (limit 2.3): a factor of 0.316 a layer",
        "the examples stay apart: effective rank 9.0 (limit 2.2)",
    )


def test_vanishing_says_where_how_much_and_the_factor_of_a_layer():
    assert reasons_for([-30.0, -15.0, 0.0], rank=1.0) == (
        "layers 1 to 2 get less than 1/1000 of the last layer's gradient",
        "30.0 decades lost (limit 2.3): a factor of 1e-15 a layer",
        "the examples look alike at the end: effective rank 1.0 (limit 2.2)",
    )


def test_exploding_says_where_how_much_and_the_factor_of_a_layer():
    assert reasons_for([4.0, 2.0, 0.0])[:2] == (
        "layer 1 gets more than 1000 times the last layer's gradient",
        "4.00 decades gained (limit 2.3): a factor of 100 a layer",
    )


def test_limits_are_those_that_were_asked_for():
    limits = {"vanish_below": 0.02, "max_span": 1.5, "min_rank": 12.0}
    assert reasons_for([-2.0, 0.0], limits=limits) == (
        "layer 1 gets less than 1/50 of the last layer's gradient",
        "2.00 decades lost (limit 1.5): a factor of 0.01 a layer",
        "the examples look alike at the end: effective rank 9.0 (limit 12)",
    )


def test_several_regions_are_all_named_in_their_order():
    first, second, *_ = reasons_for([-9.0, 9.0, 8.0, 0.0])
    assert first.startswith("layer 1 gets less than")
    assert second.startswith("layers 2 to 3 get more than")


@pytest.mark.parametrize(
    ("obstacle", "words"), [("overflow", "overflows the range of floats"), ("nan", "not a number")]
)
def test_an_overflow_says_which_layer_was_first_and_what_is_shown_instead(obstacle, words):
    first, second, *_ = reasons_for([-1.0, 0.0, 0.0, 0.0], reached=2, obstacle=obstacle)
    assert first.startswith("layer 3 is the first whose forward signal")
    assert words in first
    assert second == "the gradients shown are those of layer 2's mean squared output"


def test_an_overflow_in_the_read_out_is_told_as_such():
    assert reasons_for([-1.0, 0.0], obstacle="overflow")[0].startswith("the read-out is the first whose forward signal")


def test_an_overflow_in_the_first_layer_shows_no_gradients():
    assert reasons_for([0.0, 0.0], reached=0, obstacle="overflow") == (
        "layer 1 is the first whose forward signal overflows the range of floats: there is no loss",
    )


def test_a_silent_forward_signal_is_said_not_hidden():
    (first, *_) = reasons_for([-1.0, -0.5, 0.0], log10_activation_rms=[-300.0, -math.inf, -math.inf])
    assert first == "the forward signal is exactly zero from layer 2 on: no input is seen behind it"


def test_one_dead_layer_is_named():
    (first, *_) = reasons_for([-math.inf, -math.inf, 0.0], dead_fraction=[0.0, 1.0, 0.5])
    assert first == "every unit of layer 2 has derivative 0 for the whole batch: no gradient reaches its weights"


def test_of_several_dead_layers_the_last_is_named():
    (first, *_) = reasons_for([-math.inf, -math.inf, 0.0], dead_fraction=[1.0, 1.0, 0.5])
    assert first.startswith("every unit of 2 layers, the last of them layer 2, has derivative 0")


def test_a_gradient_of_exactly_zero_is_said():
    assert "some layers get no gradient at all: it is exactly zero" in reasons_for([-math.inf, 0.0])


def test_a_gradient_that_overflows_is_not_called_zero():
    assert not any("zero" in reason for reason in reasons_for([math.inf, 0.0]))


def test_a_gradient_of_exactly_zero_is_not_called_less_than_nothing():
    reasons = reasons_for([-math.inf, 0.0], limits={"vanish_below": 0.0})
    assert not any("less than 0" in reason for reason in reasons)


def test_one_example_has_no_rank_to_speak_of():
    assert not any("rank" in reason for reason in reasons_for([-1.0, 0.0], rank=math.nan))


def test_one_layer_has_no_factor():
    assert reasons_for([-1.0])[0] == "0.00 decades apart (limit 2.3)"


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1e-3, "1/1000 of"),
        (0.25, "1/4 of"),
        (0.3, "1/3.333 of"),
        (1e-6, "1/1e+06 of"),
        (1.0, "1 times"),
        (1000.0, "1000 times"),
        (2.5, "2.5 times"),
    ],
)
def test_a_ratio_is_put_as_one_says_it(ratio, words):
    assert as_multiple(ratio) == words


EVENTS = {
    "healthy": {"gradients": [-1.0, -0.5, 0.0]},
    "vanishing": {"gradients": [-30.0, -15.0, 0.0]},
    "one vanishes, several explode": {"gradients": [-9.0, 9.0, 8.0, 0.0]},
    "overflow": {"gradients": [-1.0, 0.0, 0.0, 0.0], "reached": 2, "obstacle": "overflow"},
    "not a number": {"gradients": [-1.0, 0.0, 0.0], "reached": 2, "obstacle": "nan"},
    "silent": {"gradients": [-1.0, 0.0], "log10_activation_rms": [-300.0, -math.inf]},
    "dead": {"gradients": [-math.inf, 0.0], "dead_fraction": [1.0, 0.5]},
    "several dead": {"gradients": [-math.inf, -math.inf, 0.0], "dead_fraction": [1.0, 1.0, 0.5]},
    "the gradient overflows": {"gradients": [math.inf, 0.0]},
}


@pytest.mark.parametrize("event", EVENTS)
def test_of_a_recurrence_the_same_is_said_of_steps(event):
    of_layers, of_steps = (reasons_for(unit=unit, **EVENTS[event]) for unit in ("layer", "step"))
    assert of_steps == tuple(reason.replace("layer", "step") for reason in of_layers)
    assert "layer" in " ".join(of_layers)
