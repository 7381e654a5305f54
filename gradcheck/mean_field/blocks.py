"""A given transformer, infinitely wide: covariances of its tokens and of their gradients, from branch to branch."""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.engine.normalization import EPSILON
from gradcheck.engine.types import Array
from gradcheck.mean_field.attention import AttentionFocus, AttentionLaw, SampledHeads
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.mean_field.token_kernels import Pairs

#: Matrices of a branch, one behind the other, whose randomness adds up.
MATRICES = 2

#: Numbers of a sublayer's attention, heads · rows · rows, that are held from the way forward to the way back.
KEPT = 1 << 17


class Tokens(NamedTuple):
    """The residual stream, or the gradient there."""

    kernel: Array  # covariances over the width of every two rows, (rows, rows)
    mean: Array  # means over the width, (rows,): of sinusoidal positions, which a layer norm takes away


class Alignment(NamedTuple):
    """How a gradient at the stream lies along the tokens, where a branch's output is part of the stream to its end."""

    along: Array  # −Σ along_ij·x_j of the stream's rows is part of its row i, (rows, rows)
    # mean product over the width of the rest of row i and the stream's row j, whichever block's, (rows, rows)
    products: Array

    def over(self, square: float) -> "Alignment":
        """Return that of a gradient whose covariances are divided by `square`."""
        size = math.sqrt(square)
        return Alignment(self.along / size, self.products / size)


def no_alignment(rows: int) -> Alignment:
    """Return that of a gradient that has nothing to do with the tokens."""
    return Alignment(np.zeros((rows, rows)), np.zeros((rows, rows)))


class MlpLaw(NamedTuple):
    """How an MLP is drawn."""

    expand: LayerLaw
    write: LayerLaw
    activation: str  # φ of the hidden units
    gated: bool  # φ(x W) is multiplied by x U, of the same law

    def forward(self, kernel: Array) -> Array:
        """Return the covariances of the output."""
        hidden = self.expand.forward(kernel)
        product = Pairs(self.activation, hidden).product
        return self.write.forward(product * hidden if self.gated else product)

    def backward(self, kernel: Array, gradient: Array) -> Array:
        """Return the covariances of the gradient at the input, given those at the output."""
        hidden, at_hidden = self.expand.forward(kernel), self.write.backward(gradient)
        pairs = Pairs(self.activation, hidden)
        factor = pairs.slopes * hidden + pairs.product if self.gated else pairs.slopes
        return self.expand.backward(at_hidden * factor)

    def backward_along(self, kernel: Array, along: Array) -> Array:
        """Return what is added at the input where the gradient at the output has −along_i·output_i of the output.

        Wᵀ takes that back to the hidden units h: as fan_out·Var W·h beside what is random.
        """
        hidden, at_hidden = self.expand.forward(kernel), self.write.fan_out * self.write.weight * along
        pairs = Pairs(self.activation, hidden)
        if self.gated:  # h = φ(z)·u: ∂/∂z and ∂/∂u of h²/2
            squares = np.outer(hidden.diagonal(), hidden.diagonal()) + 2 * hidden**2
            return self.expand.backward(np.outer(at_hidden, at_hidden) * (pairs.both * squares + pairs.fourth * hidden))
        return self.expand.backward(np.outer(at_hidden, at_hidden) * pairs.both)


class SublayerLaw(NamedTuple):
    """outer(stream_scale·x + branch_scale·after(branch(before(x))))."""

    branch: AttentionLaw | MlpLaw
    # before, after, outer: which of the norms are there
    before: bool
    after: bool
    outer: bool
    centred: bool  # they take the mean away
    branch_scale: float
    stream_scale: float

    @property
    def carries(self) -> bool:
        """Whether what the branch writes is part of the stream to the end, but for a scale."""
        return not (self.after or self.outer)

    def forward(self, number: int, x: Tokens) -> "SublayerPass":
        """Pass tokens through the sublayer of a number; branch and stream are uncorrelated: its matrices are random."""
        normalised, before = normalise(x, self.before, self.centred)
        focus = heads = None
        if isinstance(self.branch, MlpLaw):
            written = self.branch.forward(normalised.kernel)
        else:
            heads = self.branch.sample(normalised.kernel, number)
            written = self.branch.forward(normalised.kernel, heads)
            focus = self.branch.describe(normalised.kernel, heads)
        normal, after = normalise(Tokens(written, np.zeros(len(written))), self.after, self.centred)
        added = self.branch_scale**2 * normal.kernel
        stream = Tokens(self.stream_scale**2 * x.kernel + added, self.stream_scale * x.mean)
        output, outer = normalise(stream, self.outer, self.centred)
        kept = heads if heads is not None and heads.weights.size <= KEPT else None
        return SublayerPass(self, number, normalised.kernel, added, output, before, after, outer, focus, kept)


