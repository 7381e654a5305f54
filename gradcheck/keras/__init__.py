"""Keras 3: ``probe(model, batch, loss)``, ``GradientCallback()`` for ``model.fit``. Needs ``pip install keras``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("keras") is None:
    raise MissingExtraError("gradcheck.keras", "Keras 3", "keras")

try:
    import keras  # noqa: F401
except ModuleNotFoundError as error:  # TensorFlow, which is what Keras looks for unless it is told
    needed = "a backend of Keras: KERAS_BACKEND=torch or jax in the environment, and that package"
    raise MissingExtraError("gradcheck.keras", needed, "torch") from error

from gradcheck.keras.callback import GradientCallback
from gradcheck.keras.probing.probe import probe

__all__ = ["GradientCallback", "probe"]
