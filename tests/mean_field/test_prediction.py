"""The prediction against networks that were really drawn."""

import math

import numpy as np
import pytest

from gradcheck.engine.initializers import Law
from gradcheck.engine.loss import cross_entropy
from gradcheck.errors import OptionError
from gradcheck.families import drawn_network
from gradcheck.flow.gradient_flow import measure
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.laws import layer_law
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.mean_field.predicted import Prediction
from gradcheck.mean_field.prediction import predict
from gradcheck.mean_field.unknown import Unknown
from gradcheck.spec import ACTIVATIONS, FRAMEWORKS, NetworkSpec, RecurrentSpec, TransformerSpec

FEATURES, OUTPUTS, BATCH, SEEDS, WIDE = 64, 10, 16, 20, 1024


def inputs_and_loss(seed, batch=BATCH):
    """Directions of equal length and labels that have nothing to do with them.

    Zero targets would tie the gradient to the activations, which theory takes for independent.
    """
    rng = np.random.default_rng(1000 + seed)
    inputs = rng.standard_normal((batch, FEATURES))
    inputs *= math.sqrt(FEATURES) / np.linalg.norm(inputs, axis=1, keepdims=True)
    return inputs, cross_entropy(rng.integers(0, OUTPUTS, batch))


def measured(spec, seeds, batch=BATCH, layers="weightless", stride=1.0):
    """log10 of preactivation_std and of gradient_rms, (seeds, layers) each."""
    flows = []
    for seed in range(seeds):
        inputs, loss = inputs_and_loss(seed, batch)
        network = drawn_network(spec, FEATURES, OUTPUTS, seed, "float64", layers)
        flows.append(measure(network, stride * inputs, loss))
    return tuple(
        np.array([flow.column(name) for flow in flows]) for name in ("log10_preactivation_std", "log10_gradient_rms")
    )


def gains(gradients):
    return gradients[:, :-1] - gradients[:, 1:]


def predicted_gains(prediction):
    return np.array([layer.log10_local_gain for layer in prediction.layers[:-1]])


def network(activation, depth=8, width=WIDE, **options):
    return NetworkSpec(activation=activation, depth=depth, width=width, **{"init": "lecun"} | options)


def assert_as_predicted(spec, stride=1.0, layers="weightless"):
    """Each layer's mean log10 gain lies within 3 standard errors or 2 % of the prediction."""
    preactivations, gradients = measured(spec, SEEDS, stride=stride, layers=layers)
    prediction = predict(spec, input_square=stride**2)
    found, expected = gains(gradients), predicted_gains(prediction)
    allowed = np.maximum(3 * found.std(0, ddof=1) / math.sqrt(SEEDS), math.log10(1.02))
    np.testing.assert_array_less(np.abs(found.mean(0) - expected), allowed)
    ours = np.log10([layer.preactivation_std for layer in prediction.layers])
    np.testing.assert_allclose(preactivations.mean(0), ours, atol=math.log10(1.03))


# ---- predicted beside measured

#: In the ordered phase, near the critical point, in the chaotic phase.
SCALES = {"ordered": {"gain": 0.8}, "critical": {"gain": 1.0}, "chaotic": {"gain": 1.8, "bias_std": 0.3}}
BACKWARDS = [name for name in ACTIVATIONS if name != "step"]


def cells(*quick, slow=()):
    """Every value of either kind, not every pair; few of them are quick enough for each run."""
    return [*quick, *(pytest.param(*cell, marks=pytest.mark.slow) for cell in slow)]


@pytest.mark.parametrize(
    ("activation", "phase"),
    cells(
        ("gelu", "chaotic"),
        slow=[
            *((one, "chaotic") for one in BACKWARDS if one != "gelu"),
            ("relu", "critical"),
            ("tanh", "ordered"),
            ("tanh", "critical"),
            ("relu", "ordered"),
        ],
    ),
)
def test_wide_networks_have_the_predicted_gain_at_each_layer(activation, phase):
    assert_as_predicted(network(activation, **SCALES[phase]))


