import numpy as np
import pytest

from gradcheck.engine.drawing import MOST, Drawing
from gradcheck.engine.initializers import INITIALIZERS, Law
from gradcheck.engine.linear import Beside, Dense, Weightless

PARTS = ((4, 1.0), (3, 0.5), (5, 2.0))
EQUAL = ((6, 1.0), (6, 1.0))
each_way = pytest.mark.parametrize("weightless", [False, True], ids=["dense", "weightless"])


@pytest.fixture(scope="module")
def passes():
    """A drawing, its maps' parts ↦ x W and δ Wᵀ of many keys, one a row, for one x and one δ."""
    generator = np.random.default_rng(3)
    x, delta = generator.standard_normal((2, 6)), generator.standard_normal((2, 12))

    def draws(drawing, parts):
        rows = []
        for key in range(200):
            z, pullback = drawing.linear(key, 6, parts)(x)
            rows.append(np.concatenate([z.ravel(), pullback(delta).ravel()]))
        return np.array(rows)

    return draws


def test_a_stored_map_is_what_the_law_draws_for_each_part(rng):
    law = Law("xavier", 1.5, bias_std=0.3)
    weight, bias = Drawing(law, 7).linear(2, 6, PARTS)
    drawn = [law.weight(7, MOST * 2 + index, 6, fan_out) for index, (fan_out, _) in enumerate(PARTS)]
    gains = np.repeat([gain for _, gain in PARTS], [fan_out for fan_out, _ in PARTS])
    np.testing.assert_allclose(weight, np.hstack(drawn) * gains, rtol=1e-14)
    biases = [law.bias(7, MOST * 2 + index, 6, fan_out) for index, (fan_out, _) in enumerate(PARTS)]
    np.testing.assert_array_equal(bias, np.concatenate(biases))


@pytest.mark.parametrize("init", INITIALIZERS)
def test_each_part_has_the_variance_of_its_own_fans_and_its_own_gain(init):
    parts = ((200, 1.0), (700, 3.0))
    weight = Drawing(Law(init, 0.5), 1).dense(0, 300, parts).weight
    for part, (fan_out, gain) in zip((weight[:, :200], weight[:, 200:]), parts, strict=True):
        variance = INITIALIZERS[init].variance(300, fan_out)
        if init == "orthogonal":
            variance = 1 / max(300, fan_out)
        assert np.square(part).mean() == pytest.approx((0.5 * gain) ** 2 * variance, rel=0.03)


@pytest.mark.parametrize(
    ("init", "parts"),
    [
        ("orthogonal", PARTS),
        *(
            pytest.param(init, parts, marks=pytest.mark.slow)
            for init, parts in [
                ("xavier", PARTS),
                ("he", PARTS),
                *((init, EQUAL) for init in ("xavier", "he", "orthogonal")),
            ]
        ),
    ],
)
def test_maps_with_and_without_a_matrix_have_the_same_second_moments(init, parts, passes, means_p_value):
    law = Law(init, 0.7, bias_std=0.5)
    ours, theirs = (passes(Drawing(law, 5, weightless=weightless), parts) for weightless in (True, False))
    first, second = np.triu_indices(ours.shape[1])
    assert means_p_value(ours, theirs) > 1e-3
    assert means_p_value(ours[:, first] * ours[:, second], theirs[:, first] * theirs[:, second]) > 1e-3
    square = np.square(ours).mean(0)
    assert square.min() > 0.02


@each_way
@pytest.mark.parametrize("init", ["he", "orthogonal"])
def test_parts_of_one_map_are_drawn_apart(init, weightless, rng):
    x = rng.standard_normal((3, 40))
    z, _ = Drawing(Law(init), 5, weightless=weightless).linear(0, 40, ((40, 1.0), (40, 1.0)))(x)
    assert abs(np.corrcoef(z[:, :40].ravel(), z[:, 40:].ravel())[0, 1]) < 0.4
    assert not np.isin(z[:, 40:], z[:, :40]).any()


