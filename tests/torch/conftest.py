"""Models from torch.nn, loaded only where PyTorch is."""

import importlib.util
from pathlib import Path

import pytest


def module_of(name):
    """Return the module of a file in this folder."""
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def models():
    """The module of models, as a user's."""
    return module_of("torch_models")


@pytest.fixture(scope="session")
def published():
    """Architectures as published: name ↦ builder, batch, loss."""
    return module_of("published_models").PUBLISHED


@pytest.fixture
def seeded():
    """PyTorch's random numbers from one seed on."""
    pytest.importorskip("torch").manual_seed(3)
