import math

import numpy as np
import pytest

from gradcheck.checking.differences import Case, Draw, Source, against_differences, derivative

SOURCE = Source(3, "a check")

FUNCTIONS = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "1/(1 + x²)": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
}


@pytest.fixture
def squares():
    """A factor, an exception to the pullback ↦ cases of x ↦ x², its pullback so many times what it should be."""

    def cases(factor=1.0, change=lambda gradient: gradient):
        def function(x):
            return x * x, lambda delta: (change((2 * factor * delta * x).astype(x.dtype)),)

        return lambda draw: [Case(function, (draw(5, 4),))]

    return cases


# ---- the differences themselves


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_derivative_along_a_direction_is_exact_to_ten_digits(name, rng):
    function, slope = FUNCTIONS[name]
    x, direction = rng.standard_normal(50), rng.standard_normal(50)
    found = derivative(Case(lambda x: (function(x), None), (x,)), [direction])
    np.testing.assert_allclose(found, slope(x) * direction, rtol=1e-10, atol=1e-10)


def test_of_several_arguments_all_are_moved_together(rng):
    x, y, along_x, along_y = rng.standard_normal((4, 6))
    found = derivative(Case(lambda x, y: (x * y, None), (x, y)), [along_x, along_y])
    np.testing.assert_allclose(found, along_x * y + x * along_y, rtol=1e-10, atol=1e-10)


# ---- a pullback against them


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_pullback_errs_by_rounding_only(dtype, squares):
    assert against_differences(squares(), SOURCE._replace(dtype=dtype)) < 100 * np.finfo(dtype).eps ** 0.8


@pytest.mark.parametrize("factor", [1.001, 0.9, -1, 0, 1e30])
def test_a_wrong_pullback_errs_by_about_as_much_as_it_is_wrong(factor, squares):
    wrong = min(1.0, abs(factor - 1))
    assert wrong / 100 < against_differences(squares(factor), SOURCE) < 5 * wrong


def test_one_wrong_entry_of_many_is_seen(squares):
    def change(gradient):
        gradient[2, 1] *= 1.01
        return gradient

    assert against_differences(squares(change=change), SOURCE) > 1e-5


def test_a_gradient_that_should_be_zero_and_is_not_is_wholly_wrong():
    def constant(x):
        return np.ones_like(x), lambda delta: (1e-9 * delta,)

    assert against_differences(lambda draw: [Case(constant, (draw(5),))], SOURCE) > 0.01


def test_a_gradient_that_is_zero_and_should_be_has_no_error():
    def constant(x):
        return np.ones_like(x), lambda delta: (0 * delta,)

    assert against_differences(lambda draw: [Case(constant, (draw(5),))], SOURCE) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_has_no_error_that_passes(bad, squares):
    with np.errstate(all="ignore"):
        error = against_differences(squares(change=lambda gradient: gradient * bad), SOURCE)
    assert not error <= 1e300


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda gradient: gradient.T, r"returns float64 \(4, 5\) for float64 \(5, 4\)"),
        (lambda gradient: gradient.astype("f4"), r"returns float32 \(5, 4\) for float64 \(5, 4\)"),
    ],
)
def test_a_gradient_of_another_form_is_an_error_with_both(change, told, squares):
    with pytest.raises(ValueError, match=told):
        against_differences(squares(change=change), SOURCE)


def test_the_argument_s_size_is_the_measure_of_the_step():
    def cases(draw):
        yield Case(lambda x: (np.sin(1e8 * x), lambda delta: (1e8 * delta * np.cos(1e8 * x),)), (draw(9, std=1e-8),))

    assert against_differences(cases, SOURCE) < 1e-9


# ---- random numbers


def test_the_same_numbers_come_from_a_seed_and_a_check_each_time_and_no_other():
    first = SOURCE.draw(0)(40)
    np.testing.assert_array_equal(SOURCE.draw(0)(40), first)
    others = [SOURCE.draw(1), SOURCE._replace(seed=4).draw(0), SOURCE._replace(check="another").draw(0)]
    assert all(np.abs(np.corrcoef(first, other(40))[0, 1]) < 0.6 for other in others)


def test_both_precisions_draw_the_same_numbers():
    double, single = (Draw(np.random.default_rng(1), dtype)(100, std=0.3) for dtype in ("float64", "float32"))
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(double, single)
