"""What holds a run, or several: folders, packed files, JSON of all shapes; which rows of it count."""

import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from gradcheck.errors import InputError, OptionError
from gradcheck.logs.columns import Column
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose
from gradcheck.logs.series import Series

ROWS = [{"step": step, "loss": 2.0 - step / 100, "grad_norm": 1.0 + step % 7} for step in range(1, 61)]
STEPS, LOSSES, NORMS = ([row[name] for row in ROWS] for name in ("step", "loss", "grad_norm"))


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def series_of(values):
    return {"steps": STEPS, "values": values, "timestamps": ["2031-01-02"] * len(STEPS)}


def nested(row):
    stats = {"total_loss": row["loss"], "grad_gnorm": row["grad_norm"]}
    learner = {"learner": {"default_policy": {"learner_stats": stats}}}
    return {"info": learner, "timesteps_total": row["step"], "training_iteration": 7}


CONTAINERS = {
    "a list under another key": json.dumps({"args": {"lr": 0.1}, "history": ROWS}).encode(),
    "a list under another key, on several lines": json.dumps({"runs": {"history": ROWS}}, indent=1).encode(),
    "Sacred's metrics": json.dumps({"loss": series_of(LOSSES), "grad_norm": series_of(NORMS)}, indent=2).encode(),
    "RLlib's results": lines(map(nested, ROWS)),
    "a list as Python prints it": repr(ROWS).encode(),
    "packed lines": gzip.compress(lines(ROWS)),
    "packed in two parts": gzip.compress(lines(ROWS[:20])) + gzip.compress(lines(ROWS[20:])),
    "remarks above the header": b"# Monday\n# lr 0.1\nstep,loss,grad_norm\n" + "".join(
        f"{row['step']},{row['loss']},{row['grad_norm']}\n" for row in ROWS
    ).encode(),
    "padded cells": b"   step,      loss,      grad_norm\n" + "".join(
        f"{row['step']:7d},{row['loss']:10f},{row['grad_norm']:10f}\n" for row in ROWS
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_same_run_is_read_from_every_container(name, series):
    read = series(CONTAINERS[name])
    assert read.steps.tolist() == STEPS
    assert read.values("loss").tolist() == pytest.approx(LOSSES)
    assert read.norms.tolist() == NORMS


def test_one_metric_of_trackio_is_read(series):
    values = [{"timestamp": "2031", "step": row["step"], "value": row["grad_norm"]} for row in ROWS]
    read = series(json.dumps({"project": "p", "metric": "grad_norm", "values": values}, indent=1).encode())
    assert (read.steps.tolist(), read.norms.tolist()) == (STEPS, NORMS)


@pytest.mark.parametrize("word", ["nan", "NaN", "NAN", "inf", "-inf", "Infinity", "1.797e308", "-1.797e+308"])
def test_what_is_not_finite_is_known_in_any_spelling(word, series):
    bare = lines(ROWS[:30]) + f'{{"step": 31, "loss": 1.0, "grad_norm": {word}}}\n'.encode() + lines(ROWS[31:])
    assert series(bare).run.nonfinite.first_step == 31


# ---- which rows count


def test_rows_without_a_number_to_judge_never_move_the_step(series):
    rows = []
    for row in ROWS:
        rows.append(row)
        if row["step"] % 10 == 0:
            rows.append({"coco/bbox_mAP": 0.3, "data_time": 0.1, "step": row["step"] // 10})
    read = series(lines(rows))
    assert read.steps.tolist() == STEPS
    assert (read.run.rows, read.run.steps_back, read.log.rows_found) == (60, 0, 66)


def test_rows_of_one_epoch_with_the_same_rounded_number_stay_apart(series):
    rows = [{"epoch": round(row["step"] / 40, 1), "loss": row["loss"], "grad_norm": row["grad_norm"]} for row in ROWS]
    assert series(lines(rows)).steps.tolist() == STEPS


def test_steps_within_an_epoch_go_on_by_their_own_interval(series):
    rows = [{"epoch": epoch, "iter": step, "loss": 1.0} for epoch in (1, 2, 3) for step in range(50, 501, 50)]
    assert series(lines(rows)).steps.tolist() == list(range(50, 1501, 50))


def test_epochs_without_a_number_are_known_by_a_loss_that_goes_on(series):
    rows = [{"step": at % 50, "loss": 3 * math.exp(-at / 100)} for at in range(200)]
    read = series(lines(rows))
    assert len(read.table.runs) == 1
    assert read.steps.tolist() == list(range(200))


# ---- several runs


def test_runs_in_one_file_are_told_apart_and_the_last_one_is_judged(tmp_path):
    path = tmp_path / "run.jsonl"
    broken = [row | {"loss": math.nan} if row["step"] > 40 else row for row in ROWS]
    path.write_bytes(lines(broken) + lines(ROWS) + lines(ROWS[:30]))
    report = diagnose(path)
    assert [(run.name, run.rows, run.status) for run in report.runs[:2]] == [
        ("run 1 of 3", 60, "nonfinite"), ("run 2 of 3", 60, report.runs[1].status),
    ]  # fmt: skip
    assert (report.log.run, report.log.rows, report.log.last_step) == ("run 3 of 3", 30, 30)
    assert any("3 runs" in warning for warning in report.warnings)


def test_a_resumed_run_is_one_run(series):
    assert len(series(lines(ROWS[:40]) + lines(ROWS[20:])).table.runs) == 1


def test_a_log_out_of_order_is_one_run(series):
    order = np.random.default_rng(0).permutation(60)
    assert len(series(lines([ROWS[at] for at in order])).table.runs) == 1


# ---- folders


def write(path, content, changed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if changed is not None:
        os.utime(path, (changed, changed))
    return path


def test_the_versions_in_a_folder_are_its_runs_and_the_newest_is_judged(tmp_path):
    table = (
        b"step,train_loss,grad_norm\n"
        + "".join(f"{s},{one},1.0\n" for s, one in zip(STEPS, LOSSES, strict=True)).encode()
    )
    for version in (0, 1, 10):
        write(tmp_path / f"lightning_logs/version_{version}/metrics.csv", table, changed=version)
        write(tmp_path / f"lightning_logs/version_{version}/hparams.yaml", b"lr: 1\n")
    runs = [name for name, _, _ in read_log(tmp_path).runs()]
    assert runs == [str(Path("lightning_logs", f"version_{version}")) for version in (0, 1, 10)]


def test_of_checkpoints_the_newest_has_the_whole_history(tmp_path):
    for step in (20, 60):
        state = json.dumps({"log_history": ROWS[:step]}, indent=1).encode()
        write(tmp_path / f"checkpoint-{step}/trainer_state.json", state, changed=step)
        write(tmp_path / f"checkpoint-{step}/config.json", b"{}")
    assert Series(read_log(tmp_path)).steps.tolist() == STEPS


@pytest.mark.parametrize("which", ["", "metrics"])
def test_a_folder_of_metrics_is_one_run(which, tmp_path):
    for name, values in (("train/loss", LOSSES), ("grad_norm", NORMS)):
        content = "".join(f"17000000{step:05d} {value!r} {step}\n" for step, value in zip(STEPS, values, strict=True))
        write(tmp_path / "metrics" / name, content.encode())
    read = Series(read_log(tmp_path / which))
    assert (read.steps.tolist(), read.values("loss").tolist(), read.norms.tolist()) == (STEPS, LOSSES, NORMS)


def test_one_file_of_a_metric_is_named_by_its_file(tmp_path):
    content = "".join(f"17000000{step:05d} {value!r} {step}\n" for step, value in zip(STEPS, NORMS, strict=True))
    assert Series(read_log(write(tmp_path / "grad_norm", content.encode()))).norms.tolist() == NORMS


def test_a_recorder_s_log_is_found_beside_a_trainer_s_state(tmp_path):
    state = json.dumps({"log_history": [{"step": row["step"], "loss": row["loss"]} for row in ROWS]}, indent=1)
    write(tmp_path / "gradcheck.jsonl", b'{"gradcheck_log": 1, "layers": []}\n' + lines(ROWS), changed=1000)
    write(tmp_path / "trainer_state.json", state.encode(), changed=1100)
    assert read_log(tmp_path).name == "gradcheck.jsonl"


def test_a_file_of_a_folder_that_is_no_log_is_passed_over(tmp_path):
    write(tmp_path / "run.jsonl", lines(ROWS), changed=1)
    write(tmp_path / "other.jsonl", b'{"prompt": "x"}\n', changed=2)
    assert Series(read_log(tmp_path)).steps.tolist() == STEPS


# ---- tables in JSON, as pandas, W&B and Python write them

TABLES = {
    "names beside the rows": {"columns": ["step", "loss", "grad_norm"], "data": [list(row.values()) for row in ROWS]},
    "steps as keys": {str(row["step"]): {"loss": row["loss"], "grad_norm": row["grad_norm"]} for row in ROWS},
    "a row of names first": [["step", "loss", "grad_norm"], *([*row.values()] for row in ROWS)],
    "objects in the rows": {
        "config": {"lr": 0.1},
        "train": [
            {"step": row["step"], "metrics": {"loss": row["loss"], "grad_norm": row["grad_norm"]}} for row in ROWS
        ],
    },
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_whatever_holds_it(name, series):
    read = series(json.dumps(TABLES[name]).encode(), "table.json")
    assert (read.steps.tolist(), read.values("loss").tolist(), read.norms.tolist()) == (STEPS, LOSSES, NORMS)


def test_numbers_in_a_history_may_have_the_name_of_their_type_around_them(series):
    losses = ", ".join(f"np.float64({loss})" for loss in LOSSES)
    assert series(f"{{'loss': [{losses}]}}\n".encode()).values("loss").tolist() == LOSSES


def test_a_table_may_begin_with_what_parts_its_cells(series):
    rows = "".join(f"{step};{loss}\r\n" for step, loss in zip(STEPS, LOSSES, strict=True))
    assert series(f"sep=;\r\nstep;loss\r\n{rows}".encode(), "run.csv").values("loss").tolist() == LOSSES


# ---- charts


def charted(values):
    return {"x": STEPS, "y": values, "type": "scatter"}


def test_lines_of_charts_one_after_the_other_are_columns(series):
    charts = [{"name": "train_loss"} | charted(LOSSES), {"name": "grad_norm"} | charted(NORMS)]
    read = series(json.dumps(charts).encode(), "charts.json")
    assert (read.steps.tolist(), read.values("loss").tolist(), read.norms.tolist()) == (STEPS, LOSSES, NORMS)


def test_lines_of_charts_below_titles_are_columns_without_those_of_a_validation(series):
    charts = {"loss": {"val": charted(NORMS), "train": charted(LOSSES)}, "grad_norm": {"total": charted(NORMS)}}
    read = series(json.dumps(charts).encode(), "scalars.json")
    assert (read.steps.tolist(), read.values("loss").tolist(), read.norms.tolist()) == (STEPS, LOSSES, NORMS)


def test_a_table_of_one_number_is_named_by_its_file(tmp_path):
    rows = "".join(f"{step},{loss},2031-05-01 10:00:00+00:00\n" for step, loss in zip(STEPS, LOSSES, strict=True))
    path = write(tmp_path / "train_loss.csv", f"step,value,timestamp\n{rows}".encode())
    assert Series(read_log(path)).values("loss").tolist() == LOSSES


# ---- names of columns


def test_a_column_is_named_by_hand(series, tmp_path):
    rows = [{"i": row["step"], "a": row["loss"], "b": row["grad_norm"], "loss": 9.0} for row in ROWS]
    path = write(tmp_path / "run.jsonl", lines(rows))
    read = Series(read_log(path, columns={"loss": "a", "grad_norm": "b", "step": "i"}))
    assert (read.steps.tolist(), read.values("loss").tolist(), read.norms.tolist()) == (STEPS, LOSSES, NORMS)
    assert {column.name for column in diagnose(path, columns={"loss": "a"}).log.columns} >= {"a"}


def test_a_column_that_isnt_there_is_an_error_with_those_that_are(tmp_path):
    path = write(tmp_path / "run.jsonl", b'{"i": 1, "a": 2}\n')
    with pytest.raises(InputError, match=r"has no column 'c' for loss; its columns are a, i"):
        diagnose(path, columns={"loss": "c"})


@pytest.mark.parametrize("columns", [{"lose": "a"}, {"loss": ""}])
def test_a_quantity_that_there_isnt_is_an_error(columns, tmp_path):
    with pytest.raises(OptionError, match=r"lose|QUANTITY=NAME"):
        diagnose(write(tmp_path / "run.jsonl", lines(ROWS)), columns=columns)


def test_parts_of_a_loss_are_added_up_only_where_there_is_no_whole_one(series):
    parts = {"train/box_loss": 1.0, "train/cls_loss": 2.0, "val/box_loss": 5.0}
    read = series(lines([{"epoch": epoch} | parts for epoch in range(1, 9)]))
    assert read.values("loss").tolist() == [3.0] * 8
    read = series(lines([{"epoch": epoch, "train/loss": 4.0} | parts for epoch in range(1, 9)]))
    assert read.values("loss").tolist() == [4.0] * 8


def test_the_norms_of_two_networks_are_those_of_layers(series):
    read = series(
        lines([{"step": step, "d_loss": 1.0, "g_loss": 2.0, "d_grad_norm": 3.0, "g_grad_norm": 4.0} for step in STEPS])
    )
    assert read.norms.tolist() == [5.0] * 60
    assert Column("grad_norm", "d") in read.columns


# ---- packed files that are damaged

PACKED = gzip.compress(lines(ROWS), mtime=0)


@pytest.mark.parametrize("content", [PACKED[:12], PACKED[:2], PACKED[:10] + b"\xff" * 50], ids=["cut", "head", "bad"])
def test_a_packed_file_of_which_nothing_can_be_unpacked_is_damaged_and_not_empty(content, tmp_path):
    with pytest.raises(InputError, match="is damaged: gzip can't unpack its beginning"):
        read_log(write(tmp_path / "run.jsonl.gz", content))


def test_of_a_packed_file_that_is_cut_off_the_rest_is_read_and_a_whole_one_has_no_warning(tmp_path):
    log = read_log(write(tmp_path / "run.jsonl.gz", PACKED[: len(PACKED) // 2]))
    assert 10 < log.rows_found < 60
    assert any("cut off" in line for line in log.problems.lines())
    assert read_log(write(tmp_path / "whole.jsonl.gz", PACKED + gzip.compress(lines(ROWS)))).problems.lines() == []
