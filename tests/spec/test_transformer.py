import json
import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import OptionError
from gradcheck.spec import (
    ACTIVATIONS,
    FREE_SCALE,
    GATED,
    INITIALIZERS,
    NETWORK_OPTIONS,
    PLACEMENTS,
    POSITIONS,
    TransformerSpec,
    network_spec,
)

POSITIVE = st.floats(1e-6, 1e6)


@st.composite
def transformer_specs(draw):
    groups, shared, half = draw(st.integers(1, 8)), draw(st.integers(1, 4)), draw(st.integers(1, 32))
    norm, placement = draw(st.sampled_from(["layer", "rms", "none"])), draw(st.sampled_from(PLACEMENTS))
    scales = st.floats(allow_infinity=False, allow_nan=False) | st.just("gpt2")
    if placement == "post" and norm != "none":
        scales |= st.just("deepnorm")
    init, biases, patch = (
        draw(st.sampled_from(INITIALIZERS)),
        draw(st.booleans()),
        draw(st.none() | st.integers(1, 800)),
    )
    tokens = draw(st.integers(2, 4096))
    return TransformerSpec(
        blocks=draw(st.integers(1, 200)),
        model_width=2 * half * groups * shared,
        heads=groups * shared,
        kv_heads=draw(st.sampled_from([None, groups, 1])),
        mlp_ratio=draw(POSITIVE),
        tokens=tokens,
        activation=draw(st.sampled_from([*ACTIVATIONS, *GATED])),
        norm=norm,
        norm_placement=placement,
        residual_scale=draw(scales),
        causal=draw(st.booleans()),
        positions=draw(st.sampled_from(POSITIONS)),
        tied=patch is None and draw(st.booleans()),
        biases=biases,
        vocabulary=draw(st.integers(2, 100_000)),
        context=draw(st.none() | st.integers(tokens, 10_000)),
        patch=patch,
        init=init,
        gain=draw(POSITIVE),
        weight_std=draw(POSITIVE) if init in FREE_SCALE else None,
        bias_std=draw(st.floats(0, 1e6)) if biases else 0.0,
    )


@given(transformer_specs())
def test_a_spec_survives_the_way_to_a_dict_to_json_and_back(spec):
    values = spec.to_dict()
    assert TransformerSpec.from_dict(values) == network_spec(values) == spec
    assert network_spec(json.loads(json.dumps(values))) == spec


@given(transformer_specs())
def test_a_spec_has_every_option_of_a_network_in_order(spec):
    values = spec.to_dict()
    assert tuple(values) == NETWORK_OPTIONS
    assert [values[name] for name in ("depth", "width", "steps", "recurrent_gain", "forget_bias")] == [None] * 5
    assert values["residual"] is True


@given(transformer_specs())
def test_keys_and_queries_share_the_width_of_the_stream_evenly(spec):
    assert spec.head_width * spec.heads == spec.model_width
    assert spec.key_width * spec.heads == spec.model_width * (spec.kv_heads or spec.heads)


def test_the_default_is_a_decoder_of_gpt2s_size_on_bytes():
    spec = network_spec({"arch": "transformer"})
    assert spec == TransformerSpec()
    assert (spec.blocks, spec.model_width, spec.heads, spec.mlp_width, spec.tokens) == (12, 768, 12, 3072, 32)
    assert (spec.activation, spec.norm, spec.norm_placement, spec.init) == ("gelu", "layer", "pre", "xavier")
    assert (spec.causal, spec.tied, spec.biases, spec.positions, spec.vocabulary) == (True, True, True, "learned", 256)


def test_a_spec_is_frozen_and_hashable():
    spec = TransformerSpec()
    with pytest.raises(FrozenInstanceError):
        spec.blocks = 3
    assert len({spec, replace(spec), replace(spec, blocks=3)}) == 2


