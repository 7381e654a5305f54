import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gradcheck.clipping import Clipper, clip
from gradcheck.errors import OptionError
from gradcheck.spec.clip_rules import Rule

#: Rules that multiply every tensor by one factor, and those that multiply each by its own.
GLOBAL, BY_FACTOR = ("global-norm", "percentile", "zscore"), ("norm", "global-norm", "percentile", "zscore")


def length(arrays):
    return math.hypot(*(float(entry) for array in arrays for entry in np.ravel(array)))


# ---- the rules once more, entry by entry and norm by norm, as their papers have them


class Plain:
    """(gradients, parameters, unit_axis) ↦ clipped gradients."""

    def __init__(self, threshold):
        self.threshold = threshold

    def shrunk(self, gradients, limit):
        factor = min(1.0, limit / (length(gradients) + 1e-6))
        return [factor * gradient for gradient in gradients]


class PlainValue(Plain):
    def __call__(self, gradients, parameters, axis):
        c = self.threshold
        return [
            np.reshape([max(-c, min(c, float(entry))) for entry in np.ravel(gradient)], np.shape(gradient))
            for gradient in gradients
        ]


class PlainNorm(Plain):
    def __call__(self, gradients, parameters, axis):
        return [gradient * min(1.0, self.threshold / (length([gradient]) or 1)) for gradient in gradients]


class PlainGlobalNorm(Plain):
    def __call__(self, gradients, parameters, axis):
        return self.shrunk(gradients, self.threshold)


class PlainAdaptive(Plain):
    def __call__(self, gradients, parameters, axis):
        clipped = [np.array(gradient) for gradient in gradients]
        for gradient, parameter in zip(clipped, parameters, strict=True):
            units = [...] if gradient.ndim < 2 else self.units(gradient.shape, axis % gradient.ndim)
            for unit in units:
                limit = self.threshold * max(length([parameter[unit]]), 1e-3)
                if length([gradient[unit]]) > limit:
                    gradient[unit] *= limit / length([gradient[unit]])
        return clipped

    def units(self, shape, axis):
        return [(slice(None),) * axis + (index,) for index in range(shape[axis])]


class PlainAutoClip(Plain):
    def __init__(self, threshold):
        super().__init__(threshold)
        self.history = []

    def __call__(self, gradients, parameters, axis):
        self.history.append(length(gradients))
        return self.shrunk(gradients, np.percentile(self.history, self.threshold))


class PlainZClip(Plain):
    def __init__(self, threshold):
        super().__init__(threshold)
        self.buffer, self.mean, self.variance = [], None, None

    def __call__(self, gradients, parameters, axis):
        norm = length(gradients)
        if self.mean is None:
            self.buffer.append(norm)
            if len(self.buffer) == 25:
                self.mean, self.variance = np.mean(self.buffer), np.var(self.buffer)
            return list(gradients)
        z = (norm - self.mean) / (self.variance**0.5 + 1e-6)
        spiked = z > self.threshold
        limit = self.mean + self.threshold / (z / self.threshold) * self.variance**0.5 if spiked else norm
        self.mean = 0.97 * self.mean + 0.03 * limit
        self.variance = 0.97 * self.variance + 0.03 * (limit - self.mean) ** 2
        return self.shrunk(gradients, limit) if spiked else list(gradients)


PLAIN = {
    "value": PlainValue, "norm": PlainNorm, "global-norm": PlainGlobalNorm, "agc": PlainAdaptive,
    "percentile": PlainAutoClip, "zscore": PlainZClip,
}  # fmt: skip

THRESHOLDS = {
    "value": [0.01, 0.5, 10.0], "norm": [0.01, 1.0, 3.0, 100.0], "global-norm": [1e-7, 1.0, 6.0, 100.0],
    "agc": [1e-3, 0.1, 1.0, 10.0], "percentile": [0.5, 10.0, 50.0, 99.9, 100.0], "zscore": [0.1, 1.0, 2.5],
}  # fmt: skip

RUNS = [f"{name}:{one}" for name, every in THRESHOLDS.items() for one in every]


@pytest.mark.parametrize(
    ("rule", "axis"), [(rule, axis) for rule in RUNS for axis in ((-1, 0, 1) if rule.startswith("agc") else (-1,))]
)
def test_a_rule_is_its_formula(rule, axis, rng, relative_error, record_error, parameters_of, run_of):
    name, _, threshold = rule.partition(":")
    ours, theirs, parameters = Clipper(rule), PLAIN[name](float(threshold)), parameters_of(rng)
    for gradients in run_of(rng, 40):
        clipped, _ = ours(gradients, parameters, unit_axis=axis)
        for one, other in zip(clipped, theirs(gradients, parameters, axis), strict=True):
            error = relative_error(one, other)
            record_error(f"{name} against its formula", error)
            assert error <= 1e-12