@pytest.mark.parametrize(
    ("activation", "init"),
    cells(("gelu", "orthogonal"), slow=[("tanh", "xavier"), ("relu", "he"), ("tanh", "orthogonal")]),
)
def test_so_have_other_initialisations(activation, init):
    assert_as_predicted(network(activation, init=init, depth=6))


@pytest.mark.parametrize(
    ("init", "options"),
    [
        ("trunc_normal", {"weight_std": 3.0, "gain": 0.04}),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in (
                ("he_uniform", {}),
                ("torch_default", {}),
                ("uniform", {"weight_std": 0.06}),
                ("truncated_normal", {"weight_std": 0.06}),
                *((framework, {}) for framework in FRAMEWORKS),
            )
        ),
    ],
)
def test_and_uniform_and_truncated_laws_which_have_the_same_mean_field(init, options):
    assert_as_predicted(network("tanh", init=init, depth=4, width=512, **options), layers="dense")


@pytest.mark.parametrize(
    ("activation", "norm"),
    cells(("relu", "rms"), slow=[("tanh", "layer"), ("sigmoid", "rms"), ("gelu", "layer")]),
)
def test_and_networks_with_norms(activation, norm):
    assert_as_predicted(network(activation, norm=norm, bias_std=0.2))


@pytest.mark.parametrize(
    ("activation", "norm"), cells(("tanh", "none"), slow=[("selu", "none"), ("relu", "layer"), ("tanh", "layer")])
)
def test_and_residual_networks(activation, norm):
    assert_as_predicted(network(activation, norm=norm, residual=True, residual_scale=0.7))


@pytest.mark.parametrize(
    "activation", ["relu", *(pytest.param(one, marks=pytest.mark.slow) for one in ("linear", "gelu", "softplus"))]
)
def test_deep_residual_streams_without_a_norm_pull_the_gradient_along(activation):
    """Random directions alone would lose 7.4 of relu's 10.7 decades."""
    spec = network(activation, depth=50, width=128, init="he", residual=True)
    _, gradients = measured(spec, 5, batch=8)
    found, prediction = (gradients[:, 0] - gradients[:, -1]).mean(), predict(spec, input_square=1.0)
    assert prediction.log10_gradient_ratio == pytest.approx(found, abs=0.6)
    assert any("residual stream" in note for note in prediction.notes) == (activation != "linear")


def test_a_gradient_along_the_signal_grows_as_the_signal_shrinks_on_its_way_back():
    """Euler: of a homogeneous network the product of signal and gradient is the same at each layer."""
    spec = network("relu", depth=40, width=16, init="he", residual=True)
    inputs, loss = inputs_and_loss(0, 4)
    built = drawn_network(spec, FEATURES, OUTPUTS, 0, "float64", "dense")
    passes, x = [], inputs
    for layer in range(1, 41):
        passes.append(built.hidden(layer)(x))
        x = passes[-1].output
    logits, through_readout = built.readout(x)
    delta, products = through_readout(loss(logits)[1]), []
    for layer_pass in reversed(passes):
        products.append((layer_pass.output * delta).sum(1))
        delta = layer_pass.pullback(delta).at_x
    np.testing.assert_allclose(products, np.broadcast_to(products[0], np.shape(products)), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("activation", "init"),
    cells(("tanh", "xavier"), slow=[("relu", "orthogonal"), ("softplus", "he")]),
)
def test_and_networks_whose_width_changes_from_layer_to_layer(activation, init):
    assert_as_predicted(network(activation, depth=5, width=(1024, 512, 2048, 1024, 512), init=init))


@pytest.mark.parametrize(("activation", "stride"), cells(("tanh", 4.0), slow=[("gelu", 0.2)]))
def test_the_first_layers_follow_the_size_of_the_inputs(activation, stride):
    assert_as_predicted(network(activation, depth=5), stride=stride)