def test_a_bad_value_is_refused_by_name_and_with_advice(error_of):
    for fields, option, advice in [
        ({"blocks": 0}, "blocks", "at least 1: a transformer has at least one block"),
        ({"blocks": 2.5}, "blocks", "2.5 is not a whole number"),
        ({"blocks": True}, "blocks", "True is not a whole number"),
        ({"model_width": 0}, "model_width", "at least 1: the residual stream"),
        ({"model_width": 12.0}, "model_width", "12.0 is not a whole number"),
        ({"heads": 0}, "heads", "at least 1: attention has at least one head"),
        ({"heads": 7, "model_width": 12}, "heads", "7 can't share model_width=12; allowed: 1, 2, 3, 4, 6, 12"),
        ({"heads": 13}, "heads", "allowed: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, ..."),
        ({"heads": 24, "model_width": 12}, "heads", "24 can't share model_width=12"),
        ({"kv_heads": 0}, "kv_heads", "0 is not a whole number of at least 1"),
        ({"kv_heads": 1.5}, "kv_heads", "1.5 is not a whole number"),
        ({"kv_heads": 5}, "kv_heads", "5 can't share the 12 heads evenly"),
        ({"kv_heads": 24}, "kv_heads", "24 can't share the 12 heads evenly"),
        ({"mlp_ratio": 0}, "mlp_ratio", "0 is not a finite number above 0: an MLP's hidden units"),
        ({"mlp_ratio": math.inf}, "mlp_ratio", "finite number above 0"),
        ({"mlp_ratio": "wide"}, "mlp_ratio", "finite number above 0"),
        ({"tokens": 0}, "tokens", "at least 1: a sequence has at least one token"),
        ({"vocabulary": 1}, "vocabulary", "at least 2: there is more than one kind of token"),
        ({"activation": "gegul"}, "activation", "did you mean 'geglu'?"),
        ({"activation": "swishy"}, "activation", "softplus, mish, geglu, swiglu"),
        ({"norm": "batch"}, "norm", "'batch' is unknown; allowed: none, layer, rms"),
        ({"norm_placement": "before"}, "norm_placement", "allowed: pre, post, both"),
        ({"norm_placement": None}, "norm_placement", "allowed: pre, post, both"),
        ({"positions": "rotery"}, "positions", "did you mean 'rotary'? allowed: learned, sinusoidal, rotary, none"),
        ({"positions": "rotary", "model_width": 36}, "positions", "a head has 3: change heads"),
        ({"positions": "rotary", "model_width": 12}, "positions", "a head has 1: change heads"),
        ({"residual_scale": "gtp2"}, "residual_scale", "did you mean 'gpt2'? allowed: gpt2, deepnorm, or a number"),
        ({"residual_scale": "half"}, "residual_scale", "or a number"),
        ({"residual_scale": math.nan}, "residual_scale", "nan is not a finite number"),
        ({"residual_scale": True}, "residual_scale", "True is not a finite number"),
        ({"residual_scale": None}, "residual_scale", "None is not a finite number"),
        ({"residual_scale": "deepnorm"}, "residual_scale", "is made for norm_placement post, with a norm"),
        (
            {"residual_scale": "deepnorm", "norm_placement": "both"},
            "residual_scale",
            "deepnorm is made for norm_placement post",
        ),
        ({"residual_scale": "deepnorm", "norm_placement": "post", "norm": "none"}, "residual_scale", "with a norm"),
        ({"causal": "yes"}, "causal", "'yes' is neither True nor False"),
        ({"tied": 1}, "tied", "1 is neither True nor False"),
        ({"biases": None}, "biases", "None is neither True nor False"),
        ({"context": 16}, "context", "16 is less than tokens=32"),
        ({"context": 0}, "context", "0 is not a whole number of at least 1"),
        ({"biases": False, "bias_std": 0.1}, "bias_std", "of biases, but biases=False leaves them out"),
        ({"patch": 0, "tied": False}, "patch", "at least 1: a patch has at least one number"),
        ({"patch": 16}, "tied", "but patch has none: tied=False"),
        (
            {"patch": 16, "tied": False, "tokens": 1},
            "tokens",
            "counts the class token before the patches: 2 at least",
        ),
        ({"init": "normal"}, "init", "normal needs weight_std"),
        (
            {"init": "he", "weight_std": 0.1},
            "weight_std",
            "truncated_normal or trunc_normal only",
        ),
        ({"gain": 0}, "gain", "above 0"),
        ({"arch": "mlp"}, "arch", "allowed: transformer"),
    ]:
        caught = error_of(TransformerSpec, **fields)
        text = str(caught)
        assert text.startswith((f"{option} ", f"{option}=")), fields
        assert advice in text, fields
        assert "\n" not in text, fields


def test_what_is_next_to_a_bad_value_is_allowed():
    for fields in [
        {"heads": 1},
        {"heads": 768},
        {"kv_heads": 12},
        {"kv_heads": 1},
        {"positions": "learned", "model_width": 36},
        {"context": 32},
        {"residual_scale": 0},
        {"residual_scale": -1.5},
        {"residual_scale": "gpt2", "norm": "none"},
        {"residual_scale": "deepnorm", "norm_placement": "post", "norm": "rms"},
        {"biases": False, "init": "torch_default"},
        {"patch": 1, "tied": False, "tokens": 2},
        {"tokens": 1},
        {"vocabulary": 2},
    ]:
        spec = TransformerSpec(**fields)
        assert {name: getattr(spec, name) for name in fields} == fields, fields


