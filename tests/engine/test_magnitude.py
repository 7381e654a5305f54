import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.engine.magnitude import (
    WHOLE,
    Norm,
    Scaled,
    inner,
    joint_norm,
    log10_magnitude,
    log10_norm,
    log10_rms,
    log10_rms_and_std,
    log10_std,
    rescaled,
    scaled,
)

finite_floats = st.floats(allow_nan=False, allow_infinity=False)
some_floats = st.lists(finite_floats, min_size=1, max_size=12)


@st.composite
def arrays_of_one_size(draw):
    """Arrays of any magnitude, subnormal to huge, whose entries lie within 60 powers of two."""
    mantissas = draw(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=8))
    return np.ldexp(np.array(mantissas, dtype=float), draw(st.integers(-1074, 970)))


def exact(x, exponent=0):
    return Fraction(float(x)) * Fraction(2) ** exponent


def log10_of(fraction):
    """log10 of a positive fraction of any size, by whole numbers."""
    return math.log10(fraction.numerator) - math.log10(fraction.denominator)


@settings(max_examples=20)
@given(arrays_of_one_size(), st.integers(-(10**6), 10**6))
def test_rescaling_loses_no_bit(array, exponent):
    mantissa, power = rescaled(array, exponent)
    assert [exact(m, power - exponent) for m in mantissa] == [exact(x) for x in array]


@settings(max_examples=20)
@given(arrays_of_one_size())
def test_rescaled_arrays_have_safe_squares(array):
    mantissa, _ = rescaled(array)
    energy = float(np.sum(mantissa**2))
    assert energy == 0 or 1e-70 <= energy <= 1e70


@settings(max_examples=20)
@given(some_floats)
def test_log10_rms_agrees_with_exact_fractions(entries):
    mean_square = sum(exact(x) ** 2 for x in entries) / len(entries)
    expected = log10_of(mean_square) / 2 if mean_square else -math.inf
    assert log10_rms(rescaled(np.array(entries))) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=20)
@given(some_floats)
def test_log10_norm_agrees_with_exact_fractions(entries):
    square = sum(exact(x) ** 2 for x in entries)
    expected = log10_of(square) / 2 if square else -math.inf
    assert log10_norm(np.array(entries)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=20)
