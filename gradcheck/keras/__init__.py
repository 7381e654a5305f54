"""Keras 3: ``GradientCallback()`` for ``model.fit``, with PyTorch or JAX below. Needs ``pip install keras``."""

from importlib.util import find_spec

from gradcheck.errors import GradcheckError, MissingExtraError

if find_spec("keras") is None:
    raise MissingExtraError("gradcheck.keras", "Keras 3", "keras")

try:
    import keras
except ModuleNotFoundError as error:  # TensorFlow, which is what Keras looks for unless it is told
    needed = "a backend of Keras: KERAS_BACKEND=torch or jax in the environment, and that package"
    raise MissingExtraError("gradcheck.keras", needed, "torch") from error

if keras.config.backend() not in ("torch", "jax"):
    raise GradcheckError(
        f"gradcheck.keras: Keras computes with {keras.config.backend()!r}; gradients are seen with 'torch' or 'jax': "
        "set the environment variable KERAS_BACKEND to one of them before Keras is imported"
    )

from gradcheck.keras.callback import GradientCallback

__all__ = ["GradientCallback"]
