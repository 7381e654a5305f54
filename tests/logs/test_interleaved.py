"""Runs whose rows are mixed in one log, told apart by a column; and columns that only look so."""

import json

import numpy as np
import pytest

from gradcheck.logs.report import diagnose


def run(rows=60, draw=0, **columns):
    """Rows of a healthy run, with the same numbers or words in all of them."""
    generator = np.random.default_rng(draw)
    for step in range(rows):
        loss, norm = (
            0.5 + 2 * np.exp(-step / 30) + 0.01 * generator.standard_normal(),
            np.exp(0.1 * generator.standard_normal()),
        )
        yield {"step": step, "loss": float(loss), "grad_norm": float(norm)} | columns


def mixed(*runs):
    return [row for rows in zip(*runs, strict=True) for row in rows]


@pytest.mark.parametrize("column", ["seed", "run", "run_id", "experiment", "trial", "experiment_name"])
@pytest.mark.parametrize("values", [(0, 1, 2), ("big", "small", "tiny")])
def test_interleaved_runs_are_told_apart_and_that_of_the_last_row_is_judged(column, values):
    report = diagnose(mixed(*(run(draw=at, **{column: value}) for at, value in enumerate(values))))
    assert [(one.name, one.rows, one.last_step) for one in report.runs] == [
        (f"run {at} of 3 ({column} {value})", 60, 59) for at, value in enumerate(values, start=1)
    ]
    assert (report.log.rows, report.log.run) == (60, f"run 3 of 3 ({column} {values[-1]})")


def test_each_of_them_is_judged_by_itself():
    ill = [row | {"grad_norm": row["grad_norm"] * 2.0 ** max(0, row["step"] - 30)} for row in run(draw=0, run="a")]
    report = diagnose(mixed(ill, run(draw=1, run="b")))
    assert [one.status for one in report.runs] == ["exploding", "healthy"]


def test_a_table_of_text_has_them_too(tmp_path):
    path = tmp_path / "runs.csv"
    rows = mixed(run(draw=0, run_id="a1"), run(draw=1, run_id="b2"))
    path.write_text("step,run_id,loss\n" + "".join(f"{row['step']},{row['run_id']},{row['loss']}\n" for row in rows))
    assert [one.name for one in diagnose(path).runs] == ["run 1 of 2 (run_id a1)", "run 2 of 2 (run_id b2)"]


def test_several_columns_tell_them_apart_together():
    runs = [run(draw=at, run=name, model=0) for at, name in enumerate("ab")]
    two = [[row | {"seed": seed} for row in one] for one in map(list, runs) for seed in (0, 1)]
    assert [one.name for one in diagnose(mixed(*two)).runs] == [
        f"run {at} of 4 (run {name}, seed {seed})"
        for at, (name, seed) in enumerate([("a", 0), ("a", 1), ("b", 0), ("b", 1)], start=1)
    ]


def test_runs_one_after_the_other_are_told_apart_where_no_step_is_logged():
    rows = [{"run": name, "loss": row["loss"]} for name in "ab" for row in run()]
    assert [(one.rows, one.last_step) for one in diagnose(rows).runs] == [(60, 60), (60, 60)]


def test_runs_of_a_long_log_go_on_from_block_to_block(tmp_path):
    path = tmp_path / "runs.jsonl"
    rows = mixed(run(5000, 0, seed=7), run(5000, 1, seed=8))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(one.name[-8:], one.rows, one.first_step) for one in diagnose(path).runs] == [
        ("(seed 7)", 5000, 0), ("(seed 8)", 5000, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        lambda step: step // 20,  # a seed for each epoch
        lambda step: step // 10 % 2,  # the same few over and over
        lambda step: step * 7919 % 1000,  # one for each row
        lambda step: "a" if step < 35 else "b",  # a job that is resumed under another number
        lambda step: 3,
    ],
)
def test_a_column_whose_values_change_while_the_steps_go_on_tells_no_runs_apart(value):
    report = diagnose([row | {"seed": value(row["step"])} for row in run()])
    assert (report.runs, report.log.rows) == ((), 60)


def test_a_job_resumed_from_before_under_another_number_is_one_run():
    rows = [row | {"job_id": 1} for row in run()][:40] + [row | {"job_id": 2} for row in run()][35:]
    assert diagnose(rows).runs == ()


def test_of_more_runs_than_are_told_apart_none_is():
    rows = mixed(*(run(5, trial, trial=trial) for trial in range(70)))
    assert diagnose(rows).runs == ()


def test_which_column_it_is_can_be_said():
    rows = mixed(run(draw=0, model="x"), run(draw=1, model="y"))
    assert [one.name for one in diagnose(rows, columns={"run": "model"}).runs] == [
        "run 1 of 2 (model x)", "run 2 of 2 (model y)",
    ]  # fmt: skip