@given(arrays_of_one_size(), st.integers(-4000, 4000))
def test_log10_std_agrees_with_exact_fractions(array, exponent):
    entries = [exact(x) for x in array]
    mean = sum(entries) / len(entries)
    variance = sum((x - mean) ** 2 for x in entries) / len(entries)
    if variance > Fraction(1, 10**12) * mean**2:  # elsewhere the mean's rounding shows
        expected = log10_of(variance) / 2 + exponent * math.log10(2)
        assert log10_std(rescaled(array, exponent)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_rms_norm_and_std_of_extreme_entries_are_right(size):
    array = size * np.array([[3.0, -3.0], [3.0, -3.0]])
    assert log10_rms(rescaled(array)) == pytest.approx(math.log10(3 * size), rel=1e-13)
    assert log10_std(rescaled(array)) == pytest.approx(math.log10(3 * size), rel=1e-13)
    assert log10_norm(array) == pytest.approx(math.log10(6 * size), rel=1e-13)


def test_single_precision_is_safe_at_its_own_ends():
    for size in (1e-42, 1e-30, 1e30, 3e38):
        array = np.full(100, size, np.float32)
        assert log10_rms(rescaled(array)) == pytest.approx(math.log10(float(array[0])), abs=1e-6)
        assert rescaled(array).mantissa.dtype == np.float32


def test_zeros_have_minus_infinity():
    zeros = np.zeros((2, 3))
    assert log10_rms(rescaled(zeros)) == log10_std(rescaled(zeros)) == log10_norm(zeros) == -math.inf
    assert log10_magnitude(0.0, 5000) == -math.inf


def test_equal_entries_have_no_spread():
    assert log10_std(rescaled(np.full(8, 5.0))) == -math.inf


def test_comfortable_arrays_are_returned_as_they_are():
    for array in (np.array([1.0, -(2.0**90)]), np.array([2.0**-90]), np.zeros(3)):
        assert rescaled(array, 7).mantissa is array
        assert rescaled(array, 7).exponent == 7


@pytest.mark.parametrize("entry", [math.inf, -math.inf, math.nan])
def test_non_finite_arrays_are_left_alone(entry):
    array = np.array([1.0, entry])
    assert rescaled(array, 3).mantissa is array
    assert rescaled(array, 3).exponent == 3


def test_exponents_beyond_any_float_are_carried():
    twos = Scaled(np.array([2.0, 2.0]), 10**6)
    assert log10_rms(twos) == pytest.approx((10**6 + 1) * math.log10(2), rel=1e-14)
    assert log10_magnitude(1.0, -(10**7)) == pytest.approx(-(10**7) * math.log10(2), rel=1e-14)


@settings(max_examples=20)
@given(st.lists(arrays_of_one_size(), max_size=3))
def test_a_joint_norm_is_the_root_of_the_sum_of_squares_at_every_size(arrays):
    norm = joint_norm(arrays)
    square = sum((exact(x) ** 2 for array in arrays for x in array), Fraction(0))
    if not square:
        assert norm == Norm(0.0)
        return
    step = 1e-323 / (norm.value or 1)  # between subnormal numbers
    assert float(exact(norm.mantissa, norm.exponent) ** 2 / square) == pytest.approx(1, rel=max(1e-14, step))
    assert (norm.exponent == 0) == (0 < norm.value < math.inf)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("others", [[], [1.0], [1e300], [0.0]])
def test_a_joint_norm_with_an_entry_that_is_not_finite_is_not_finite(wrong, others):
    norm = joint_norm([np.array(others), np.array([1.0, wrong])])
    assert not math.isfinite(norm.mantissa)
    assert math.isnan(norm.mantissa) == math.isnan(wrong)


def test_a_joint_norm_of_narrow_types_is_computed_in_the_wide_one():
    arrays = [np.full(100, 6e4, np.float16), np.full((3, 3), 3e38, np.float32)]
    wide = math.hypot(10 * float(np.float16(6e4)), 3 * float(np.float32(3e38)))
    assert joint_norm(arrays) == Norm(pytest.approx(wide, rel=1e-14))


def test_a_norm_beyond_the_range_of_floats_has_the_value_inf():
    norm = joint_norm([np.full(4, 1e308)])
    assert norm.value == math.inf
    assert log10_magnitude(*norm) == pytest.approx(308 + math.log10(2), rel=1e-15)


@settings(max_examples=20)
@given(arrays_of_one_size(), st.floats(0.5, 2), st.integers(-60, 60))
def test_an_array_is_scaled_by_a_mantissa_and_a_power_of_two(array, mantissa, exponent):
    for dtype in ("float64", "float32"):
        narrow = np.clip(array, -1e15, 1e15).astype(dtype)
        found = scaled(narrow, mantissa, exponent)
        assert found.dtype == dtype
        expected = narrow.astype(np.longdouble) * np.longdouble(mantissa) * np.longdouble(2) ** exponent
        least = float(np.finfo(dtype).smallest_subnormal)
        np.testing.assert_allclose(found, expected.astype(float), rtol=4 * float(np.finfo(dtype).eps), atol=4 * least)


@pytest.mark.parametrize("mean", [0.0, 0.5, 1e3])
def test_size_and_spread_together_are_those_of_numpy(mean):
    array = mean + np.random.default_rng(0).standard_normal((64, 32))
    expected = math.log10(np.sqrt(np.mean(array**2))), math.log10(array.std())
    assert log10_rms_and_std(array) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_squares_that_leave_the_range_of_single_precision_are_infinite_without_a_warning():
    array = np.full(2 * WHOLE + 1, 1e30, dtype="float32")
    assert inner(array, array) == math.inf
