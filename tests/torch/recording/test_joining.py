"""Norms of a model that two processes train together are those of one process with the whole batch."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The logs of both: of two processes, and of one."""
    folder = tmp_path_factory.mktemp("shared")
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(SCRIPT)]
    both = [
        subprocess.Popen([*command, str(rank), str(folder)], env=environment, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said[-2000:]
    spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.train(module.small(), folder / "alone.jsonl", slice(0, 8))
    return folder


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines()[1:]]


def close(one, other):
    return one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("shared", ["replicated", "sharded", "flattened"])
def test_norms_of_two_processes_are_those_of_one_with_the_whole_batch(folder, shared):
    together, alone = records(folder / f"{shared}.jsonl"), records(folder / "alone.jsonl")
    assert [one["step"] for one in together] == [0, 1, 2]
    for here, there in zip(together, alone, strict=True):
        assert set(here) == set(there)
        assert set(here["layers"]) == set(there["layers"])
        assert all(close(here[name], there[name]) for name in ("loss", "grad_norm", "grad_norm_after"))
        assert all(close(here["layers"][name], there["layers"][name]) for name in there["layers"])


def test_one_process_writes_and_the_layers_have_their_own_names(folder):
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    for file in folder.glob("*.jsonl"):
        assert json.loads(file.read_text().splitlines()[0])["layers"] == names
    assert len(list(folder.glob("*.jsonl"))) == 4
