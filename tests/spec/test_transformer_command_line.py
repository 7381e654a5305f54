"""The command lines of transformers and presets, and of layers that are weightless by choice or by themselves."""

import shlex

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import gradcheck
from gradcheck.errors import OptionError
from gradcheck.families import FAMILIES
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import (
    ACTIVATIONS,
    DTYPES,
    FREE_SCALE,
    GATED,
    INITIALIZERS,
    LAYERS,
    NORMS,
    PLACEMENTS,
    POSITIONS,
    RESIDUAL_SCALES,
    WEIGHTLESS,
)  # fmt: skip
from gradcheck.spec.command_line import command_line, options
from gradcheck.spec.presets import PRESETS

positive = st.floats(1e-6, 1e6)

#: What may be left to the defaults, or to a preset.
OPTIONAL = {
    "blocks": st.integers(1, 99),
    "mlp_ratio": st.floats(0.01, 99),
    "activation": st.sampled_from((*ACTIVATIONS, *GATED)),
    "gain": positive,
    "norm": st.sampled_from([name for name in NORMS if name != "batch"]),
    "norm_placement": st.sampled_from(PLACEMENTS),
    "residual_scale": st.sampled_from(RESIDUAL_SCALES) | st.floats(-9, 9),
    "causal": st.booleans(),
    "positions": st.sampled_from(POSITIONS),
    "vocabulary": st.integers(256, 99_999),
    "context": st.integers(1, 4096),
    "batch_size": st.integers(1, 9),
    "shuffle": st.booleans(),
    "layers": st.sampled_from(LAYERS),
    "seed": st.integers(0, 2**64),
    "seeds": st.integers(1, 9),
    "dtype": st.sampled_from(DTYPES),
    "max_span": st.floats(0, 1e4),
    "min_rank": st.floats(0, 1e4),
}

#: Options of presets that hang together with no other one.
SINGLE = (
    "blocks", "mlp_ratio", "activation", "init", "norm", "norm_placement", "residual_scale", "causal", "positions",
    "biases", "vocabulary",
)  # fmt: skip


@st.composite
def experiments(draw):
    """Any transformer, of a preset or not."""
    preset = draw(st.none() | st.sampled_from([*PRESETS]))
    own = draw(st.fixed_dictionaries({}, optional=OPTIONAL)) | draw(heads) | draw(initial) | draw(ends(preset))
    try:
        return Experiment.from_options({"preset": preset, "arch": None if preset else "transformer"} | own)
    except OptionError:  # two options that exclude one another
        assume(False)


@st.composite
def split_heads(draw):
    """A width and heads that share it."""
    kv_heads, groups = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    heads = kv_heads * groups
    width = heads * 2 * draw(st.integers(1, 99))
    return {"model_width": width, "heads": heads} | draw(st.sampled_from([{}, {"kv_heads": kv_heads}]))


heads = st.just({}) | split_heads()

initial = st.just({}) | st.sampled_from([*INITIALIZERS, "torch", "keras", "jax-vit"]).flatmap(
    lambda init: st.fixed_dictionaries(
        {"init": st.just(init)} | ({"weight_std": positive} if init in FREE_SCALE else {})
    )
)


@st.composite
def ends(draw, preset):
    """What is read, and how: tokens of the text, or patches of digits or of noise."""
    biases = draw(st.sampled_from([{}, {"biases": True, "bias_std": 0.25}, {"biases": False}]))
    if preset == "vit-b" or draw(st.integers(0, 3)) == 0:
        digits = {"data": "digits", "patch": draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64]))}
        noise = {"data": "gaussian", "tokens": draw(st.integers(2, 99)), "patch": draw(st.integers(1, 99))}
        patches = draw(st.sampled_from([digits, noise] + [{}] * (preset == "vit-b")))
        return biases | patches | {"tied": False}
    return biases | draw(st.fixed_dictionaries({}, optional={"tokens": st.integers(1, 999), "tied": st.booleans()}))


@pytest.fixture(scope="session")
def config_of(typed):
    """A command line ↦ the config that the command makes of it."""
    return lambda command: Experiment.from_options(typed(command)).to_dict()


# ---- there and back


@given(experiments())
def test_the_command_line_of_a_transformer_gives_its_config_when_it_is_typed(config_of, experiment):
    config = experiment.to_dict()
    assert config_of(command_line("simulate", config)) == config


@given(experiments(), st.booleans())
def test_the_command_line_of_a_change_gives_the_changed_transformer(config_of, experiment, shallower):
    network = experiment.network
    for change in FAMILIES[network.arch].changes(network, experiment.data.batch_size, shallower):
        changed = experiment.changed(**change).to_dict()
        assert config_of(command_line("simulate", changed)) == changed


SET_BY_PRESETS = [(name, option) for name in PRESETS for option in PRESETS[name].options if option in SINGLE]


def test_an_option_that_a_preset_sets_can_be_set_back_to_the_usual_one(config_of):
    for name, option in SET_BY_PRESETS:
        usual = Experiment.from_options({"arch": "transformer"}).to_dict()[option]
        config = Experiment.from_options({"preset": name, option: usual}).to_dict()
        assert config[option] == usual, (name, option)
        assert config_of(command_line("simulate", config)) == config, (name, option)


# ---- what is typed


def test_a_preset_is_typed_by_its_name_alone():
    for name in PRESETS:
        config = Experiment.from_options({"preset": name}).to_dict()
        assert command_line("simulate", config) == f"gradcheck simulate --preset {name}", name


def test_a_default_transformer_is_typed_by_its_architecture_alone():
    config = Experiment.from_options({"arch": "transformer"}).to_dict()
    assert command_line("simulate", config) == "gradcheck simulate --arch transformer"


