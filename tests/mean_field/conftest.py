"""Means over normals by SciPy's adaptive quadrature: a second route that shares no node with the first."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate

from gradcheck.engine.activations import ACTIVATIONS

REACH = 9.5


def density(z):
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def between(f, points, relative):
    """The integral of f over the normal's width, in pieces that end at the points."""
    edges = sorted({max(-REACH, min(REACH, point)) for point in (-REACH, 0, REACH, *points)})
    pieces = [(a, b) for a, b in pairwise(edges) if b - a > 1e-13]
    return sum(integrate.quad(f, a, b, epsabs=1e-17, epsrel=relative, limit=300)[0] for a, b in pieces)


@pytest.fixture(scope="session")
def scalar():
    """An activation's name ↦ φ and φ' of a number."""

    def functions(name):
        evaluate = ACTIVATIONS[name].evaluate
        return (lambda x: float(evaluate(np.array([x]))[0][0]), lambda x: float(evaluate(np.array([x]))[1][0]))

    return functions


@pytest.fixture(scope="session")
def adaptive_mean():
    """E[f(√q z)], f with the kinks of an activation."""

    def mean(f, q, kinks):
        scale = math.sqrt(q)
        points = [point / scale for point in (*kinks, -60, -20, -8, -3, -1, 1, 3, 8, 20, 60)]
        return between(lambda z: f(scale * z) * density(z), points, 1e-13)

    return mean


@pytest.fixture(scope="session")
def adaptive_pair():
    """E[f(√q u) f(√q v)], u and v of correlation c, f with the kinks of an activation."""

    def mean(f, q, c, kinks):
        scale, width = math.sqrt(q), math.sqrt(1 - c * c)

        def inner(u):
            points = [(kink / scale - c * u) / width for kink in kinks]
            return between(lambda w: f(scale * (c * u + width * w)) * density(w), points, 1e-11)

        smoothed = [(kink / scale + side * width) / c for kink in kinks for side in (-4, 0, 4)]
        points = [*(kink / scale for kink in kinks), *smoothed]
        return between(lambda u: f(scale * u) * inner(u) * density(u), points, 1e-10)

    return mean
