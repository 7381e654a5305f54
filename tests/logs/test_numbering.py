"""Steps that fall from row to row, and runs without any that begin anew."""

import math

import numpy as np
import pytest

from gradcheck.logs.report import diagnose


def run(rows, seed=0):
    draw = np.random.default_rng(seed)
    loss = 0.5 + 2 * np.exp(-np.arange(rows) / 30) + 0.01 * draw.standard_normal(rows)
    return [{"step": 5 * step, "loss": float(one), "grad_norm": 1.0} for step, one in enumerate(loss)]


@pytest.mark.parametrize("rows", [4, 8, 30, 4200])
def test_a_log_whose_newest_row_is_the_first_is_one_run_in_the_order_of_its_steps(rows):
    report = diagnose(run(rows)[::-1])
    assert (report.runs, report.log.rows, report.log.first_step, report.log.last_step) == ((), rows, 0, 5 * rows - 5)
    assert list(report.curves.loss.value) == list(diagnose(run(rows)).curves.loss.value)
    assert any("newest row is the first" in warning for warning in report.warnings)


def test_what_is_not_finite_begins_at_its_lowest_step_there_too():
    rows = 100
    sick = [row | ({"loss": math.nan} if row["step"] >= 4 * rows else {}) for row in run(rows)]
    forward, backward = diagnose(sick), diagnose(sick[::-1])
    assert backward.verdict.first_step == 4 * rows
    assert backward.findings[0].message == forward.findings[0].message


def test_a_row_that_is_missing_changes_nothing():
    rows = run(100)[::-1]
    del rows[40]
    assert diagnose(rows).log.rows == 99


@pytest.mark.parametrize("clock", [{"epoch": lambda at: at // 10}, {"time": lambda at: 1.5 * at + 2}])
def test_runs_without_steps_are_told_apart_where_clock_and_loss_are_back_at_the_start(clock):
    ((name, value),) = clock.items()
    rows = [{"loss": row["loss"], name: value(at)} for at, row in enumerate(run(60))]
    report = diagnose(rows + rows[:40])
    assert [(one.rows, one.first_step, one.last_step) for one in report.runs] == [(60, 1, 60), (40, 1, 40)]


def test_a_loss_that_is_back_by_itself_is_no_other_run():
    rows = [{"loss": row["loss"]} for row in run(60)]
    assert diagnose(rows + rows).log.rows == 120


def test_a_clock_that_starts_again_while_the_loss_goes_on_is_none_either():
    rows = [{"loss": row["loss"], "time": 1.5 * (at % 30)} for at, row in enumerate(run(60))]
    assert diagnose(rows).log.rows == 60


def test_the_time_of_each_step_is_no_clock():
    draw = np.random.default_rng(0)
    rows = [{"loss": row["loss"], "time": draw.uniform(0.4, 0.6)} for row in run(60)]
    rows[40]["loss"] = rows[41]["loss"] = rows[42]["loss"] = 2.5
    assert diagnose(rows).log.rows == 60


def fell(rows):
    return [3 * 0.98**at for at in range(rows)]


def test_a_run_whose_epochs_begin_anew_with_the_same_place_in_each_is_another(told):
    lines = [
        line
        for epochs in (12, 15)
        for epoch, loss in enumerate(fell(epochs), start=1)
        for line in (f"Epoch {epoch}/{epochs}", f"100/100 - 3s - loss: {loss:.4f}")
    ]
    report = told(*lines)
    assert [one.rows for one in report.runs] == [12, 15]
    assert (report.log.first_step, report.log.last_step) == (100, 1500)


def test_a_run_whose_epochs_have_decimals_and_begin_anew_is_another(told):
    lines = [
        f"{{'loss': {loss:.4f}, 'grad_norm': 1.5, 'epoch': {at / 20:.2f}}}"
        for rows in (30, 60)
        for at, loss in enumerate(fell(rows))
    ]
    report = told(*lines)
    assert [one.rows for one in report.runs] == [30, 60]
    assert "it holds 2 runs" in report.warnings[0]


def test_a_mean_that_begins_anew_with_each_epoch_goes_on_from_where_the_loss_is(told):
    course = [0.2 + 1.3 * 0.97**at for at in range(200)]
    means = [sum(course[start : start + at]) / at for start in range(0, 200, 50) for at in range(1, 51)]
    bar = "{0:3d}%|##  | {0}/50 [00:01<00:09,  9.3it/s, train_loss={1:.4f}]"
    lines = [bar.format(row % 50 + 1, mean) for row, mean in enumerate(means)]
    report = told(*lines)
    assert (len(report.runs), report.log.rows, report.log.last_step) == (0, 200, 200)
