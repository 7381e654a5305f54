import math

import pytest

import gradcheck
from gradcheck.diagnosis.sentences.codes import as_multiple, sentence
from gradcheck.diagnosis.summary import summarize
from gradcheck.diagnosis.verdict import diagnose
from gradcheck.engine.transformer import POINTS
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.spec.thresholds import Thresholds


def reasons_for(gradients, *, reached=None, obstacle="", limits=None, rank=9.0, unit="layer", points=(), **columns):
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
    flow = GradientFlow(
        (40,) * depth,
        (40,) * depth,
        tuple(layers),
        OutputFlow(),
        reached,
        obstacle,
        unit,
        points,
        shared=unit == "step",
    )
    causes = diagnose(flow, summarize(flow), Thresholds(**(limits or {}))).verdict.causes
    return tuple(sentence(cause, flow) for cause in causes)


def test_a_healthy_network_hears_by_how_much():
    assert reasons_for([-1.0, -0.5, 0.0]) == (
        "1.00 decades apart (limit 2.3): a factor of 0.316 a layer",
        "the examples stay apart: effective rank 9.0 (limit 1.8)",
    )


def test_vanishing_says_where_how_much_and_the_factor_of_a_layer():
    assert reasons_for([-30.0, -15.0, 0.0], rank=1.0) == (
        "layers 1 to 2 get less than 1/1000 of the last layer's gradient",
        "30.0 decades (powers of ten) lost (limit 2.3): a factor of 1e-15 a layer",
        "the examples look alike at the end: effective rank 1.0 (limit 1.8)",
    )


def test_exploding_says_where_how_much_and_the_factor_of_a_layer():
    assert reasons_for([4.0, 2.0, 0.0])[:2] == (
        "layer 1 gets more than 1000 times the last layer's gradient",
        "4.00 decades (powers of ten) gained (limit 2.3): a factor of 100 a layer",
    )


