import math

import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS, LEAK
from gradcheck.mean_field.kernels import Angular, Integrated, StepKernel, kernel_of
from gradcheck.mean_field.quadrature import OF_ACTIVATION

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def test_every_activation_has_its_reference(reference):
    assert all(set(values) == set(ACTIVATIONS) for values in reference.values())


def test_the_script_still_gives_the_stored_values(reference, making):
    (stored,) = [one for one in reference["moments"]["tanh"] if one["q"] == 1]
    assert making.moments("tanh", 1.0) == pytest.approx(stored, rel=1e-13, abs=1e-16)
    (stored,) = [one for one in reference["pairs"]["relu"] if one["q"] == 1]
    assert making.pair("relu", 1.0, stored["c"]) == pytest.approx(stored, rel=1e-9)
    assert making.rest("relu") == pytest.approx(reference["rest"]["relu"], rel=1e-12)


def test_means_are_those_of_an_adaptive_quadrature(reference, record_error):
    for name in ACTIVATIONS:
        kernel = kernel_of(name)
        for theirs in reference["moments"][name]:
            ours = kernel.moments(theirs["q"])
            size = math.sqrt(theirs["square"])  # of an odd activation the mean is zero
            assert ours.mean == pytest.approx(theirs["mean"], rel=1e-11, abs=1e-13 * size), name
            pairs = [(getattr(ours, what), theirs[what]) for what in ("square", "slope_square", "slope_fourth")]
            error = max(abs(one / other - 1) if other else abs(one) for one, other in pairs)
            record_error("E[φ²], E[φ'²], E[φ'⁴] against SciPy", error)
            assert error <= 1e-12, name


def test_the_rate_of_the_variance_is_the_difference_quotient():
    for name in ACTIVATIONS:
        kernel = kernel_of(name)
        for q in (0.03, 1.0, 7.3, 400.0):
            step = 1e-4 * q
            quotient = (kernel.moments(q + step).square - kernel.moments(q - step).square) / (2 * step)
            assert kernel.moments(q).square_rate == pytest.approx(quotient, rel=1e-6, abs=1e-12), name


def test_pairs_are_those_of_a_nested_adaptive_quadrature(reference, record_error):
    for name in ACTIVATIONS:
        for theirs in reference["pairs"][name]:
            pair = kernel_of(name).pair(theirs["q"], theirs["c"])
            errors = [abs(pair.product / theirs["product"] - 1)]
            if name != "step":  # whose φ' has a mass at zero
                errors.append(abs(pair.rate / (theirs["q"] * theirs["slope_product"]) - 1))
            record_error("E[φφ], E[φ'φ'] against SciPy", max(errors))
            assert max(errors) <= 1e-8, name


def test_the_step_s_rate_is_the_difference_quotient():
    below, above = (kernel_of("step").pair(2.0, 0.6 + side).product for side in (-1e-6, 1e-6))
    assert kernel_of("step").pair(2.0, 0.6).rate == pytest.approx((above - below) / 2e-6, rel=1e-6)


@pytest.mark.parametrize(
    "name", [name for name in ACTIVATIONS if not isinstance(kernel_of(name), Angular | StepKernel)]
)
def test_the_series_and_the_conditioned_quadrature_are_two_routes_to_one_number(name):
    kernel = Integrated(ACTIVATIONS[name])
    for q in (0.05, 1.0, 30.0):
        for c in (0.02, 0.3, 0.7):
            assert kernel.quick_pair(q, c) == pytest.approx(kernel.conditioned_pair(q, c), rel=1e-12)


@pytest.mark.parametrize("name", ["tanh", "hard_tanh", "selu", "gelu"])
@pytest.mark.parametrize("q", [0.5, 20.0])
def test_a_correlation_next_to_one_leads_to_the_means_of_one_normal(name, q):
    kernel = Integrated(ACTIVATIONS[name])
    alone = kernel.moments(q)
    near, at = kernel.conditioned_pair(q, 1 - 1e-10), kernel.pair(q, 1.0)
    assert at == pytest.approx((alone.square, q * alone.slope_square), rel=1e-14)
    assert near.product == pytest.approx(at.product - 1e-10 * at.rate, rel=1e-12)
    assert near.rate == pytest.approx(at.rate, rel=2e-4)  # where φ' jumps it moves as √(1 − c)


