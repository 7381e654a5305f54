"""Gradients at which squares over- or underflow, and those that are not finite."""

import math

import numpy as np
import pytest

from gradcheck.clipping import Clipper, clip
from gradcheck.spec.clip_rules import RULES, Rule

# ---- sizes at which squares over- or underflow


LARGE, SMALL = (1e150, 1e290), (1e-30, 1e-300)


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name in ("value", "norm") for size in (*LARGE, *SMALL)]
    + [(name, size) for name in ("global-norm", "agc", "percentile", "zscore") for size in LARGE],  # the rest have an ε
)
def test_a_rule_does_the_same_at_every_size(name, size, rng, relative_error, parameters_of, run_of):
    threshold = {"percentile": 30.0, "agc": 0.1}.get(name, 1.5)
    base = 1.0 if size < 1 else 1e9  # where ε, and the least norm of a unit's weights, are nothing
    parameters = [base * one for one in parameters_of(rng)]
    plain, sized = (
        Clipper(Rule(name, threshold)),
        Clipper(Rule(name, threshold * size if name in ("value", "norm", "global-norm") else threshold)),
    )
    at_work = 0
    for gradients in run_of(rng, 60):
        gradients = [base * one for one in gradients]
        expected, report = plain(gradients, parameters)
        clipped, same = sized([size * one for one in gradients], [size * one for one in parameters])
        for one, other in zip(clipped, expected, strict=True):
            assert relative_error(one / size, other) <= 1e-12
        assert same.cosine == pytest.approx(report.cosine, rel=1e-12)
        assert same.kept == pytest.approx(report.kept, rel=1e-12)
        at_work += report.clipped
    assert at_work


@pytest.mark.parametrize("rule", ["value:1", "norm:1", "global-norm:1", "norm:1e300", "global-norm:1e308", "agc:0.5"])
def test_a_norm_beyond_the_range_of_floats_is_clipped_like_any_other(rule):
    """Four entries of 1e308 have the norm 2e308, which overflows; a quarter of them has not."""
    name, _, threshold = rule.partition(":")
    gradients, parameters = [np.full(4, 1e308), np.array([1e307])], [np.full(4, 1e3), np.full(1, 1e3)]
    limit = float(threshold) / 2**10 if name != "agc" else float(threshold)
    quarter, weights = [one / 2**10 for one in gradients], [one / 2**10 for one in parameters]
    expected, _ = clip(quarter, Rule(name, limit), weights)
    clipped, report = clip(gradients, rule, parameters)
    assert report.norm_before == math.inf
    assert report.clipped
    assert [np.isfinite(one).all() for one in clipped] == [True, True]
    for one, other in zip(clipped, expected, strict=True):
        np.testing.assert_allclose(one / 2**10, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "entry", "limit"),
    [("float16", 6e4, 1.0), ("float16", 6e4, 1e-2), ("float32", 3e35, 1e-10), ("float32", 3e38, 1e30)],
)
@pytest.mark.parametrize("name", ["norm", "global-norm", "agc"])
def test_a_narrow_type_gets_what_a_wide_one_would_round_to(name, dtype, entry, limit):
    """The factor may be too small for the type where the clipped gradient is not."""
    gradient = np.full(100, entry, dtype)
    rule = Rule(name, limit if name != "agc" else limit / 10)
    [wide], _ = clip([gradient.astype(np.float64)], rule, [np.ones(100)])
    [narrow], report = clip([gradient], rule, [np.ones(100)])
    assert report.norm_after == pytest.approx(limit, rel=float(np.finfo(dtype).eps))
    np.testing.assert_allclose(narrow.astype(np.float64), wide, rtol=float(np.finfo(dtype).eps))


@pytest.mark.parametrize(("dtype", "limit"), [("float16", 1e6), ("float32", 1e39)])
def test_a_value_beyond_a_narrow_type_clips_nothing(dtype, limit):
    gradient = np.array([-6e4, 1, 6e4], dtype)
    [clipped], report = clip([gradient], Rule("value", limit))
    assert np.array_equal(clipped, gradient)
    assert not report.clipped


@pytest.mark.parametrize("name", [name for name in RULES if name != "none"])
@pytest.mark.parametrize("gradients", [[], [np.zeros(3)], [np.zeros((0, 4)), np.zeros(2)]], ids=str)
def test_nothing_and_zeros_stay_what_they_are(name, gradients):
    clipper = Clipper(name)
    for _ in range(30):
        clipped, report = clipper(gradients, gradients)
        assert all(np.array_equal(one, other) for one, other in zip(clipped, gradients, strict=True))
        assert (report.clipped, report.norm_before, report.norm_after) == (False, 0, 0)
        assert (report.cosine, report.global_cosine, report.kept) == (1, 1, 1)


