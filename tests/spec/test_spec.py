import json
import math
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.spec import (
    ACTIVATIONS,
    FREE_SCALE,
    INITIALIZERS,
    NETWORK_OPTIONS,
    NORMS,
    RECURRENT,
    NetworkSpec,
    RecurrentSpec,
    network_spec,
)


@st.composite
def specs(draw):
    depth, residual = draw(st.integers(1, 8)), draw(st.booleans())
    unit = st.integers(1, 4096)
    per_layer = unit.map(lambda width: (width,) * depth) if residual else st.tuples(*[unit] * depth)
    init = draw(st.sampled_from([*INITIALIZERS, None]))
    positive = st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False)
    return NetworkSpec(
        depth=depth,
        width=draw(unit | per_layer),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        init=init,
        gain=draw(positive),
        weight_std=draw(positive) if init in FREE_SCALE else None,
        bias_std=draw(st.floats(0, allow_infinity=False)),
        norm=draw(st.sampled_from(NORMS)),
        residual=residual,
        residual_scale=draw(st.floats(allow_infinity=False, allow_nan=False)),
    )


@st.composite
def recurrent_specs(draw):
    arch, init = draw(st.sampled_from(RECURRENT)), draw(st.sampled_from([*INITIALIZERS, None]))
    positive = st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False)
    bias = st.none() if arch == "rnn" else st.none() | st.floats(allow_infinity=False, allow_nan=False)
    return RecurrentSpec(
        arch=arch,
        steps=draw(st.integers(1, 10_000)),
        width=draw(st.integers(1, 4096)),
        activation=draw(st.sampled_from(ACTIVATIONS)) if arch == "rnn" else "tanh",
        init=init,
        gain=draw(positive),
        recurrent_gain=draw(positive),
        forget_bias=draw(bias),
        weight_std=draw(positive) if init in FREE_SCALE else None,
        bias_std=draw(st.floats(0, allow_infinity=False)),
    )


@given(specs() | recurrent_specs())
def test_a_spec_survives_the_way_to_a_dict_and_back(spec):
    assert type(spec).from_dict(spec.to_dict()) == network_spec(spec.to_dict()) == spec


@given(specs() | recurrent_specs())
def test_a_spec_survives_the_way_to_json_and_back(spec):
    assert network_spec(json.loads(json.dumps(spec.to_dict()))) == spec


@given(specs() | recurrent_specs())
def test_every_family_has_every_option_in_the_same_order(spec):
    assert tuple(spec.to_dict()) == NETWORK_OPTIONS


@given(specs())
def test_widths_name_one_number_a_layer(spec):
    assert len(spec.widths) == spec.depth
    assert set(spec.widths) == ({spec.width} if isinstance(spec.width, int) else set(spec.width))


def test_from_dict_passes_over_keys_that_are_not_a_networks():
    assert NetworkSpec.from_dict({"depth": 3, "batch": 64, "colour": "red"}) == NetworkSpec(depth=3)


def test_the_default_is_fifty_sigmoid_layers_of_128():
    spec = NetworkSpec()
    assert (spec.depth, spec.widths, spec.activation, spec.init) == (50, (128,) * 50, "sigmoid", "xavier")
    assert NetworkSpec.from_dict({}) == spec


def test_a_spec_is_frozen_and_hashable():
    spec = NetworkSpec(depth=2, width=(3, 4))
    with pytest.raises(FrozenInstanceError):
        spec.depth = 3
    assert len({spec, replace(spec), replace(spec, depth=1, width=3)}) == 2


def test_a_bad_value_is_refused_by_name_and_with_advice(error_of):
    for fields, option, advice in [
        ({"arch": "mpl"}, "arch", "did you mean 'mlp'?"),
        ({"activation": "relo"}, "activation", "did you mean 'relu'?"),
        ({"activation": "leakyrel"}, "activation", "did you mean 'leaky_relu'?"),
        ({"activation": "hardtan"}, "activation", "did you mean 'hard_tanh'?"),
        ({"activation": None}, "activation", "softplus"),
        ({"norm": "bacth"}, "norm", "did you mean 'batch'?"),
        ({"norm": "instance"}, "norm", "none, batch, layer, rms"),
        ({"init": "xaver"}, "init", "did you mean 'xavier'?"),
        ({"init": "orthogonl"}, "init", "did you mean 'orthogonal'?"),
        ({"init": "normal"}, "init", "weight_std"),
        ({"init": "uniform"}, "init", "weight_std"),
        ({"init": "he", "weight_std": 0.1}, "weight_std", "truncated_normal or trunc_normal"),
        ({"depth": 0}, "depth", "at least 1"),
        ({"depth": -3}, "depth", "at least 1"),
        ({"depth": 2.5}, "depth", "whole number"),
        ({"depth": True}, "depth", "whole number"),
        ({"depth": "ten"}, "depth", "whole number"),
        ({"width": 0}, "width", "at least 1"),
        ({"width": True}, "width", "whole number"),
        ({"width": 12.5}, "width", "whole number"),
        ({"width": (4, 0), "depth": 2}, "width", "at least 1"),
        ({"width": (4, 4, 4), "depth": 2}, "width", "3 layers but depth is 2"),
        ({"width": (4, 5), "depth": 2, "residual": True}, "residual", "equal"),
        ({"gain": 0}, "gain", "above 0"),
        ({"gain": -1.0}, "gain", "above 0"),
        ({"gain": math.inf}, "gain", "finite"),
        ({"gain": math.nan}, "gain", "finite"),
        ({"gain": "large"}, "gain", "finite"),
        ({"weight_std": 0, "init": "normal"}, "weight_std", "above 0"),
        ({"weight_std": math.nan, "init": "uniform"}, "weight_std", "finite"),
        ({"bias_std": -0.1}, "bias_std", "at least 0"),
        ({"bias_std": math.inf}, "bias_std", "finite"),
        ({"residual_scale": math.nan}, "residual_scale", "finite"),
        ({"residual_scale": -math.inf}, "residual_scale", "finite"),
    ]:
        caught = error_of(NetworkSpec, **fields)
        text = str(caught)
        assert text.startswith((f"{option} ", f"{option}=")), fields
        assert advice in text, fields
        assert "\n" not in text, fields
        assert caught.option == option, fields


def test_an_option_error_is_a_gradcheck_error_and_a_value_error():
    with pytest.raises(GradcheckError):
        NetworkSpec(depth=0)
    with pytest.raises(ValueError, match="depth"):
        NetworkSpec(depth=0)


def test_a_value_far_from_every_name_gets_no_guess():
    with pytest.raises(OptionError) as caught:
        NetworkSpec(activation="zzzzzz")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("text", ["relo", "Sigmoyd", "swishy", "softmax"])
def test_the_refusal_lists_every_name_allowed(text):
    with pytest.raises(OptionError) as caught:
        NetworkSpec(activation=text)
    assert all(name in str(caught.value) for name in ACTIVATIONS)


def test_from_dict_checks_values_as_the_constructor_does():
    with pytest.raises(OptionError, match="width names 1 layers but depth is 2"):
        NetworkSpec.from_dict({"depth": 2, "width": [5]})
    with pytest.raises(OptionError, match="norm='no norm' is unknown"):
        NetworkSpec.from_dict({"norm": "no norm"})
