"""The recurrent cells: one table of what a time step makes of its pre-activations and of the state before it.

The state of all sequences is one array, hidden state first, (batch, states·width); pre-activations are stacked
gate by gate, (batch, gates·width), in PyTorch's order.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS, Activation, sigmoid
from gradcheck.engine.types import Array


class CellStep(NamedTuple):
    """One batch's pass through a time step of a cell, forward and back."""

    state: Array  # the state after the step, (batch, states·width)
    preactivation: Array  # z, (batch, gates·width)
    slopes: tuple[Array, ...]  # each gate's derivative where it was taken, (batch, width)
    # ∂𝓛/∂state after ↦ (∂𝓛/∂z, ∂𝓛/∂state before, as far as it doesn't pass through z, None for nothing; ∂𝓛/∂(h W_h +
    # b_h))
    pullback: Callable[[Array], tuple[Array, Array | None, Array]]


class Cell(NamedTuple):
    """A recurrent cell and what has to be known about it."""

    # (x W_x + b, h W_h + b_h, state before, activation) ↦ the step
    step: Callable[[Array, Array, Array, Activation], CellStep]
    gates: tuple[str, ...]  # what each block of pre-activations is for
    steepest: tuple[float, ...] | None  # each gate's largest derivative; None for that of the activation
    states: int  # arrays of (batch, width) that go from step to step
    keeper: int | None  # the gate that keeps the memory where it is near 1
    source: str  # where it comes from


def vanilla(from_input: Array, from_state: Array, state: Array, activation: Activation) -> CellStep:
    """Return h' = φ(x W_x + h W_h + b)."""
    z = from_input + from_state
    hidden, slope = activation.evaluate(z)

    def pullback(delta: Array) -> tuple[Array, None, Array]:
        at_z = delta * slope
        return at_z, None, at_z

    return CellStep(hidden, z, (slope,), pullback)


def lstm(from_input: Array, from_state: Array, state: Array, activation: Activation) -> CellStep:
    """Return c' = f c + i g and h' = o φ(c'), with gates i, f, o = σ(z) and g = φ(z)."""
    z = from_input + from_state
    width = z.shape[1] // 4
    first, second, third, fourth = (slice(at * width, (at + 1) * width) for at in range(4))
    cell = state[:, width:]
    gates, gate_slopes = sigmoid(z[:, : 2 * width])  # i and f, in one go
    i, f, i_slope, f_slope = gates[:, first], gates[:, second], gate_slopes[:, first], gate_slopes[:, second]
    g, g_slope = activation.evaluate(z[:, third])
    o, o_slope = sigmoid(z[:, fourth])
    after = np.empty_like(state)
    memory = f * cell
    memory += i * g
    shown, shown_slope = activation.evaluate(memory)
    np.multiply(o, shown, out=after[:, :width])
    after[:, width:] = memory

    def pullback(delta: Array) -> tuple[Array, Array, Array]:
        at_hidden, at_cell = delta[:, :width], delta[:, width:]
        at_memory = at_hidden * o
        at_memory *= shown_slope
        at_memory += at_cell
        at_z, at_state = np.empty_like(z), np.zeros(state.shape, state.dtype)
        for gate, factor in ((first, g), (second, cell), (third, i)):
            np.multiply(at_memory, factor, out=at_z[:, gate])
        np.multiply(at_hidden, shown, out=at_z[:, fourth])
        at_z[:, : 2 * width] *= gate_slopes
        at_z[:, third] *= g_slope
        at_z[:, fourth] *= o_slope
        np.multiply(at_memory, f, out=at_state[:, width:])
        return at_z, at_state, at_z

    return CellStep(after, z, (i_slope, f_slope, g_slope, o_slope), pullback)


def gru(from_input: Array, from_state: Array, state: Array, activation: Activation) -> CellStep:
    """Return h' = u h + (1 − u) φ(x W_n + r (h W_hn)), with gates r, u = σ(z): the reset comes after the product."""
    width = state.shape[1]
    first, second, third = (slice(at * width, (at + 1) * width) for at in range(3))
    z = from_input + from_state
    gates, gate_slopes = sigmoid(z[:, : 2 * width])  # r and u, in one go
    r, u, r_slope, u_slope = gates[:, first], gates[:, second], gate_slopes[:, first], gate_slopes[:, second]
    product = from_state[:, third]
    np.multiply(r, product, out=z[:, third])
    z[:, third] += from_input[:, third]
    n, n_slope = activation.evaluate(z[:, third])
    rest = 1 - u
    after = u * state
    after += rest * n

    def pullback(delta: Array) -> tuple[Array, Array, Array]:
        at_z = np.empty_like(z)
        at_candidate = delta * rest
        at_candidate *= n_slope
        at_z[:, third] = at_candidate
        np.multiply(at_candidate, product, out=at_z[:, first])
        np.multiply(delta, state - n, out=at_z[:, second])
        at_z[:, : 2 * width] *= gate_slopes
        at_product = at_z.copy()
        at_product[:, third] *= r
        return at_z, delta * u, at_product

    return CellStep(after, z, (r_slope, u_slope, n_slope), pullback)


#: The steepest slopes of a gate and of a candidate.
GATE, CANDIDATE = ACTIVATIONS["sigmoid"].steepest, ACTIVATIONS["tanh"].steepest

CELLS: dict[str, Cell] = {
    "rnn": Cell(vanilla, ("hidden",), None, 1, None, "Elman 1990"),
    "lstm": Cell(
        lstm, ("input", "forget", "candidate", "output"), (GATE, GATE, CANDIDATE, GATE), 2, 1,
        "Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000",
    ),
    "gru": Cell(
        gru, ("reset", "update", "candidate"), (GATE, GATE, CANDIDATE), 1, 1,
        "Cho et al. 2014; reset after the product, as in PyTorch and cuDNN",
    ),
}  # fmt: skip
