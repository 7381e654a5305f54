import math

import numpy as np

import gradcheck


def rows(count, **layers):
    """So many steps, each layer's norm a function of the step."""
    norms = {f"grad_norm/{name}": of for name, of in layers.items()}
    return [{"step": step, "loss": 1.0} | {name: of(step) for name, of in norms.items()} for step in range(count)]


def test_the_layers_are_drawn_by_the_logarithm_of_the_highest_norm_of_each_part():
    drawn = gradcheck.diagnose(rows(1_000, fc1=lambda step: 10.0 ** (step % 5), fc2=lambda step: 1e-3)).curves.layers
    assert drawn.names == ("fc1", "fc2")
    assert drawn.log10_norm.shape == (2, len(drawn.step))
    assert set(drawn.log10_norm[0, 1:-1].tolist()) <= {3.0, 4.0}  # of four or five steps
    np.testing.assert_allclose(drawn.log10_norm[1], -3)


def test_a_layer_whose_norm_is_zero_missing_or_not_finite_is_told_apart():
    said = {0: 0.0, 1: math.inf, 2: None}
    drawn = gradcheck.diagnose(rows(20, fc1=lambda step: said.get(step, 1.0), fc2=lambda step: 1.0)).curves.layers
    assert drawn.log10_norm[0, :2].tolist() == [-math.inf, math.inf]
    assert math.isnan(drawn.log10_norm[0, 2])
    assert drawn.log10_norm[0, 3] == 0


def test_a_log_without_layers_draws_none():
    assert (
        gradcheck.diagnose([{"step": step, "loss": 1.0, "grad_norm": 1.0} for step in range(9)]).curves.layers is None
    )


def test_the_threshold_that_is_drawn_is_the_one_given_or_the_one_that_the_log_shows():
    given = [{"loss": 1.0, "grad_norm": 2.0 + step % 3} for step in range(30)]
    clipped = [row | {"grad_norm_after": 1.5} for row in given]
    assert gradcheck.diagnose(given).curves.clip_limit is None
    assert gradcheck.diagnose(given, max_norm=2.5).curves.clip_limit == 2.5
    assert gradcheck.diagnose(clipped).curves.clip_limit == 1.5
