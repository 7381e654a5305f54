"""Models from torch.nn, loaded only where PyTorch is."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models():
    """The module of models, as a user's."""
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("torch_models", Path(__file__).with_name("torch_models.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def seeded():
    """PyTorch's random numbers from one seed on."""
    pytest.importorskip("torch").manual_seed(3)
