"""Multi-head self-attention: from queries, keys and values to what each token reads (Vaswani et al. 2017, eq. 1)."""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.engine.types import Array, Pullback

#: Wavelengths of the rotary embedding run from 2π to 2π times this: Su et al. 2021, section 3.2.2.
ROTARY_BASE = 10_000.0


class Heads(NamedTuple):
    """How rows of queries, keys and values are laid out in heads, and what a token may look at."""

    tokens: int  # of each sequence
    # queries, keys: heads of queries, and of keys and values: a group of queries shares one (Ainslie et al. 2023)
    queries: int
    keys: int
    width: int  # numbers of one query
    causal: bool = True  # a token sees itself and those before it
    rotary: bool = False  # queries and keys are turned by their position
    scale: float | None = None  # what multiplies the scores; None for 1/√width

    def __call__(self, rows: Array) -> tuple[Array, Pullback]:
        """Return softmax(scale·q kᵀ) v of every head.

        Parameters
        ----------
        rows : Array
            Queries, keys and values side by side, (sequences·tokens, (queries + 2·keys)·width).

        Returns
        -------
        Array, Pullback
            (sequences·tokens, queries·width), and ∂𝓛/∂output ↦ ∂𝓛/∂rows.
        """
        q, k, v = self._parted(rows)
        weights, divisor = self._weights(self._scores(q, k)), self._divisor
        output = np.empty((len(rows), self.queries * self.width), rows.dtype)
        np.matmul(weights, v, out=self._groups(self._split(output)))

        def pullback(delta: Array) -> Array:
            at_output = self._groups(self._split(delta))
            at_weights = at_output @ v.swapaxes(-1, -2)
            at_scores = weights * (at_weights - (weights * at_weights).sum(-1, keepdims=True)) / divisor
            at_rows = np.empty_like(rows)  # filled head by head
            heads = self._split(at_rows)
            at_q, (at_k, at_v) = self._groups(heads[:, : self.queries]), np.split(heads[:, self.queries :], 2, axis=1)
            np.matmul(at_scores, k, out=at_q)
            np.sum(at_scores.swapaxes(-1, -2) @ q, axis=2, out=at_k)
            np.sum(weights.swapaxes(-1, -2) @ at_output, axis=2, out=at_v)
            if self.rotary:
                heads[:] = self._turned(heads, -1.0)
            return at_rows

        return output, pullback

    def scores(self, rows: Array) -> Array:
        """Return scale·q kᵀ of every head before the mask, (sequences, keys, queries/keys, tokens, tokens)."""
        q, k, _ = self._parted(rows)
        return self._scores(q, k)

    @property
    def _divisor(self) -> float:
        return math.sqrt(self.width) if self.scale is None else 1 / self.scale

    def _scores(self, q: Array, k: Array) -> Array:
        scores: Array = q @ k.swapaxes(-1, -2)
        scores /= self._divisor
        return scores

    def _parted(self, rows: Array) -> tuple[Array, Array, Array]:
        """Return queries, keys and values, (sequences, keys, queries/keys or 1, tokens, width)."""
        turned = self._turned(self._split(rows), 1.0)
        q = self._groups(turned[:, : self.queries])
        k, v = (heads[:, :, None] for heads in np.split(turned[:, self.queries :], 2, axis=1))  # shared by each group
        return q, k, v

    def _split(self, rows: Array) -> Array:
        """Return rows (sequences·tokens, heads·width) seen as (sequences, heads, tokens, width)."""
        return rows.reshape(-1, self.tokens, rows.shape[1] // self.width, self.width).swapaxes(1, 2)

    def _groups(self, heads: Array) -> Array:
        """Return the queries' heads seen in groups that share a key, (sequences, keys, queries/keys, tokens, width)."""
        return heads.reshape(len(heads), self.keys, -1, self.tokens, self.width)

    def _weights(self, scores: Array) -> Array:
        """Return the softmax of scores (…, tokens, tokens) along the last axis, over what a token may see."""
        return softmax(np.where(np.tri(self.tokens, dtype=bool), scores, -np.inf) if self.causal else scores)

    def _turned(self, heads: Array, sign: float) -> Array:
        """Turn queries and keys by the angle of their position, or back; values stay."""
        if not self.rotary:
            return heads
        turning = self.queries + self.keys
        return np.concatenate(
            [turned(heads[:, :turning], np.arange(float(self.tokens)), sign), heads[:, turning:]], axis=1
        )


def softmax(scores: Array) -> Array:
    """Return the softmax along the last axis; what is −inf has no share."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    weights: Array = powers / powers.sum(-1, keepdims=True)
    return weights


def turned(rows: Array, places: Array, sign: float = 1.0) -> Array:
    """Turn queries or keys, (…, rows, width), by the angle of their places, or back (Su et al. 2021, eq. 34)."""
    half = rows.shape[-1] // 2
    angles = np.outer(places, ROTARY_BASE ** (-np.arange(half) / half))
    cosine, sine = np.cos(angles).astype(rows.dtype), sign * np.sin(angles).astype(rows.dtype)
    one, other = rows[..., :half], rows[..., half:]
    return np.concatenate([one * cosine - other * sine, one * sine + other * cosine], axis=-1)


def sinusoids(tokens: int, width: int) -> Array:
    """Return the positions' fixed embedding, (tokens, width): Vaswani et al. 2017, section 3.5."""
    angles = np.outer(np.arange(tokens), ROTARY_BASE ** (-2 * (np.arange(width) // 2) / width))
    table: Array = np.where(np.arange(width) % 2, np.cos(angles), np.sin(angles))
    return table
