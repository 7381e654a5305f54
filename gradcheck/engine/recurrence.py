"""Recurrence: one layer, its weights shared over the time steps; a step is to time what a layer is to depth."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradcheck.engine.activations import Activation
from gradcheck.engine.cells import Cell
from gradcheck.engine.layered import Cotangents, Layer, LayerPass, Units
from gradcheck.engine.linear import Dense, Gradient, Names
from gradcheck.engine.loss import Loss
from gradcheck.engine.types import Array


class Recurrence(NamedTuple):
    """The layer that is applied at each time step."""

    cell: Cell
    input: Dense  # x ↦ x W_x + b, (features, gates·width)
    recurrent: Dense  # h ↦ h W_h + b_h, (width, gates·width)
    activation: Activation

    @property
    def width(self) -> int:
        """Units of the hidden state."""
        return int(self.recurrent.weight.shape[0])

    def start(self, sequence: Array) -> Array:
        """Return the state before the first step of (steps, batch, features): zero, (batch, states·width)."""
        return np.zeros((sequence.shape[1], self.cell.states * self.width), sequence.dtype)

    def __call__(self, x: Array, state: Array, projected: Array | None = None) -> LayerPass:
        """Return a step from x_t (batch, features), or x W_x + b if that is known, and h (batch, states·width)."""
        from_input = self.input(x)[0] if projected is None else projected
        from_state, through_recurrent = self.recurrent(state[:, : self.width])
        step = self.cell.step(from_input, from_state, state, self.activation)

        def pullback(delta: Array) -> Cotangents[Array]:
            at_z, at_state, at_product = step.pullback(delta)
            at_hidden = through_recurrent(at_product)
            if at_state is None:
                at_state = at_hidden
            else:
                at_state[:, : self.width] += at_hidden
            return Cotangents(at_z, at_state, ((x, at_z), (state[:, : self.width], at_product)))

        slopes = tuple(zip(step.slopes, self.cell.steepest or (self.activation.steepest,), strict=True))
        hidden, maps = step.state[:, : self.width], (self.input, self.recurrent)
        return LayerPass(step.preactivation, step.state, hidden, pullback, maps, slopes)


class Unrolled(NamedTuple):
    """A recurrence along one batch of sequences, laid out as a network as deep as the sequences are long."""

    recurrence: Recurrence
    sequence: Array  # (steps, batch, features)
    readout: Dense

    @property
    def units(self) -> Units:
        """What its layers are."""
        return Units("step", shared=True)

    @property
    def weightless(self) -> bool:
        """Its matrices are stored."""
        return False

    @property
    def depth(self) -> int:
        """Number of time steps."""
        return len(self.sequence)

    @property
    def fans(self) -> list[tuple[int, int]]:
        """fan_in and fan_out of each step: what it reads (input and hidden state), its pre-activations."""
        features, pre_activations = self.recurrence.input.weight.shape
        return [(features + self.recurrence.width, pre_activations)] * self.depth

    def kept(self, rows: int) -> list[int]:
        """How many numbers each step holds."""
        fan_in, fan_out = self.fans[0]
        return [fan_out * (fan_in + 4 * rows)] * self.depth

    def hidden(self, layer: int) -> Layer:
        """Return step 1 … depth as a function of the state before it; the last gives the hidden state alone."""
        x = self.sequence[layer - 1]
        return (lambda state: self._last(x, state)) if layer == self.depth else lambda state: self.recurrence(x, state)

    def _last(self, x: Array, state: Array) -> LayerPass:
        """Return the last step: what the cell keeps to itself is not read after it."""
        step, width = self.recurrence(x, state), self.recurrence.width
        kept = step.output.shape[1] - width
        if not kept:
            return step
        return step._replace(
            output=step.activity, pullback=lambda delta: step.pullback(np.pad(delta, ((0, 0), (0, kept))))
        )


class RecurrentNetwork(NamedTuple):
    """A recurrence whose last hidden state is read out."""

    recurrence: Recurrence
    readout: Dense
    steps: int  # an example's features are cut into so many equal pieces, in order

    def unrolled(self, inputs: Array) -> tuple[Unrolled, Array]:
        """Return the network laid out in time, and the state before the first step, for inputs (batch, features)."""
        sequence = self.sequence(inputs)
        return Unrolled(self.recurrence, sequence, self.readout), self.recurrence.start(sequence)

    def sequence(self, inputs: Array) -> Array:
        """Cut (batch, features) into (steps, batch, features/steps)."""
        cut = inputs.reshape(len(inputs), self.steps, -1)
        return np.ascontiguousarray(cut.swapaxes(0, 1))

    @property
    def maps(self) -> Iterator[tuple[Names, Dense]]:
        """The linear maps with the names of their weights and biases: W_x, b, W_h, b_h, W_out, b_out."""
        yield ("W_x", "b"), self.recurrence.input
        yield ("W_h", "b_h"), self.recurrence.recurrent
        yield ("W_out", "b_out"), self.readout

    def logits(self, inputs: Array) -> Array:
        """Return the read-out (batch, outputs) of inputs (batch, features)."""
        return self.readout(self._forward(self.sequence(inputs))[-1].activity)[0]

    def _forward(self, sequence: Array) -> list[LayerPass]:
        """Pass (steps, batch, features) through all steps; the inputs are projected in one product."""
        projected = self.recurrence.input(sequence.reshape(-1, sequence.shape[2]))[0]
        projected = projected.reshape(*sequence.shape[:2], -1)  # (steps, batch, gates·width)
        state = self.recurrence.start(sequence)
        steps: list[LayerPass] = []
        for x, from_input in zip(sequence, projected, strict=True):
            steps.append(self.recurrence(x, state, from_input))
            state = steps[-1].output
        return steps

    def gradient(self, inputs: Array, loss: Loss) -> Gradient:
        """Return the loss of one batch (batch, features), and its gradient, backward through time (Werbos 1990)."""
        sequence = self.sequence(inputs)
        steps = self._forward(sequence)
        hidden = steps[-1].activity
        logits, through_readout = self.readout(hidden)
        value, at_logits = loss(logits)
        delta = np.zeros_like(steps[-1].output)
        delta[:, : self.recurrence.width] = through_readout(at_logits)
        cotangents: list[Cotangents[Array]] = []  # last step to first
        for step in reversed(steps):
            cotangents.append(step.pullback(delta))
            delta = cotangents[-1].at_x
        within = self._within(sequence, cotangents[::-1])
        return Gradient(value, logits, [*within, *self.readout.gradient(hidden, at_logits)])

    def _within(self, sequence: Array, cotangents: list[Cotangents[Array]]) -> tuple[Array, ...]:
        """Return the gradients of the shared weights and biases, summed over the steps."""
        at_z = at_product = np.concatenate([step.at_z for step in cotangents])
        before = np.concatenate([hidden for _, (hidden, _) in (step.products for step in cotangents)])
        if cotangents[0].products[1][1] is not cotangents[0].at_z:  # after a reset gate
            at_product = np.concatenate([delta for _, (_, delta) in (step.products for step in cotangents)])
        inputs = sequence.reshape(len(at_z), -1)
        return self.recurrence.input.gradient(inputs, at_z) + self.recurrence.recurrent.gradient(before, at_product)
