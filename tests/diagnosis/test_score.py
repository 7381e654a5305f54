import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.diagnosis.score import (
    INTERCEPT,
    RANK,
    RANK_CAP,
    SENSITIVITY,
    SENSITIVITY_CAP,
    SPAN,
    SPAN_CAP,
    UNKNOWN_INTERCEPT,
    UNKNOWN_RANK,
    UNKNOWN_SPAN,
    score,
)
from gradcheck.diagnosis.summary import Summary
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow
from gradcheck.flow.layer_flow import LayerFlow

DECADES = st.floats(0, 500)


def flow_with(*, width=80, rows=math.inf, logits=0.0, obstacle=""):
    layers = (LayerFlow(log10_gradient_rms=0.0),) * 2
    return GradientFlow((width,) * 2, (width,) * 2, layers, OutputFlow(2.3, logits, 0.0), 2, obstacle, rows=rows)


def chance(span=0.5, weights=0.0, rank=30.0, sensitivity=0.1, **flow):
    return score(flow_with(**flow), Summary(span, 1.0, rank, weights, rank, sensitivity))


def test_the_formula_is_the_one_that_is_documented():
    odds = INTERCEPT + SPAN * 1.5 + RANK * math.log(3.0) + SENSITIVITY * math.log10(0.2)
    assert chance(span=1.5, rank=3.0, sensitivity=0.2) == pytest.approx(1 / (1 + math.exp(-odds)), rel=1e-14)


def test_without_a_sensitivity_span_and_rank_alone_count():
    odds = UNKNOWN_INTERCEPT + UNKNOWN_SPAN * 1.5 + UNKNOWN_RANK * math.log(3.0)
    assert chance(span=1.5, rank=3.0, sensitivity=math.nan) == pytest.approx(1 / (1 + math.exp(-odds)), rel=1e-14)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_outputs_that_change_more_with_the_weights_never_raise_the_score(one, other):
    less, more = sorted((one, other))
    assert chance(sensitivity=more) <= chance(sensitivity=less)


def test_a_sensitivity_beyond_what_was_trained_counts_no_more():
    assert chance(sensitivity=0.0) == chance(sensitivity=10.0**-SENSITIVITY_CAP)
    assert chance(sensitivity=math.inf) == chance(sensitivity=10.0**SENSITIVITY_CAP) > 0


@given(DECADES, DECADES)
def test_the_wider_of_both_spans_counts(gradient, weights):
    assert chance(gradient, weights) == chance(max(gradient, weights), 0.0) == chance(0.0, max(gradient, weights))


def test_without_gradients_of_weights_the_span_alone_counts():
    assert chance(1.5, math.nan) == chance(1.5, 0.0)


@given(st.floats(-300, 300), st.floats(-300, 300))
def test_outputs_further_from_one_never_raise_the_score(one, other):
    nearer, further = sorted((one, other), key=abs)
    assert chance(logits=further) <= chance(logits=nearer)


def test_outputs_of_sizes_at_which_networks_were_trained_are_free_and_a_decade_more_costs_a_decade():
    assert chance(logits=-4.0) == chance(logits=4.0) == chance(logits=0.0)
    assert chance(span=0.5, logits=5.0) == pytest.approx(chance(span=1.5), rel=1e-12)
    assert chance(logits=200.0) < 1e-5


def test_a_read_out_of_zeros_has_no_size_to_be_blamed_for():
    assert chance(logits=-math.inf) == chance()


@pytest.mark.parametrize(("width", "rows"), [(3, math.inf), (80, 4)])
def test_what_a_narrow_layer_or_a_small_batch_cannot_have_is_not_missed(width, rows):
    assert chance(rank=3.0, width=width, rows=rows) == chance(rank=30.0)
    assert chance(rank=1.5, width=width, rows=rows) < chance(rank=3.0, width=width, rows=rows)


def test_beyond_their_caps_neither_span_nor_rank_counts():
    assert chance(span=SPAN_CAP) == chance(span=10 * SPAN_CAP) > 0
    assert chance(rank=1.001 * math.exp(RANK_CAP)) == chance(rank=70.0)


def test_where_no_gradient_arrives_the_score_is_zero():
    assert chance(span=math.inf) == chance(span=math.nan) == chance(obstacle="overflow") == 0


def test_a_network_of_one_healthy_layer_whose_outputs_are_astronomical_does_not_train():
    report = gradcheck.simulate(depth=1, activation="relu", init="normal", weight_std=1e80)
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", False)
    assert "the outputs' root mean square is 10^16" in report.verdict.reasons[0]


def test_two_examples_are_no_reason_to_call_a_network_collapsed():
    report = gradcheck.simulate(depth=5, activation="relu", init="he", batch_size=2)
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", True)
    assert not any("rank" in reason for reason in report.verdict.reasons)


# ---- networks that were really trained


calibrate = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "calibrate.py"))
LAWS = {law: [json.loads(line) for line in calibrate[law].read_text().splitlines()] for law in ("TRAINED", "SHIFTED")}
options = calibrate["options"]


@pytest.mark.parametrize("law", ["TRAINED", "SHIFTED"])
def test_the_score_tells_the_networks_that_trained_from_those_that_did_not_with_a_seed_of_its_own(law):
    """Some of them, drawn by a seed that the fit hasn't seen; benchmarks/calibrate.py judges all."""
    some = [one for one in LAWS[law] if one["depth"] * one["width"] < 4000][::20]
    reports = [gradcheck.simulate(**options(network), seed=11) for network in some]
    trained = np.array([network["best_accuracy"] >= 0.8 for network in some])
    scores = np.array([report.verdict.score for report in reports])
    assert ((scores >= 0.5) == trained).mean() > 0.9
    assert (scores[trained][:, None] > scores[~trained]).mean() > 0.97
    assert abs(scores.mean() - trained.mean()) < 0.1
