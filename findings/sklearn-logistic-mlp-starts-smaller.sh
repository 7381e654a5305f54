#!/usr/bin/env bash
# scikit-learn's perceptrons draw smaller weights for the logistic function, where its source advises larger ones.
#
# scikit-learn 1.9.1: MLPClassifier and MLPRegressor say that they follow Glorot & Bengio. Weights are U(-b, b) with b
# = sqrt(6/(inputs + outputs)); for activation="logistic" the 6 is a 2, in every layer (that paper's own advice for
# the logistic function, as its authors' tutorial gives it, is four times the other bound). The logistic function's
# slope is at most 1/4, so a logistic network of 10 layers of 100 units shrinks the gradient by 3e7 from its last
# hidden layer to its first. And biases aren't zero: they come from the same interval as the weights.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from sklearn.neural_network import MLPRegressor

INPUTS, WIDTH, DEPTH = 100, 100, 10
rng = np.random.default_rng(0)
x, y = rng.standard_normal((64, INPUTS)), rng.standard_normal(64)


def drawn(activation):
    """Return a network as it is drawn: one step with a rate that changes no weight."""
    options = {"solver": "sgd", "learning_rate_init": 1e-300, "max_iter": 1, "random_state": 0}
    return MLPRegressor(hidden_layer_sizes=(WIDTH,) * DEPTH, activation=activation, **options).fit(x, y)


def shrinks(network):
    """Return the gradient's norm at the last hidden layer over that at the first."""
    states = [x]
    for weight, bias in zip(network.coefs_[:-1], network.intercepts_[:-1]):
        states.append(1 / (1 + np.exp(-(states[-1] @ weight + bias))))
    gradient, norms = np.ones((len(x), 1)), []
    for weight, state in zip(network.coefs_[:0:-1], states[:0:-1]):
        gradient = gradient @ weight.T * state * (1 - state)
        norms.append(np.linalg.norm(gradient))
    return norms[0] / norms[-1]


for activation, factor in (("relu", 6), ("tanh", 6), ("identity", 6), ("logistic", 2)):
    network = drawn(activation)
    bound = np.sqrt(factor / (INPUTS + WIDTH))
    weight, bias = (max(np.abs(a).max() for a in every[:DEPTH]) for every in (network.coefs_, network.intercepts_))
    print(f"{activation}: largest weight {weight:.4f}, largest bias {bias:.4f}, sqrt({factor}/200) = {bound:.4f}")
    assert 0.999 < weight / bound <= 1 and 0.98 < bias / bound <= 1
ratio = shrinks(drawn("logistic"))
print(f"the gradient shrinks by {ratio:.2g} over {DEPTH - 1} logistic layers")
assert 1e6 < ratio < 1e9
PYTHON
