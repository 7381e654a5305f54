"""Models as published with Flax and Equinox: none is accused."""

import pytest

pytest.importorskip("flax")
pytest.importorskip("equinox")
pytest.importorskip("optax")

import published_equinox  # noqa: E402
import published_flax  # noqa: E402

from gradcheck.jax import probe  # noqa: E402

MODELS = {
    f"{framework}-{name}": make
    for framework, models in (("flax", published_flax.HEALTHY), ("equinox", published_equinox.HEALTHY))
    for name, make in models.items()
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_no_published_model_is_accused(name):
    model, batch, loss = MODELS[name]()
    assert probe(model, batch, loss).verdict.status == "healthy"