@each_way
@pytest.mark.parametrize("init", ["he", "orthogonal"])
def test_keys_and_seeds_have_numbers_of_their_own(init, weightless, rng):
    """Those of the last part a map can have, and of the next map's first, among them."""
    x, parts = rng.standard_normal((3, 6)), ((6, 1.0),) * MOST
    outputs, gradients = [], []
    for seed, key in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]:
        z, pullback = Drawing(Law(init), seed, weightless=weightless).linear(key, 6, parts)(x)
        outputs.append(z)
        gradients.append(pullback(rng.standard_normal(z.shape)))
    for numbers in (outputs, gradients):
        assert len(np.unique(numbers)) == np.size(numbers)


@each_way
@pytest.mark.parametrize("parts", [PARTS, PARTS[:1]])
@pytest.mark.parametrize("init", ["he", "orthogonal"])
def test_a_map_is_the_same_each_time_it_is_drawn(init, parts, weightless, rng):
    drawing, x = Drawing(Law(init, bias_std=1.0), 5, weightless=weightless), rng.standard_normal((3, 6))
    (z, pullback), (again, pullback_again) = (drawing.linear(3, 6, parts)(x) for _ in range(2))
    np.testing.assert_array_equal(z, again)
    np.testing.assert_array_equal(pullback(z), pullback_again(z))


@each_way
@pytest.mark.parametrize("init", ["he", "orthogonal"])
@pytest.mark.parametrize("parts", [PARTS, PARTS[:1]])
def test_biases_are_those_of_the_law_however_the_matrix_is_kept(init, parts, weightless):
    law, nothing = Law(init, bias_std=0.3), np.zeros((1, 6))
    biases = [law.bias(7, MOST * 2 + index, 6, fan_out) for index, (fan_out, _) in enumerate(parts)]
    z, _ = Drawing(law, 7, weightless=weightless).linear(2, 6, parts)(nothing)
    np.testing.assert_array_equal(z[0], np.concatenate(biases))


@each_way
@pytest.mark.parametrize(("law", "biased"), [(Law("he"), True), (Law("he", bias_std=0.3), False)])
def test_there_are_no_biases_where_the_law_has_none_or_none_are_wanted(law, biased, weightless):
    linear = Drawing(law, 7, weightless=weightless, biased=biased).linear(2, 6, PARTS)
    assert linear.bias is None


def test_pytorchs_default_brings_its_biases_along():
    bias = Drawing(Law("torch_default"), 7).linear(2, 6, ((300, 1.0), (200, 1.0))).bias
    assert bias.shape == (500,)
    assert 0.95 / np.sqrt(6) < np.abs(bias).max() < 1 / np.sqrt(6)
    assert Drawing(Law("torch_default"), 7, biased=False).linear(2, 6, PARTS).bias is None


@pytest.mark.parametrize(
    ("init", "parts", "kind"),
    [("he", PARTS, Weightless), ("orthogonal", PARTS, Beside), ("orthogonal", PARTS[:1], Weightless)],
)
def test_only_frames_of_several_parts_need_maps_of_their_own(init, parts, kind):
    assert type(Drawing(Law(init), 1, weightless=True).linear(0, 6, parts)) is kind
    assert type(Drawing(Law(init), 1).linear(0, 6, parts)) is Dense


@each_way
@pytest.mark.parametrize("init", ["he", "orthogonal"])
def test_the_weight_norm_of_all_parts_is_the_same_with_and_without_a_matrix(init, weightless):
    parts = ((300, 1.0), (300, 2.0))
    norm = Drawing(Law(init), 1, weightless=weightless).linear(0, 300, parts).log10_weight_norm
    per_entry = 2 / 300 if init == "he" else 1 / 300
    assert 100**norm == pytest.approx(300 * 300 * per_entry * (1 + 4), rel=0.02)


@each_way
@pytest.mark.parametrize("init", ["he", "orthogonal"])
def test_a_drawing_of_single_precision_stays_single(init, weightless, rng):
    x = rng.standard_normal((3, 6)).astype(np.float32)
    linear = Drawing(Law(init, bias_std=0.3), 1, "float32", weightless).linear(0, 6, PARTS)
    z, pullback = linear(x)
    assert z.dtype == pullback(z).dtype == np.float32
