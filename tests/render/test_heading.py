import pytest

import gradcheck
from gradcheck.render.heading import what_was_run


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seed 0"),
        ({"depth": 1}, "sigmoid · xavier · 1 layer of 8 · digits, batch 16 · seed 0"),
        ({"gain": 1.5}, "sigmoid · xavier × 1.5 · 2 layers of 8 · digits, batch 16 · seed 0"),
        (
            {"init": "normal", "weight_std": 0.05, "gain": 2},
            "sigmoid · normal 0.05 × 2 · 2 layers of 8 · digits, batch 16 · seed 0",
        ),
        ({"norm": "layer"}, "sigmoid · xavier · layer norm · 2 layers of 8 · digits, batch 16 · seed 0"),
        ({"residual": True}, "sigmoid · xavier · residual · 2 layers of 8 · digits, batch 16 · seed 0"),
        (
            {"residual": True, "residual_scale": 0.1},
            "sigmoid · xavier · residual × 0.1 · 2 layers of 8 · digits, batch 16 · seed 0",
        ),
        ({"seed": 3, "seeds": 4}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seeds 3 to 6"),
        ({"dtype": "float32"}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seed 0 · float32"),
        ({"data": "gaussian"}, "sigmoid · xavier · 2 layers of 8 · gaussian, batch 16 · seed 0"),
        ({"width": (8, 4)}, "sigmoid · xavier · 2 layers of 8,4 · digits, batch 16 · seed 0"),
        ({"width": (8, 8)}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seed 0"),
        (
            {"depth": 6, "width": (8, 4, 2, 3, 4, 5)},
            "sigmoid · xavier · 6 layers of 8,4,2,3,4,5 · digits, batch 16 · seed 0",
        ),
        (
            {"depth": 7, "width": (8, 4, 2, 3, 4, 5, 6)},
            "sigmoid · xavier · 7 layers of 2 to 8 · digits, batch 16 · seed 0",
        ),
    ],
    ids=str,
)
def test_the_heading_says_what_was_run_and_leaves_out_what_goes_without_saying(options, line):
    config = gradcheck.simulate(**({"depth": 2, "width": 8, "batch_size": 16} | options)).config
    assert what_was_run(config) == line


def test_given_weights_take_the_place_of_the_initialisation(tmp_path):
    path = tmp_path / "w.npz"
    gradcheck.simulate(depth=2, width=8, save_weights=path)
    line = what_was_run(gradcheck.simulate(weights=path).config)
    assert line == f"sigmoid · weights of {path} · 2 layers of 8 · digits, batch 64 · seed 0"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"arch": "rnn"}, "tanh rnn · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        ({"arch": "rnn", "activation": "relu"}, "relu rnn · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        ({"arch": "lstm"}, "lstm · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        ({"arch": "gru", "steps": 1}, "gru · xavier · 1 step of width 8 · digits, batch 16 · seed 0"),
        (
            {"arch": "lstm", "forget_bias": 4.0, "steps": 8},
            "lstm · xavier · forget bias 4 · 8 steps of width 8 · digits, batch 16 · seed 0",
        ),
        ({"arch": "lstm", "forget_bias": 1.0}, "lstm · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        (
            {"arch": "gru", "gain": 1.5, "recurrent_gain": 0.5, "init": "orthogonal"},
            "gru · orthogonal × 1.5, recurrent × 0.5 · 64 steps of width 8 · digits, batch 16 · seed 0",
        ),
    ],
    ids=str,
)
def test_the_heading_of_a_recurrence_says_how_many_steps_of_what(options, line):
    config = gradcheck.simulate(**({"width": 8, "batch_size": 16} | options)).config
    assert what_was_run(config) == line


def test_given_weights_take_the_place_of_a_recurrences_initialisation(tmp_path):
    path = tmp_path / "w.npz"
    gradcheck.simulate(arch="lstm", steps=8, width=8, forget_bias=3.0, save_weights=path)
    line = what_was_run(gradcheck.simulate(arch="lstm", weights=path).config)
    assert line == f"lstm · weights of {path} · 8 steps of width 8 · digits, batch 64 · seed 0"
