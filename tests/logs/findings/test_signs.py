"""Signs in a log that speak for a cause, and the advice that they bring first."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import CAUSES, MOST, advice_on
from gradcheck.logs.findings.finding import FINDING_KINDS
from gradcheck.logs.findings.signs import SIGNS


def exploding(**columns):
    """Rows of a run that explodes from step 120 on, with further columns as functions of the step."""
    for step in range(200):
        row = {"step": step, "loss": 2 + max(0, step - 120) / 20, "grad_norm": 10 ** (max(0, step - 120) / 15)}
        yield row | {name: value(step) for name, value in columns.items()}


def signs_of(found, **columns):
    (one, *_) = found(list(exploding(**columns)))
    assert one.kind == "exploding"
    return one.signs


def test_a_log_of_loss_and_norm_alone_shows_none(found):
    assert signs_of(found) == ()


@pytest.mark.parametrize(
    ("columns", "sign"),
    [
        ({"lr": lambda step: step / 1000}, "rate-rising"),
        ({"lr": lambda step: 0.0}, "rate-zero"),
        ({"max_norm": lambda step: 3.0}, "clipped"),
        ({"loss_scale": lambda step: 1024.0}, "half-precision"),
        ({"grad_left": lambda step: 1.0}, "not-zeroed"),
    ],
)
def test_a_column_that_speaks_for_a_cause_is_a_sign(columns, sign, found):
    assert sign in signs_of(found, **columns)


def test_a_rate_that_falls_or_stays_is_none(found):
    assert signs_of(found, lr=lambda step: 0.1) == ()
    assert signs_of(found, lr=lambda step: float(np.exp(-step / 50))) == ()


def test_what_the_log_has_a_sign_of_comes_first():
    assert "zero_grad" in advice_on("exploding", ["not-zeroed"])[0]
    assert "zero_grad" not in " ".join(advice_on("exploding"))


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_every_finding_has_advice_without_a_sign_and_not_too_much_with_all(kind):
    assert 1 <= len(advice_on(kind)) <= len(advice_on(kind, SIGNS)) <= MOST
    assert "{" not in " ".join(advice_on(kind, SIGNS))


def test_every_sign_speaks_for_a_cause_and_every_cause_s_sign_is_described():
    assert {sign for causes in CAUSES.values() for one in causes for sign in one.signs} == set(SIGNS) - {
        "activation-first"
    }


def test_the_threshold_that_is_advised_is_the_one_in_the_table():
    assert advice_on("spikes", threshold="1.5")[0] == "clip the global norm at 1.5"