@pytest.mark.parametrize(
    ("given_options", "words"),
    [
        ({"preset": "gpt2", "arch": "transformer"}, "--preset gpt2"),
        ({"preset": "gpt2", "blocks": 12, "vocabulary": 50257}, "--preset gpt2"),
        ({"preset": "gpt2", "blocks": 6}, "--preset gpt2 --blocks 6"),
        ({"preset": "gpt2", "residual_scale": 1.0}, "--preset gpt2 --residual-scale 1"),
        ({"preset": "gpt2", "init": "xavier"}, "--preset gpt2 --init xavier"),
        ({"preset": "gpt2", "weight_std": 0.1}, "--preset gpt2 --weight-std 0.1"),
        ({"preset": "gpt2", "init": "uniform", "weight_std": 0.02}, "--preset gpt2 --init uniform --weight-std 0.02"),
        ({"preset": "gpt2", "norm": "none"}, "--preset gpt2 --norm none"),
        ({"preset": "bert-base", "causal": True}, "--preset bert-base --causal"),
        ({"preset": "llama-7b", "biases": True, "tied": True}, "--preset llama-7b --tied --biases"),
        ({"preset": "vit-b", "data": "digits", "patch": 16}, "--preset vit-b --tokens 5 --patch 16 --data digits"),
        ({"preset": "transformer-base", "batch_size": 4}, "--preset transformer-base --batch-size 4"),
        ({"arch": "transformer", "norm_placement": "post", "residual_scale": "deepnorm"},
         "--arch transformer --norm-placement post --residual-scale deepnorm"),
        ({"arch": "transformer", "causal": False, "tokens": 7, "context": 9},
         "--arch transformer --tokens 7 --no-causal --context 9"),
        ({"arch": "transformer", "patch": 8, "tied": False}, "--arch transformer --no-tied --patch 8"),
    ],
)  # fmt: skip
def test_only_what_differs_from_the_preset_or_the_usual_is_typed(given_options, words):
    config = Experiment.from_options(given_options).to_dict()
    assert command_line("simulate", config) == f"gradcheck simulate {words}"


@pytest.mark.parametrize(("value", "word"), [("gpt2", "gpt2"), (1.0, "1"), (-0.5, "-0.5")])
def test_a_residual_scale_is_typed_as_a_name_or_a_number(value, word):
    assert list(options({"residual_scale": value})) == ["--residual-scale", word]


def test_the_users_own_tokens_are_typed_back(tmp_path, config_of):
    np.save(tmp_path / "my ids.npy", np.arange(600) % 40)
    given_options = {"arch": "transformer", "data": tmp_path / "my ids.npy", "vocabulary": 40, "blocks": 1}
    config = Experiment.from_options(given_options).to_dict()
    command = command_line("simulate", config)
    assert shlex.split(command)[-2:] == ["--data", str(tmp_path / "my ids.npy")]
    assert config_of(command) == config


# ---- layers

WIDE = {
    "a transformer": {"arch": "transformer", "blocks": 2},
    "a preset": {"preset": "gpt2"},
    "a perceptron": {"depth": 3, "width": 1024, "init": "he", "batch_size": 64},
}
NARROW = {
    "a transformer": {"arch": "transformer", "blocks": 2, "model_width": 24},
    "a preset": {"preset": "vit-b"},  # its uniform weights have no law without a matrix
    "a perceptron": {"depth": 3, "width": 64, "init": "he"},
    "a recurrence": {"arch": "lstm"},
}


@pytest.mark.parametrize(("given_options", "layers"), [
    *((one, "weightless") for one in WIDE.values()), *((one, "dense") for one in NARROW.values()),
])  # fmt: skip
def test_how_layers_are_represented_is_not_typed_where_it_goes_without_saying(given_options, layers):
    for asked in ("auto", layers):
        config = Experiment.from_options(given_options | {"layers": asked}).to_dict()
        assert config["layers"] == layers
        assert "--layers" not in shlex.split(command_line("simulate", config))


@pytest.mark.parametrize("given_options", WIDE.values(), ids=WIDE)
def test_stored_matrices_of_a_wide_network_are_typed(given_options, config_of):
    config = Experiment.from_options(given_options | {"layers": "dense"}).to_dict()
    command = command_line("simulate", config)
    assert "--layers dense" in command
    assert config_of(command) == config


@pytest.mark.parametrize("name", ["a transformer", "a perceptron"])
def test_weightless_layers_of_a_narrow_network_are_typed(name, config_of):
    config = Experiment.from_options(NARROW[name] | {"layers": "weightless"}).to_dict()
    command = command_line("simulate", config)
    assert "--layers weightless" in command
    assert config_of(command) == config


def test_another_initialisation_is_typed_without_the_layers_that_come_with_it(config_of):
    for init in [name for name in INITIALIZERS if name not in FREE_SCALE]:
        config = Experiment.from_options({"preset": "gpt2", "init": init}).to_dict()
        assert config["layers"] == ("weightless" if init in WEIGHTLESS else "dense"), init
        assert command_line("simulate", config) == f"gradcheck simulate --preset gpt2 --init {init}", init
        assert config_of(command_line("simulate", config)) == config, init


def test_the_config_of_a_report_is_typed_like_that_of_its_experiment():
    report = gradcheck.simulate(arch="transformer", blocks=2, model_width=16, heads=2, tokens=6)
    assert command_line("simulate", report.config) == (
        "gradcheck simulate --arch transformer --blocks 2 --model-width 16 --heads 2 --tokens 6"
    )
