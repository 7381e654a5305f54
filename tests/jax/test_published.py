"""Models as published with Flax and Equinox: none is accused."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("flax")
pytest.importorskip("equinox")
pytest.importorskip("optax")

from gradcheck.jax import probe

#: Those that differ most; ``benchmarks/jax_models.py`` probes all.
MODELS = {
    "flax": ["vae", "scanned", "resnet", "sst2", "gemma"],
    "equinox": ["neural_ode", "bert", "generator", "siren", "stacked"],
}


@cache
def published(framework):
    """Name ↦ what makes the model, its batch and its loss."""
    name = f"published_{framework}"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.HEALTHY


@pytest.mark.slow
@pytest.mark.parametrize(("framework", "name"), [(one, name) for one, names in MODELS.items() for name in names])
def test_no_published_model_is_accused(framework, name):
    model, batch, loss = published(framework)[name]()
    assert probe(model, batch, loss).verdict.status == "healthy"