@pytest.mark.parametrize("rule", RUNS)
def test_the_report_is_what_the_vectors_say(rule, rng, parameters_of, run_of):
    clipper, parameters, at_work = Clipper(rule), parameters_of(rng), 0
    for gradients in run_of(rng, 60):
        clipped, report = clipper(gradients, parameters)
        joined, raw = (np.concatenate([np.ravel(one) for one in every]) for every in (clipped, gradients))
        cosines = [
            np.ravel(one) @ np.ravel(other) / (length([one]) * length([other]))
            for one, other in zip(clipped, gradients, strict=True)
        ]
        assert report.norm_before == pytest.approx(length(gradients), rel=1e-12)
        assert report.norm_after == pytest.approx(length(clipped), rel=1e-12)
        assert report.cosine == pytest.approx(np.mean(cosines), rel=1e-12)
        assert report.global_cosine == pytest.approx(joined @ raw / (length([joined]) * length([raw])), rel=1e-12)
        assert report.kept == pytest.approx(joined @ raw / (raw @ raw), rel=1e-12)
        assert report.nonfinite == ()
        changed = not np.array_equal(joined, raw)
        assert report.clipped <= changed
        if changed and not report.clipped:
            assert report.norm_before <= report.threshold  # ε alone is no clipping
        at_work += report.clipped
    assert at_work or rule in ("value:10.0", "norm:100.0", "global-norm:100.0", "percentile:100.0")


@pytest.mark.parametrize("percent", [0.5, 10.0, 37.5, 50.0, 100.0])
def test_the_percentile_is_that_of_the_norms_so_far_this_one_among_them(percent, rng, run_of):
    clipper, norms = Clipper(Rule("percentile", percent)), []
    for gradients in run_of(rng, 50):
        norms.append(length(gradients))
        assert clipper(gradients)[1].threshold == pytest.approx(np.percentile(norms, percent), rel=1e-12)


def test_zscore_only_watches_the_first_steps_and_clips_a_spike_after_them(rng):
    clipper = Clipper("zscore:2.5")
    reports = [clipper([(1e6 if step in (7, 25) else 1 + step % 3) * np.ones(2)])[1] for step in range(26)]
    assert [report.clipped for report in reports[:25]] == [False] * 25
    clipper = Clipper("zscore:2.5")
    reports = [clipper([(1e6 if step == 25 else 1 + step % 3) * np.ones(2)])[1] for step in range(26)]
    assert [report.clipped for report in reports] == [False] * 25 + [True]


def test_a_rule_by_name_has_no_memory_and_a_clipper_has():
    small, large = [np.ones(3)], [100 * np.ones(3)]
    assert not clip(large, "percentile:10")[1].clipped
    clipper = Clipper("percentile:10")
    assert not clip(small, clipper)[1].clipped
    assert clip(large, clipper)[1].clipped


def test_none_gives_back_what_it_gets():
    gradients = [np.ones(3), 1e300 * np.ones(2)]
    clipped, report = clip(gradients, "none")
    assert all(one is other for one, other in zip(clipped, gradients, strict=True))
    assert (report.clipped, report.threshold, report.cosine, report.kept) == (False, None, 1, 1)


# ---- what holds for every gradient


@st.composite
def clippings(draw, dtypes=("float64", "float32", "float16")):
    """A rule, gradients and their parameters."""
    name = draw(st.sampled_from(list(PLAIN)))
    threshold = draw(st.floats(1e-4, 100 if name == "percentile" else 1e4))
    dtype = draw(st.sampled_from(dtypes))
    entries = st.floats(-1000, 1000, width=int(dtype[-2:]))
    shapes = draw(st.lists(array_shapes(min_dims=0, max_dims=3, max_side=3), min_size=1, max_size=3))
    gradients = [draw(arrays(dtype, shape, elements=entries)) for shape in shapes]
    return Rule(name, threshold), gradients, [draw(arrays(dtype, shape, elements=entries)) for shape in shapes]


@settings(max_examples=20)
@given(clippings())
def test_no_entry_grows_or_changes_its_sign(clipping):
    rule, gradients, parameters = clipping
    clipped, report = clip(gradients, rule, parameters)
    for one, raw in zip(clipped, gradients, strict=True):
        assert (np.abs(one) <= np.abs(raw)).all()
        assert (np.sign(one) * np.sign(raw) >= 0).all()
    assert report.norm_after <= report.norm_before
    assert 0 <= report.cosine <= 1
    assert 0 <= report.global_cosine <= 1
    assert 0 <= report.kept <= 1


