"""The prediction of transformers against transformers that were really drawn."""

import math

import numpy as np
import pytest

from gradcheck.mean_field.predicted import Prediction
from gradcheck.mean_field.prediction import predict
from gradcheck.mean_field.tokens import TokenBatch, unlike_tokens
from gradcheck.mean_field.transformer import KNOWN, _drawn, _uncertainty, predict_transformer
from gradcheck.mean_field.unknown import Unknown
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import TransformerSpec

SEEDS = 12
SMALL = {"blocks": 4, "model_width": 512, "heads": 8, "tokens": 12, "layers": "weightless", "shuffle": False}


def measured_and_predicted(seeds=SEEDS, **options):
    """log10 of the gradient's ratio and of the standard deviation, cosines: (seeds, points) and (points,) each."""
    experiment = Experiment.from_options({"arch": "transformer", **SMALL, **options})
    flows = [experiment.flow(seed) for seed in range(seeds)]
    gradients = np.array([flow.column("log10_gradient_rms") for flow in flows])
    found = [gradients - gradients[:, -1:]]
    found += [np.array([flow.column(name) for flow in flows]) for name in ("log10_preactivation_std", "input_cosine")]
    prediction = predict_transformer(experiment.network, TokenBatch(*experiment.batch(0)))
    assert isinstance(prediction, Prediction)
    layers = prediction.layers
    expected = [
        np.array([one.log10_gradient_ratio for one in layers]),
        np.log10([one.preactivation_std for one in layers]),
        np.array([one.token_cosine for one in layers]),
    ]
    return found, expected


def assert_as_predicted(share=0.05, least=0.004, **options):
    """Means lie within 3 standard errors, or 5 % (a hundredth of a decade at most points), of the prediction."""
    for found, expected in zip(*measured_and_predicted(**options), strict=True):
        mean, error = found.mean(0), found.std(0, ddof=1) / math.sqrt(len(found))
        allowed = np.maximum(3.5 * error, np.maximum(share * np.abs(expected), least))
        np.testing.assert_array_less(np.abs(mean - expected), allowed)


KINDS = {
    "pre": {}, "post": {"norm_placement": "post"}, "both": {"norm_placement": "both"},
    "none": {"norm": "none", "residual_scale": 0.3},
}  # fmt: skip
#: Every kind, every activation with a norm and without.
CELLS = [
    ("gelu", "pre"), ("tanh", "none"),
    *(
        pytest.param(*cell, marks=pytest.mark.slow)
        for cell in (("relu", "post"), ("gelu", "both"), ("tanh", "pre"), ("relu", "none"))
    ),
]  # fmt: skip


@pytest.mark.parametrize(("activation", "kind"), CELLS)
def test_wide_transformers_have_the_predicted_gradient_stream_and_likeness_at_each_point(activation, kind):
    assert_as_predicted(activation=activation, **KINDS[kind])


OTHERS = [
    {"activation": "swiglu", "norm": "rms", "positions": "rotary", "kv_heads": 2, "tied": False, "biases": False},
    {"norm_placement": "post", "residual_scale": "deepnorm", "init": "he", "bias_std": 0.1, "tied": False},
    {"init": "normal", "weight_std": 0.02, "residual_scale": "gpt2"},
    {"causal": False, "positions": "sinusoidal", "norm_placement": "post", "tied": False},
    {"patch": 8, "tied": False, "tokens": None, "data": "digits", "causal": False, "batch_size": 4},
    {"init": "orthogonal", "norm_placement": "both", "batch_size": 3},
]


@pytest.mark.parametrize(
    "options", [OTHERS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS[1:])], ids=str
)
def test_so_have_other_kinds(options):
    assert_as_predicted(**options)


@pytest.mark.slow
def test_where_the_softmax_is_saturated_the_typical_network_is_predicted_not_the_mean_over_all_heads():
    (gradients, *_), (expected, *_) = measured_and_predicted(norm="none", blocks=10)
    assert expected[0] == pytest.approx(gradients[:, 0].mean(), abs=0.6)
    assert gradients[:, 0].std() > 0.4


@pytest.mark.parametrize(("heads", "draws"), [(64, 2), (2, 8)])
def test_networks_are_drawn_until_their_mean_is_known(heads, draws):
    spec = TransformerSpec(heads=heads, model_width=512, blocks=2, tokens=4, gain=3.0)
    found = _drawn(spec, unlike_tokens(spec))
    assert len(found) == draws
    assert (_uncertainty(found) <= KNOWN) == (draws == 2)


def test_without_attention_s_help_tokens_become_alike_at_the_rate_that_is_predicted():
    """Rank collapse (Dong et al. 2021): what tokens have of their own falls by a factor each block, post norm."""
    (*_, found), (*_, expected) = measured_and_predicted(norm_placement="post", causal=False, blocks=10, seeds=6)
    gaps = [1 - one[2::3] for one in (found.mean(0), expected)]
    rates = [np.log(one[-1] / one[3]) for one in gaps]
    assert rates[0] == pytest.approx(rates[1], rel=0.1)
    assert rates[1] < -2


def test_one_token_has_nothing_to_be_like():
    layers = predict_transformer(TransformerSpec(tokens=1, blocks=2, model_width=32, heads=2)).layers
    assert [one.token_cosine for one in layers] == [None] * 6
    assert all(math.isfinite(one.log10_gradient_ratio) for one in layers)


def test_the_prediction_is_the_same_each_time_and_needs_no_batch():
    spec = TransformerSpec(blocks=2, model_width=32, heads=2, tokens=6)
    assert predict(spec, input_square=1.0) == predict_transformer(spec)


def test_numbers_beyond_floats_are_not_predicted():
    spec = TransformerSpec(blocks=40, model_width=32, heads=2, tokens=4, norm="none", gain=1e9)
    assert predict_transformer(spec) == Unknown("float_range")


def test_the_gradient_of_a_tied_read_out_lies_along_the_tokens_and_is_followed_there():
    """Taken for independent of the tokens it would come out a quarter lower."""
    assert_as_predicted(gain=0.5, least=0.002)


def test_a_token_that_is_asked_for_itself_gets_a_gradient_from_all_others():
    """What it gets along itself the norm takes away: what is left of it is positive."""
    told = {"init": "gpt2", "gain": 0.001, "norm": "rms", "causal": False, "positions": "none", "blocks": 1}
    found = predict_transformer(TransformerSpec(**told, model_width=16, heads=2, tokens=64))
    assert isinstance(found, Prediction)
    assert found.log10_gradient_ratio == pytest.approx(0, abs=1e-6)


def test_a_stream_that_leaves_the_range_of_floats_has_no_prediction():
    told = {"init": "torch_default", "gain": 1e3, "norm": "none", "residual_scale": 10.0, "activation": "swiglu"}
    found = predict_transformer(TransformerSpec(**told, blocks=6, model_width=16, heads=2, tokens=8))
    assert isinstance(found, Unknown)
    assert found.code == "float_range"
