"""Attention in an infinitely wide transformer: covariances of what tokens read and of the gradient that comes back.

All kernels are matrices of covariances between rows, the tokens of all sequences, (rows, rows).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradcheck.engine.attention import ROTARY_BASE
from gradcheck.engine.types import Array
from gradcheck.mean_field.layers import LayerLaw

#: Added to the covariances of queries and keys, relative to their mean, so that they have a root.
JITTER = 1e-9


class SampledHeads(NamedTuple):
    """Heads that queries and keys make by chance.

    Attributes
    ----------
    weights : Array
        softmax(q kᵀ/√width), (heads, rows, rows).
    queries, keys : Array
        Covariances of the heads' own queries and keys, (heads, rows, rows).
    """

    weights: Array
    queries: Array
    keys: Array


#: Differences below this part of what they are taken of are rounding.
ROUNDING = 1e-12


class AttentionFocus(NamedTuple):
    """How evenly attention is spread.

    Attributes
    ----------
    score_std : float
        Standard deviation of a token's scores among the tokens that it sees: near 0 the softmax is uniform.
    attended : float
        Tokens among which a head shares its weight: 1/Σ a², of the mean over tokens and heads.
    """

    score_std: float
    attended: float


class AttentionLaw(NamedTuple):
    """How attention is drawn.

    Attributes
    ----------
    query, key, value, write : LayerLaw
    heads, group, width : int
        Heads of queries, how many of them share a key and a value, and the numbers of a query.
    seen : Array
        Whether a row sees another, (rows, rows).
    places : Array or None
        Each row's position, (rows,), where queries and keys are turned by it.
    sampled : int
        Heads over which means over the softmax are taken, which have no closed form. Half of them are the others with
        the signs of their scores turned.
    """

    query: LayerLaw
    key: LayerLaw
    value: LayerLaw
    write: LayerLaw
    heads: int
    group: int
    width: int
    seen: Array
    places: Array | None
    sampled: int

    def sample(self, kernel: Array, number: int) -> SampledHeads:
        """Return heads for inputs of these covariances; the same for a `number`."""
        heads = -(-self.sampled // 2)
        generator = np.random.default_rng(number)
        root = covariance_root(kernel)
        q, k = (self._projected(law, root, heads, generator) for law in (self.query, self.key))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(self.width)
        weights = _softmax(np.concatenate([scores, -scores]), self.seen)
        own = [np.tile(one @ one.swapaxes(1, 2) / self.width, (2, 1, 1)) for one in (q, k)]
        return SampledHeads(weights, *own)

    def _projected(self, law: LayerLaw, root: Array, heads: int, generator: np.random.Generator) -> Array:
        """Return queries or keys, (heads, rows, width)."""
        normal = generator.standard_normal((heads, len(root), self.width))
        projected = math.sqrt(law.fan_in * law.weight) * (root @ normal)
        projected += math.sqrt(law.bias) * generator.standard_normal((heads, 1, self.width))
        return projected if self.places is None else turned(projected, self.places)

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

    def mixing_along(self, heads: SampledHeads, along: Array) -> Array:
        """Return by what rows of the input are mixed, (rows, rows), where the gradient has −Σ along_ij·output_j.

        Wᵀ takes an output back to what was read, r, as fan_out·Var W·r beside what is random, and the values take that
        to all that was read from: the gradient's row j has −Σ mixing_jl x_l of the input.
        """
        gain = self.group * self.value.fan_out * self.value.weight
        mixing: Array = gain * self._mixing_by_heads(heads, along).mean(axis=0)
        return mixing

    def _mixing_by_heads(self, heads: SampledHeads, along: Array) -> Array:
        weights = heads.weights
        mixing: Array = weights.swapaxes(1, 2) @ (self.write.fan_out * self.write.weight * along) @ weights
        return mixing

    def backward_along(self, kernel: Array, heads: SampledHeads, along: Array) -> Array:
        """Return what that adds to the covariances of the gradient at the input.

        What lies along a row's own token the norm before the branch takes away.
        """
        by_heads, mixing = self._mixing_by_heads(heads, along), self.mixing_along(heads, along)
        at_values = (by_heads @ self.value.forward(kernel) @ by_heads.swapaxes(1, 2)).mean(axis=0)
        products = mixing @ kernel  # of what comes back and each row
        own = products.diagonal()
        tangent = products @ mixing.T + np.outer(own, own) * kernel - own * products - (own * products).T
        back: Array = self.group * self.value.backward(at_values) + tangent
        return back

    def describe(self, kernel: Array, heads: SampledHeads) -> AttentionFocus:
        """Return how evenly the heads attend, for inputs of these covariances."""
        q, k = self.query.forward(kernel), self.key.forward(kernel)
        seen = self.seen / self.seen.sum(1, keepdims=True)
        spread = seen @ k.diagonal() - np.einsum("ij,jl,il->i", seen, k, seen)
        squares = float(np.square(heads.weights).sum(-1).mean())
        return AttentionFocus(math.sqrt(max(0.0, float((q.diagonal() * spread).mean()))), 1 / squares)


def covariance_root(kernel: Array) -> Array:
    """Return L with L Lᵀ = `kernel`, next to it where that has no inverse."""
    root: Array = np.linalg.cholesky(kernel + JITTER * kernel.trace() / len(kernel) * np.eye(len(kernel)))
    return root


def _softmax(scores: Array, seen: Array) -> Array:
    """Return the softmax over what each row sees, (heads, rows, rows)."""
    scores = np.where(seen, scores, -np.inf)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    weights: Array = powers / powers.sum(-1, keepdims=True)
    return weights


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


def turned(projected: Array, places: Array) -> Array:
    """Turn queries or keys (…, rows, width) by the angle of their position (Su et al. 2021)."""
    half = projected.shape[-1] // 2
    angles = np.outer(places, ROTARY_BASE ** (-np.arange(half) / half))
    one, other = projected[..., :half], projected[..., half:]
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.concatenate([one * cosine - other * sine, one * sine + other * cosine], axis=-1)