@settings(max_examples=20)
@given(clippings())
def test_shapes_and_types_are_kept_and_nothing_given_is_changed(clipping):
    rule, gradients, parameters = clipping
    before = [array.copy() for array in (*gradients, *parameters)]
    clipped, _ = clip(gradients, rule, parameters)
    assert [(one.shape, one.dtype) for one in clipped] == [(one.shape, one.dtype) for one in gradients]
    assert all(np.array_equal(one, other) for one, other in zip((*gradients, *parameters), before, strict=True))


@settings(max_examples=20)
@given(clippings(("float64",)), st.integers(1, 40))
def test_rules_with_a_factor_keep_the_direction(clipping, steps):
    rule, gradients, parameters = clipping
    if rule.name not in BY_FACTOR:
        rule = Rule("global-norm", rule.threshold)
    clipper = Clipper(rule)
    for step in range(steps):
        report = clipper([gradient * (1 + step**2) for gradient in gradients], parameters)[1]
        assert report.cosine == pytest.approx(1, abs=1e-12)
        if rule.name in GLOBAL:
            assert report.global_cosine == pytest.approx(1, abs=1e-12)


@settings(max_examples=20)
@given(clippings(("float64",)))
def test_clipping_twice_is_clipping_once(clipping):
    rule, gradients, parameters = clipping
    rule = Rule("global-norm", rule.threshold) if rule.name == "percentile" else rule  # its limit is not the same twice
    once, _ = clip(gradients, rule, parameters)
    for one, other in zip(clip(once, rule, parameters)[0], once, strict=True):
        np.testing.assert_allclose(
            one, other, rtol=3e-6 / min(1, rule.threshold), atol=1e-300
        )  # ε shrinks it once more


def test_values_turn_the_direction_and_a_norm_each_turns_the_whole_step():
    gradients = [np.array([3.0, 0.1]), np.array([0.2, 0.0])]
    by_value, by_norm, by_all = (clip(gradients, rule)[1] for rule in ("value:0.1", "norm:0.5", "global-norm:0.5"))
    assert by_value.cosine < 0.9
    assert (by_norm.cosine, by_all.cosine, by_all.global_cosine) == pytest.approx((1, 1, 1), abs=1e-12)
    assert by_norm.global_cosine < 0.99


def test_a_norm_at_the_threshold_is_not_above_it():
    gradients = [np.array([3.0, 4.0])]
    for rule in ("norm:5", "global-norm:5", "value:4"):
        assert not clip(gradients, rule)[1].clipped
    assert clip(gradients, "norm:4.999999")[1].clipped
    assert clip(gradients, "global-norm:4.999999")[1].clipped


# ---- what nobody can clip


@pytest.mark.parametrize("dtype", [int, bool, complex, object, str])
def test_only_floating_point_can_be_clipped(dtype):
    with pytest.raises(OptionError, match="takes arrays of float16, float32 or float64, not of ") as caught:
        clip([np.ones(3), np.ones(3).astype(dtype)], "norm:1")
    assert "\n" not in str(caught.value)


def test_a_missing_gradient_is_an_error_in_one_line():
    with pytest.raises(OptionError, match="not of object"):
        clip([np.ones(3), None], "global-norm:1")


def test_agc_needs_the_parameters():
    with pytest.raises(OptionError, match=r"agc needs the gradients' parameters: type clip\("):
        clip([np.ones(3)], "agc:0.01")


@pytest.mark.parametrize("parameters", [[], [np.ones(3)], [np.ones(3), np.ones((2, 1))], [np.ones(3), np.ones(2), 1.0]])
@pytest.mark.parametrize("rule", ["agc:0.01", "norm:1"])
def test_parameters_have_to_fit(rule, parameters):
    with pytest.raises(OptionError, match=r"\[\(3,\), \(1, 2\)\] with parameters of the same shapes, not ") as caught:
        clip([np.ones(3), np.ones((1, 2))], rule, parameters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unit_axis", [2, -3, 5])
def test_an_axis_that_a_matrix_lacks_is_no_axis_of_units(unit_axis):
    with pytest.raises((OptionError, IndexError, np.exceptions.AxisError)):
        clip([np.ones((2, 3))], "agc:0.01", [np.ones((2, 3))], unit_axis=unit_axis)


@pytest.mark.parametrize(
    "rule", [Rule("norm", -1.0), Rule("global-norm", 0.0), Rule("value", math.nan), Rule("norm"), Rule("norms", 1.0)]
)
def test_a_rule_made_by_hand_is_guarded_like_one_that_is_typed(rule):
    with pytest.raises(OptionError):
        clip([np.array([3.0, 4.0])], rule)


@pytest.mark.parametrize("text", ["norm:-1", "global-norm:0", "value:nan", "norms:1", "suggest", ""])
def test_a_rule_that_means_nothing_is_an_option_error(text):
    with pytest.raises(OptionError):
        clip([np.ones(3)], text)
