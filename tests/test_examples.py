"""The examples show what their table says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest

from gradcheck import diagnose

EXAMPLES = Path(__file__).parents[1] / "examples"

COMMANDS = re.findall(r"`gradcheck (.*?)`", (EXAMPLES / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("log", "status"), [("exploding.jsonl", "exploding"), ("spikes.log", "spikes")])
def test_a_log_has_the_illness_that_it_was_made_with(log, status):
    assert diagnose(EXAMPLES / log).verdict.status == status


def test_the_logs_are_those_that_the_script_writes(tmp_path):
    made = run_path(str(EXAMPLES / "make_logs.py"))
    made["main"].__globals__["HERE"] = tmp_path
    made["main"]()
    for path in tmp_path.iterdir():
        assert path.read_text(encoding="utf-8") == (EXAMPLES / path.name).read_text(encoding="utf-8")


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("probe")])
def test_the_models_can_be_probed_as_printed(line):
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "gradcheck", *shlex.split(line), "--json"]
    ended = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=True)
    status = re.search(r'"status": "(\w+)",\s+"trainable"', ended.stdout)[1]
    assert status == {"sixteen_convolutions": "vanishing"}.get(line.split()[1].partition(":")[2], "healthy")
