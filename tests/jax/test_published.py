"""Models as published with Flax and Equinox: none is accused."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("flax")
pytest.importorskip("equinox")
pytest.importorskip("optax")

from gradcheck.jax import probe

MODELS = {
    "flax": [
        "mnist",
        "vae",
        "seq2seq",
        "lm1b",
        "scanned",
        "resnet",
        "mixer",
        "vit",
        "sst2",
        "ppo",
        "gemma",
        "gru",
        "unet",
    ],
    "equinox": ["mnist", "rnn", "neural_ode", "vit", "bert", "mixer", "generator", "discriminator", "siren", "stacked"],
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
@pytest.mark.parametrize("framework", MODELS)
def test_every_published_model_is_tried(framework):
    assert list(published(framework)) == MODELS[framework]


@pytest.mark.slow
@pytest.mark.parametrize(("framework", "name"), [(one, name) for one, names in MODELS.items() for name in names])
def test_no_published_model_is_accused(framework, name):
    model, batch, loss = published(framework)[name]()
    assert probe(model, batch, loss).verdict.status == "healthy"
