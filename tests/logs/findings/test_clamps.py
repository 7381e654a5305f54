"""A loss at the clamp of its logarithm: outputs are saturated, however few rows say so."""

import numpy as np
import pytest

from gradcheck.logs.report import diagnose


def rows(losses, **others):
    return [{"step": 20 * row, "loss": float(loss)} | others for row, loss in enumerate(losses)]


def clamped(report):
    return [one for one in report.findings if one.kind == "not-learning" and "least" in one.numbers]


@pytest.mark.parametrize(
    ("level", "least"),
    [
        (87.3365, 2**-126), (103.279, 2**-149), (16.1181, 1e-7), (15.9424, 2**-23), (13.8155, 1e-6), (18.4207, 1e-8),
        (20.7233, 1e-9), (23.0259, 1e-10), (27.631, 1e-12), (34.5388, 1e-15),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
def test_a_few_rows_at_minus_the_logarithm_of_a_least_number_name_it(level, least, sign):
    report = diagnose(rows([sign * level] * 3))
    (one,) = clamped(report)
    assert report.verdict.status == "not-learning"
    assert one.numbers["least"] == pytest.approx(least)
    assert ("minus −ln(" in one.message) is (sign < 0)


def test_the_advice_is_that_of_saturated_outputs_and_not_a_higher_rate():
    (one,) = clamped(diagnose(rows([87.3365, 87.3366, 87.3365])))
    assert "Caffe" in one.message
    assert "logits" in one.advice[1]
    assert not any("raise the learning rate" in line for line in one.advice)


@pytest.mark.parametrize(("count", "is_found"), [(3, False), (5, True)])
@pytest.mark.parametrize("level", [100.0, 16.12, 0.9 * 16.1181, 15.9424 / 2])
def test_round_numbers_fewer_digits_and_shares_take_more_rows(level, count, is_found):
    assert bool(clamped(diagnose(rows([round(level, 4)] * count)))) is is_found


@pytest.mark.parametrize(
    "losses", [[16.0, 16.1181, 16.3, 16.2], [16.119, 16.118, 16.117], [87.0] * 8, [2.3026] * 8, [16.1181], [0.0] * 9]
)
def test_a_loss_that_passes_a_clamp_or_stays_elsewhere_is_none(losses):
    assert clamped(diagnose(rows(losses))) == []


def test_a_long_run_that_jumps_to_the_clamp_is_found_where_it_does_and_nothing_else_is_said():
    falling = 1 + 2 * np.exp(-np.arange(200) / 60) + 0.02 * np.random.default_rng(0).standard_normal(200)
    stuck = np.full(100, 87.3365)
    stuck[::9] = 85.1
    stuck[0] = 87.3365
    report = diagnose(rows([*falling, *stuck], grad_norm=0.5))
    assert [one.kind for one in report.findings] == ["not-learning"]
    assert report.verdict.first_step == 4000
    assert "from step 4,000 on" in report.findings[0].message


def test_one_of_two_networks_may_sit_there():
    game = [{"step": row, "loss_G": 1 + row % 3 / 10, "loss_D": -27.631} for row in range(30)]
    (one,) = clamped(diagnose(game))
    assert one.message.startswith("the loss loss_D stays at -27.63")
