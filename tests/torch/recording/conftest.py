"""Recorded runs, loaded only where PyTorch is."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def runs():
    """The module of the model and its training."""
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("recorded_runs", Path(__file__).with_name("recorded_runs.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.fixture(params=["at once", "waited for"])
def any_device(request, monkeypatch):
    """Numbers as a processor has them, and as if it were a device that is waited for."""
    from gradcheck.torch.recording import scalars

    if request.param == "waited for":
        monkeypatch.setattr(scalars, "PROCESSORS", ())
