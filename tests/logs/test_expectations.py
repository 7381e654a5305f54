"""What is right for a folder of logs of many shapes, where it lies beside the checkout: what is read of each."""

import json
from pathlib import Path

import numpy as np
import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log
from gradcheck.logs.series import Series

#: Where the folder is, seen from a folder above this one.
LOGS = Path("shared/logs")

FOLDER = next((above / LOGS for above in Path(__file__).parents if (above / LOGS / "EXPECT.tsv").exists()), None)

#: Log ↦ its rows, and the steps of the first and of the last one.
ROWS = {
    "hf_console_healthy.log": (60, 10, 600),
    "hf_console_nan.log": (60, 10, 600),
    "hf_console_growing.log": (14, 1, 14),
    "megatron_nan.log": (120, 1, 120),
    "megatron_deepspeed_zero_norm.log": (60, 1, 60),
    "mmengine_nan.log": (40, 10, 400),
    "mmengine_scalars_val_step_is_epoch.json": (800, 1, 800),
    "nanogpt_nan.log": (101, 0, 1000),
    "llmc.log": (300, 0, 299),
    "fairseq_inner.log": (60, 100, 6000),
    "espnet.log": (60, 90, 5400),
    "torchtitan_ranks.log": (60, 1, 60),
    "verl_collapse.log": (200, 1, 200),
    "step_equals.log": (80, 100, 8000),
    "keras_fit_nan.log": (20, 1, 20),
    "timm_console.log": (104, 0, 5003),
    "nemo_progress.log": (90, 1, 90),
    "baselines_table.log.txt": (80, 0, 790),
    "epoch_print_nan.log": (61, 3400, 3460),
    "deepspeed_overflow_min.log": (12, 1, 60),
    "loguru_bars.log": (110, 29, 1664),
    "three_runs_appended.jsonl": (40, 20, 800),
    "train_grad_norm.jsonl": (119, 1, 119),
    "rllib_result.json": (119, 4000, 476000),
    "sb3_progress.csv": (100, 2048, 204800),
    "ultralytics_results.csv": (80, 1, 80),
    "history_under_another_key.json": (100, 1, 100),
    "mlflow_run": (120, 0, 119),
    "keras_tb_names.jsonl": (100, 1, 100),
    "megatron_loss_jump_norm_zero.log": (80, 10, 800),
    "source_code_first.log": (300, 1, 300),
    "hf_v5_console.log": (12, 1, 12),
    "sacred_metrics.json": (12, 1, 12),
    "trackio_get_metric.json": (12, 1, 12),
    "lower_case_nan.jsonl": (100, 1, 100),
}

#: Log ↦ the first step at which something isn't finite.
NONFINITE = {
    "hf_console_nan.log": 400, "megatron_nan.log": 91, "mmengine_nan.log": 350, "nanogpt_nan.log": 810,
    "keras_fit_nan.log": 13, "epoch_print_nan.log": 3451, "loguru_bars.log": 1529, "lower_case_nan.jsonl": 80,
    "ultralytics_results.csv": 61, "keras_tb_names.jsonl": 80, "hf_v5_console.log": 7, "mlflow_export.csv": 6,
    "lightning_metrics.csv": 7,
}  # fmt: skip

#: Log ↦ the step at which its gradient norm, or its loss, is largest.
HIGHEST = {
    "mmengine_scalars_val_step_is_epoch.json": 400, "llmc.log": 222, "fairseq_inner.log": 4200,
    "torchtitan_ranks.log": 41, "step_equals.log": 5500, "nemo_progress.log": 66, "baselines_table.log.txt": 500,
    "train_grad_norm.jsonl": 60, "rllib_result.json": 280000, "history_under_another_key.json": 60, "mlflow_run": 60,
}  # fmt: skip

pytestmark = pytest.mark.skipif(FOLDER is None, reason="the folder of logs isn't beside the checkout")


@pytest.fixture
def series():
    """The name of a log ↦ its series."""
    return lambda name, **how: Series(read_log(FOLDER / name, **how))


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_training_is_read_and_no_other(name, series):
    read = series(name)
    assert (read.run.rows, *read.ends) == ROWS[name]


@pytest.mark.parametrize("name", NONFINITE)
def test_what_is_not_finite_begins_where_it_does(name, series):
    assert series(name).run.nonfinite.first_step == NONFINITE[name]


@pytest.mark.parametrize("name", HIGHEST)
def test_the_largest_norm_is_where_it_is(name, series):
    read = series(name)
    assert read.steps[np.nanargmax(read.norms)] == HIGHEST[name]


def test_runs_that_were_appended_are_told_apart(series):
    runs = [run for _, _, run in series("three_runs_appended.jsonl").log.runs()]
    assert [(run.rows, run.first_step, run.last_step) for run in runs] == [
        (250, 20, 5000),
        (250, 20, 5000),
        (40, 20, 800),
    ]


def test_overflows_and_loss_scales_are_carried(series):
    read = series("deepspeed_overflow_min.log")
    steps = read.steps[read.values("overflow") > 0]
    assert steps.tolist() == [1, 2, *range(40, 61)]
    assert np.nanmin(read.values("loss_scale")) == 1
    assert "already at minimum" in read.log.reader.last_word


def test_the_loss_of_several_terms_is_their_sum(series):
    read = series("ultralytics_results.csv")
    parts = read.samples[:, [at for column, at in read.columns.items() if column.quantity == "loss_part"]]
    np.testing.assert_allclose(read.values("loss")[:60], parts[:60].sum(1))


def test_each_quantity_has_its_own_count_of_what_is_not_finite(series):
    counts = {column.quantity: one.rows for column, one in series("lightning_metrics.csv").run.nonfinite_of.items()}
    assert counts == {"loss": 1, "grad_norm": 2}


@pytest.mark.parametrize("name", ["tb_export.csv", "tb_export.json"])
def test_a_single_number_is_named_by_the_option_or_by_the_file(name, series, tmp_path):
    with pytest.raises(InputError, match=r"columns=\{.*grad_norm.*Value"):
        series(name)
    assert series(name, columns={"grad_norm": "Value"}).run.rows == 3
    named = tmp_path / f"run-.-tag-train_grad_norm{Path(name).suffix}"
    named.write_bytes((FOLDER / name).read_bytes())
    assert Series(read_log(named)).run.rows == 3


def test_every_log_of_the_folder_is_read(series):
    names = [line.split("\t")[0] for line in (FOLDER / "EXPECT.tsv").read_text().splitlines()]
    for name in names:
        if not name.startswith("tb_export"):
            read = series(name)
            assert read.run.rows, name
            assert json.dumps(sorted(map(str, read.names.values())))
