import math
from dataclasses import FrozenInstanceError

import pytest

from gradcheck.errors import OptionError
from gradcheck.spec import (
    ARCHITECTURES,
    NetworkSpec,
    RecurrentSpec,
    TransformerSpec,
    network_spec,
)


@pytest.mark.parametrize(("arch", "forget_bias"), [("rnn", None), ("lstm", 1.0), ("gru", 0.0)])
def test_the_default_recurrence_is_of_width_128_with_tanh(arch, forget_bias):
    spec = RecurrentSpec(arch=arch)
    assert (spec.width, spec.activation, spec.init, spec.recurrent_gain) == (128, "tanh", "xavier", 1.0)
    assert spec.forget_bias == forget_bias
    assert network_spec({"arch": arch}) == spec
    with pytest.raises(FrozenInstanceError):
        spec.steps = 3


def test_given_weights_have_biases_of_their_own():
    assert RecurrentSpec(arch="lstm", init=None).forget_bias is None


def test_an_architecture_says_which_family_a_network_is_of():
    for arch in ARCHITECTURES:
        families = {"mlp": NetworkSpec, "transformer": TransformerSpec}
        assert type(network_spec({"arch": arch})) is families.get(arch, RecurrentSpec), arch


def test_without_an_architecture_a_network_is_a_perceptron():
    assert network_spec({"depth": 3}) == NetworkSpec(depth=3)


def test_an_option_that_an_architecture_has_not_is_refused_by_name_and_with_advice(error_of):
    for fields, option, advice in [
        ({"arch": "lsmt"}, "arch", "did you mean 'lstm'?"),
        ({"arch": "lattice"}, "arch", "allowed: mlp, rnn, lstm, gru, transformer"),
        ({"arch": "transformer", "depth": 3}, "depth", "3 goes with arch mlp; a transformer has blocks"),
        ({"arch": "transformer", "residual": False}, "residual", "False goes with arch mlp"),
        ({"blocks": 3}, "blocks", "3 goes with arch transformer; mlp has none"),
        ({"arch": "gru", "heads": 3}, "heads", "3 goes with arch transformer; gru has none"),
        ({"arch": "rnn", "depth": 3}, "depth", "3 goes with arch mlp; rnn has one hidden layer, unrolled over its"),
        ({"arch": "rnn", "norm": "layer"}, "norm", "goes with arch mlp; rnn has none"),
        ({"arch": "gru", "residual": True}, "residual", "goes with arch mlp; gru has none"),
        ({"arch": "lstm", "residual_scale": 0.5}, "residual_scale", "goes with arch mlp; lstm has none"),
        ({"steps": 8}, "steps", "8 goes with arch rnn, lstm, gru; mlp has no time steps"),
        ({"arch": "mlp", "recurrent_gain": 2.0}, "recurrent_gain", "goes with arch rnn, lstm, gru"),
        ({"forget_bias": 1.0}, "forget_bias", "goes with arch"),
        ({"arch": "rnn", "forget_bias": 1.0}, "forget_bias", "goes with arch lstm or gru; an rnn has no gate"),
        ({"arch": "rnn", "forget_bias": 0}, "forget_bias", "goes with arch lstm or gru"),
        ({"arch": "lstm", "forget_bias": math.nan}, "forget_bias", "not a finite number"),
        ({"arch": "lstm", "forget_bias": "wide"}, "forget_bias", "not a finite number"),
        ({"arch": "lstm", "activation": "relu"}, "activation", "relu goes with arch rnn; lstm has sigmoid gates"),
        ({"arch": "gru", "activation": "sigmoid"}, "activation", "sigmoid goes with arch rnn"),
        ({"arch": "rnn", "activation": "relo"}, "activation", "did you mean 'relu'?"),
        ({"arch": "rnn", "steps": 0}, "steps", "at least 1"),
        ({"arch": "rnn", "steps": 2.5}, "steps", "whole number"),
        ({"arch": "rnn", "steps": True}, "steps", "whole number"),
        ({"arch": "gru", "width": 0}, "width", "at least 1"),
        ({"arch": "gru", "width": (4, 5)}, "width", "is one number with arch gru: it has one hidden layer"),
        ({"arch": "rnn", "recurrent_gain": 0}, "recurrent_gain", "above 0"),
        ({"arch": "rnn", "recurrent_gain": math.inf}, "recurrent_gain", "finite"),
        ({"arch": "rnn", "gain": -1.0}, "gain", "above 0"),
        ({"arch": "rnn", "init": "normal"}, "init", "weight_std"),
        ({"arch": "rnn", "init": "he", "weight_std": 0.1}, "weight_std", "truncated_normal or trunc_normal"),
        ({"arch": "rnn", "bias_std": -0.1}, "bias_std", "at least 0"),
    ]:
        caught = error_of(network_spec, fields)
        text = str(caught)
        assert text.startswith((f"{option} ", f"{option}=")), fields
        assert advice in text, fields
        assert "\n" not in text, fields


@pytest.mark.parametrize(
    "fields",
    [
        {"arch": "rnn", "depth": 1, "norm": "none", "residual": False, "residual_scale": 1.0},
        {"arch": "rnn", "depth": None, "norm": None, "residual": None},
        {"steps": None, "recurrent_gain": None, "forget_bias": None},
    ],
)
def test_an_option_at_its_only_value_is_no_mistake(fields):
    assert network_spec(fields) == network_spec({"arch": fields.get("arch", "mlp")})


def test_an_option_is_never_told_to_go_with_an_architecture_that_refuses_it():
    with pytest.raises(OptionError) as caught:
        network_spec({"forget_bias": 1.0})
    assert "rnn" not in str(caught.value)