def test_ratios_and_span_are_the_sums_of_the_gains():
    prediction = predict(network("tanh", depth=30, gain=1.5), input_square=2.0)
    steps = predicted_gains(prediction)
    ratios = [layer.log10_gradient_ratio for layer in prediction.layers]
    assert prediction.log10_gradient_ratio == ratios[0] == pytest.approx(steps.sum(), rel=1e-12)
    assert ratios[-1] == 0
    assert prediction.gradient_span == max(ratios) - min(ratios)
    assert prediction.layers[-1].log10_local_gain is None


# ---- batch norm


def growth(activation, batch, seeds=2):
    """The squared gradient's factor per layer, away from both ends."""
    spec = network(activation, depth=16, width=256, norm="batch")
    _, gradients = measured(spec, seeds, batch, layers="dense")
    return float(10 ** (2 * gains(gradients)[:, 2:-2].mean()))


def test_batch_norm_makes_relu_gradients_grow_at_the_published_rate():
    rate = math.pi / (math.pi - 1)
    assert growth("relu", 256) == pytest.approx(rate, rel=0.03)
    prediction = predict(network("relu", depth=10, norm="batch"), input_square=1.0, batch_size=256)
    np.testing.assert_allclose(10 ** (2 * predicted_gains(prediction)[1:]), rate, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [8, 16])
def test_batch_norm_makes_linear_gradients_grow_at_the_published_rate(batch):
    rate = (batch - 2) / (batch - 3)
    assert growth("linear", batch, seeds=320 // batch) == pytest.approx(rate, rel=0.02)
    prediction = predict(network("linear", depth=10, norm="batch"), input_square=1.0, batch_size=batch)
    np.testing.assert_allclose(10 ** (2 * predicted_gains(prediction)[1:]), rate, rtol=1e-4)


def test_the_first_layer_behind_batch_norm_depends_on_how_unlike_the_inputs_are():
    spec = network("relu", depth=3, norm="batch")
    alike = predict(spec, input_square=1.0, input_cosine=0.75)
    unlike = predict(spec, input_square=1.0)
    assert alike.layers[0].log10_local_gain - unlike.layers[0].log10_local_gain == pytest.approx(
        math.log10(2), rel=1e-4
    )
    assert alike.layers[1].log10_local_gain == pytest.approx(unlike.layers[1].log10_local_gain, rel=1e-3)


# ---- the band of finite widths


@pytest.mark.parametrize(
    ("activation", "options"),
    [
        ("relu", {"gain": math.sqrt(2)}),
        pytest.param("linear", {}, marks=pytest.mark.slow),
        pytest.param("sigmoid", {}, marks=pytest.mark.slow),
        pytest.param("relu", {"init": "orthogonal", "gain": math.sqrt(2)}, marks=pytest.mark.slow),
        pytest.param("tanh", {"residual": True}, marks=pytest.mark.slow),
        pytest.param("linear", {"residual": True, "residual_scale": 0.5}, marks=pytest.mark.slow),
    ],
)
def test_networks_of_one_width_differ_as_much_as_predicted(activation, options):
    """One example; 100 networks know their standard deviation to 7 %."""
    spec = network(activation, depth=16, width=64, **options)
    _, gradients = measured(spec, 100, batch=1, layers="dense")
    first = predict(spec, input_square=1.0).layers[0]
    assert (gradients[:, 0] - gradients[:, -1]).std(ddof=1) == pytest.approx(first.log10_gradient_ratio_std, rel=0.25)


def test_relu_has_the_band_of_hanin_and_nica():
    """Var log ‖∂‖² = 5·Σ 1/width, so that of log10 ‖∂‖ it is 5/4·Σ 1/width/log²10."""
    spec = NetworkSpec(activation="relu", init="he", depth=21, width=100)
    expected = math.sqrt(5 / 4 * 20 / 100) / math.log(10)
    assert predict(spec, input_square=1.0).layers[0].log10_gradient_ratio_std == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("options", [{"norm": "batch"}, {"residual": True}])
def test_some_bands_are_not_known(options):
    layers = predict(network("relu", depth=3, **options), input_square=1.0).layers
    assert {layer.log10_gradient_ratio_std for layer in layers} == {None}


# ---- how layers are drawn


@pytest.mark.parametrize("init", ["xavier", "he_uniform", "lecun", "torch_default", "haiku_default", "orthogonal"])
def test_a_layer_s_law_has_the_variance_of_its_draws(init):
    law = Law(init, 1.3, 0.0)
    for fans in ((300, 200), (200, 300)):
        weight = law.weight(0, 1, *fans)
        assert layer_law(law, *fans).weight == pytest.approx(np.square(weight).mean(), rel=0.03)
    bias = law.bias(0, 1, 300, 4000)
    assert layer_law(law, 300, 4000).bias == (0 if bias is None else pytest.approx(np.square(bias).mean(), rel=0.05))
    assert layer_law(Law(init, 1.0, 0.7), 300, 200).bias == pytest.approx(0.49)


# ---- what theory doesn't know


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (RecurrentSpec(arch="rnn", steps=600), "up to 512; these have 600"),
        (TransformerSpec(tokens=1000), "up to 512; these have 1000"),
        (NetworkSpec(init=None), "given"),
        (NetworkSpec(activation="step"), "step is 0"),
        (NetworkSpec(activation="tanh", norm="batch"), "published for relu and linear"),
        (NetworkSpec(activation="relu", norm="batch", residual=True), "skip connections"),
        (NetworkSpec(activation="relu", init="normal", weight_std=1e30), "range of floats"),
        (NetworkSpec(activation="gelu", gain=1e200), "range of floats"),
        (NetworkSpec(activation="tanh", bias_std=1e200), "range of floats"),
        (NetworkSpec(activation="tanh", residual=True, residual_scale=0.0), "--residual-scale 0"),
    ],
)
def test_where_theory_has_no_answer_it_says_why(spec, reason):
    answer = predict(spec, input_square=1.0)
    assert isinstance(answer, Unknown)
    assert reason in answer.reason


