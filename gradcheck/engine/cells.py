"""The recurrent cells: one table of what a time step makes of its pre-activations and of the state before it.

The state of all sequences is one array, hidden state first, (batch, states·width); pre-activations are stacked
gate by gate, (batch, gates·width), in PyTorch's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS, Activation, sigmoid
from gradcheck.engine.types import Array


class CellStep(NamedTuple):
    """One batch's pass through a time step of a cell, forward and back.

    Attributes
    ----------
    state : Array
        The state after the step, (batch, states·width).
    preactivation : Array
        z, (batch, gates·width).
    slopes : tuple of Array
        Each gate's derivative where it was taken, (batch, width).
    pullback : callable
        ∂𝓛/∂state after ↦ (∂𝓛/∂z, ∂𝓛/∂state before, as far as it doesn't pass through z, None for nothing;
        ∂𝓛/∂(h W_h + b_h)).
    """

    state: Array
    preactivation: Array
    slopes: tuple[Array, ...]
    pullback: Callable[[Array], tuple[Array, Array | None, Array]]


class Cell(NamedTuple):
    """A recurrent cell and what has to be known about it.

    Attributes
    ----------
    step : callable
        (x W_x + b, h W_h + b_h, state before, activation) ↦ the step.
    gates : tuple of str
        What each block of pre-activations is for.
    steepest : tuple of float or None
        Each gate's largest derivative; None for that of the activation.
    states : int
        Arrays of (batch, width) that go from step to step.
    keeper : int or None
        The gate that keeps the memory where it is near 1.
    source : str
        Where it comes from.
    """

    step: Callable[[Array, Array, Array, Activation], CellStep]
    gates: tuple[str, ...]
    steepest: tuple[float, ...] | None
    states: int
    keeper: int | None
    source: str


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
    z_input, z_forget, z_candidate, z_output = np.split(z, 4, axis=1)
    cell = np.split(state, 2, axis=1)[1]
    i, i_slope = sigmoid(z_input)
    f, f_slope = sigmoid(z_forget)
    g, g_slope = activation.evaluate(z_candidate)
    o, o_slope = sigmoid(z_output)
    memory = f * cell + i * g
    shown, shown_slope = activation.evaluate(memory)

    def pullback(delta: Array) -> tuple[Array, Array, Array]:
        at_hidden, at_cell = np.split(delta, 2, axis=1)
        at_memory = at_cell + at_hidden * (o * shown_slope)
        at_gates = (at_memory * g * i_slope, at_memory * cell * f_slope, at_memory * i * g_slope)
        at_z = np.concatenate([*at_gates, at_hidden * shown * o_slope], axis=1)
        return at_z, np.concatenate([np.zeros_like(at_hidden), at_memory * f], axis=1), at_z

    after = np.concatenate([o * shown, memory], axis=1)
    return CellStep(after, z, (i_slope, f_slope, g_slope, o_slope), pullback)


def gru(from_input: Array, from_state: Array, state: Array, activation: Activation) -> CellStep:
    """Return h' = u h + (1 − u) φ(x W_n + r (h W_hn)), with gates r, u = σ(z): the reset comes after the product."""
    x_reset, x_update, x_candidate = np.split(from_input, 3, axis=1)
    h_reset, h_update, h_candidate = np.split(from_state, 3, axis=1)
    r, r_slope = sigmoid(x_reset + h_reset)
    u, u_slope = sigmoid(x_update + h_update)
    n, n_slope = activation.evaluate(x_candidate + r * h_candidate)

    def pullback(delta: Array) -> tuple[Array, Array, Array]:
        at_candidate = delta * (1 - u) * n_slope
        at_gates = (at_candidate * h_candidate * r_slope, delta * (state - n) * u_slope)
        at_z, at_product = (np.concatenate([*at_gates, last], axis=1) for last in (at_candidate, at_candidate * r))
        return at_z, delta * u, at_product

    z = np.concatenate([x_reset + h_reset, x_update + h_update, x_candidate + r * h_candidate], axis=1)
    return CellStep(u * state + (1 - u) * n, z, (r_slope, u_slope, n_slope), pullback)


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