def test_numpys_numbers_become_pythons():
    for name in ("blocks", "model_width", "heads", "tokens", "vocabulary", "mlp_ratio", "kv_heads", "context", "patch"):
        spec = TransformerSpec(**{"heads": 24, "tokens": 9, "tied": False, name: np.int64(24)})
        assert type(getattr(spec, name)) is (float if name == "mlp_ratio" else int), name
        assert json.loads(json.dumps(spec.to_dict()))[name] == 24, name


# ---- options of other families


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"depth": 3}, "depth=3 goes with arch mlp; a transformer has blocks, model_width"),
        ({"width": 64}, "width=64 goes with arch mlp, rnn, lstm, gru; a transformer has blocks, model_width"),
        ({"steps": 8}, "steps=8 goes with arch rnn, lstm, gru; a transformer has"),
        ({"recurrent_gain": 1.5}, "recurrent_gain=1.5 goes with arch rnn, lstm, gru; a transformer has"),
        ({"residual": False}, "residual=False goes with arch mlp; a transformer has"),
    ],
)
def test_options_of_other_networks_are_refused_with_whose_they_are(values, text):
    with pytest.raises(OptionError) as caught:
        network_spec({"arch": "transformer"} | values)
    assert str(caught.value).startswith(text)


def test_a_transformers_options_are_refused_by_other_networks(error_of):
    for name, value in [
        ("blocks", 12),
        ("model_width", 768),
        ("heads", 12),
        ("kv_heads", 1),
        ("mlp_ratio", 4.0),
        ("tokens", 32),
        ("norm_placement", "pre"),
        ("causal", True),
        ("positions", "learned"),
        ("tied", False),
        ("biases", True),
        ("vocabulary", 256),
        ("context", 32),
        ("patch", 16),
    ]:
        for arch in ("mlp", "rnn", "lstm", "gru"):
            caught = error_of(network_spec, {"arch": arch, name: value})
            option = f"--{name}".replace("_", "-")
            assert caught.typed() == f"{option} {value} goes with --arch transformer; {arch} has none", (arch, name)


def test_options_of_others_that_are_none_are_no_mistake():
    values = {"arch": "transformer", "depth": None, "width": None, "steps": None, "residual": True}
    assert network_spec(values) == TransformerSpec()


# ---- what follows from the options


def test_an_mlp_has_the_nearest_whole_number_of_hidden_units_and_at_least_one():
    for ratio, width, hidden in ((4.0, 768, 3072), (2.6875, 4096, 11008), (3.5, 8192, 28672), (0.01, 12, 1)):
        assert TransformerSpec(mlp_ratio=ratio, model_width=width, heads=4).mlp_width == hidden, ratio


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head", "keys"), [(12, None, 64, 768), (12, 4, 64, 256), (6, 1, 128, 128)]
)
def test_keys_are_as_wide_as_their_heads_together(heads, kv_heads, head, keys):
    spec = TransformerSpec(heads=heads, kv_heads=kv_heads)
    assert (spec.head_width, spec.key_width) == (head, keys)


def test_a_residual_scale_multiplies_branches_the_stream_or_matrices():
    for scale, branch, stream, writing, inner in [
        (1.0, 1.0, 1.0, 1.0, 1.0),
        (0.25, 0.25, 1.0, 1.0, 1.0),
        ("gpt2", 1.0, 1.0, 0.25, 1.0),
        ("deepnorm", 1.0, 2.0, 64**-0.25, 64**-0.25),
    ]:
        spec = TransformerSpec(blocks=8, residual_scale=scale, norm_placement="post")  # 16 branches
        found = spec.branch_scale, spec.stream_scale, spec.branch_gain, spec.inner_gain
        assert found == pytest.approx((branch, stream, writing, inner), rel=1e-15), scale


def test_the_gated_activations_are_those_of_two_names():
    for activation in (*ACTIVATIONS, *GATED):
        assert TransformerSpec(activation=activation).gated is (activation in ("geglu", "swiglu")), activation


def test_embeddings_have_the_given_deviation_or_one_that_their_scale_makes_one():
    for fields, deviation, scale in [
        ({"init": "normal", "weight_std": 0.02}, 0.02, 1.0),
        ({"init": "uniform", "weight_std": 0.3, "gain": 2.0}, 0.3, 1.0),
        ({"init": "xavier"}, 1 / 16, 16.0),
        ({"init": "orthogonal", "gain": 2.0}, 1 / 16, 16.0),
    ]:
        spec = TransformerSpec(model_width=256, heads=4, **fields)
        assert (spec.embedding_std, spec.embedding_scale) == (deviation, scale), fields
