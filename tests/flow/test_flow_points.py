"""What the flow points of a transformer are called, what they have no number for, and how a run counts its work."""

import math
from itertools import pairwise

import pytest

import gradcheck
from gradcheck.diagnosis.reporting import make_report
from gradcheck.diagnosis.summary import summarize
from gradcheck.engine.loss import loss_of
from gradcheck.engine.transformer import POINTS
from gradcheck.flow.average import average
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow, measure
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.simulation.experiment import Experiment, part

SMALL = {"arch": "transformer", "blocks": 2, "model_width": 16, "heads": 2, "tokens": 6}

LAYER = LayerFlow(0.0, 0.0, 0.5, 9.0, 0.25, 0.125, -1.0, 1.0, 0.0)


def flow(layers, unit, points=()):
    """A flow of these layers."""
    fans = (4,) * len(layers)
    return GradientFlow(fans, fans, tuple(layers), OutputFlow(), len(layers), "", unit, points)


# ---- names


@pytest.mark.parametrize(
    ("unit", "points", "names"),
    [
        ("layer", (), ["layer 1", "layer 2", "layer 3", "layer 4"]),
        ("step", (), ["step 1", "step 2", "step 3", "step 4"]),
        ("block", POINTS, ["block 1 attention", "block 1 mlp", "block 1 residual", "block 2 attention"]),
    ],
)
def test_a_layer_is_called_by_its_unit_and_a_flow_point_by_its_block(unit, points, names):
    four = flow([LAYER] * 4, unit, points)
    assert [four.name(layer) for layer in range(1, 5)] == names
    assert [four.names(layer, layer) for layer in range(1, 5)] == names


def test_several_neighbours_are_called_by_the_first_and_the_last():
    assert flow([LAYER] * 9, "layer").names(3, 7) == "layers 3 to 7"
    assert flow([LAYER] * 9, "step").names(1, 2) == "steps 1 to 2"
    assert flow([LAYER] * 9, "block", POINTS).names(1, 9) == "block 1 attention to block 3 residual"
    assert flow([LAYER] * 9, "block", POINTS).names(5, 6) == "block 2 mlp to block 2 residual"


@pytest.mark.parametrize(
    ("options", "unit", "points"),
    [
        ({"depth": 3, "width": 8}, "layer", ()),
        ({"arch": "gru", "width": 8, "steps": 4}, "step", ()),
        (SMALL, "block", POINTS),
        ({**SMALL, "layers": "weightless", "seeds": 2}, "block", POINTS),
    ],
)
def test_flow_report_and_draws_agree_on_what_a_layer_is(options, unit, points):
    experiment, report = Experiment.from_options(options), gradcheck.simulate(**options)
    measured = experiment.flow(0)
    assert (measured.unit, measured.points) == (report.unit, report.points) == (unit, points)
    both = average([measured, experiment.flow(1)])
    assert (both.unit, both.points) == (unit, points)
    names = [measured.name(layer.index).replace("layer", "hidden") for layer in report.layers]
    assert [layer.name for layer in report.layers] == names


def test_a_blocks_mean_gain_is_that_of_its_three_flow_points():
    layers = [LAYER._replace(log10_gradient_rms=-0.1 * step) for step in range(10)]
    assert summarize(flow(layers, "block", POINTS)).mean_local_gain == pytest.approx(10**0.3)
    assert summarize(flow(layers, "layer")).mean_local_gain == pytest.approx(10**0.1)


# ---- status


@pytest.fixture
def statuses():
    """A flow ↦ its layers' status in a report."""
    outcome = Experiment.from_options(SMALL).outcome()

    def of(one):
        summary = summarize(one)
        report = make_report("simulate", {}, [one], one, [summary], summary, _diagnosis(outcome, one), parameters=1)
        return [layer.status for layer in report.layers]

    return of


def _diagnosis(outcome, one):
    return outcome.diagnosis._replace(flags=("ok",) * len(one.layers), regions=())


def test_a_flow_point_without_weights_is_ok(statuses):
    bare = LAYER._replace(log10_weight_norm=math.nan, log10_weight_gradient_norm=math.nan)
    assert statuses(flow([LAYER, bare], "block", POINTS)) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("log10_gradient_rms", -400.0, "underflow"),
        ("log10_gradient_rms", -math.inf, "underflow"),
        ("log10_activation_rms", 400.0, "overflow"),
        ("log10_preactivation_std", -400.0, "underflow"),
    ],
)
def test_a_flow_point_without_weights_has_its_other_numbers_out_of_range_as_any(field, value, status, statuses):
    bare = LAYER._replace(log10_weight_norm=math.nan, log10_weight_gradient_norm=math.nan)
    assert statuses(flow([bare._replace(**{field: value}), LAYER], "block", POINTS))[0] == status


def test_weights_out_of_range_are_reported_where_there_are_weights(statuses):
    assert statuses(flow([LAYER._replace(log10_weight_norm=400.0), LAYER], "block", POINTS)) == ["overflow", "ok"]
    gone = LAYER._replace(log10_weight_gradient_norm=-math.inf)
    assert statuses(flow([gone, LAYER], "block", POINTS)) == ["underflow", "ok"]


# ---- how much is done


def check_shares(shares):
    assert all(0 < one < other for one, other in pairwise([shares[0] / 2, *shares]))
    assert shares[-1] == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("layers", ["dense", "weightless"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_share_rises_with_every_layer_on_both_ways_to_one(layers, seeds):
    shares = []
    gradcheck.simulate(**SMALL, layers=layers, seeds=seeds, tick=shares.append)
    assert len(shares) == seeds * 2 * 6
    check_shares(shares)


def test_the_share_rises_where_the_network_is_walked_in_segments(transformer_of):
    batch = Experiment.from_options(SMALL).batch(0)
    network, start = transformer_of(**{name: SMALL[name] for name in SMALL if name != "arch"}).unrolled(batch.inputs)
    shares, in_segments = [], []
    whole = measure(network, start, loss_of(batch.labels), tick=shares.append)
    piecewise = measure(network, start, loss_of(batch.labels), memory=1, tick=in_segments.append)
    assert piecewise.column("log10_gradient_rms").tolist() == whole.column("log10_gradient_rms").tolist()
    assert in_segments == shares
    check_shares(in_segments)


def test_changes_are_simulated_in_a_second_run_from_zero_to_one():
    shares = []
    report = gradcheck.simulate(**SMALL | {"blocks": 4}, norm="none", gain=2.0, suggest=True, tick=shares.append)
    assert report.suggestions
    (again,) = (index for index, (one, other) in enumerate(pairwise(shares), start=1) if other < one)
    check_shares(shares[:again])
    check_shares(shares[again:])


def test_a_part_of_the_work_is_counted_as_one_of_equal_pieces():
    shares = []
    part(shares.append, 2, 4)(0.5)
    part(shares.append, 0, 1)(0.25)
    assert shares == [0.625, 0.25]
    assert part(None, 2, 4) is None
