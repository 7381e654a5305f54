"""What a framework draws by default: each kind of matrix by the law that its own code states."""

import math
from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.engine.cells import CELLS
from gradcheck.errors import OptionError
from gradcheck.families import FAMILIES, drawn_network
from gradcheck.spec import (
    ARCHITECTURES,
    FRAMEWORKS,
    RECURRENT,
    NetworkSpec,
    RecurrentSpec,
    TransformerSpec,
    network_spec,
)
from gradcheck.spec import frameworks as table

FEATURES, WIDTH = 300, 120

#: Standard deviation of N(0, 1) cut at two (SciPy's truncnorm).
CUT = 0.87962566103423978

#: Size of a uniform entry at most, in standard deviations.
EDGE = math.sqrt(3)

#: Frameworks whose Linear is U(±1/√fan_in) with its bias.
LIKE_TORCH = ("torch", "equinox", "mlx", "tinygrad")

#: Framework ↦ standard deviation of a dense layer's weights, of its biases, and the largest size in such deviations.
DENSE = {
    **dict.fromkeys(LIKE_TORCH, (lambda n, m: (3 * n) ** -0.5, lambda n, m: (3 * n) ** -0.5, EDGE)),
    **dict.fromkeys(("keras", "paddle"), (lambda n, m: math.sqrt(2 / (n + m)), lambda n, m: 0, EDGE)),
    "flax": (lambda n, m: n**-0.5, lambda n, m: 0, 2 / CUT),
    "haiku": (lambda n, m: CUT * n**-0.5, lambda n, m: 0, 2 / CUT),
    "sklearn": (lambda n, m: math.sqrt(2 / (n + m)), lambda n, m: math.sqrt(2 / (n + m)), EDGE),
    "jax-vit": (lambda n, m: 0.02 * CUT, lambda n, m: 0, 2 / CUT),
    "gpt2": (lambda n, m: 0.02, lambda n, m: 0, math.inf),
}

#: (framework, cell) ↦ standard deviations of input and recurrent weights, of the biases of each, the forget bias.
#: f: features, w: hidden units, k: gates.
HIDDEN = (3 * WIDTH) ** -0.5


def cells():
    for arch in RECURRENT:
        k = len(CELLS[arch].gates)
        yield ("torch", arch), (HIDDEN, HIDDEN, HIDDEN, HIDDEN, 0)
        yield ("paddle", arch), (HIDDEN, HIDDEN, HIDDEN, HIDDEN, 0)
        forget = float(arch == "lstm")
        yield ("keras", arch), (math.sqrt(2 / (FEATURES + k * WIDTH)), (k * WIDTH) ** -0.5, 0, 0, forget)
        whole = 3 if arch == "gru" else 1
        yield ("flax", arch), (FEATURES**-0.5, (whole * WIDTH) ** -0.5, 0, 0, 0)
        candidate = HIDDEN if arch == "gru" else 0
        yield ("mlx", arch), (HIDDEN, HIDDEN, HIDDEN, candidate, 0)
    yield ("haiku", "rnn"), (CUT * FEATURES**-0.5, CUT * WIDTH**-0.5, 0, 0, 0)
    yield ("haiku", "lstm"), (CUT * (FEATURES + WIDTH) ** -0.5, CUT * (FEATURES + WIDTH) ** -0.5, 0, 0, 1)
    yield ("haiku", "gru"), (FEATURES**-0.5, WIDTH**-0.5, 0, 0, 0)
    yield ("equinox", "lstm"), (HIDDEN, HIDDEN, HIDDEN, 0, 0)
    yield ("equinox", "gru"), (HIDDEN, HIDDEN, HIDDEN, HIDDEN, 0)
    yield ("tinygrad", "lstm"), (HIDDEN, HIDDEN, 0, 0, 0)


CELLS_OF = dict(cells())

