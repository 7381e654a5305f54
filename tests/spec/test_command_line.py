import shlex
from dataclasses import fields

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.cli.app import app
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import ACTIVATIONS, DTYPES, FRAMEWORKS, FREE_SCALE, INITIALIZERS, NORMS, RECURRENT
from gradcheck.spec.command_line import command_line, options

SIMULATE = typer.main.get_command(app).commands["simulate"]


def parsed(command):
    """The config that the command's own options make of a command line."""
    program, name, *words = shlex.split(command)
    assert (program, name) == ("gradcheck", "simulate")
    given_options = SIMULATE.make_context("simulate", words).params
    return Experiment.from_options(given_options).to_dict()


#: Frameworks that have every recurrence.
WITH_ALL_CELLS = "torch", "keras", "flax", "haiku", "paddle", "mlx"

positive = st.floats(1e-300, 1e300)
share = st.floats(0, 1)


@st.composite
def configs(draw):
    """Any config that a network with drawn weights can have."""
    init = draw(st.sampled_from([*INITIALIZERS, *FRAMEWORKS]))
    residual = draw(st.booleans())
    widths = st.lists(st.integers(1, 9999), min_size=2, max_size=5).map(tuple)
    width = draw(st.integers(1, 9999) | widths if not residual else st.integers(1, 9999))
    depth = (
        {"depth": len(width)} if isinstance(width, tuple) else draw(st.just({}) | st.integers(1, 99).map(at("depth")))
    )
    return Experiment.from_options(
        {
            **depth,
            "width": width,
            "activation": draw(st.sampled_from(ACTIVATIONS)),
            "init": init,
            "gain": draw(positive),
            "weight_std": draw(positive) if init in FREE_SCALE else None,
            "bias_std": draw(st.just(0.0) | positive),
            "norm": draw(st.sampled_from(NORMS)),
            "residual": residual,
            "residual_scale": draw(st.floats(allow_nan=False, allow_infinity=False)),
            "data": draw(st.sampled_from(["digits", "gaussian"])),
            "batch_size": draw(st.integers(2, 1797)),
            "shuffle": draw(st.booleans()),
            "seed": draw(st.integers(0, 2**64)),
            "seeds": draw(st.integers(1, 9)),
            "dtype": draw(st.sampled_from(DTYPES)),
            "vanish_below": draw(st.floats(0, 1)),
            "explode_above": draw(st.floats(1, 1e300, exclude_min=True)),
            "max_span": draw(st.floats(0, 1e4)),
            "min_rank": draw(st.floats(0, 1e4)),
            "dead_above": draw(share),
            "saturated_above": draw(share),
        }
    ).to_dict()


def at(name):
    return lambda value: {name: value}


@st.composite
def recurrent_configs(draw):
    """Any config that a recurrence with drawn weights can have."""
    arch, init = draw(st.sampled_from(RECURRENT)), draw(st.sampled_from([*INITIALIZERS, *WITH_ALL_CELLS]))
    data = draw(st.sampled_from(["digits", "gaussian"]))
    steps = st.integers(1, 99) if data == "gaussian" else st.sampled_from([1, 2, 4, 8, 16, 32, 64])
    return Experiment.from_options(
        {
            "arch": arch,
            "steps": draw(st.none() | steps),
            "width": draw(st.none() | st.integers(1, 9999)),
            "activation": draw(st.none() | st.sampled_from(ACTIVATIONS if arch == "rnn" else ["tanh"])),
            "init": init,
            "gain": draw(positive),
            "recurrent_gain": draw(st.none() | positive),
            "forget_bias": None if arch == "rnn" else draw(st.none() | st.floats(-9, 9)),
            "weight_std": draw(positive) if init in FREE_SCALE else None,
            "bias_std": draw(st.just(0.0) | positive),
            "data": data,
            "seed": draw(st.integers(0, 2**64)),
            "dtype": draw(st.sampled_from(DTYPES)),
            "max_span": draw(st.floats(0, 1e4)),
        }
    ).to_dict()


@given(configs() | recurrent_configs())
def test_the_command_line_of_a_config_gives_that_config_when_it_is_typed(config):
    assert parsed(command_line("simulate", config)) == config


def test_a_config_of_defaults_needs_no_options():
    config = Experiment.from_options({"depth": 50, "width": 128, "init": "xavier", "gain": 1.0}).to_dict()
    assert command_line("simulate", config) == "gradcheck simulate"


def test_a_command_without_options_runs_the_default_network():
    assert parsed("gradcheck simulate") == Experiment.from_options({}).to_dict()


def test_only_what_differs_from_the_defaults_is_typed():
    config = gradcheck.simulate(depth=3, width=8, activation="tanh", gain=1.5, residual=True, shuffle=False).config
    assert command_line("simulate", config) == (
        "gradcheck simulate --depth 3 --width 8 --activation tanh --gain 1.5 --residual --no-shuffle"
    )


@pytest.mark.parametrize("arch", RECURRENT)
def test_a_default_recurrence_is_typed_by_its_name_alone(arch):
    config = Experiment.from_options({"arch": arch}).to_dict()
    assert command_line("simulate", config) == f"gradcheck simulate --arch {arch}"


