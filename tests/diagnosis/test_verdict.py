import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gradcheck.diagnosis.status import FLAGS, NETWORK_STATUSES, STATUSES
from gradcheck.diagnosis.summary import Region, Summary, summarize
from gradcheck.diagnosis.verdict import diagnose
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.spec.thresholds import Thresholds

HEALTHY = LayerFlow(
    log10_preactivation_std=0.0,
    log10_activation_rms=0.0,
    input_cosine=0.5,
    effective_rank=20.0,
    dead_fraction=0.5,
    saturated_fraction=0.5,
    log10_gradient_rms=0.0,
    log10_weight_norm=1.0,
    log10_weight_gradient_norm=0.0,
)

#: Factors of the loss, as powers of ten.
SHIFTS = [-8.0, math.log10(65536), 300.0]


def flow_with(*layers, reached=None, obstacle=""):
    """A flow of healthy layers with some fields changed; beyond `reached` there are no numbers."""
    reached = len(layers) if reached is None else reached
    fans = (80,) * len(layers)
    flows = [HEALTHY._replace(**fields) for fields in layers[:reached]]
    flows += [LayerFlow()] * (len(layers) - reached)
    return GradientFlow(fans, fans, tuple(flows), OutputFlow(2.3, 0.0, 0.0), reached, obstacle)


def falling(*gradients, **fields):
    """A flow with these log10 gradients, and other fields alike in all layers."""
    return flow_with(*({"log10_gradient_rms": gradient, **fields} for gradient in gradients))


def diagnosis_of(flow, **limits):
    return diagnose(flow, summarize(flow), Thresholds(**limits))


# ---- flags


def test_each_flag_has_its_condition():
    for fields, flag in [
        ({}, "ok"),
        ({"log10_gradient_rms": -3.1}, "vanishing"),
        ({"log10_gradient_rms": -6000.0}, "vanishing"),
        ({"log10_gradient_rms": -math.inf}, "vanishing"),
        ({"log10_gradient_rms": 3.1}, "exploding"),
        ({"log10_gradient_rms": 300.0}, "exploding"),
        ({"dead_fraction": 0.91}, "dead"),
        ({"dead_fraction": 1.0}, "dead"),
        ({"saturated_fraction": 0.91}, "saturated"),
    ]:
        assert diagnosis_of(flow_with(fields, {})).flags == (flag, "ok"), fields


def test_a_layer_exactly_at_its_bound_is_ok():
    for fields, limits in [
        ({"log10_gradient_rms": -3.0}, {"vanish_below": 1e-3}),
        ({"log10_gradient_rms": 3.0}, {"explode_above": 1e3}),
        ({"dead_fraction": 0.75}, {"dead_above": 0.75}),
        ({"saturated_fraction": 0.75}, {"saturated_above": 0.75}),
    ]:
        assert diagnosis_of(flow_with(fields, {}), **limits).flags == ("ok", "ok"), fields
        beyond = {name: math.nextafter(value, math.copysign(math.inf, value)) for name, value in fields.items()}
        assert diagnosis_of(flow_with(beyond, {}), **limits).flags != ("ok", "ok"), fields


def test_a_relu_that_is_zero_for_half_of_the_examples_is_neither_dead_nor_saturated():
    diagnosis = diagnosis_of(flow_with(*[{"dead_fraction": 0.5, "saturated_fraction": 0.5}] * 3))
    assert diagnosis.flags == ("ok",) * 3
    assert diagnosis.verdict.status == "healthy"


@pytest.mark.parametrize("fields", [{"dead_fraction": 1.0}, {"saturated_fraction": 1.0}])
def test_a_share_of_one_is_never_above_a_limit_of_one(fields):
    flow = flow_with(fields, {})
    assert diagnosis_of(flow, dead_above=1.0, saturated_above=1.0).flags == ("ok", "ok")


def test_a_bound_of_zero_leaves_only_exact_zeros_vanishing():
    flow = falling(-math.inf, -6000.0, 0.0)
    assert diagnosis_of(flow, vanish_below=0.0).flags == ("vanishing", "ok", "ok")


WORST_FIRST = [
    ("dead", {"dead_fraction": 1.0}),
    ("vanishing", {"log10_gradient_rms": -9.0}),
    ("saturated", {"saturated_fraction": 1.0}),
]


@pytest.mark.parametrize("worst", range(3))
def test_a_layer_has_the_flag_of_the_worst_that_is_true_of_it(worst):
    fields = {name: value for _, condition in WORST_FIRST[worst:] for name, value in condition.items()}
    assert diagnosis_of(flow_with(fields, {})).flags[0] == WORST_FIRST[worst][0]


