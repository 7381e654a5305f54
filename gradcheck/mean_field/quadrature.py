"""Means over one and two standard normals, by Gauss–Legendre pieces between the points where a function turns.

Gauss–Hermite alone is not enough: at a large variance an activation turns within a small part of the normal's width,
and at a kink the third digit is wrong.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gradcheck.engine.types import Array

#: Beyond so many standard deviations a normal has 1e-18 of its mass.
REACH = 8.8

#: Nodes of a piece: on pieces as short as these the error is below 1e-13 (tests/mean_field/test_quadrature.py).
NODES = 16

#: Pieces of a normal, in standard deviations.
OF_NORMAL = np.array([-8.8, -6.4, -4.0, -2.0, 0.0, 2.0, 4.0, 6.4, 8.8])

#: Where activations turn: their poles lie at distances of π/2 or more from the real axis, their kinks at −1, 0 and 1;
#: beyond 64 all are straight.
OF_ACTIVATION = np.array([-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64.0])

#: Where a jump smoothed by a normal turns, in standard deviations.
OF_SMOOTHED_KINK = np.array([-8.8, -5.0, -2.5, 0.0, 2.5, 5.0, 8.8])

#: Terms of the series in powers of a correlation, and the pieces of the normal for its polynomials.
SERIES = 128
OF_SERIES = np.arange(-12.0, 12.1, 1.5)


class Rule(NamedTuple):
    """Nodes and weights: E[f(z)] ≈ Σ weight · f(node), each of shape (…, nodes)."""

    nodes: Array
    weights: Array


@lru_cache(maxsize=1)
def legendre() -> Rule:
    """Return the Gauss–Legendre rule of [0, 1]: eigenvalues of the Jacobi matrix (Golub & Welsch 1969)."""
    k = np.arange(1, NODES)
    beside = k / np.sqrt(4.0 * k * k - 1)
    values, vectors = np.linalg.eigh(np.diag(beside, 1) + np.diag(beside, -1))
    return Rule((1 + values) / 2, vectors[0] ** 2)


def normal_rule(edges: Array, reach: float = REACH) -> Rule:
    """Return the rule of E[f(z)], z standard normal, on the pieces between edges (…, pieces + 1) in any order."""
    edges = np.sort(np.clip(edges, -reach, reach), axis=-1)
    unit, lengths = legendre(), np.diff(edges)[..., None]
    nodes = edges[..., :-1, None] + lengths * unit.nodes
    density = np.exp(-0.5 * nodes * nodes) / math.sqrt(2 * math.pi)
    shape = (*edges.shape[:-1], -1)
    return Rule(nodes.reshape(shape), (lengths * density * unit.weights).reshape(shape))


@lru_cache(maxsize=512)
def scaled_rule(scale: float) -> Rule:
    """Return the rule of E[f(s·z)] for an activation f and s at `scale`; its nodes are z."""
    rule = normal_rule(np.concatenate([OF_NORMAL, OF_ACTIVATION / scale]))
    kept = rule.weights > 0
    return Rule(rule.nodes[kept], rule.weights[kept])


@lru_cache(maxsize=64)
def hermite_rule(scale: float) -> tuple[Rule, Array]:
    """Return a rule of an activation at `scale`, and h_n times its weights, n < SERIES: (n, nodes).

    h_n are the Hermite polynomials that are orthonormal under the normal law: h_n = (z h_{n−1} − √(n−1) h_{n−2})/√n.
    They grow as e^{z²/4}: the rule reaches further than others, in pieces short enough for h_n's waves.
    """
    rule = normal_rule(np.concatenate([OF_SERIES, OF_ACTIVATION / scale]), reach=OF_SERIES[-1])
    kept = rule.weights > 0
    z, weights = rule.nodes[kept], rule.weights[kept]
    polynomials = np.empty((SERIES, len(z)))
    polynomials[0], polynomials[1] = weights, z * weights
    for n in range(2, SERIES):
        polynomials[n] = (z * polynomials[n - 1] - math.sqrt(n - 1) * polynomials[n - 2]) / math.sqrt(n)
    return Rule(z, weights), polynomials


class PairRule(NamedTuple):
    """Nodes and weights: E[f(u, v)] ≈ Σ weight · f(u, v), each of shape (nodes,)."""

    u: Array
    v: Array
    weights: Array


def pair_rule(scale: float, correlation: float, kinks: tuple[float, ...]) -> PairRule:
    """Return the rule of E[f(s·u)·g(s·v)] for activations f, g and standard normals u, v of 0 < correlation c < 1.

    v = c·u + √(1 − c²)·w with an independent normal w: given u, the pieces of w end where s·v passes a turning point,
    that is where f or g has a kink. The remaining function of u turns as f does, and near the kinks over the width of
    w.
    """
    width = math.sqrt((1 - correlation) * (1 + correlation))
    smoothed = [kink / scale + width * OF_SMOOTHED_KINK for kink in kinks]
    edges = np.concatenate([OF_NORMAL, OF_ACTIVATION / scale, *(one / correlation for one in smoothed)])
    outer = normal_rule(edges)
    kept = outer.weights > 0
    u = outer.nodes[kept][:, None]  # (outer, 1)
    turns = (OF_ACTIVATION / scale - correlation * u) / width  # (outer, turns)
    inner = normal_rule(np.concatenate([np.broadcast_to(OF_NORMAL, (len(u), len(OF_NORMAL))), turns], axis=1))
    weights = outer.weights[kept][:, None] * inner.weights
    heavy = weights > 1e-22
    return PairRule(
        np.broadcast_to(u, weights.shape)[heavy], (correlation * u + width * inner.nodes)[heavy], weights[heavy]
    )
