"""The updates of optimizers at rate 1, Δ in θ ← θ + rate·Δ: PyTorch's laws, and its defaults.

Of all four, Δ doesn't depend on the rate: a rate can be searched along it.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from gradcheck.engine.types import Array

#: (gradients, parameters) ↦ Δ of each parameter; the moments move on at each call.
Update = Callable[[Sequence[Array], Sequence[Array]], list[Array]]

#: The share of the last step that momentum keeps.
MOMENTUM = 0.9

#: Of Adam: how much of the moments is kept, and what keeps its quotient finite (Kingma & Ba 2015).
BETAS, EPS = (0.9, 0.999), 1e-8


def sgd(weight_decay: float, momentum: float = 0.0) -> Update:
    """Return SGD: v ← momentum·v + g + weight_decay·θ, Δ = −v."""
    velocities: list[Array] = []

    def update(gradients: Sequence[Array], parameters: Sequence[Array]) -> list[Array]:
        decayed = [g + weight_decay * p for g, p in zip(gradients, parameters, strict=True)]
        velocities[:] = [momentum * v + g for v, g in zip(velocities, decayed, strict=True)] if velocities else decayed
        return [-v for v in velocities]

    return update


def adam(weight_decay: float, *, decoupled: bool = False) -> Update:
    """Return Adam: Δ = −m̂/(√v̂ + ε); its weight decay is part of the gradient, or `decoupled`, of Δ itself.

    Kingma & Ba 2015; Loshchilov & Hutter 2019 (AdamW).
    """
    moments: list[tuple[Array, Array]] = []
    (beta1, beta2), steps = BETAS, 0

    def update(gradients: Sequence[Array], parameters: Sequence[Array]) -> list[Array]:
        nonlocal steps
        steps += 1
        within, beside = (0.0, weight_decay) if decoupled else (weight_decay, 0.0)
        moments[:] = moments or [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
        changes = []
        for at, (gradient, parameter) in enumerate(zip(gradients, parameters, strict=True)):
            g, (first, second) = gradient + within * parameter, moments[at]
            first, second = moments[at] = beta1 * first + (1 - beta1) * g, beta2 * second + (1 - beta2) * g * g
            root = np.sqrt(second) / math.sqrt(1 - beta2**steps) + EPS
            changes.append(-(first / (1 - beta1**steps) / root + beside * parameter))
        return changes

    return update


#: Name ↦ its update, made from the weight decay.
OPTIMIZERS: dict[str, Callable[[float], Update]] = {
    "sgd": sgd,
    "momentum": lambda weight_decay: sgd(weight_decay, MOMENTUM),
    "adam": adam,
    "adamw": lambda weight_decay: adam(weight_decay, decoupled=True),
}