def test_limits_are_those_that_were_asked_for():
    limits = {"vanish_below": 0.02, "max_span": 1.5, "min_rank": 12.0}
    assert reasons_for([-2.0, 0.0], limits=limits) == (
        "layer 1 gets less than 1/50 of the last layer's gradient",
        "2.00 decades (powers of ten) lost (limit 1.5): a factor of 0.01 a layer",
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
    assert first == "the forward signal is exactly zero from layer 2 on: nothing after it sees the input"


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


def test_a_ratio_is_put_as_one_says_it():
    for ratio, words in [
        (1e-3, "1/1000 of"),
        (0.25, "1/4 of"),
        (0.3, "1/3.333 of"),
        (1e-6, "1/1e+06 of"),
        (1.0, "1 times"),
        (1000.0, "1000 times"),
        (2.5, "2.5 times"),
    ]:
        assert as_multiple(ratio) == words, ratio


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


def test_of_a_recurrence_the_same_is_said_of_steps():
    for event in EVENTS:
        of_layers, of_steps = (reasons_for(unit=unit, **EVENTS[event]) for unit in ("layer", "step"))
        assert of_steps == tuple(reason.replace("layer", "step") for reason in of_layers), event
        assert "layer" in " ".join(of_layers), event


LAST = "the last layer's gradient"

# ---- flow points of transformers


def of_transformer(gradients, **more):
    """The reasons for a transformer with these log10 gradients, three a block."""
    return reasons_for(gradients, unit="block", points=POINTS, **more)


def test_of_a_transformer_regions_are_named_by_blocks_and_flow_points_and_held_against_the_last_one():
    gradients = [-9.0] * 9 + [-1.0, -0.5, 0.0]
    assert of_transformer(gradients)[0] == (
        "block 1 attention to block 3 residual get less than 1/1000 of the last block residual's gradient"
    )


def test_one_flow_point_gets_what_it_gets_alone():
    gradients = [-1.0, -9.0, -1.0, 8.0, -0.5, 0.0]
    assert of_transformer(gradients)[:2] == (
        "block 1 mlp gets less than 1/1000 of the last block residual's gradient",
        "block 2 attention gets more than 1000 times the last block residual's gradient",
    )


def test_of_a_transformer_the_factor_is_that_of_a_block_and_tokens_take_the_place_of_examples():
    gradients = [-10.0 + step for step in range(11)] + [0.0]
    _, span, rank = of_transformer(gradients)
    assert span == "10.0 decades (powers of ten) lost (limit 2.3): a factor of 0.00187 a block"  # 10^(−10 · 3/11)
    assert rank == "the tokens stay apart: effective rank 9.0 (limit 1.8)"


def test_a_single_block_has_a_factor_of_its_own():
    assert of_transformer([-0.5, -0.25, 0.0])[0] == "0.50 decades apart (limit 2.3): a factor of 0.178 a block"


@pytest.mark.parametrize(("unit", "points", "what"), [("layer", (), "examples"), ("block", POINTS, "tokens")])
def test_where_the_differences_are_lost_and_the_gradient_is_not_the_rank_comes_first(unit, points, what):
    first, second = reasons_for([-0.5, -0.25, 0.0], rank=1.25, unit=unit, points=points)
    assert first == f"the {what} look alike at the end: effective rank 1.2 (limit 1.8)"
    assert second.startswith("0.50 decades apart (limit 2.3)")


@pytest.mark.parametrize(
    ("ranks", "since"),
    [
        ([12.0, 11.0, 1.0, 1.0], "; from layer 3 on they differ by rounding errors at most"),
        ([12.0, 1.5, 1.0, 1.0], ""),  # they were all but gone
        ([12.0, 1.0, 1.1, 1.0], ""),
        ([1.0, 1.0, 1.0, 1.0], ""),
        ([12.0, 4.0, 2.0, 1.2], ""),
    ],
)
def test_a_rank_that_falls_to_1_in_one_layer_is_explained(ranks, since):
    *_, last = reasons_for([-9.0, -0.5, -0.25, 0.0], effective_rank=ranks)
    assert last == f"the examples look alike at the end: effective rank {ranks[-1]:.1f} (limit 1.8){since}"


@pytest.mark.parametrize(("unit", "points"), [("layer", ()), ("block", POINTS)])
def test_where_the_gradient_is_lost_too_the_span_comes_first(unit, points):
    *_, span, rank = reasons_for([-9.0, -0.25, 0.0], rank=1.25, unit=unit, points=points)
    assert span.startswith("9.00 decades (powers of ten) lost")
    assert "look alike" in rank


def test_a_flow_point_that_overflows_is_named_and_so_is_the_one_before():
    first, second, *_ = of_transformer([0.0] * 6, reached=4, obstacle="overflow")
    assert first == "block 2 mlp is the first whose forward signal overflows the range of floats: there is no loss"
    assert second == "the gradients shown are those of block 2 attention's mean squared output"
    assert of_transformer([0.0] * 6, obstacle="overflow")[0].startswith("the read-out is the first")


def test_where_a_block_is_reached_in_part_regions_are_held_against_the_flow_point_that_was():
    *_, region, _ = of_transformer([9.0, 9.0, 9.0, 0.0, 0.0, 0.0], reached=4, obstacle="overflow")
    assert region.startswith("block 1 attention to block 1 residual get more than 1000 times")
    assert region.endswith("block 2 attention's gradient")


def test_many_regions_of_a_kind_are_told_in_one_sentence_few_each_in_its_own():
    alternating = [-9.0, 0.0] * 4
    assert reasons_for(alternating)[0] == "4 layers between layer 1 and layer 7 get less than 1/1000 of " + LAST
    assert [reason.split(" gets ")[0] for reason in reasons_for(alternating[2:])[:3]] == [
        "layer 1",
        "layer 3",
        "layer 5",
    ]
    points = of_transformer([-9.0, 0.0, 9.0] * 5 + [-9.0, 0.0, 0.0])
    assert points[0].startswith("6 points between block 1 attention and block 6 attention get less than")
    assert points[1].startswith("5 points between block 1 residual and block 5 residual get more than")


def test_dead_and_silent_flow_points_are_points_and_named():
    gradients, nan = [-1.0, -0.5, -0.5, -0.25, 0.0, 0.0], math.nan
    dead = of_transformer(gradients, dead_fraction=[nan, 1.0, nan, nan, 1.0, nan])
    assert dead[0].startswith("every unit of 2 points, the last of them block 2 mlp, has derivative 0")
    alone = of_transformer(gradients, dead_fraction=[nan, 1.0, nan, nan, 0.5, nan])
    assert alone[0].startswith("every unit of block 1 mlp has derivative 0")
    silent = of_transformer(gradients, log10_activation_rms=[0.0, 0.0, 0.0, -math.inf, 0.0, 0.0])
    assert silent[0].startswith("the forward signal is exactly zero from block 2 attention on")


def test_points_that_get_nothing_or_too_much_are_said_to_be_points():
    assert "some points get no gradient at all: it is exactly zero" in of_transformer([-math.inf, -1.0, 0.0])
    overflown = of_transformer([-1.0, math.inf, 0.0])
    assert "the backward pass overflows the range of floats at block 1 mlp" in overflown


def test_of_a_transformer_nothing_is_said_of_layers_steps_or_examples():
    for event in EVENTS:
        said = " ".join(of_transformer(**EVENTS[event]))
        assert "block" in said, event
        assert not any(word in said for word in ("layer", "step", "example")), event


def test_a_network_that_overflows_is_not_said_to_keep_within_a_limit():
    report = gradcheck.simulate(depth=1, width=2, batch_size=1, gain=1e100, bias_std=1e300, activation="gelu")
    assert report.verdict.status == "nonfinite"
    assert not any("apart" in reason for reason in report.verdict.reasons)
