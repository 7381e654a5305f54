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
