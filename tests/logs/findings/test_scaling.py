"""Norms with the loss scale in them, and clipping before unscaling."""

import numpy as np
import pytest


def rows(norm, scale, after=None, **columns):
    """Rows of a healthy run: norm, scale and clipped norm as functions of the step and the norm without its scale."""
    noise = np.exp(0.2 * np.random.default_rng(0).standard_normal(400))
    for step in range(400):
        row = {"step": step, "loss": 3 - step / 200, "loss_scale": scale(step), "grad_norm": norm(step, noise[step])}
        yield row | ({} if after is None else {"grad_norm_after": after(step, noise[step])}) | columns


def doubling(step):
    return 4096.0 * 2 ** (step // 40)


def kinds(findings):
    return [one.kind for one in findings]


def test_norms_that_move_with_the_scale_are_divided_and_then_healthy(found):
    assert kinds(found(list(rows(lambda step, noise: noise * doubling(step), doubling)))) == ["scaled-norms"]


def test_a_spike_is_found_in_what_is_left(found):
    spiky = rows(lambda step, noise: noise * doubling(step) * (300 if step == 200 else 1), doubling)
    (spike, note) = found(list(spiky))
    assert (spike.kind, spike.first_step, note.kind) == ("spikes", 200, "scaled-norms")


@pytest.mark.parametrize("scale", [doubling, lambda step: 65536.0])
def test_norms_without_the_scale_are_left_as_they_are(scale, found):
    assert found(list(rows(lambda step, noise: noise, scale))) == []


def test_clipping_before_unscaling_shows_in_the_norms_after_it(found):
    (one,) = found(list(rows(lambda step, noise: noise, doubling, lambda step, noise: 1 / doubling(step))))
    assert one.kind == "clipped-scaled"
    assert one.numbers["threshold"] == pytest.approx(1.0)


def test_at_one_scale_the_threshold_must_be_known(found):
    fixed = [lambda step, noise: noise, lambda step: 65536.0, lambda step, noise: 1 / 65536]
    assert "clipped-scaled" not in kinds(found(list(rows(*fixed))))
    assert kinds(found(list(rows(*fixed, max_norm=1.0)))) == ["clipped-scaled"]


def test_clipping_after_unscaling_is_none(found):
    clipped = rows(lambda step, noise: noise, doubling, lambda step, noise: min(1.0, noise))
    assert "clipped-scaled" not in kinds(found(list(clipped)))


def test_a_norm_clipped_as_it_should_be_at_one_scale_but_for_its_search_is_none(found):
    """At one scale a clipped norm times the scale is always the same number."""
    clipped = rows(lambda step, noise: 3 * noise, lambda step: 2.0 ** max(10, 12 - step), lambda step, noise: 0.3)
    assert "clipped-scaled" not in kinds(found(list(clipped)))


@pytest.mark.parametrize("scale", [doubling, lambda step: 65536.0, lambda step: None])
def test_norms_taken_after_clipping_of_scaled_gradients_are_one_threshold_over_the_scale(scale, found):
    (one,) = found(list(rows(lambda step, noise: (1 + 1e-7 * noise) / (scale(step) or 65536), scale)))
    assert one.kind == "clipped-scaled"
    assert one.numbers["threshold"] == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [lambda step: 65536.0, lambda step: None])
@pytest.mark.parametrize("norm", [0.5, 1.0, 3e-5])
def test_a_norm_that_is_one_number_by_itself_was_clipped_as_it_should_be(norm, scale, found):
    assert "clipped-scaled" not in kinds(found(list(rows(lambda step, noise: norm * (1 + 1e-7 * noise), scale))))
