"""Attention in an infinitely wide transformer: covariances of what tokens read and of the gradient that comes back.

All kernels are matrices of covariances between rows, the tokens of all sequences, (rows, rows).
"""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.engine.attention import softmax, turned
from gradcheck.engine.types import Array
from gradcheck.mean_field.layers import LayerLaw

#: Added to the covariances of queries and keys, relative to their mean, so that they have a root.
JITTER = 1e-9


class SampledHeads(NamedTuple):
    """Heads that queries and keys make by chance."""

    weights: Array  # softmax(q kᵀ/√width), (heads, rows, rows)
    # queries, keys: covariances of the heads' own queries and keys, (heads, rows, rows)
    queries: Array
    keys: Array


#: Differences below this part of what they are taken of are rounding.
ROUNDING = 1e-12


class AttentionFocus(NamedTuple):
    """How evenly attention is spread."""

    # standard deviation of a token's scores among the tokens that it sees: near 0 the softmax is uniform
    score_std: float
    attended: float  # tokens among which a head shares its weight: 1/Σ a², of the mean over tokens and heads


class AttentionLaw(NamedTuple):
    """How attention is drawn."""

    query: LayerLaw
    key: LayerLaw
    value: LayerLaw
    write: LayerLaw
    # heads, group, width: heads of queries, how many of them share a key and a value, and the numbers of a query
    heads: int
    group: int
    width: int
    seen: Array  # whether a row sees another, (rows, rows)
    places: Array | None  # each row's position, (rows,), where queries and keys are turned by it
    # Heads over which means over the softmax are taken, which have no closed form. Half of them are the others with the
    # signs of their scores turned.
    sampled: int

    def sample(self, kernel: Array, number: int) -> SampledHeads:
        """Return heads for inputs of these covariances; the same for a `number`."""
        q, k = self._turned_heads(kernel, number) if self.places is not None else self._heads(kernel, number)
        scores = q @ k[..., : q.shape[-1]].swapaxes(1, 2) / math.sqrt(self.width)
        weights = softmax(np.where(self.seen, np.concatenate([scores, -scores]), -np.inf))
        own = [np.tile(one @ one.swapaxes(1, 2) / self.width, (2, 1, 1)) for one in (q, k)]
        return SampledHeads(weights, *own)

    def _turned_heads(self, kernel: Array, number: int) -> tuple[Array, Array]:
        """Return queries and keys that are turned by their places, (heads, rows, width) each."""
        generator = np.random.default_rng(number)
        shape = -(-self.sampled // 2), len(kernel), self.width
        roots = (covariance_root(law.forward(kernel)) for law in (self.query, self.key))
        assert self.places is not None
        q, k = (turned(root @ generator.standard_normal(shape), self.places) for root in roots)
        return q, k

    def _heads(self, kernel: Array, number: int) -> tuple[Array, Array]:
        """Return queries, (heads, rows, ≤ rows), and keys, (heads, rows, ≤ 2·rows), in coordinates of their span.

        Only their products count, which no rotation of a head changes: one that takes the queries to the first
        coordinates, and what the keys have beside them to the next, leaves few numbers to draw.
        """
        generator = np.random.default_rng(number)
        heads, rows = -(-self.sampled // 2), len(kernel)
        of_queries, of_keys = (covariance_root(law.forward(kernel)) for law in (self.query, self.key))
        q = of_queries @ triangular_normals(generator, heads, rows, self.width)
        along = generator.standard_normal((heads, rows, q.shape[-1]))
        beside = triangular_normals(generator, heads, rows, self.width - q.shape[-1])
        return q, of_keys @ np.concatenate([along, beside], axis=-1)

    def forward(self, kernel: Array, heads: SampledHeads) -> Array:
        """Return the covariances of the output: those of the values, averaged as the heads' weights do."""
        weights = heads.weights
        read = (weights @ self.value.forward(kernel) @ weights.swapaxes(1, 2)).mean(axis=0)
        return self.write.forward(read)

    def backward(self, kernel: Array, heads: SampledHeads, gradient: Array) -> Array:
        """Return the covariances of the gradient at the input by each head, (heads, rows, rows), given the output's.

        It comes back by the values, and by the scores to queries and keys; the three are uncorrelated, as their
        matrices are independent. The network's own heads, few or many, have the mean of these.
        """
        at_read, values = self.write.backward(gradient), self.value.forward(kernel)
        weights, flipped = heads.weights, heads.weights.swapaxes(1, 2)
        at_values, at_keys = flipped @ at_read @ weights, _to_keys(weights, values, at_read * heads.queries)
        back = self.query.backward(at_read * _through_scores(weights, values, heads.keys))
        back += self.group * (self.key.backward(at_keys) + self.value.backward(at_values))
        return back

    def backward_along(self, kernel: Array, heads: SampledHeads, along: Array) -> tuple[Array, Array]:
        """Return what comes back where the gradient has −Σ along_ij·output_j, (rows, rows) both.

        Wᵀ takes an output back to what was read, r, as fan_out·Var W·r beside what is random, and the values take that
        to all that was read from: the gradient's row j has −Σ mixing_jl x_l of the input. The mixing is returned, and
        what it adds to the covariances of the gradient at the input, but for what lies along a row's own token: the
        norm before the branch takes that away.
        """
        weights = heads.weights
        by_heads = weights.swapaxes(1, 2) @ (self.write.fan_out * self.write.weight * along) @ weights
        at_values = (by_heads @ self.value.forward(kernel) @ by_heads.swapaxes(1, 2)).mean(axis=0)
        mixing: Array = self.group * self.value.backward(by_heads.mean(axis=0))
        products = mixing @ kernel  # of what comes back and each row
        own = products.diagonal()
        tangent = products @ mixing.T + np.outer(own, own) * kernel - own * products - (own * products).T
        return mixing, self.group * self.value.backward(at_values) + tangent

    def describe(self, kernel: Array, heads: SampledHeads) -> AttentionFocus:
        """Return how evenly the heads attend, for inputs of these covariances."""
        q, k = self.query.forward(kernel), self.key.forward(kernel)
        seen = self.seen / self.seen.sum(1, keepdims=True)
        spread = seen @ k.diagonal() - np.einsum("ij,jl,il->i", seen, k, seen)
        squares = float(np.square(heads.weights).sum(-1).mean())
        return AttentionFocus(math.sqrt(max(0.0, float((q.diagonal() * spread).mean()))), 1 / squares)


def covariance_root(kernel: Array) -> Array:
    """Return L with L Lᵀ = `kernel`, next to it where that has no inverse."""
    if not kernel.any():  # maps that start at 0
        return kernel
    root: Array = np.linalg.cholesky(kernel + JITTER * kernel.trace() / len(kernel) * np.eye(len(kernel)))
    return root


def triangular_normals(generator: np.random.Generator, count: int, rows: int, width: int) -> Array:
    """Return `count` triangular T, (count, rows, min(rows, width)), for each of which T Tᵀ has the law of N Nᵀ.

    N is (rows, width), of independent N(0, 1) entries: so is T below the diagonal, on it the lengths of what is left
    of a row, and 0 above (Bartlett 1933).
    """
    size = min(rows, width)
    triangular: Array = np.tril(generator.standard_normal((count, rows, size)), -1)
    diagonal = np.arange(size)
    triangular[:, diagonal, diagonal] = np.sqrt(generator.chisquare(width - diagonal, (count, size)))
    return triangular


def _through_scores(weights: Array, values: Array, keys: Array) -> Array:
    """Return Σ_jl (J_i V J_k)_jl K_jl of rows i and k, J = diag(a) − a aᵀ softmax's derivative at weights a."""
    flipped = weights.swapaxes(1, 2)
    mean_values, mean_keys = values @ flipped, keys @ flipped  # (V a_k)_j, (K a_k)_j
    mixed = weights @ (mean_values * mean_keys)
    whole = weights @ (keys * values) @ flipped + (weights @ mean_values) * (weights @ mean_keys)
    return _difference(whole, mixed)


def _to_keys(weights: Array, values: Array, pairs: Array) -> Array:
    """Return Σ_ik P_ik (J_i V J_k)_jl of columns j and l, for P of pairs of rows."""
    flipped = weights.swapaxes(1, 2)
    mean_values, from_rows = values @ flipped, flipped @ pairs
    mixed = (from_rows * mean_values) @ weights
    whole = values * (from_rows @ weights) + flipped @ (pairs * (weights @ mean_values)) @ weights
    return _difference(whole, mixed)


def _difference(whole: Array, mixed: Array) -> Array:
    """Return whole − mixed − mixedᵀ; rows of which rounding alone is left are 0, as where the softmax is saturated.

    Whole rows and columns, so that covariances stay covariances: entries alone would leave negative variances.
    """
    difference = whole - mixed - mixed.swapaxes(1, 2)
    left, terms, twice = (one.diagonal(axis1=1, axis2=2) for one in (difference, whole, mixed))
    kept = left > ROUNDING * (np.abs(terms) + 2 * np.abs(twice))
    covariances: Array = difference * (kept[:, :, None] & kept[:, None, :])
    return covariances