def test_exploding_outweighs_saturated_and_dead_outweighs_exploding():
    exploding = {"log10_gradient_rms": 9.0, "saturated_fraction": 1.0}
    flow = flow_with(exploding, exploding | {"dead_fraction": 0.95}, {})
    assert diagnosis_of(flow).flags == ("exploding", "dead", "ok")


@pytest.mark.parametrize("obstacle", ["overflow", "nan"])
def test_layers_behind_an_overflow_are_nonfinite_and_those_before_keep_their_flags(obstacle):
    layers = [{"log10_gradient_rms": -9.0}, {}, {"dead_fraction": 1.0}, {}]
    diagnosis = diagnosis_of(flow_with(*layers, reached=2, obstacle=obstacle))
    assert diagnosis.flags == ("vanishing", "ok", "nonfinite", "nonfinite")
    assert (diagnosis.verdict.status, diagnosis.verdict.score) == ("nonfinite", 0.0)


def test_nothing_reached_is_nonfinite_throughout():
    diagnosis = diagnosis_of(flow_with({}, {}, reached=0, obstacle="overflow"))
    assert diagnosis.flags == ("nonfinite",) * 2
    assert diagnosis.regions == (Region("nonfinite", 1, 2, 1, pytest.approx(math.nan, nan_ok=True)),)
    assert diagnosis.verdict.status == "nonfinite"


@pytest.mark.parametrize("gradient", [math.inf, math.nan])
def test_a_gradient_that_overflows_on_its_way_back_is_nonfinite(gradient):
    diagnosis = diagnosis_of(falling(gradient, gradient, 0.0))
    assert diagnosis.flags == ("nonfinite", "nonfinite", "ok")
    assert (diagnosis.verdict.status, diagnosis.verdict.score) == ("nonfinite", 0.0)


def test_an_overflow_in_the_read_out_leaves_the_layers_flags():
    diagnosis = diagnosis_of(flow_with({}, {}, obstacle="overflow"))
    assert diagnosis.flags == ("ok", "ok")
    assert diagnosis.verdict.status == "nonfinite"


# ---- regions


def test_neighbours_with_one_flag_are_one_region_and_ok_layers_none():
    flow = falling(-9.0, -8.0, -3.5, -2.0, 0.0)
    assert diagnosis_of(flow).regions == (Region("vanishing", 1, 3, 1, -9.0),)


def test_a_region_names_its_worst_layer_wherever_it_is():
    assert diagnosis_of(falling(-5.0, -7.5, -4.0, 0.0)).regions == (Region("vanishing", 1, 3, 2, -7.5),)
    assert diagnosis_of(falling(5.0, 4.0, 7.5, 0.0)).regions == (Region("exploding", 1, 3, 3, 7.5),)


def test_an_exact_zero_is_the_worst_of_all():
    assert diagnosis_of(falling(-9.0, -math.inf, 0.0)).regions == (Region("vanishing", 1, 2, 2, -math.inf),)


def test_regions_of_several_kinds_stand_in_their_order():
    flow = flow_with(
        {"log10_gradient_rms": -4.0},
        {"log10_gradient_rms": -5.0},
        {"saturated_fraction": 1.0},
        {},
        {"dead_fraction": 0.95, "log10_gradient_rms": 0.5},
        {"dead_fraction": 0.95},
        {"log10_gradient_rms": 4.0},
        {},
    )
    assert diagnosis_of(flow).regions == (
        Region("vanishing", 1, 2, 2, -5.0),
        Region("saturated", 3, 3, 3, 0.0),
        Region("dead", 5, 6, 5, 0.5),
        Region("exploding", 7, 7, 7, 4.0),
    )


def test_two_regions_of_one_kind_stay_two_when_an_ok_layer_lies_between():
    regions = diagnosis_of(falling(-4.0, 0.0, -4.0, 0.0)).regions
    assert [(region.first_layer, region.last_layer) for region in regions] == [(1, 1), (3, 3)]


@given(st.lists(st.sampled_from([-9.0, 0.0, 9.0]), min_size=1, max_size=30))
def test_regions_cover_each_flagged_layer_once_and_no_other(gradients):
    diagnosis = diagnosis_of(falling(*gradients, 0.0))
    covered = {
        layer: region.flag for region in diagnosis.regions for layer in range(region.first_layer, region.last_layer + 1)
    }
    assert [covered.get(layer, "ok") for layer in range(1, len(gradients) + 2)] == list(diagnosis.flags)
    assert sum(r.last_layer - r.first_layer + 1 for r in diagnosis.regions) == len(covered)
    assert all(r.first_layer <= r.worst_layer <= r.last_layer for r in diagnosis.regions)


def test_the_last_layer_without_any_gradient_is_dead_whatever_the_limit():
    assert diagnosis_of(falling(-math.inf, -math.inf), dead_above=1.0).flags == ("vanishing", "dead")


# ---- the verdict


