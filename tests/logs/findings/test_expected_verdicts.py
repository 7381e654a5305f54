"""What is found in a folder of logs of many shapes, where it lies beside the checkout."""

from pathlib import Path

import pytest

from gradcheck.logs.findings.finding import NOTE
from gradcheck.logs.report import diagnose

LOGS = Path("shared/logs")

FOLDER = next((above / LOGS for above in Path(__file__).parents if (above / LOGS / "EXPECT.tsv").exists()), None)

#: Log ↦ its verdict, and the step at which that begins.
VERDICTS = {
    "hf_console_healthy.log": ("healthy", None),
    "hf_console_nan.log": ("nonfinite", 400),
    "hf_console_growing.log": ("exploding", 1),
    "megatron_nan.log": ("nonfinite", 91),
    "megatron_deepspeed_zero_norm.log": ("healthy", None),
    "mmengine_nan.log": ("nonfinite", 350),
    "mmengine_scalars_val_step_is_epoch.json": ("spikes", 400),
    "nanogpt_nan.log": ("nonfinite", 810),
    "llmc.log": ("spikes", 222),
    "fairseq_inner.log": ("spikes", 4200),
    "espnet.log": ("healthy", None),
    "torchtitan_ranks.log": ("spikes", 41),
    "verl_collapse.log": ("collapsed", 18),
    "rl_collapse.jsonl": ("collapsed", 60),
    "rl_burst_then_collapse.jsonl": ("collapsed", 18),
    "step_equals.log": ("spikes", 5500),
    "keras_fit_nan.log": ("nonfinite", 13),
    "timm_console.log": ("healthy", None),
    "nemo_progress.log": ("spikes", 66),
    "baselines_table.log.txt": ("spikes", 500),
    "epoch_print_nan.log": ("nonfinite", 3451),
    "deepspeed_overflow_min.log": ("nonfinite", 40),
    "loguru_bars.log": ("nonfinite", 1529),
    "lower_case_nan.jsonl": ("nonfinite", 80),
    "loss_and_norm_zero.jsonl": ("collapsed", 50),
    "norm_never_computed.jsonl": ("healthy", None),
    "one_row.jsonl": ("too-short", 10),
    "nine_rows_spike.jsonl": ("spikes", 9),
    "huge_and_flat.jsonl": ("huge", 100),
    "train_grad_norm.jsonl": ("spikes", 60),
    "rllib_result.json": ("spikes", 280000),
    "sb3_progress.csv": ("exploding", 143360),
    "ultralytics_results.csv": ("nonfinite", 61),
    "history_under_another_key.json": ("spikes", 60),
    "mlflow_run": ("spikes", 60),
    "keras_tb_names.jsonl": ("nonfinite", 80),
    "burst_of_eleven_rows.jsonl": ("spikes", 301),
    "norm_of_scaled_gradients.jsonl": ("healthy", None),
    "megatron_loss_jump_norm_zero.log": ("loss-jump", 500),
    "source_code_first.log": ("healthy", None),
    "blown_up_in_the_last_two_rows.jsonl": ("exploding", 99),
    "hf_v5_console.log": ("nonfinite", 7),
    "short30.csv": ("spikes", 15),
    "mlflow_export.csv": ("nonfinite", 6),
    "lightning_metrics.csv": ("nonfinite", 7),
}

#: Log ↦ a note that it must have.
NOTES = {
    "megatron_deepspeed_zero_norm.log": "not-computed",
    "norm_never_computed.jsonl": "not-computed",
    "norm_of_scaled_gradients.jsonl": "scaled-norms",
    "nine_rows_spike.jsonl": "too-short",
    "hf_console_growing.log": "too-short",
    "espnet.log": "always-clipped",
}

needs_the_folder = pytest.mark.skipif(FOLDER is None, reason="the folder of logs isn't there")


@needs_the_folder
@pytest.mark.parametrize("name", VERDICTS)
def test_a_log_has_the_verdict_that_is_right_for_it(name):
    verdict = diagnose(FOLDER / name).verdict
    assert (verdict.status, verdict.first_step) == VERDICTS[name]


@needs_the_folder
@pytest.mark.parametrize("name", NOTES)
def test_a_log_has_the_note_that_is_right_for_it(name):
    notes = [one.kind for one in diagnose(FOLDER / name).findings if one.severity == NOTE]
    assert NOTES[name] in notes


@needs_the_folder
def test_of_several_runs_in_a_file_each_is_judged():
    runs = diagnose(FOLDER / "three_runs_appended.jsonl").runs
    assert [run.status for run in runs] == ["healthy", "exploding", "healthy"]
