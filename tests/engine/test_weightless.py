"""Linear maps without a matrix, held against the same maps with one."""

import math

import numpy as np
import pytest

from gradcheck.engine.initializers import gaussian, haar_frame
from gradcheck.engine.linear import Dense, Weightless
from gradcheck.engine.noise import Noise

#: Few enough for each run, and as many as tell smaller errors from luck.
FEW, MANY = 250, 1000
every_count = pytest.mark.parametrize("draws", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
SHAPES = {
    "square": (3, 5, 5),
    "wide": (3, 4, 6),
    "tall": (3, 6, 4),
    "nearly as many examples as inputs": (4, 5, 5),
    "more examples than inputs": (6, 4, 5),
    "more examples than inputs or outputs": (7, 5, 4),
    "one example": (1, 5, 4),
    "one input": (3, 1, 4),
    "one output": (3, 4, 1),
}
every_law = pytest.mark.parametrize("haar", [False, True], ids=["gaussian", "haar"])
every_shape = pytest.mark.parametrize(("batch", "fan_in", "fan_out"), SHAPES.values(), ids=SHAPES)


@pytest.fixture(scope="module")
def arrays():
    """Batch, fans ↦ an input and a gradient."""

    def pair(batch, fan_in, fan_out):
        generator = np.random.default_rng(1)
        return generator.standard_normal((batch, fan_in)), generator.standard_normal((batch, fan_out))

    return pair


@pytest.fixture(scope="module")
def drawn():
    """Seed, fans, law and scale ↦ the map, without a matrix or with one."""

    def weightless(seed, fan_in, fan_out, haar, scale=1.0, bias=None):
        return Weightless(fan_in, fan_out, Noise(seed, 1), scale, haar, bias)

    def dense(seed, fan_in, fan_out, haar, scale=1.0, bias=None):
        sample = haar_frame if haar else gaussian
        return Dense(sample(np.random.default_rng([1, seed]), fan_in, fan_out) * scale, bias)

    return {"weightless": weightless, "dense": dense}


@pytest.fixture(scope="module")
def passes(drawn):
    """Kind, input, z ↦ δ and what draws a map ↦ x W + b and δ Wᵀ of many draws, one a row."""

    def outcomes(kind, draws, x, delta, **how):
        rows = []
        for seed in range(draws):
            z, pullback = drawn[kind](seed, x.shape[1], **how)(x)
            rows.append(np.concatenate([z.ravel(), pullback(delta(z)).ravel()]))
        return np.array(rows)

    return outcomes


# ---- one draw


@every_law
@every_shape
def test_the_pullback_is_the_transpose_of_the_map(haar, batch, fan_in, fan_out, arrays, drawn):
    """〈δ, x W〉 = 〈δ Wᵀ, x〉, for every two examples."""
    x, delta = arrays(batch, fan_in, fan_out)
    for seed in range(5):
        for scale in (0.3, np.geomspace(0.1, 10, fan_out)):
            z, pullback = drawn["weightless"](seed, fan_in, fan_out, haar, scale)(x)
            np.testing.assert_allclose(pullback(delta) @ x.T, delta @ z.T, rtol=0, atol=1e-11)


@every_law
def test_the_pullback_is_the_transpose_of_a_wide_map_to_all_but_rounding(haar, arrays, drawn, relative_error):
    x, delta = arrays(8, 300, 200)
    z, pullback = drawn["weightless"](3, 300, 200, haar)(x)
    assert relative_error(pullback(delta) @ x.T, delta @ z.T) < 1e-12


@every_law
@every_shape
def test_a_map_is_the_same_each_time_it_is_made_and_asked(haar, batch, fan_in, fan_out, arrays, drawn):
    x, delta = arrays(batch, fan_in, fan_out)
    before = x.copy(), delta.copy()
    z, pullback = drawn["weightless"](5, fan_in, fan_out, haar)(x)
    again, pullback_again = drawn["weightless"](5, fan_in, fan_out, haar)(x)
    first = pullback(delta)
    np.testing.assert_array_equal(z, again)
    np.testing.assert_array_equal(first, pullback(delta))
    np.testing.assert_array_equal(first, pullback_again(delta))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(delta, before[1])
    others = [drawn["weightless"](seed, fan_in, fan_out, haar)(x)[0] for seed in range(6, 16)]
    assert not any(np.array_equal(z, other) for other in others)


@every_law
@pytest.mark.parametrize("size", [1e-200, 1e-170, 1e-30, 7.0, 1e30, 1e200])
def test_maps_and_pullbacks_are_homogeneous_at_any_size(haar, size, arrays, drawn):
    x, delta = arrays(3, 5, 6)
    z, pullback = drawn["weightless"](2, 5, 6, haar)(x)
    larger, pullback_of_larger = drawn["weightless"](2, 5, 6, haar)(size * x)
    np.testing.assert_allclose(larger / size, z, rtol=1e-10)
    np.testing.assert_allclose(pullback(size * delta) / size, pullback(delta), rtol=1e-10)
    np.testing.assert_allclose(pullback_of_larger(delta), pullback(delta), rtol=1e-8)


@every_shape
def test_a_frame_keeps_lengths_forward_where_it_widens_and_back_where_it_narrows(batch, fan_in, fan_out, arrays, drawn):
    x, delta = arrays(batch, fan_in, fan_out)
    for seed in range(20):
        z, pullback = drawn["weightless"](seed, fan_in, fan_out, haar=True, scale=3.0)(x)
        if fan_in <= fan_out:
            np.testing.assert_allclose(z @ z.T, 9 * x @ x.T, rtol=0, atol=1e-10)
        if fan_in >= fan_out:
            back = pullback(delta)
            np.testing.assert_allclose(back @ back.T, 9 * delta @ delta.T, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("batch", "fan_in", "fan_out"), [(3, 5, 5), (3, 4, 9), (4, 5, 5), (9, 4, 6)])
def test_a_frame_that_widens_is_undone_by_its_pullback(batch, fan_in, fan_out, arrays, drawn):
    """W Wᵀ = 1."""
    x, _ = arrays(batch, fan_in, fan_out)
    z, pullback = drawn["weightless"](4, fan_in, fan_out, haar=True)(x)
    np.testing.assert_allclose(pullback(z), x, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("batch", "width"), [(5, 8), (6, 8), (7, 8), (8, 8), (20, 32), (31, 32), (64, 20)])
def test_a_square_frame_turns_a_gradient_of_many_examples(batch, width, drawn):
    """Examples that leave less of the space than they are themselves; positive, as a sigmoid's outputs."""
    x = np.random.default_rng(1).uniform(1, 2, (batch, width))
    delta = np.random.default_rng(2).standard_normal((batch, width))
    for seed in range(10):
        back = drawn["weightless"](seed, width, width, haar=True)(x)[1](delta)
        np.testing.assert_allclose(np.linalg.norm(back, axis=1), np.linalg.norm(delta, axis=1), rtol=1e-7)


@every_law
def test_equal_examples_have_equal_outputs_and_equal_gradients_come_back_equal(haar, arrays, drawn):
    x, delta = (array[[0, 1, 0, 2, 0]] for array in arrays(3, 6, 7))
    z, pullback = drawn["weightless"](1, 6, 7, haar)(x)
    back = pullback(delta)
    for same in (2, 4):
        np.testing.assert_allclose(z[same], z[0], rtol=1e-12)
        np.testing.assert_allclose(back[same], back[0], rtol=1e-6)


@every_law
@every_shape
def test_of_zeros_exactly_zero_comes_out(haar, batch, fan_in, fan_out, arrays, drawn):
    x, delta = arrays(batch, fan_in, fan_out)
    bias = np.arange(fan_out) + 1.0
    z, pullback = drawn["weightless"](1, fan_in, fan_out, haar, 2.0, bias)(0 * x)
    np.testing.assert_array_equal(z, np.tile(bias, (batch, 1)))
    assert pullback(delta).all()
    np.testing.assert_array_equal(pullback(0 * delta), 0 * x)
    np.testing.assert_array_equal(drawn["weightless"](1, fan_in, fan_out, haar)(x)[1](0 * delta), 0 * x)


@every_law
def test_an_example_of_zeros_among_others_stays_exactly_zero(haar, arrays, drawn):
    x, delta = arrays(4, 9, 9)
    x[2], delta[1] = 0, 0
    z, pullback = drawn["weightless"](1, 9, 9, haar)(x)
    back = pullback(delta)
    assert [row.any() for row in z] == [True, True, False, True]
    assert [row.any() for row in back] == [True, False, True, True]


@every_law
@pytest.mark.parametrize("scale", [0.5, np.geomspace(0.1, 10, 7).astype(np.float32)], ids=["one", "each"])
def test_single_precision_stays_single(haar, scale, arrays, relative_error):
    x, delta = (array.astype(np.float32) for array in arrays(3, 6, 7))
    linear = Weightless(6, 7, Noise(1, 1, "float32"), scale, haar, np.ones(7, np.float32))
    z, pullback = linear(x)
    back = pullback(delta)
    assert z.dtype == back.dtype == np.float32
    assert relative_error(back @ x.T, delta @ (z - 1).T) < 1e-5


EQUALS = {
    "orthogonal examples of one length": (np.eye(4, 40), 4),
    "two of a length in three": (np.diag([1.0, 2.0, 1.0]) @ np.eye(3, 40), 3),
    "two pairs of twins": (np.repeat(np.eye(2, 40), 2, axis=0), 2),
}


@every_law
@pytest.mark.parametrize(("x", "rank"), EQUALS.values(), ids=EQUALS)
def test_rounding_of_the_input_does_not_change_the_draw(haar, x, rank, drawn):
    """Eigenvectors of equal eigenvalues turn by any angle for a change in the last bit."""
    generator = np.random.default_rng(3)
    twins = len(x) // rank
    tilts = [0, *(1e-14 * np.repeat(generator.standard_normal((rank, 40)), twins, axis=0) for _ in range(5))]
    delta = np.repeat(generator.standard_normal((rank, 50)), twins, axis=0)
    outcomes = []
    for tilt in tilts:
        z, pullback = drawn["weightless"](1, 40, 50, haar)(x + tilt)
        outcomes.append(np.concatenate([z.ravel(), pullback(delta).ravel()]))
    np.testing.assert_allclose(outcomes, outcomes[:1] * len(outcomes), atol=1e-11)


# ---- the law


every_shape = pytest.mark.parametrize(
    ("shape", "draws"),
    [
        ("square", FEW),
        *(
            pytest.param(name, MANY, marks=pytest.mark.slow)
            for name in ("square", "wide", "tall", "nearly as many examples as inputs")
        ),
    ],
)


@pytest.fixture(scope="module")
def check_law(passes, means_p_value):
    """Hold the moments of x W and δ Wᵀ against their formulas and against draws of matrices.

    Cov(W_ki, W_lj) is v·[k = l]·[i = j], for a frame too, with v = 1/longer side: uncorrelated, not independent.
    """

    def check(draws, x, delta, *, fan_out, haar, scale=1.0):
        ours, theirs = (
            passes(kind, draws, x, lambda z: delta, fan_out=fan_out, haar=haar, scale=scale)
            for kind in ("weightless", "dense")
        )
        fan_in, scales = x.shape[1], np.broadcast_to(scale, fan_out)
        variance = 1 / max(fan_in, fan_out) if haar else 1.0
        forward = np.einsum("ak,ij->aikj", x, np.diag(scales)).reshape(len(x) * fan_out, -1)  # z as a map of W
        back = np.einsum("aj,lk->alkj", delta * scales, np.eye(fan_in)).reshape(len(x) * fan_in, -1)
        both = np.concatenate([forward, back])
        pairs = np.triu_indices(len(both))
        covariances = variance * (both @ both.T)[pairs]
        assert means_p_value(ours, np.zeros(len(both))) > 1e-3
        assert means_p_value(ours[:, pairs[0]] * ours[:, pairs[1]], covariances) > 1e-3
        assert means_p_value(theirs[:, pairs[0]] * theirs[:, pairs[1]], covariances) > 1e-3
        ours, theirs = ours**2, theirs**2
        assert means_p_value(ours[:, pairs[0]] * ours[:, pairs[1]], theirs[:, pairs[0]] * theirs[:, pairs[1]]) > 1e-3

    return check


@every_law
@every_shape
def test_moments_are_those_of_a_matrix(draws, haar, shape, arrays, check_law):
    x, delta = arrays(*SHAPES[shape])
    check_law(draws, x, delta, fan_out=delta.shape[1], haar=haar)


@every_count
@every_law
def test_moments_are_those_of_a_matrix_for_more_examples_than_inputs(draws, haar, arrays, check_law):
    x, delta = arrays(5, 3, 4)
    check_law(draws, x, delta, fan_out=4, haar=haar)


@every_count
@every_law
def test_moments_are_those_of_a_matrix_for_examples_that_are_there_twice_and_a_scale_each(
    draws, haar, arrays, check_law
):
    x, delta = arrays(3, 4, 5)
    check_law(draws, x[[0, 1, 0]], delta, fan_out=5, haar=haar, scale=np.array([0.5, 1.0, 2.0, 0.0, 3.0]))


@every_law
def test_a_bias_is_added_and_nothing_else(haar, arrays, drawn):
    x, delta = arrays(3, 4, 5)
    bias = np.arange(5.0)
    plain, biased = (drawn["weightless"](1, 4, 5, haar, 2.0, b) for b in (None, bias))
    np.testing.assert_array_equal(biased(x)[0], plain(x)[0] + bias)
    np.testing.assert_array_equal(biased(x)[1](delta), plain(x)[1](delta))


@every_law
@every_shape
def test_a_gradient_that_depends_on_the_output_comes_back_as_through_a_matrix(
    draws, haar, shape, arrays, passes, ks_p_value
):
    """What is drawn on the way back is drawn given what was drawn on the way forward."""
    x, weight = arrays(*SHAPES[shape])
    batch, fan_out = weight.shape

    def delta(z):
        return weight + (z > 0) * z

    ours, theirs = (passes(kind, draws, x, delta, fan_out=fan_out, haar=haar) for kind in ("weightless", "dense"))
    norms = []
    for found in (ours, theirs):
        z = found[:, : batch * fan_out].reshape(draws, batch, fan_out)
        back = found[:, batch * fan_out :].reshape(draws, batch, -1)
        directions = np.einsum("dbi,bi->d", back, np.roll(x, 1, axis=0) + x)
        norms.append((np.linalg.norm(back, axis=(1, 2)), np.linalg.norm(back[:, 0], axis=1), directions, z[:, 0, 0]))
    for one, other in zip(*norms, strict=True):
        assert ks_p_value(one, other) > 1e-3


# ---- norms


@every_count
@pytest.mark.parametrize("scale", [0.7, np.array([0.5, 1.0, 2.0, 0.0, 3.0])], ids=["one", "each"])
@pytest.mark.parametrize("fan_in", [3, 5, 8])
def test_the_weight_norm_is_the_root_mean_square_of_a_matrixs(draws, scale, fan_in, drawn, means_p_value):
    for haar in (False, True):
        maps = [drawn["dense"](seed, fan_in, 5, haar, scale) for seed in range(draws)]
        squares = np.array([[100**one.log10_weight_norm] for one in maps])
        expected = 100 ** drawn["weightless"](0, fan_in, 5, haar, scale).log10_weight_norm
        if haar and (fan_in >= 5 or np.ndim(scale) == 0):  # every frame has the same
            np.testing.assert_allclose(squares, expected, rtol=1e-12)
        else:
            assert means_p_value(squares, np.array([expected])) > 1e-3


@every_law
def test_the_weight_norm_is_right_at_any_size(haar, drawn):
    at_one = drawn["weightless"](0, 4, 5, haar).log10_weight_norm
    for size in (1e-300, 1e300):
        assert drawn["weightless"](0, 4, 5, haar, size).log10_weight_norm == pytest.approx(at_one + math.log10(size))


@every_law
def test_drawn_weights_hold_no_nan(haar, drawn):
    assert not drawn["weightless"](0, 4, 5, haar).holds_nan
