"""Norms that come again every few rows, as those of micro batches do."""

import numpy as np
import pytest

from gradcheck import diagnose


def logged(norms, scale=None):
    more = {} if scale is None else {"loss_scale": scale}
    return [
        {"step": step, "loss": 2 * 0.99**step, "grad_norm": norm, **more} for step, norm in enumerate(norms.tolist())
    ]


def sums(rng, rows=200, batches=4, noise=0.1):
    return (1 + np.arange(rows) % batches) * np.exp(noise * rng.standard_normal(rows))


@pytest.mark.parametrize("scale", [None, 65536.0])
def test_rows_between_that_are_scaled_are_named_and_left_out(scale, rng):
    norms = sums(rng) * np.where(np.arange(200) % 4 == 3, 1, 65536.0)
    report = diagnose(logged(norms, scale))
    (found,) = report.findings
    assert (report.verdict.status, found.kind, found.severity) == ("healthy", "scaled-norms", "note")
    assert found.message.startswith("in 3 of every 4 rows the gradient norm is ")
    assert report.thresholds[0].norm < 10


def test_gradients_that_are_added_up_over_some_rows_are_a_note_that_says_how_many(rng):
    (found,) = diagnose(logged(sums(rng))).findings
    assert (found.kind, found.severity) == ("not-zeroed", "note")
    assert "in 4 rows and begins again" in found.message
    assert "once for each step of the optimizer" in found.advice[0]


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_norms_without_a_cycle_have_no_such_note(noise, rng):
    assert not diagnose(logged(np.exp(noise * rng.standard_normal(400)))).findings


def test_a_cycle_that_is_no_sum_is_not_called_one(rng):
    norms = np.tile([1.0, 9.0], 100) * np.exp(0.1 * rng.standard_normal(200))
    assert not diagnose(logged(norms)).findings
