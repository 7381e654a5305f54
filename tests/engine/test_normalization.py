import numpy as np
import pytest

from gradcheck import spec
from gradcheck.engine.normalization import NORMS

every_norm = pytest.mark.parametrize("name", NORMS)
AXIS = {"batch": 0, "layer": 1, "rms": 1}
every_real_norm = pytest.mark.parametrize("name", AXIS)


def test_table_and_spec_name_the_same_norms():
    assert tuple(NORMS) == spec.NORMS


@every_norm
@pytest.mark.parametrize(
    ("batch", "units", "scale"), [(3, 9, 1e-3), (7, 5, 1), (16, 3, 1e3)]
)  # scales below, about and above √ε
def test_pullback_agrees_with_autograd_and_differences(name, batch, units, scale, check_pullback, by_autograd, rng):
    block, second_definition = NORMS[name].block, by_autograd.norms[name]
    z = rng.normal(0.3, 1, (batch, units))
    check_pullback(scaled_input(block, scale), lambda x: second_definition(scale * x), z)


def scaled_input(block, scale):
    """Return x ↦ block(scale·x), so that the steps of central differences keep their size."""

    def scaled(x):
        y, pullback = block(scale * x)
        return y, lambda delta: scale * pullback(delta)

    return scaled


@every_real_norm
def test_output_has_unit_size_along_the_norms_axis(name, rng):
    z = rng.normal(5, 30, (40, 50))
    y, _ = NORMS[name].block(z)
    if name != "rms":
        np.testing.assert_allclose(y.mean(AXIS[name]), 0, atol=1e-13)
    np.testing.assert_allclose(np.square(y).mean(AXIS[name]), 1, rtol=1e-6)


@every_real_norm
def test_gradient_is_orthogonal_to_a_rescaling_of_the_input(name, rng):
    z, delta = rng.normal(0, 1e4, (6, 8)), rng.standard_normal((6, 8))
    _, pullback = NORMS[name].block(z)
    along = (pullback(delta) * z).sum(AXIS[name])
    assert np.abs(along).max() < 1e-10


@every_norm
def test_identical_examples_or_units_stay_finite(name):
    y, pullback = NORMS[name].block(np.full((4, 4), 3.0))
    assert np.isfinite(y).all()
    assert np.isfinite(pullback(np.ones((4, 4)))).all()


@every_real_norm
@pytest.mark.parametrize(("dtype", "huge"), [("float64", 1e200), ("float32", 1e25)])
def test_normalised_values_do_not_depend_on_a_huge_scale(name, dtype, huge, rng):
    z = rng.standard_normal((6, 5)).astype(dtype)
    tolerance = 100 * np.finfo(dtype).eps
    moderate, _ = NORMS[name].block(z * np.array(1e9, dtype))
    with np.errstate(over="ignore"):
        extreme, _ = NORMS[name].block(z * np.array(huge, dtype))
    np.testing.assert_allclose(extreme, moderate, rtol=tolerance, atol=tolerance)


@every_norm
def test_single_precision_stays_single(name, rng):
    z = rng.standard_normal((6, 5)).astype(np.float32)
    y, pullback = NORMS[name].block(z)
    assert y.dtype == np.float32
    assert pullback(z).dtype == np.float32
