"""What scikit-learn draws."""

from __future__ import annotations

import warnings
from itertools import count

import numpy as np
from sklearn.neural_network import MLPRegressor

from frameworks import Array, Draw, Framework


def draws() -> Framework:
    """Return what is drawn."""
    seeds, rng = count(), np.random.default_rng(0)

    def dense(activation: str) -> Draw:
        def draw(inputs: int, outputs: int) -> tuple[Array, ...]:
            still = {"solver": "sgd", "learning_rate_init": 1e-300, "max_iter": 1, "random_state": next(seeds)}
            model = MLPRegressor(hidden_layer_sizes=(outputs,), activation=activation, **still)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(rng.standard_normal((2, inputs)), rng.standard_normal(2))
            return model.coefs_[0], model.intercepts_[0][None]

        return draw

    return Framework(dense("relu"), logistic=dense("logistic"))
