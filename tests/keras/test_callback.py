"""``fit`` of Keras 3, real small trainings with PyTorch and JAX below: what the callback records, and what it does."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck import diagnose

pytest.importorskip("torch")
pytest.importorskip("tensorboardX")
if importlib.util.find_spec("keras") is None:
    pytest.skip("could not find 'keras'", allow_module_level=True)


@pytest.fixture(params=["torch", "jax"], scope="module")
def trained(request, tmp_path_factory):
    """The folder of the logs, and what the trainings told; in a process of its own, where the backend is chosen."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    script = Path(__file__).with_name("trained_runs.py")
    command = [sys.executable, "-W", "ignore", str(script), str(folder)]
    environment = os.environ | {"KERAS_BACKEND": request.param}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder, json.loads(ended.stdout.splitlines()[-1])


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines() if '"step"' in line]


@pytest.mark.parametrize("name", ["plain", "clipped", "accumulated"])
def test_weights_are_the_same_to_the_last_bit_and_the_optimizer_is_as_it_was(trained, name):
    told = trained[1]["runs"][name]
    assert told["equal"]
    assert not told["left"]


@pytest.mark.parametrize("name", ["plain", "clipped"])
def test_what_the_optimizer_gets_is_what_moves_the_weights_by_the_learning_rate(trained, name):
    folder, told = trained
    found = records(folder / f"{name}.jsonl")
    assert [one["step"] for one in found] == list(range(24))
    for record, moved in zip(found, told["runs"][name]["steps"], strict=True):
        layers = record["layers"]
        assert layers.get("grad_norm_after", layers["grad_norm"]) == pytest.approx(moved, rel=1e-3, abs=1e-6)


def test_accumulated_batches_are_one_step(trained):
    folder, told = trained
    found = records(folder / "accumulated.jsonl")
    assert [one["step"] for one in found] == list(range(8))
    moved = told["runs"]["accumulated"]["steps"]
    assert all(not any(one) for place, one in enumerate(moved) if place % 3 < 2)
    assert [one["layers"]["grad_norm"] for one in found] == [pytest.approx(one, rel=1e-3) for one in moved[2::3]]
    plain = records(folder / "plain.jsonl")
    assert found[0]["loss"] < plain[0]["loss"] * 1.2  # a mean, not a sum


def test_gradients_before_clipping_are_those_of_the_run_that_doesnt_clip(trained):
    folder, _ = trained
    clipped, plain = (records(folder / f"{name}.jsonl")[0] for name in ("clipped", "plain"))
    assert clipped["layers"]["grad_norm"] == pytest.approx(plain["layers"]["grad_norm"], rel=1e-5)
    assert clipped["grad_norm_after"] == pytest.approx(0.05, rel=1e-5)
    assert clipped["max_norm"] == 0.05


def test_norms_are_those_without_a_loss_scale(trained):
    folder, told = trained
    plain = [one["grad_norm"] for one in records(folder / "plain.jsonl")]
    assert [one["grad_norm"] for one in records(folder / "mixed.jsonl")] == pytest.approx(plain, rel=1e-4)
    assert told["mixed"]


def test_updates_are_relative_to_the_weights_in_the_first_record(trained):
    folder, told = trained
    layers = records(folder / "plain.jsonl")[0]["layers"]
    moved = told["runs"]["plain"]["steps"][0]
    assert layers["update_ratio"][0] == pytest.approx(0.1 * moved[0] / layers["weight_norm"][0], rel=1e-4)
    assert layers["update_ratio"][1] is None  # a bias that was zero


def test_an_error_stops_the_training_and_is_in_the_history(trained):
    folder, told = trained
    assert 20 < told["stopped"]["batches"] <= 23
    assert "gradcheck/vanishing" in told["stopped"]["history"]
    assert "gradcheck found vanishing" in told["stopped"]["warned"][0]
    assert diagnose(folder / "sick.jsonl").verdict.status == "vanishing"


def test_the_last_findings_reach_the_callbacks_after_ours_however_the_training_ends(trained):
    stopped_before, stopped_after = trained[1]["late"]
    assert "gradcheck/vanishing" in stopped_before[0]
    assert stopped_before[1] == stopped_after[0] == []
    assert "gradcheck/vanishing" in stopped_after[1]


def test_the_history_has_an_entry_an_epoch_and_a_table_begun_before_has_the_number_of_findings(trained):
    history, table = trained[1]["tabled"]["history"], trained[1]["tabled"]["table"].splitlines()
    assert {len(values) for values in history.values()} == {4}
    assert history["gradcheck/findings"][0] == 0
    begins = [math.isnan(value) for value in history["gradcheck/vanishing"]].index(False)
    assert history["gradcheck/findings"][begins] > history["gradcheck/findings"][begins - 1]
    counts = [float(row.split(",")[table[0].split(",").index("gradcheck/findings")]) for row in table[1:]]
    assert counts == history["gradcheck/findings"]


def test_tensorboard_gets_the_findings_with_the_epoch_s_logs(trained):
    (events,) = (trained[0] / "events").iterdir()
    assert b"epoch_gradcheck/vanishing" in events.read_bytes()


def test_a_model_that_is_trained_further_goes_on_in_its_log(trained):
    found = records(trained[0] / "resumed.jsonl")
    assert [one["step"] for one in found] == list(range(16))
    assert all(math.isfinite(one["loss"]) for one in found)


def test_a_run_that_was_interrupted_leaves_its_log_and_its_model_to_the_next_one(trained):
    folder, told = trained
    assert told["interrupted"] == [True, False]
    assert [one["step"] for one in records(folder / "interrupted.jsonl")] == list(range(16))
