"""Faults between a model's output and optax' losses, or a loss of one's own."""

import numpy as np
import pytest

pytest.importorskip("flax")
pytest.importorskip("optax")

import jax
import optax
from flax import nnx
from jax import numpy as jnp

from gradcheck.diagnosis.remarks import ASKED_FOR
from gradcheck.jax import probe

RANDOM = np.random.default_rng(0)
INPUTS, LABELS = RANDOM.standard_normal((32, 6)).astype(np.float32), RANDOM.integers(3, size=32)
HOT, YES = np.eye(3, dtype=np.float32)[LABELS], RANDOM.integers(2, size=(32, 1)).astype(np.float32)


class Net(nnx.Module):
    def __init__(self, units, end):
        self.first, self.last = nnx.Linear(6, 16, rngs=nnx.Rngs(0)), nnx.Linear(16, units, rngs=nnx.Rngs(1))
        self.end = end

    def __call__(self, x):
        return self.end(self.last(nnx.relu(self.first(x))))


def as_it_is(output):
    return output


def logarithm(output, targets):
    return -jnp.mean(jnp.sum(targets * jnp.log(output + 1e-8), -1))


def codes(units, end, targets, loss):
    report = probe(Net(units, end), (INPUTS, targets), loss)
    return report.verdict.status, [one.code for one in report.verdict.causes if one.code in ASKED_FOR]


@pytest.mark.parametrize(
    ("units", "end", "targets", "loss", "status", "found"),
    [
        (3, jax.nn.softmax, LABELS, optax.softmax_cross_entropy_with_integer_labels, "healthy", ["softmax-twice"]),
        (1, jax.nn.sigmoid, YES, optax.sigmoid_binary_cross_entropy, "not-learning", ["sigmoid-twice"]),
        (1, as_it_is, YES[:, 0], optax.sigmoid_binary_cross_entropy, "not-learning", ["broadcast"]),
        (3, jax.nn.softmax, HOT, logarithm, "healthy", []),
        (3, jax.nn.log_softmax, LABELS, optax.softmax_cross_entropy_with_integer_labels, "healthy", []),
    ],
)
def test_what_is_wrong_between_output_and_loss_is_named_and_nothing_else(units, end, targets, loss, status, found):
    assert codes(units, end, targets, loss) == (status, found)


def test_of_several_outputs_the_one_that_does_not_fit_is_named():
    class Two(Net):
        def __call__(self, x):
            hidden = nnx.relu(self.first(x))
            return {"kind": self.end(self.last(hidden)), "size": hidden[:, :1]}

    def loss(output, targets):
        of_kind = optax.softmax_cross_entropy_with_integer_labels(output["kind"], targets["kind"])
        return jnp.mean(of_kind) + jnp.mean((output["size"] - targets["size"]) ** 2)

    for end, found in ((jax.nn.softmax, ["softmax-twice"]), (as_it_is, [])):
        report = probe(Two(3, end), (INPUTS, {"kind": LABELS, "size": YES}), loss)
        causes = [one for one in report.verdict.causes if one.code in ASKED_FOR]
        assert [one.code for one in causes] == found
        assert all(one.text.startswith("of the output kind: ") for one in causes)


def test_logits_of_which_a_logarithm_makes_nan_are_named():
    assert codes(3, as_it_is, HOT, logarithm) == ("nonfinite", ["not-probabilities"])


def test_labels_from_1_of_which_optax_makes_nan_are_named():
    found = codes(3, as_it_is, LABELS + 1, optax.softmax_cross_entropy_with_integer_labels)
    assert found == ("nonfinite", ["labels-outside"])