def test_a_tensor_of_zeros_beside_another_counts_as_kept():
    report = clip([np.zeros(3), np.array([3.0, 4.0])], "norm:1")[1]
    assert report.cosine == pytest.approx(1, abs=1e-12)
    assert report.kept == pytest.approx(0.2)


# ---- gradients that are not finite


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("wrong", "dtype"), [(math.nan, "float64"), (math.inf, "float16"), (-math.inf, "float64")])
def test_a_gradient_that_is_not_finite_comes_back_as_it_is_and_is_named(rule, wrong, dtype):
    gradients = [np.ones(3, dtype), np.array([[1, wrong]], dtype), np.ones(2, dtype), np.array([wrong], dtype)]
    clipped, report = clip(gradients, rule, gradients)
    assert all(np.array_equal(one, raw, equal_nan=True) for one, raw in zip(clipped, gradients, strict=True))
    assert report.nonfinite == (1, 3)
    assert not report.clipped
    assert all(math.isnan(one) for one in (report.norm_before, report.norm_after, report.cosine, report.kept))


@pytest.fixture
def steps_with(run_of, shapes, rng):
    """An entry, places ↦ a run's gradients, and the same with others, full of that entry, before some of its steps."""

    def steps(entry, places):
        plain, wrong = list(run_of(rng, 50)), [np.full(shape, entry) for shape in shapes]
        return plain, [one for step, gradients in enumerate(plain) for one in [wrong] * (step in places) + [gradients]]

    return steps


@pytest.mark.parametrize("rule", ["percentile:10", "percentile:100", "zscore:1"])
@pytest.mark.parametrize(
    ("wrong", "places"), [(math.nan, {0}), (math.inf, {3, 10, 24}), (math.nan, {25}), (math.inf, {26, 40, 49})]
)
def test_a_gradient_that_is_not_finite_never_enters_the_history(rule, wrong, places, steps_with):
    plain, disturbed = steps_with(wrong, places)
    alone, among = Clipper(rule), Clipper(rule)
    expected = [alone(gradients)[1] for gradients in plain]
    assert any(report.clipped for report in expected) or rule == "percentile:100"
    found = [among(gradients)[1] for gradients in disturbed]
    assert [report for report in found if not report.nonfinite] == expected
    assert len(found) == len(expected) + len(places)


@pytest.mark.parametrize("rule", ["percentile:10", "percentile:100"])
@pytest.mark.parametrize("places", [{0}, {3, 10, 24}, {26, 40}])
def test_a_norm_that_overflows_never_enters_the_percentiles(rule, places, steps_with):
    plain, disturbed = steps_with(1e308, places)
    alone, among = Clipper(rule), Clipper(rule)
    expected = [alone(gradients)[1] for gradients in plain]
    assert [one for one in map(among, disturbed) if one[1].norm_before < math.inf]
    again = Clipper(rule)
    assert [report for _, report in map(again, disturbed) if report.norm_before < math.inf] == expected


@pytest.mark.parametrize("places", [{0}, {3, 10, 24}])
def test_a_norm_that_overflows_is_not_among_those_that_zscore_watches(places, steps_with):
    plain, disturbed = steps_with(1e308, places)
    alone, among = Clipper("zscore:1"), Clipper("zscore:1")
    expected = [alone(gradients)[1] for gradients in plain]
    assert [report for _, report in map(among, disturbed) if report.norm_before < math.inf] == expected


@pytest.mark.parametrize("rule", ["percentile:50", "zscore:2.5"])
@pytest.mark.parametrize("at", [pytest.param(range(3), marks=pytest.mark.slow), range(10, 40)])
def test_a_burst_of_large_norms_is_forgotten_in_the_end(rule, at, rng):
    clipper = Clipper(rule)
    for step in range(4000):
        clipper([(1e20 if step in at else 1.0) * rng.uniform(0.5, 1, 8)])
    assert clipper([np.full(8, 1e3)])[1].norm_after < 10


@pytest.mark.parametrize("rule", ["percentile:50", "zscore:0.5"])
def test_norms_whose_sum_or_square_overflows_are_judged_like_any_others(rule, rng):
    gradients = [rng.uniform(0.2, 1) * np.full(8, 6e307) for _ in range(60)]
    top, below = Clipper(rule), Clipper(rule)
    reports = [(top([one])[1], below([one / 2.0**900])[1]) for one in gradients]
    assert [one.clipped for one, _ in reports] == [other.clipped for _, other in reports]
    assert any(other.clipped for _, other in reports)
    assert [one.kept for one, _ in reports] == pytest.approx([other.kept for _, other in reports], rel=1e-9)


def test_a_limit_whose_square_overflows_clips_nothing(rng):
    clipper = Clipper("zscore:1e200")
    for _ in range(30):
        clipper([rng.uniform(0.5, 1, 8)])
    assert np.isfinite(clipper([np.full(8, 1e308)])[0]).all()