#: Framework ↦ standard deviations in a transformer of width w: of queries, keys and values; of the heads' output; of
#: an embedding of v kinds.
ATTENTION = {
    "torch": (lambda w: math.sqrt(2 / (4 * w)), lambda w: (3 * w) ** -0.5, lambda w, v: 1.0),
    "keras": (lambda w: w**-0.5, lambda w: w**-0.5, lambda w, v: 0.05 / EDGE),
    "flax": (lambda w: w**-0.5, lambda w: w**-0.5, lambda w, v: w**-0.5),
    "equinox": (lambda w: (3 * w) ** -0.5, lambda w: (3 * w) ** -0.5, lambda w, v: 1.0),
    "paddle": (lambda w: w**-0.5, lambda w: w**-0.5, lambda w, v: math.sqrt(2 / (v + w))),
    "mlx": (lambda w: (3 * w) ** -0.5, lambda w: (3 * w) ** -0.5, lambda w, v: w**-0.5),
    "jax-vit": (lambda w: 0.02 * CUT, lambda w: 0.02 * CUT, lambda w, v: 0.02 * CUT),
    "gpt2": (lambda w: 0.02, lambda w: 0.02 / 2, lambda w, v: 0.02),  # of two blocks: 1/√4
}


@pytest.fixture
def maps():
    """Spec ↦ its linear maps, last the read-out of ten classes."""
    return lambda spec, seed=0: [dense for _, dense in drawn_network(spec, FEATURES, 10, seed).maps]


@pytest.fixture
def transformer():
    """Framework, spec fields ↦ a drawn transformer of two blocks."""

    def drawn(init, **fields):
        shape = {"blocks": 2, "model_width": 96, "heads": 4, "tokens": 8, "vocabulary": 500, "tied": False}
        spec = TransformerSpec(init=init, **shape | fields)
        return drawn_network(spec, 0, spec.vocabulary, 0, layers="dense")

    return drawn


def assert_drawn(sample, deviation, largest=math.inf):
    """Mean zero, the deviation, the limits filled but not crossed."""
    if deviation == 0:
        assert sample is None or not sample.any()
        return
    assert abs(sample.mean()) < 5 * deviation / math.sqrt(sample.size)
    assert sample.std() == pytest.approx(deviation, rel=5 / math.sqrt(2 * sample.size))
    assert np.abs(sample).max() <= largest * deviation * (1 + 1e-12)
    if largest < math.inf and sample.size > 10_000:
        assert np.abs(sample).max() > 0.99 * largest * deviation


# ---- perceptrons


@pytest.mark.parametrize("init", FRAMEWORKS)
def test_a_dense_layer_is_drawn_as_the_framework_does(init, maps):
    of_weights, of_biases, largest = DENSE[init]
    hidden, readout = maps(NetworkSpec(init=init, depth=1, width=WIDTH, activation="relu"))
    for (weight, bias), fans in ((hidden, (FEATURES, WIDTH)), (readout, (WIDTH, 10))):
        assert_drawn(weight, of_weights(*fans), largest)
        assert_drawn(bias, of_biases(*fans), largest)


def test_scikit_learn_draws_a_logistic_perceptron_from_a_third_of_the_variance(maps):
    for weight, bias in maps(NetworkSpec(init="sklearn", depth=1, width=WIDTH, activation="sigmoid")):
        deviation = math.sqrt(2 / 3 / sum(weight.shape))
        assert_drawn(weight, deviation, EDGE)
        assert_drawn(bias, deviation, EDGE)


def test_the_gain_multiplies_a_frameworks_weights_and_not_its_biases(maps):
    plain, scaled = (maps(NetworkSpec(init="sklearn", depth=1, width=9, gain=gain)) for gain in (1.0, 3.0))
    for one, other in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(other.weight, 3 * one.weight, rtol=1e-14)
        np.testing.assert_array_equal(other.bias, one.bias)


