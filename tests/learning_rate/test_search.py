"""The search for the critical rate, on lines whose answer is known."""

import math

import numpy as np
import pytest

from gradcheck.learning_rate.search import critical_rate


def quadratic(sharpness=3.0):
    """(loss along the gradient of ½ θᵀHθ, the loss at θ, its critical rate in closed form)."""
    generator = np.random.default_rng(0)
    root = generator.standard_normal((6, 6))
    hessian, theta = sharpness * root @ root.T, generator.standard_normal(6)
    gradient = hessian @ theta

    def along(rate):
        moved = theta - rate * gradient
        return float(moved @ hessian @ moved) / 2

    return along, along(0.0), 2 * float(gradient @ gradient / (gradient @ hessian @ gradient))


@pytest.mark.parametrize("start", [1e-9, 0.01, 1e6])
def test_along_the_gradient_of_a_quadratic_it_is_the_one_of_the_closed_form(start):
    along, loss, expected = quadratic()
    found = critical_rate(along, loss, start, tolerance=1.001)
    assert found.status == "found"
    assert found.rate == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("before", "passes"), [(0.8, 3), (1.3, 3), (0.5, 4), (2.0, 4)])
def test_from_the_answer_of_the_step_before_it_takes_three_or_four_passes(before, passes):
    along, loss, expected = quadratic()
    found = critical_rate(along, loss, before * expected)
    assert found.passes == passes
    assert found.rate == pytest.approx(expected, rel=0.04)


def test_half_the_answer_is_where_a_quadratic_is_least():
    along, loss, expected = quadratic()
    rate, least = critical_rate(along, loss, expected).least
    assert rate == pytest.approx(expected / 2, rel=0.2)
    assert least < loss


def test_each_rate_is_computed_once_and_kept_in_order():
    along, loss, _ = quadratic()
    asked = []
    found = critical_rate(lambda rate: asked.append(rate) or along(rate), loss, 1.0)
    assert sorted(asked) == [rate for rate, _ in found.seen]
    assert [value for _, value in found.seen] == [along(rate) for rate, _ in found.seen]


@pytest.mark.parametrize(
    ("along", "loss", "status"),
    [
        (lambda rate: 2.0, 2.0, "flat"),
        (lambda rate: 0.0, 0.0, "flat"),
        (lambda rate: 2.0 - rate, 2.0, "falls"),
        (lambda rate: 2.0 + rate, 2.0, "rises"),
        (lambda rate: math.nan, 2.0, "rises"),
        (lambda rate: -math.inf, 2.0, "rises"),
        (lambda rate: 1.0, math.nan, "nonfinite"),
        (lambda rate: 1.0, math.inf, "nonfinite"),
    ],
)
def test_a_line_without_a_critical_rate_has_none(along, loss, status):
    found = critical_rate(along, loss, 0.01)
    assert (found.status, math.isnan(found.rate)) == (status, True)
    assert found.passes < 25


def test_what_overflows_counts_as_risen():
    found = critical_rate(lambda rate: 1 - rate if rate < 0.3 else math.inf, 1.0, 0.01)
    assert found.rate == pytest.approx(0.3, rel=0.2)


def test_after_a_rise_a_second_fall_does_not_count():
    """Up from 0.1 on, and down again from 1.6 to 3."""

    def along(rate):
        return 1 - rate * (1 - rate / 0.1) * (1 - rate / 1.6) * (1 - rate / 3)

    assert critical_rate(along, 1.0, 2.5).rate == pytest.approx(0.1, rel=0.04)


def test_a_change_within_rounding_is_none():
    found = critical_rate(lambda rate: 2.0 + 1e-8 * math.sin(1e6 * rate), 2.0, 0.01)
    assert found.status == "flat"
