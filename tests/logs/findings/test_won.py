"""A discriminator that has won the game, told by both losses."""

import numpy as np
import pytest

from gradcheck.logs.report import diagnose

NAMES = "loss_G", "loss_D"


def game(discriminator, generator, names=NAMES, rows=160):
    """Return a log of two losses, functions of the row, with the noise of batches."""
    noise = np.random.default_rng(0).lognormal(0, 0.2, (rows, 2))
    return [
        {"step": 50 * row, names[0]: float(generator(row) * first), names[1]: float(discriminator(row) * second)}
        for row, (first, second) in enumerate(noise)
    ]


def lost(row):
    return max(0.9 * 0.93**row, 2e-3)


@pytest.mark.parametrize("generator", [lambda row: 4 + row / 4, lambda row: 5.0, lambda row: 40 if row > 30 else 4])
def test_a_loss_next_to_nothing_beside_one_that_is_no_lower_is_a_warning(generator):
    report = diagnose(game(lost, generator))
    found = report.findings[0]
    assert (found.kind, found.severity) == ("collapsed", "warning")
    assert 1500 < found.first_step < 2500
    assert "the loss loss_D falls from" in found.message
    assert "the discriminator has won" in found.message
    said = " ".join(found.advice)
    assert all(cure in said for cure in ("learning rate", "labels of 0.9", "gradient penalty", "−log D(G(z))"))
    assert "policy" not in said


@pytest.mark.parametrize(
    ("discriminator", "generator"),
    [
        pytest.param(lambda row: 0.8, lambda row: 4.0, id="a balance"),
        pytest.param(lambda row: 1.4 / (1 + row / 20), lambda row: 1 + row / 30, id="ahead"),
        pytest.param(lambda row: 1e-3 if 40 < row < 75 else 0.8, lambda row: 5.0, id="ahead for a while"),
        pytest.param(lost, lambda row: 5 * 0.97**row, id="both fall"),
        pytest.param(lambda row: lost(row) if row < 140 else 0.6, lambda row: 5.0, id="it comes back"),
        pytest.param(lambda row: lost(row) - 0.1, lambda row: 5.0, id="a score below zero"),
    ],
)
def test_a_game_that_goes_on_is_none(discriminator, generator):
    assert not any("has won" in one.message for one in diagnose(game(discriminator, generator)).findings)


def test_a_critic_of_an_agent_may_know_all_returns():
    report = diagnose(game(lost, lambda row: 4 + row / 4, names=("actor_loss", "critic_loss")))
    assert not any("has won" in one.message for one in report.findings)


def test_a_single_batch_that_it_gets_wrong_changes_nothing():
    report = diagnose(game(lambda row: 0.7 if row == 120 else lost(row), lambda row: 4 + row / 4))
    assert any("has won" in one.message for one in report.findings)


def test_a_generator_that_explodes_is_told_alone():
    report = diagnose(game(lost, lambda row: 4 * 1.3 ** max(0, row - 100)))
    assert report.verdict.status == "exploding"
    assert not any("the discriminator has won" in one.message for one in report.findings)