def test_torch_is_torch_default_in_a_perceptron_and_in_a_recurrence(maps):
    for spec in (NetworkSpec(depth=2, width=9), *(RecurrentSpec(arch=arch, steps=3, width=9) for arch in RECURRENT)):
        fields = {"forget_bias": 0.0} if spec.arch in ("lstm", "gru") else {}
        kinds = (type(spec).from_dict(spec.to_dict() | fields | {"init": init}) for init in ("torch", "torch_default"))
        for one, other in zip(*map(maps, kinds), strict=True):
            np.testing.assert_array_equal(one.weight, other.weight)
            np.testing.assert_array_equal(one.bias, other.bias)


# ---- recurrences


@pytest.mark.parametrize(("init", "arch"), CELLS_OF, ids="-".join)
def test_a_recurrent_layer_is_drawn_as_the_framework_does(init, arch, maps):
    of_input, of_state, of_bias, of_state_bias, forget = CELLS_OF[init, arch]
    (W_x, b), (W_h, b_h), (W_out, _) = maps(RecurrentSpec(arch=arch, init=init, width=WIDTH, steps=1))
    assert_drawn(W_x, of_input)
    assert_drawn(W_h, of_state)
    assert_drawn(W_out, DENSE[init][0](WIDTH, 10))
    gates = np.split(np.zeros(W_x.shape[1]) if b is None else b, len(CELLS[arch].gates))
    for index, gate in enumerate(gates):
        assert_drawn(gate - (forget if index == CELLS[arch].keeper else 0), of_bias)
    assert_drawn(b_h if arch != "gru" or b_h is None else b_h[-WIDTH:], of_state_bias)
    if arch == "gru" and init in ("equinox", "mlx"):
        assert not b_h[:-WIDTH].any()


def test_every_recurrence_of_a_framework_is_in_the_table_above():
    assert {(init, arch) for init, one in table.FRAMEWORKS.items() for arch in one.cells} == set(CELLS_OF)


@pytest.mark.parametrize(("init", "arch"), [("keras", "lstm"), ("keras", "gru"), ("flax", "gru")])
def test_a_frame_over_all_gates_has_orthonormal_rows(init, arch, maps):
    W_h = maps(RecurrentSpec(arch=arch, init=init, width=WIDTH, steps=1))[1].weight
    np.testing.assert_allclose(W_h @ W_h.T, np.eye(WIDTH), atol=1e-13)


def test_flax_draws_a_frame_for_each_gate_of_an_lstm(maps):
    W_h = maps(RecurrentSpec(arch="lstm", init="flax", width=WIDTH, steps=1))[1].weight
    for gate in np.split(W_h, 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(WIDTH), atol=1e-13)


def test_a_given_forget_bias_takes_the_place_of_the_frameworks(maps):
    b = maps(RecurrentSpec(arch="lstm", init="keras", width=4, steps=1, forget_bias=-2.0))[0].bias
    np.testing.assert_array_equal(b, np.repeat([0.0, -2.0, 0.0, 0.0], 4))


def test_a_cure_that_draws_otherwise_gets_the_usual_forget_bias_back():
    spec = RecurrentSpec(arch="lstm", init="torch", width=4, steps=4)
    changes = list(FAMILIES["lstm"].changes(spec, 8, False))
    drawn = [one for one in changes if "init" in one]
    assert drawn
    assert all(one["forget_bias"] is None for one in drawn)
    chosen = RecurrentSpec(arch="lstm", init="torch", width=4, steps=4, forget_bias=3.0)
    assert not any("forget_bias" in one for one in FAMILIES["lstm"].changes(chosen, 8, False) if "init" in one)


def test_no_cure_takes_a_cell_that_the_framework_lacks():
    spec = RecurrentSpec(arch="lstm", init="tinygrad", width=4, steps=4)
    assert {one.get("arch", "lstm") for one in FAMILIES["lstm"].changes(spec, 8, False)} == {"lstm"}


# ---- transformers


