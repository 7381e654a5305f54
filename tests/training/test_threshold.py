import math
import re
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gradcheck.clipping.effect import ClipReport
from gradcheck.errors import OptionError
from gradcheck.spec.clip_rules import SMALL
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.sgd import TrainingStep
from gradcheck.training.threshold import LONGEST_STEP, suggest_threshold

SPEC = TrainingSpec(lr=0.1, momentum=0.9)


def steps(norms):
    return [TrainingStep(1.0, ClipReport(False, norm, norm, None, 1.0, 1.0, 1.0), "") for norm in norms]


def moved(threshold, parameter_norm, spec):
    """By what part of their norm a steady gradient of that size moves the parameters, once momentum has built up."""
    velocity = 0.0
    for _ in range(1000):
        velocity = spec.momentum * velocity + threshold
    return spec.lr * velocity / parameter_norm


def test_where_the_norms_are_bearable_their_median_is_the_threshold():
    found = suggest_threshold(steps([1.0, 2.0, 50.0]), 1e4, SPEC)
    assert found.rule == ("global-norm", 2.0)
    assert "median norm of 3 unclipped steps" in found.how
    assert "(1 to 50)" in found.how


def test_where_they_are_not_the_threshold_is_what_the_parameters_can_bear():
    found = suggest_threshold(steps([90.0, 100.0, 110.0]), 20.0, SPEC)
    assert moved(found.rule.threshold, 20.0, SPEC) == pytest.approx(LONGEST_STEP, rel=0.05)
    assert "median norm of 3 unclipped steps" in found.how
    assert "(90 to 110)" in found.how
    assert re.search(rf"\b{100 * moved(100.0, 20.0, SPEC):.0f} ?%", found.how)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=25),
    st.floats(1e-3, 1e3),
    st.floats(1e-3, 10),
    st.floats(0, 0.97),
)
def test_a_suggestion_is_above_neither_limit_but_for_its_two_digits(norms, parameter_norm, lr, momentum):
    spec = TrainingSpec(lr=lr, momentum=momentum)
    assume(LONGEST_STEP * parameter_norm * (1 - momentum) / lr > SMALL)
    threshold = suggest_threshold(steps(norms), parameter_norm, spec).rule.threshold
    assert 0 < threshold <= 1.06 * median(norms)
    assert moved(threshold, parameter_norm, spec) <= 1.06 * LONGEST_STEP
    assert threshold == float(f"{threshold:.2g}")


def test_a_threshold_that_the_rule_would_over_clip_is_not_suggested():
    with pytest.raises(OptionError, match=r"the parameters bear only a gradient of 1e-06, .*; lower lr"):
        suggest_threshold(steps([3.0]), 1.0, TrainingSpec(lr=1e3, momentum=0.9))


def test_a_step_whose_gradient_was_zeroed_is_left_out():
    zeroed = [step._replace(nonfinite="W_h") for step in steps([0.0, 0.0])]
    assert suggest_threshold([*zeroed, *steps([3.0])], 1e4, SPEC).rule.threshold == 3.0


def test_norms_that_are_not_finite_are_left_out_and_not_counted():
    found = suggest_threshold(steps([math.nan, 1.0, math.inf, 3.0, math.nan]), 1e4, SPEC)
    assert found.rule.threshold == 2.0
    assert "of 2 unclipped steps" in found.how
    assert "(1 to 3)" in found.how


@pytest.mark.parametrize("norms", [[math.nan] * 4, [math.inf], [0.0, 0.0], []])
def test_without_a_norm_there_is_no_suggestion(norms):
    with pytest.raises(OptionError) as caught:
        suggest_threshold(steps(norms), 1.0, SPEC)
    assert str(caught.value).startswith(f"clip suggest: of {len(norms)} unclipped steps none has a finite gradient")
    assert "type a threshold" in str(caught.value)


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.7e308])
def test_the_threshold_of_extreme_norms_can_be_typed(size):
    found = suggest_threshold(steps([size] * 3), math.inf, SPEC)
    assert 0 < found.rule.threshold < math.inf
