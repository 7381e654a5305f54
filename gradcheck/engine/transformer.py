"""Transformers: attention and MLP branches beside a residual stream; a flow point after each."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.activations import Activation
from gradcheck.engine.attention import Heads
from gradcheck.engine.layered import Cotangents, Layer, LayerPass, Units
from gradcheck.engine.linear import Linear
from gradcheck.engine.types import Array, Block

#: The flow points of a block, in the order of the forward pass.
POINTS = ("attention", "mlp", "residual")

#: (input X, ∂𝓛/∂(X W)) of each linear map.
Products = tuple[tuple[Array, Array], ...]


class BranchPass(NamedTuple):
    """One batch's pass through a branch, forward and back."""

    output: Array  # (rows, width)
    pullback: Callable[[Array], tuple[Array, Products]]  # ∂𝓛/∂output ↦ ∂𝓛/∂input, and what makes the weights' gradients
    # the activation's derivative where it was taken, and its largest anywhere
    slopes: tuple[tuple[Array, float], ...] = ()


class AttentionBranch(NamedTuple):
    """Self-attention and the map of what it reads."""

    project: Linear  # to queries, keys and values side by side
    heads: Heads
    write: Linear  # from the heads to the stream

    def __call__(self, x: Array) -> BranchPass:
        """Pass x (sequences·tokens, width) forward."""
        projected, through_project = self.project(x)
        read, through_heads = self.heads(projected)
        output, through_write = self.write(read)

        def pullback(delta: Array) -> tuple[Array, Products]:
            at_projected = through_heads(through_write(delta))
            return through_project(at_projected), ((x, at_projected), (read, delta))

        return BranchPass(output, pullback)

    @property
    def maps(self) -> tuple[Linear, ...]:
        """Its linear maps, first to last."""
        return self.project, self.write


class MlpBranch(NamedTuple):
    """One hidden layer: φ(x W) V, or with a gate (φ(x W) ∘ x U) V (Shazeer 2020)."""

    expand: Linear  # to the hidden units; where they are gated, W and U side by side
    activation: Activation
    gated: bool
    write: Linear  # from the hidden units to the stream

    def __call__(self, x: Array) -> BranchPass:
        """Pass x (rows, width) forward."""
        expanded, through_expand = self.expand(x)
        z, factor = np.split(expanded, 2, axis=1) if self.gated else (expanded, None)
        y, slope = self.activation(z)
        hidden = y if factor is None else y * factor
        output, through_write = self.write(hidden)

        def pullback(delta: Array) -> tuple[Array, Products]:
            at_hidden = through_write(delta)
            if factor is None:
                at_expanded = at_hidden * slope
            else:
                at_expanded = np.concatenate([at_hidden * factor * slope, at_hidden * y], axis=1)
            return through_expand(at_expanded), ((x, at_expanded), (hidden, delta))

        return BranchPass(output, pullback, ((slope, self.activation.steepest),))

    @property
    def maps(self) -> tuple[Linear, ...]:
        """Its linear maps, first to last."""
        return self.expand, self.write


class Sublayer(NamedTuple):
    """outer(stream_scale·x + branch_scale·after(branch(before(x))))."""

    branch: AttentionBranch | MlpBranch
    # before, after, outer: the norms, of which a placement has one or two: pre before, post outer, both before and
    # after the branch
    before: Block
    after: Block
    outer: Block
    branch_scale: float = 1.0
    stream_scale: float = 1.0

    @property
    def maps(self) -> tuple[Linear, ...]:
        """Its linear maps, first to last."""
        return self.branch.maps

    def __call__(self, x: Array) -> LayerPass:
        """Pass x (rows, width) forward; the flow point is what the branch adds to the stream."""
        normalised, through_before = self.before(x)
        branch_pass = self.branch(normalised)
        y, through_after = self.after(branch_pass.output)
        added = _times(self.branch_scale, y)
        output, through_outer = self.outer(_times(self.stream_scale, x) + added)
        through_branch = branch_pass.pullback

        def pullback(delta: Array) -> Cotangents[Array]:
            at_added = through_outer(delta)
            at_normalised, products = through_branch(through_after(_times(self.branch_scale, at_added)))
            return Cotangents(at_added, _times(self.stream_scale, at_added) + through_before(at_normalised), products)

        return LayerPass(added, output, added, pullback, self.maps, branch_pass.slopes)


def _times(scale: float, x: Array) -> Array:
    """Return scale·x; at scale 1 x itself."""
    return x if scale == 1 else scale * x


def residual_point(x: Array) -> LayerPass:
    """Return the flow point of the residual stream after a block: it passes as it is."""
    return LayerPass(x, x, x, lambda delta: Cotangents(delta, delta, ()))


class Ending(NamedTuple):
    """The residual stream after the last block, and the part of it that the read-out is given."""

    norm: Block
    # one row of so many is read out, the first: 1 for all tokens, a sequence's length for its class token
    every: int = 1

    def __call__(self, x: Array) -> LayerPass:
        """Pass x (rows, width) on; the flow point is x itself."""
        read, through_norm = self.norm(x[:: self.every])

        def pullback(delta: Array) -> Cotangents[Array]:
            at_x = np.zeros_like(x)
            at_x[:: self.every] = through_norm(delta)
            return Cotangents(at_x, at_x, ())

        return LayerPass(x, read, x, pullback)


class Stack(NamedTuple):
    """A transformer for one batch: its blocks laid out as layers, three flow points each."""

    blocks: int
    width: int
    # 1 … 2·blocks ↦ attention and MLP sublayers in turn, made anew each time, the same each time
    sublayer: Callable[[int], Sublayer]
    ending: Ending
    readout: Linear  # from the last point to the logits
    numbers: Callable[[int], tuple[int, int]]  # rows ↦ how many numbers an attention and an MLP sublayer hold
    weightless: bool = False  # the linear maps hold no matrix

    @property
    def units(self) -> Units:
        """What its layers are."""
        return Units("block", POINTS)

    @property
    def depth(self) -> int:
        """Number of flow points."""
        return len(POINTS) * self.blocks

    @property
    def fans(self) -> list[tuple[int, int]]:
        """Numbers of a token that go in and come out at each flow point."""
        return [(self.width, self.width)] * self.depth

    def kept(self, rows: int) -> list[int]:
        """How many numbers each layer holds."""
        return [*self.numbers(rows), rows * self.width] * self.blocks

    def hidden(self, layer: int) -> Layer:
        """Return what leads to flow point 1 … depth."""
        block, point = divmod(layer - 1, len(POINTS))
        if point < 2:
            return self.sublayer(2 * block + point + 1)
        return residual_point if layer < self.depth else self.ending