@pytest.mark.parametrize("init", ATTENTION)
def test_a_transformers_parts_are_drawn_as_the_framework_does(init, transformer):
    drawn, width = transformer(init), 96
    of_projection, of_output, of_embedding = ATTENTION[init]
    (project, b), (write, b_out) = drawn.sublayer(1).branch.maps
    assert_drawn(project, of_projection(width))
    assert_drawn(write, of_output(width))
    assert_drawn(b, 0)
    assert_drawn(b_out, 0)
    assert_drawn(drawn._embedding(500), of_embedding(width, 500))
    expand, contract = drawn.sublayer(2).branch.maps
    assert_drawn(expand.weight, DENSE[init][0](width, 4 * width), DENSE[init][2])
    assert_drawn(contract.weight, DENSE[init][0](4 * width, width) / (2 if init == "gpt2" else 1))
    assert_drawn(expand.bias, DENSE[init][1](width, 4 * width))


def test_every_transformer_of_a_framework_is_in_the_table_above():
    assert {init for init, one in table.FRAMEWORKS.items() if one.attention} == set(ATTENTION)


def test_gpt2_scales_what_writes_to_the_stream_once_whoever_asks_for_it(transformer):
    one, other = transformer("gpt2"), transformer("gpt2", residual_scale="gpt2")
    np.testing.assert_array_equal(one.sublayer(1).branch.write.weight, other.sublayer(1).branch.write.weight)
    with pytest.raises(OptionError, match="deepnorm and init gpt2 scale the same matrices"):
        TransformerSpec(init="gpt2", residual_scale="deepnorm", norm_placement="post")


def test_an_embedding_is_drawn_by_the_kinds_that_it_knows_and_not_by_the_gain(transformer):
    assert_drawn(transformer("paddle", gain=5.0)._embedding(500), math.sqrt(2 / (500 + 96)), EDGE)
    assert_drawn(transformer("keras", positions="learned", context=2000)._positions(), 0.05 / EDGE, EDGE)


# ---- what there is not


@pytest.mark.parametrize("init", FRAMEWORKS)
def test_what_a_framework_lacks_is_an_error_that_says_why_and_who_has_it(init):
    has = table.FRAMEWORKS[init].architectures
    for arch in ARCHITECTURES:
        if arch in has:
            assert network_spec({"arch": arch, "init": init}).init == init
            continue
        with pytest.raises(OptionError) as caught:
            network_spec({"arch": arch, "init": init})
        text = str(caught.value)
        assert caught.value.option == "init"
        assert f"{init} draws no {arch}: {table.FRAMEWORKS[init].lacks}; those that do: torch, keras" in text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("PyTorch", "torch"), ("scikit-learn", "sklearn"), ("JAX_ViT", "jax-vit"), ("dm-haiku", "haiku"),
        ("keras_he_normal", "he_truncated"), ("mlx_he_normal", "lecun"), ("flax_lecun_normal", "lecun_truncated"),
        ("eqx", "equinox"), ("he_normal", "he"),
    ],
)  # fmt: skip
def test_a_framework_may_be_typed_as_its_users_call_it(typed, meant):
    assert NetworkSpec(init=typed, depth=1, width=2).init == meant


def test_a_report_names_the_framework_and_its_forget_bias():
    config = gradcheck.simulate(arch="lstm", init="haiku", steps=4, width=8, suggest=False).config
    assert (config.init, config.forget_bias) == ("haiku", 1.0)


def test_the_page_about_them_has_each_with_the_version_that_it_was_read_from():
    page = (Path(__file__).parents[2] / "docs/background/initialisations.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, framework in table.FRAMEWORKS.items():
        first = next(line for line in rows if f"`{name}`" in line)
        assert framework.version.split()[-1] in first, name
        tables = 1 + bool(framework.cells) + (framework.attention is not None)
        assert sum(f"`{name}`" in line for line in rows) == tables, name
