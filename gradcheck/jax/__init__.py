"""Flax and Equinox: ``probe(model, batch, loss)``. Needs ``pip install flax`` or ``pip install equinox``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("jax") is None:
    raise MissingExtraError("gradcheck.jax", "JAX", "flax")

from gradcheck.jax.probe import probe

__all__ = ["probe"]