def test_the_verdict_is_the_worst_that_is_true_of_the_network():
    for flow, status in [
        (falling(-1.0, 0.0), "healthy"),
        (falling(-2.4, -1.0, 0.0), "vanishing"),
        (falling(2.4, 1.0, 0.0), "exploding"),
        (falling(-math.inf, 0.0), "vanishing"),
        (falling(-math.inf, -math.inf), "vanishing"),
        (falling(0.0, 0.0, effective_rank=1.7), "collapsed"),
        (falling(-9.0, 0.0, effective_rank=1.0), "vanishing"),
        (flow_with({}, {"dead_fraction": 1.0}, {}), "dead"),
        (flow_with({"log10_gradient_rms": -9.0}, {"dead_fraction": 1.0}, {}), "dead"),
        (flow_with({}, {"dead_fraction": 1.0}, {}, reached=2, obstacle="nan"), "nonfinite"),
        (flow_with({}, {"dead_fraction": 0.99}, {}), "healthy"),
        (flow_with({}, {"saturated_fraction": 1.0}, {}), "healthy"),
        (falling(0.0, 0.0, effective_rank=math.nan), "healthy"),
    ]:
        assert diagnosis_of(flow).verdict.status == status, flow
        assert status in STATUSES, flow


def test_a_network_exactly_at_its_limits_is_healthy():
    flow = falling(-2.5, 0.0, effective_rank=4.0)
    assert diagnosis_of(flow, max_span=2.5, min_rank=4.0).verdict.status == "healthy"
    assert diagnosis_of(flow, max_span=math.nextafter(2.5, 0), min_rank=4.0).verdict.status == "vanishing"
    assert diagnosis_of(flow, max_span=2.5, min_rank=math.nextafter(4, 5)).verdict.status == "collapsed"


def test_the_limits_of_a_layer_and_of_the_network_are_apart():
    flow = falling(-2.0, 0.0)
    strict = diagnosis_of(flow, vanish_below=0.5)
    assert (strict.flags, strict.verdict.status) == (("vanishing", "ok"), "healthy")
    narrow = diagnosis_of(flow, max_span=1.0)
    assert (narrow.flags, narrow.verdict.status) == (("ok", "ok"), "vanishing")


SPANS, RANKS = st.floats(0, 6000), st.floats(1, 60)


def score(span, rank):
    return diagnose(falling(0.0, 0.0), Summary(span, 1.0, rank, 0.0, rank), Thresholds()).verdict.score


@given(SPANS, SPANS, RANKS)
def test_a_wider_span_never_raises_the_score(one, other, rank):
    assert score(max(one, other), rank) <= score(min(one, other), rank)


@given(SPANS, RANKS, RANKS)
def test_a_higher_rank_never_lowers_the_score(span, one, other):
    assert score(span, max(one, other)) >= score(span, min(one, other))


@given(SPANS, RANKS)
def test_the_score_is_a_probability_and_trainable_says_which_half(span, rank):
    verdict = diagnose(falling(0.0, 0.0), Summary(span, 1.0, rank, 0.0, rank), Thresholds()).verdict
    assert 0 < verdict.score < 1
    assert verdict.trainable == (verdict.score >= 0.5)


def test_a_narrow_span_and_a_high_rank_train_and_their_opposites_do_not():
    assert score(0.2, 15) > 0.95
    assert score(0.2, 1.0) < 0.6
    assert score(8.0, 15) < 0.01


def test_beyond_its_caps_neither_span_nor_rank_moves_the_score():
    assert score(0.2, 20) == score(0.2, 60)
    assert score(30.0, 15) == score(6000.0, 15) > 0


def test_one_example_has_no_rank_and_its_score_doesnt_suffer_from_it():
    assert score(0.2, math.nan) == score(0.2, 1000)


@pytest.mark.parametrize(
    "flow", [falling(-math.inf, 0.0), falling(-math.inf, -math.inf), flow_with({}, {}, reached=1, obstacle="overflow")]
)
def test_a_network_without_gradient_or_loss_scores_zero(flow):
    verdict = diagnosis_of(flow).verdict
    assert (verdict.score, verdict.trainable) == (0.0, False)


def test_a_verdict_always_has_causes():
    for flow in (falling(0.0, 0.0), falling(-9.0, 0.0), flow_with({}, reached=0, obstacle="nan")):
        assert diagnosis_of(flow).verdict.causes


# ---- multiplying the loss by a constant changes nothing


def times(flow, decades):
    """The flow of a loss that is 10**decades times as large."""
    layers = [
        one._replace(
            log10_gradient_rms=one.log10_gradient_rms + decades,
            log10_weight_gradient_norm=one.log10_weight_gradient_norm + decades,
        )
        for one in flow.layers
    ]
    output = OutputFlow(flow.output.loss, flow.output.log10_logit_rms, flow.output.log10_weight_gradient_norm + decades)
    return GradientFlow(flow.fan_in, flow.fan_out, tuple(layers), output, flow.reached, flow.obstacle)