class SublayerPass(NamedTuple):
    """What a sublayer makes of tokens."""

    law: SublayerLaw
    number: int  # which of the network's sublayers it is
    # normalised, added: covariances of what the branch reads, and of what it adds
    normalised: Array
    added: Array
    output: Tokens  # the stream after it
    # before, after, outer: by what its norms multiply each row, (rows,)
    before: Array
    after: Array
    outer: Array
    focus: AttentionFocus | None
    heads: SampledHeads | None  # those of attention, where they are few enough to be held; else they are drawn again

    def backward(self, gradient: Array, alignment: Alignment, width: int) -> "SublayerBack":
        """Return what comes back, given the gradient at the output; `width` is that of the stream."""
        law, branch, aligned = self.law, self.law.branch, alignment.along.any() and self.law.carries
        at_added = scaled(gradient, self.outer)
        at_written = law.branch_scale**2 * scaled(at_added, self.after)
        beside, along = law.stream_scale**2 * at_added, law.branch_scale**2 * alignment.along
        if isinstance(branch, MlpLaw):
            back, spread = branch.backward(self.normalised, at_written), 0.0
            if aligned:
                back += branch.backward_along(self.normalised, along.diagonal())
        else:
            heads = self.heads or branch.sample(self.normalised, self.number)
            by_heads = branch.backward(self.normalised, heads, at_written)
            factor, spread = _typical(by_heads, self.before, branch.heads, float(beside.trace()))
            back = factor * by_heads.mean(axis=0)
            if aligned:
                mixing, added = branch.backward_along(self.normalised, heads, along)
                back += added
        through = scaled(back + back.T, self.before) / 2  # rounding that isn't symmetric would grow
        at_input = beside + through
        if aligned and not isinstance(branch, MlpLaw):
            mixing = mixing - np.diag((mixing @ self.normalised).diagonal())  # the norm before takes a row's own away
            beside_along = alignment.products * self.before - (alignment.along / self.before) @ self.normalised
            cross = -(beside_along @ mixing.T) * self.before
            at_input += cross + cross.T
            alignment = alignment._replace(along=alignment.along + scaled(mixing, self.before))
        return SublayerBack(at_added, at_input, spread + _variance(beside, through, width), alignment)


class SublayerBack(NamedTuple):
    """What comes back to a sublayer."""

    # at_added, at_input: covariances of the gradient where the branch adds to the stream, and before the sublayer
    at_added: Array
    at_input: Array
    variance: float  # variance among networks of this width of the logarithm of the squared gradient's factor
    alignment: Alignment  # how the gradient before the sublayer lies along the tokens


def _typical(by_heads: Array, before: Array, heads: int, beside: float) -> tuple[float, float]:
    """Return by what the typical network's few heads multiply the mean of many, and their logarithm's variance.

    Where the softmax is saturated the mean is that of rare heads. A network's own add to the stream beside them: the
    factor makes of the mean of log(beside + heads), over as many heads at a time as the network has, its logarithm.
    """
    sizes = by_heads.diagonal(axis1=1, axis2=2) @ np.square(before)
    groups = sizes[: len(sizes) // heads * heads].reshape(-1, heads).mean(axis=1)
    if len(groups) < 2 or not sizes.mean() > 0:
        return 1.0, 0.0
    logarithms = np.log(beside + groups)
    typical = math.exp(float(logarithms.mean())) - beside
    return max(0.0, typical) / float(groups.mean()), float(logarithms.var())


def _variance(beside: Array, through: Array, width: int) -> float:
    """Return the variance that matrices of finite width add to the logarithm of the squared gradient.

    2/n for the length that each of the branch's matrices keeps, 4/n for its product with the stream beside it (as in
    ``layers.log_variances``), summed over all pairs of rows, which share the matrices.
    """
    total = float(beside.trace() + through.trace())
    pairs = 2 * MATRICES * np.square(through).sum() + 4 * (beside * through).sum()
    return float(pairs) / (width * total**2)


def normalise(x: Tokens, here: bool, centred: bool) -> tuple[Tokens, Array]:
    """Return tokens after a layer or RMS norm, and by what it multiplies each row; without one as they are."""
    if not here:
        return x, np.ones(len(x.mean))
    kernel = x.kernel - np.outer(x.mean, x.mean) if centred else x.kernel
    scales = 1 / np.sqrt(kernel.diagonal() + EPSILON)
    return Tokens(scaled(kernel, scales), np.zeros(len(scales)) if centred else scales * x.mean), scales


def scaled(kernel: Array, scales: Array) -> Array:
    """Return the covariances of rows that are multiplied by `scales`."""
    return kernel * np.outer(scales, scales)
