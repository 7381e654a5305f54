"""A run's gradients, and their parameters."""

import numpy as np
import pytest

SHAPES = [(4, 6), (6,), (3, 2, 5, 2), ()]


@pytest.fixture(scope="session")
def shapes():
    """The shapes of a run's gradients."""
    return SHAPES


@pytest.fixture(scope="session")
def run_of():
    """A generator and steps ↦ gradients of a run whose size wanders and now and then leaps; one unit is nearly zero."""

    def run(rng, steps, shapes=SHAPES):
        sizes = np.exp(np.cumsum(rng.normal(0, 0.1, steps)) + rng.choice([0] * 11 + [3], steps))
        for size in sizes:
            gradients = [size * rng.standard_normal(shape) for shape in shapes]
            gradients[0][:, 2] *= 1e-6
            yield gradients

    return run


@pytest.fixture(scope="session")
def parameters_of():
    """A generator ↦ parameters of a run's gradients; the weights of some units are nearly zero."""

    def parameters(rng, shapes=SHAPES):
        made = [rng.standard_normal(shape) for shape in shapes]
        made[0][:, 1:3] *= 1e-5
        return made

    return parameters
