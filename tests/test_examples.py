"""The examples are what they were made as; tests/cli/test_documented_commands.py types the commands of their table."""

import re
from pathlib import Path
from runpy import run_path

import pytest

from gradcheck import diagnose

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(("log", "status"), [("exploding.jsonl", "exploding"), ("spikes.log", "spikes")])
def test_a_log_has_the_illness_that_it_was_made_with(log, status):
    assert diagnose(EXAMPLES / log).verdict.status == status


def test_the_logs_are_those_that_the_script_writes(tmp_path):
    made = run_path(str(EXAMPLES / "make_logs.py"))
    made["main"].__globals__["HERE"] = tmp_path
    made["main"]()
    for path in tmp_path.iterdir():
        assert path.read_text(encoding="utf-8") == (EXAMPLES / path.name).read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trainer", ["transformers", "lightning", "accelerate", "keras"])
def test_a_sick_model_is_stopped_in_each_trainer(trainer, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # pytest.importorskip("keras") needs one
    pytest.importorskip(trainer)
    monkeypatch.chdir(tmp_path)
    run_path(str(EXAMPLES / f"train_{trainer}.py"))
    said = capsys.readouterr().out.splitlines()[-1]
    assert re.match(r"stopped (after|at step) 10[0-2]( steps)?: \d+ parameters from .* get less than", said)
    (log,) = tmp_path.rglob("*.jsonl")
    assert diagnose(log).verdict.status == "vanishing"
