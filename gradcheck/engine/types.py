"""The words the engine speaks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

#: An array of one floating type; the engine computes in the type it is given.
Array = npt.NDArray[np.floating[Any]]

#: The vector-Jacobian product: ∂𝓛/∂output → ∂𝓛/∂input.
Pullback = Callable[[Array], Array]

#: A differentiable map: input → (output, pullback).
Block = Callable[[Array], tuple[Array, Pullback]]
