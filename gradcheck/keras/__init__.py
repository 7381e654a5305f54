"""Keras 3: ``probe(model, batch, loss)``, ``GradientCallback()`` for ``model.fit``. Needs ``pip install keras``."""

from importlib.util import find_spec

from gradcheck.errors import GradcheckError, MissingExtraError
from gradcheck.probing.backends import backend_error, installed

if find_spec("keras") is None:
    raise MissingExtraError("gradcheck.keras", "Keras 3", "keras")

try:
    import keras  # noqa: F401
except (ImportError, ValueError) as error:  # TensorFlow is missing, which is what Keras looks for unless it is told
    if not installed():
        any_of = "torch, jax or tensorflow"
        needed = f"{any_of} below Keras, and KERAS_BACKEND to say which"
        raise MissingExtraError("gradcheck.keras", needed, any_of) from error
    if not (problem := backend_error(error)):
        raise
    raise GradcheckError(f"gradcheck.keras: {problem}") from error

from gradcheck.keras.callback import GradientCallback
from gradcheck.keras.probing.probe import probe

__all__ = ["GradientCallback", "probe"]
