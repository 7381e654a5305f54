import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.render.numbers import percent, power, significant

MAGNITUDES = st.floats(1e-300, 1e300)


def test_a_number_is_written_out_where_it_is_short():
    for value, text in [
        (None, "-"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.5, "0.50"),
        (-0.5, "-0.50"),
        (1.0, "1.0"),
        (1.234, "1.2"),
        (9.94, "9.9"),
        (9.96, "10"),
        (99.6, "100"),
        (0.0996, "0.10"),
        (0.00996, "0.010"),
        (12.5, "12"),
        (1234.0, "1234"),
        (0.00012, "0.00012"),
        (0.0000999, "0.00010"),
        (0.0000994, "9.9e-05"),
        (99400.0, "99400"),
        (99999.0, "1.0e+05"),
        (123456.0, "1.2e+05"),
        (1e300, "1.0e+300"),
    ]:
        assert significant(value) == text, value


@given(MAGNITUDES, st.sampled_from([1, -1]), st.integers(1, 6))
def test_a_number_keeps_so_many_significant_digits(magnitude, sign, digits):
    value = sign * magnitude
    assert float(significant(value, digits)) == pytest.approx(value, rel=0.5 * 10 ** (1 - digits) + 1e-12)


@given(MAGNITUDES)
def test_a_number_of_two_digits_is_never_long(value):
    assert len(significant(value)) <= len("1.0e+300")


def test_a_power_is_written_at_any_magnitude():
    for logarithm, value, text in [
        (None, None, "-"),
        (None, 0.0, "0"),
        (0.0, 1.0, "1.0e+00"),
        (math.log10(5), 5.0, "5.0e+00"),
        (-6000.3, None, "5.0e-6001"),
        (6000.3, None, "2.0e+6000"),
        (-6000.0, None, "1.0e-6000"),
        (math.log10(9.96), 9.96, "1.0e+01"),
        (-1e-6, 0.999998, "1.0e+00"),
        (-10_000 * math.log10(4), None, "2.5e-6021"),
    ]:
        assert power(logarithm, value) == text, logarithm


@given(st.floats(-1e5, 1e5))
def test_a_power_is_right_to_its_two_digits(logarithm):
    mantissa, exponent = power(logarithm).split("e")
    assert 1 <= float(mantissa) < 10
    assert math.log10(float(mantissa)) + int(exponent) == pytest.approx(logarithm, abs=math.log10(1.05))


@given(st.floats(-300, 300))
def test_a_power_within_the_range_of_floats_is_what_python_writes(logarithm):
    assert float(power(logarithm)) == pytest.approx(10.0**logarithm, rel=0.05)


@given(st.floats(-9999, 9999), st.floats(-9999, 9999))
def test_powers_of_larger_logarithms_are_never_written_smaller(one, other):
    def place(text):
        mantissa, exponent = text.split("e")
        return int(exponent), float(mantissa)

    assert place(power(min(one, other))) <= place(power(max(one, other)))


def test_a_probability_claims_neither_never_nor_always():
    for share, text in [
        (0.0, "below 1 %"),
        (0.00999, "below 1 %"),
        (0.01, "1 %"),
        (0.5, "50 %"),
        (0.987, "99 %"),
        (0.99, "99 %"),
        (0.9901, "above 99 %"),
        (1.0, "above 99 %"),
    ]:
        assert percent(share) == text, share