def test_a_linear_batch_of_three_has_no_rate():
    spec = network("linear", norm="batch")
    assert "more than 3" in predict(spec, input_square=1.0, batch_size=3).reason
    assert isinstance(predict(spec, input_square=1.0, batch_size=4), Prediction)


@pytest.mark.parametrize("square", [0.0, -1.0, math.nan, math.inf])
def test_inputs_without_a_size_are_refused(square):
    with pytest.raises(OptionError, match="input_square"):
        predict(network("tanh"), input_square=square)


def test_very_deep_networks_are_predicted_as_long_as_logarithms_last():
    prediction = predict(NetworkSpec(activation="linear", depth=3001, init="lecun", gain=0.5), input_square=1.0)
    assert prediction.log10_gradient_ratio == pytest.approx(3000 * math.log10(0.5), rel=1e-12)


def test_means_of_one_variance_are_computed_once():
    kernel = kernel_of("mish")
    predict(network("mish", depth=500, gain=0.9, bias_std=0.4), input_square=1.0)
    before = kernel.moments.cache_info().misses
    predict(network("mish", depth=500, gain=0.9, bias_std=0.4), input_square=1.0)
    assert kernel.moments.cache_info().misses == before


def test_a_single_layer_has_nothing_to_compare_with():
    prediction = predict(network("tanh", depth=1), input_square=1.0)
    assert [layer.log10_local_gain for layer in prediction.layers] == [None]
    assert prediction.gradient_span == 0


def test_laws_are_plain_numbers():
    assert layer_law(Law("he"), 100, 50) == LayerLaw(100, 50, pytest.approx(0.02), 0.0, False)
    assert layer_law(Law("orthogonal"), 100, 50) == LayerLaw(100, 50, pytest.approx(0.01), 0.0, True)
