"""What a transformer's first block is given, and what the loss sends back to its last one: covariances of rows."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.attention import sinusoids
from gradcheck.engine.initializers import Law
from gradcheck.engine.types import Array
from gradcheck.mean_field.attention import covariance_root
from gradcheck.mean_field.blocks import Alignment, Tokens, no_alignment, scaled
from gradcheck.mean_field.laws import embedding_law
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.spec import TransformerSpec

#: Kinds of tokens that a softmax is taken over: of more, each has next to nothing.
MOST_KINDS = 4096


class TokenBatch(NamedTuple):
    """Sequences, and what each row is asked for."""

    inputs: npt.NDArray[Any]  # token ids (sequences, tokens), or patches (sequences, (tokens − 1)·patch)
    labels: npt.NDArray[Any] | None  # ids or classes of the rows that are read out; None where the targets are zero


def unlike_tokens(spec: TransformerSpec) -> TokenBatch:
    """Return one sequence whose tokens are all different, or patches that have nothing in common."""
    if spec.patch is None:
        ids = np.arange(spec.tokens + 1) % spec.vocabulary
        return TokenBatch(ids[None, :-1], ids[1:] if spec.causal else ids[:-1])
    shape = (spec.tokens - 1, spec.patch)
    patches = np.random.default_rng(0).standard_normal(shape)  # nearly unlike: of patch numbers no more can be
    return TokenBatch(patches.reshape(1, -1), np.zeros(1, int))


def first_tokens(spec: TransformerSpec, embed: LayerLaw | None, batch: TokenBatch) -> Tokens:
    """Return the stream before the first block; `embed` is the map of patches."""
    sequences, tokens = len(batch.inputs), spec.tokens
    of_tokens, of_positions = (
        (spec.embedding_scale * embedding_law(spec, known).std(known, spec.model_width)) ** 2
        for known in (known_tokens(spec), spec.context or spec.tokens)
    )
    if embed is None:
        ids = batch.inputs.reshape(-1)
        kernel = of_tokens * (ids[:, None] == ids).astype(float)
    else:
        kernel = _patches(batch.inputs.reshape(sequences, tokens - 1, -1).astype(float), embed, of_tokens)
    mean = np.zeros(sequences * tokens)
    if spec.positions == "learned":
        kernel = kernel + of_positions * np.tile(np.eye(tokens), (sequences, sequences))
    if spec.positions == "sinusoidal":
        waves = sinusoids(tokens, spec.model_width)
        kernel = kernel + np.tile(waves @ waves.T / spec.model_width, (sequences, sequences))
        mean = np.tile(waves.mean(axis=1), sequences)
    return Tokens(kernel, mean)


def known_tokens(spec: TransformerSpec) -> int:
    """Return how many tokens the embedding knows; of patches the class token alone."""
    return spec.vocabulary if spec.patch is None else 1


def _patches(patches: Array, embed: LayerLaw, square: float) -> Array:
    """Return the covariances of a class token and embedded patches (sequences, tokens − 1, patch)."""
    sequences, count, size = patches.shape
    flat = patches.reshape(-1, size)
    kernel = np.full((sequences, count + 1, sequences, count + 1), 0.0)
    kernel[:, 0, :, 0] = square  # all sequences begin with the same one
    kernel[:, 1:, :, 1:] = embed.forward(flat @ flat.T / size).reshape(sequences, count, sequences, count)
    return kernel.reshape(sequences * (count + 1), -1)


class Ending(NamedTuple):
    """The stream as the read-out is given it."""

    kernel: Array  # covariances, (rows, rows)
    scales: Array  # by what the last norm multiplied each row, (rows,); 1 without one
    normed: bool  # there is one
    embedded: Array  # by what all norms and scales multiplied the embedding on its way along the stream, (rows,)


class LastGradient(NamedTuple):
    """The gradient at the stream after the last block, up to a factor."""

    kernel: Array  # covariances, (rows, rows)
    alignment: Alignment  # how it lies along the tokens


def last_gradient(spec: TransformerSpec, law: Law, ending: Ending, batch: TokenBatch) -> LastGradient:
    """Return ∂𝓛/∂x after the last block: softmax minus target, times the read-out's columns.

    A tied read-out knows its own token in the stream: its logit is large, and what of the gradient lies along x the
    last norm takes away, so that some of x is in what remains.
    """
    read = np.arange(len(ending.kernel))[:: 1 if spec.patch is None else spec.tokens]
    of_read = ending._replace(
        kernel=ending.kernel[np.ix_(read, read)], scales=ending.scales[read], embedded=ending.embedded[read]
    )
    gradient, products = _at_readout(spec, law, of_read, batch)
    whole = np.zeros_like(ending.kernel)
    whole[np.ix_(read, read)] = gradient
    if products is None:
        return LastGradient(scaled(whole, ending.scales), no_alignment(len(whole)))
    alignment = Alignment(
        np.diag(ending.scales**2 * products.diagonal()), np.outer(ending.scales, 1 / ending.scales) * products
    )
    return LastGradient(scaled(whole, ending.scales), alignment)


def _at_readout(spec: TransformerSpec, law: Law, ending: Ending, batch: TokenBatch) -> tuple[Array, Array | None]:
    """Return the covariances of the gradient after the last norm's pullback, but for its scale.

    Beside them of a tied read-out the products of the gradient before it, and of what it is given, of every two rows.
    """
    kernel = ending.kernel
    if batch.labels is None:
        return kernel, None  # the outputs themselves come back, by random columns
    labels, width, vocabulary = batch.labels.reshape(-1), spec.model_width, min(spec.vocabulary, MOST_KINDS)
    embedding_std = embedding_law(spec, known_tokens(spec)).std(known_tokens(spec), width)
    column = width * (embedding_std if spec.tied else law.std(width, spec.vocabulary)) ** 2
    ids = batch.inputs.reshape(-1) if spec.tied else np.full(len(labels), -1)
    embedded = ending.embedded * spec.embedding_scale * embedding_std * spec.tied  # share of x that is its token
    noise = column * (kernel - np.outer(embedded, embedded) * (ids[:, None] == ids))
    mean = math.sqrt(width * column) * embedded if spec.tied else np.full(len(labels), -np.inf)
    own, overlap = _softmax_of_random(noise, mean, vocabulary)
    kinds, place = np.unique(np.concatenate([ids, labels]), return_inverse=True)
    errors, rows = np.zeros((len(labels), len(kinds))), np.arange(len(labels))
    errors[rows, place[: len(labels)]] += own
    errors[rows, place[len(labels) :]] -= 1
    of_others = errors.sum(1, keepdims=True) - errors[:, place[: len(labels)]]  # a row's own is in no share of others
    crossed = of_others * (1 - own) / vocabulary
    gradient = errors @ errors.T + overlap + crossed + crossed.T
    if not (spec.tied and ending.normed):
        return gradient, None
    products = errors[:, place[: len(labels)]] * embedded  # ⟨δ_i, x_j⟩
    radial = products.diagonal()
    return gradient + np.outer(radial, radial) * kernel - radial * products - (radial * products).T, products


def _softmax_of_random(noise: Array, mean: Array, vocabulary: int) -> tuple[Array, Array]:
    """Return the softmax of a row's own logit, of this mean, and Σ p_i p_j of all others, of covariances `noise`."""
    rows, draws = len(noise), max(1, MOST_KINDS // vocabulary)
    root = covariance_root(noise)
    logits = root @ np.random.default_rng(0).standard_normal((draws, rows, vocabulary))
    largest = np.maximum(logits.max(-1), mean)
    powers, of_own = np.exp(logits - largest[..., None]), np.exp(mean - largest)
    total = powers.sum(-1) + of_own
    shares = powers / total[..., None]
    return (of_own / total).mean(axis=0), (shares @ shares.swapaxes(1, 2)).mean(axis=0)