def test_the_forget_bias_of_a_framework_needs_no_option():
    for init in ("torch", "keras", "haiku"):
        config = Experiment.from_options({"arch": "lstm", "init": init}).to_dict()
        assert command_line("simulate", config) == f"gradcheck simulate --arch lstm --init {init}"
    config = Experiment.from_options({"arch": "lstm", "init": "torch", "forget_bias": 1}).to_dict()
    assert command_line("simulate", config) == "gradcheck simulate --arch lstm --init torch --forget-bias 1"


def test_only_what_differs_from_the_defaults_of_its_architecture_is_typed():
    options = {"arch": "lstm", "steps": 8, "activation": "tanh", "forget_bias": 3.0, "recurrent_gain": 0.5}
    assert command_line("simulate", Experiment.from_options(options).to_dict()) == (
        "gradcheck simulate --arch lstm --steps 8 --recurrent-gain 0.5 --forget-bias 3"
    )


@pytest.mark.parametrize("shape", [(80, 128), (80, 16, 8), (80, 64, 2), (80, 30)])
@pytest.mark.parametrize("steps", [None, 1, 2])
def test_the_steps_of_a_users_data_are_typed_back(shape, steps, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal(shape))
    config = Experiment.from_options({"arch": "gru", "data": str(tmp_path / "x.npy"), "steps": steps}).to_dict()
    assert parsed(command_line("simulate", config)) == config


@pytest.mark.parametrize("shape", [(80, 128), (80, 32, 4)])
def test_as_many_steps_as_the_digits_have_are_typed_back_for_a_users_data_too(shape, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal(shape))
    config = Experiment.from_options({"arch": "gru", "data": str(tmp_path / "x.npy"), "steps": 64}).to_dict()
    assert parsed(command_line("simulate", config)) == config


@pytest.mark.parametrize("options", [{}, {"steps": 16}, {"data": "gaussian"}, {"data": "gaussian", "steps": 10}])
def test_a_recurrence_of_given_weights_is_typed_back(options, tmp_path):
    np.savez(tmp_path / "w.npz", W_x=np.eye(4, 15), W_h=np.eye(5, 15), W_out=np.eye(5, 10))
    weights = str(tmp_path / "w.npz")
    config = Experiment.from_options({"arch": "gru", "weights": weights, **options}).to_dict()
    assert parsed(command_line("simulate", config)) == config


def test_how_a_run_is_shown_and_what_it_wrote_is_left_out(tmp_path):
    config = gradcheck.simulate(depth=3, width=8, suggest=True, save_weights=tmp_path / "w.npz").config
    assert command_line("simulate", config) == "gradcheck simulate --depth 3 --width 8"


@pytest.mark.parametrize("name", ["w.npz", "my weights.npz", 'it\'s $HOME; `ls` & "co".npz', "-w.npz", "größe.npz"])
def test_given_weights_take_the_place_of_depth_width_and_init_whatever_their_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with (tmp_path / name).open("wb") as file:
        np.savez(file, W1=np.eye(64, 5), W2=np.eye(5, 4), W_out=np.eye(4, 10))
    config = Experiment.from_options({"weights": name, "activation": "relu", "min_rank": 1.5}).to_dict()
    command = command_line("simulate", config)
    assert not {"--depth", "--width", "--init"} & set(shlex.split(command))
    assert parsed(command) == config


def test_a_users_table_with_labels_is_typed_back(tmp_path):
    path = tmp_path / "my data.csv"
    path.write_text("".join(f"{row},{row * row},{row % 3}\n" for row in range(80)))
    config = Experiment.from_options({"data": str(path), "labels": True, "depth": 2}).to_dict()
    assert parsed(command_line("simulate", config)) == config


def test_another_command_is_named():
    assert command_line("compare", {}) == "gradcheck compare"


# ---- single options


def test_options_are_written_as_one_types_them():
    for given_options, words in [
        ({"depth": 50}, ["--depth", "50"]),
        ({"weight_std": 0.05}, ["--weight-std", "0.05"]),
        ({"gain": 2.0}, ["--gain", "2"]),
        ({"residual": True, "shuffle": False}, ["--residual", "--no-shuffle"]),
        ({"width": [8, 16]}, ["--width", "8,16"]),
        ({"width": (8, 16)}, ["--width", "8,16"]),
        ({}, []),
    ]:
        assert list(options(given_options)) == words, given_options


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_with_as_many_digits_as_it_has(value):
    _, word = options({"gain": value})
    assert float(word) == value


def test_every_option_of_a_config_is_one_of_the_command():
    known = {name for parameter in SIMULATE.params for name in [*parameter.opts, *parameter.secondary_opts]}
    config = gradcheck.simulate(depth=2, width=4).config
    for name in config:
        for word in options({name: config[name]}):
            assert not word.startswith("--") or word in known
    assert {f"--{field.name.replace('_', '-')}" for field in fields(gradcheck.Thresholds)} <= known