def assert_same(one, other):
    assert other.flags == one.flags
    assert [region[:4] for region in other.regions] == [region[:4] for region in one.regions]
    assert other.verdict.status == one.verdict.status
    assert other.verdict.trainable == one.verdict.trainable
    assert other.verdict.score == pytest.approx(one.verdict.score, rel=1e-9)


sixteenths = st.integers(-160, 160).map(lambda number: (2 * number + 1) / 32)  # never at a bound, nor at another's
layers = st.lists(
    st.fixed_dictionaries(
        {
            "log10_gradient_rms": sixteenths | st.just(-math.inf),
            "dead_fraction": st.sampled_from([0.0, 0.5, 0.95, 1.0]),
            "saturated_fraction": st.sampled_from([0.0, 0.95]),
            "effective_rank": st.floats(1, 30),
        }
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("decades", SHIFTS)
@given(layers=layers, missing=st.integers(0, 3), obstacle=st.sampled_from(["overflow", "nan"]))
@example(layers=[{"log10_gradient_rms": -math.inf}] * 2, missing=0, obstacle="nan")
def test_a_constant_factor_of_the_loss_changes_no_verdict(decades, layers, missing, obstacle):
    reached = max(0, len(layers) - missing)
    flow = flow_with(*layers, reached=reached, obstacle=obstacle if missing else "")
    span = summarize(flow).gradient_span
    assume(not abs(span - Thresholds().max_span) < 1e-6)
    assert_same(diagnosis_of(flow), diagnosis_of(times(flow, decades)))


NETWORKS = [
    {"activation": "sigmoid", "depth": 20},
    {"activation": "relu", "depth": 20, "init": "he", "gain": 1.6},
    {"activation": "tanh", "depth": 10, "init": "lecun"},
    {"activation": "step", "depth": 4},
    {"activation": "tanh", "depth": 10, "init": "normal", "weight_std": 30.0},
    {"activation": "linear", "depth": 60, "init": "normal", "weight_std": 1e10},
    {"activation": "gelu", "depth": 10, "norm": "batch", "residual": True},
]


@pytest.mark.parametrize("decades", SHIFTS)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_constant_factor_of_the_loss_changes_no_verdict_of_a_real_network(network, decades, flow_of):
    plain, scaled = (flow_of(width=16, loss_factor=factor, **network) for factor in (1.0, 10.0**decades))
    assert_same(diagnosis_of(plain), diagnosis_of(scaled))


# ---- real networks


def test_well_known_networks_get_the_verdict_that_they_are_known_for(flow_of):
    for network, status in [
        ({"activation": "sigmoid", "depth": 20}, "vanishing"),
        ({"activation": "relu", "depth": 20, "init": "he", "gain": 2.0}, "exploding"),
        ({"activation": "tanh", "depth": 6, "init": "lecun"}, "healthy"),
        ({"activation": "step", "depth": 3}, "dead"),
        ({"activation": "linear", "depth": 50, "init": "normal", "weight_std": 1e10}, "nonfinite"),
        ({"activation": "relu", "depth": 40, "init": "orthogonal", "gain": 1.414, "norm": "rms"}, "collapsed"),
    ]:
        assert diagnosis_of(flow_of(width=32, **network)).verdict.status == status, network


def test_relus_that_all_stay_at_zero_make_a_dead_layer_and_silence_all_before_it(flow_of):
    flow = flow_of(depth=6, width=8, activation="relu", init="normal", weight_std=1e-3, bias_std=5.0, seed=1)
    assert all(0 < layer.dead_fraction < 1 for layer in flow.layers)  # a bias of either sign decides, for all examples
    assert diagnosis_of(flow).verdict.status != "dead"
    narrow = flow_of(depth=40, width=2, activation="relu", init="normal", weight_std=1e-3, bias_std=5.0, seed=1)
    diagnosis = diagnosis_of(narrow)
    last_dead = max(index for index, layer in enumerate(narrow.layers) if layer.dead_fraction == 1)
    assert diagnosis.verdict.status == "dead"
    assert set(diagnosis.flags[: last_dead + 1]) == {"dead", "vanishing"}


def test_flags_and_statuses_are_those_of_the_contract():
    assert set(FLAGS) == {"ok", "vanishing", "exploding", "dead", "saturated", "nonfinite"}
    assert set(NETWORK_STATUSES) == {"healthy", "vanishing", "exploding", "collapsed", "dead", "nonfinite"}
    assert set(STATUSES) - set(NETWORK_STATUSES) == {"no-gradient", "not-learning"}
