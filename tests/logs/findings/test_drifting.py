"""A norm that grows steadily along a run that learns."""

import numpy as np
import pytest

from gradcheck import diagnose


def findings_of(levels, rng):
    norms = 10 ** (levels + 0.07 * rng.standard_normal(len(levels)))
    return diagnose(
        [{"step": step, "loss": 2 * 0.99**step, "grad_norm": norm} for step, norm in enumerate(norms.tolist())]
    ).findings


def test_a_steady_growth_is_a_note_with_its_factor_and_its_first_step(rng):
    levels = np.maximum(0, np.arange(200) - 60) * 1.9 / 140
    (found,) = findings_of(levels, rng)
    assert (found.kind, found.severity) == ("drifting", "note")
    assert 55 <= found.first_step <= 85
    assert 10 ** found.numbers["log10_rise"] == pytest.approx(80, rel=0.3)


@pytest.mark.parametrize(
    "levels",
    [
        np.linspace(0, 1.1, 200),  # less than twentyfold
        np.minimum(np.arange(200) / 50, 1.8),  # a warm-up
        1.8 * (np.arange(200) >= 90),  # a jump
        np.concatenate([np.linspace(1.8, 0, 150), np.linspace(0, 1.8, 50)]),  # the last quarter alone
    ],
    ids=["little", "warm-up", "jump", "late"],
)
def test_what_is_small_over_soon_at_once_or_late_is_none(levels, rng):
    assert not findings_of(levels, rng)