@pytest.mark.parametrize("name", ["tanh", "selu", "hard_tanh", "mish"])
def test_quick_pairs_are_lower_bounds(name):
    kernel = kernel_of(name)
    for c in (0.0, 0.5, 0.97, 0.9999):
        quick, exact = kernel.quick_pair(5.0, c), kernel.pair(5.0, c)
        assert quick.product <= exact.product * (1 + 1e-14)
        assert quick.rate <= exact.rate * (1 + 1e-14)


def test_closed_forms_are_those_of_the_literature():
    c, q = 0.37, 1.9
    relu = (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi  # Daniely et al. 2016, times q/2
    assert kernel_of("relu").pair(q, c).product == pytest.approx(q / 2 * relu, rel=1e-15)
    assert kernel_of("relu").pair(q, c).rate == pytest.approx(q / 2 * (1 - math.acos(c) / math.pi), rel=1e-15)
    assert kernel_of("relu").moments(q)[1:] == (q / 2, 0.5, 0.5, 0.5)
    assert kernel_of("leaky_relu").moments(q).slope_square == (1 + LEAK**2) / 2
    assert kernel_of("linear").pair(q, c) == pytest.approx((q * c, q), rel=1e-15)
    assert kernel_of("step").pair(q, c).product == pytest.approx(0.25 + math.asin(c) / (2 * math.pi), rel=1e-15)


def test_the_clipped_line_has_the_means_of_a_truncated_normal():
    for q in (0.01, 0.5, 3.0, 1e4):
        edge = 1 / math.sqrt(q)
        inside = math.erf(edge / math.sqrt(2))
        square = q * (inside - 2 * edge * math.exp(-edge * edge / 2) / math.sqrt(2 * math.pi)) + 1 - inside
        moments = kernel_of("hard_tanh").moments(q)
        assert (moments.square, moments.slope_square) == pytest.approx((square, inside), rel=1e-12)


@pytest.mark.parametrize(("q", "c"), [(0.3, 0.2), (2.0, 0.9)])
def test_gelu_has_the_slopes_of_its_closed_mean(q, c):
    """E[gelu] = q/√(2π(1 + q)), by E[z Φ(z)] = q E[Φ'(z)]; its derivatives by √q are those of the smoothed gelu."""
    assert kernel_of("gelu").moments(q).mean == pytest.approx(q / math.sqrt(2 * math.pi * (1 + q)), rel=1e-13)
    assert kernel_of("gelu").pair(q, 0.0).product == pytest.approx(q * q / (2 * math.pi * (1 + q)), rel=1e-12)


def test_a_very_large_variance_makes_a_step_of_tanh_and_a_relu_of_softplus():
    """The error is of the order of the width of the turn over the width of the normal."""
    for q in (1e8, 1e12):
        blur = 1 / math.sqrt(q)
        assert kernel_of("tanh").pair(q, 0.5).product == pytest.approx(2 / math.pi * math.asin(0.5), rel=3 * blur)
        assert kernel_of("softplus").moments(q).square == pytest.approx(q / 2, rel=3 * blur)
        assert kernel_of("tanh").moments(q).slope_square == pytest.approx(
            4 / 3 * blur / math.sqrt(2 * math.pi), rel=3 * blur
        )  # ∫ 1/cosh⁴ = 4/3


def test_a_variance_of_zero_leaves_the_origin_alone(making):
    for name in ACTIVATIONS:
        value, _ = making.scalar(name)
        kernel = kernel_of(name)
        if name == "step":  # which no variance moves away from half and half
            assert kernel.moments(0.0) == kernel.moments(1.0), name
            continue
        assert kernel.moments(0.0).mean == value(0.0), name
        assert kernel.moments(0.0).square == value(0.0) ** 2, name
        assert kernel.moments(0.0).slope_square == pytest.approx(kernel.moments(1e-12).slope_square, rel=1e-5), name


def test_slopes_far_away_are_what_a_growing_variance_tends_to():
    for name in ACTIVATIONS:
        kernel = kernel_of(name)
        assert kernel.moments(1e14).slope_square == pytest.approx(kernel.far_slope_square, abs=1e-6), name


def test_every_kink_ends_a_piece():
    assert {kink for one in ACTIVATIONS.values() for kink in one.kinks} <= set(np.asarray(OF_ACTIVATION).tolist())
