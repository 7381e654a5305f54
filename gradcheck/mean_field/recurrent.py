"""What mean-field theory predicts of a given recurrent network: its states and its gradient, step by step."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS, CellStep
from gradcheck.engine.initializers import Law
from gradcheck.engine.types import Array
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.laws import HUGE, TINY, counted_fans, law_of, layer_law, weight_law
from gradcheck.mean_field.layers import LARGEST
from gradcheck.mean_field.predicted import HALF_DECADES, LayerPrediction, Prediction
from gradcheck.mean_field.unknown import Unknown
from gradcheck.spec import RecurrentSpec
from gradcheck.spec.frameworks import Drawn, cell_of

#: Units of an infinitely wide layer that are looked at, and examples that are followed.
UNITS, EXAMPLES = 512, 8

#: Steps each two of which are followed.
MOST_STEPS = 512

#: Share of a state below which what no earlier one has is rounding, and above which one round takes out the others.
ROUNDING, ENOUGH = 1e-12, 0.1

#: Drawn products, the latest ones, to which a new one is orthogonal.
APART = 32


class CellLaw(NamedTuple):
    """How one of the two matrices of a recurrent layer is drawn."""

    weight: float  # variance of a weight
    biases: Array  # standard deviation of each gate's biases, (gates,)


def predict_recurrence(spec: RecurrentSpec, inputs: Array | None = None) -> Prediction | Unknown:
    """Predict the gradient at each step of a recurrent network.

    The products of hidden state and recurrent weights are normal, with the covariances that states of different steps
    have over infinitely many units (Yang 2019; Chen, Pennington & Schoenholz 2018 and Gilboa et al. 2019 take steps for
    independent). A plain recurrence needs their variances alone, which follow from each other; of gated cells units
    are drawn with these covariances, no matrix. The gradient counts as independent of them.

    Parameters
    ----------
    spec : RecurrentSpec
    inputs : Array, optional
        The batch, (examples, features); without it standard normal numbers, one a step.

    Returns
    -------
    Prediction or Unknown
        A layer a step.
    """
    unknown = why_recurrence_is_unknown(spec)
    if unknown or spec.init is None:
        return unknown or Unknown("given_weights")
    generator = np.random.default_rng(0)
    given = generator.standard_normal((EXAMPLES, spec.steps)) if inputs is None else np.asarray(inputs, float)
    sequence = given[:EXAMPLES].reshape(min(len(given), EXAMPLES), spec.steps, -1).swapaxes(0, 1)
    of_input, of_state, _ = cell_of(spec.init, spec.arch)
    features = sequence.shape[2]
    laws = _law(spec, of_input, features, features), _law(spec, of_state, spec.width, features, spec.recurrent_gain)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for below
        levels, stds = _plain(spec, *laws, sequence) if spec.arch == "rnn" else _gated(spec, *laws, sequence, generator)
    if not np.isfinite([*levels, *stds]).all():
        return Unknown("float_range")
    gains = [here - after for here, after in pairwise(levels)]
    rows = zip(stds, [*gains, None], levels, strict=True)
    return Prediction(tuple(LayerPrediction(*row, None, None) for row in rows))


def why_recurrence_is_unknown(spec: RecurrentSpec) -> Unknown | None:
    """Return why theory has no answer for a recurrence; None if it has one."""
    if spec.init is None:
        return Unknown("given_weights")
    if spec.activation == "step":
        return Unknown("flat")
    known = TINY < weight_law(spec).std(1, 1) * spec.recurrent_gain < HUGE
    if not known:
        return Unknown("float_range")
    return Unknown("many_steps", spec.steps) if spec.steps > MOST_STEPS else None


def _law(spec: RecurrentSpec, drawn: Drawn, fan_in: int, features: int, gain: float = 1.0) -> CellLaw:
    """Return how a matrix is drawn for each gate, and its biases."""
    gates = CELLS[spec.arch].gates
    law: Law = law_of(spec, drawn, counted_fans(drawn, fan_in, len(gates), spec.width, features))
    law = law._replace(scale=gain * law.scale)
    biased = (law if drawn.biases in ("all", gate) else law._replace(biases=0.0) for gate in gates)
    biases = np.array([one.bias_deviation(spec.width, spec.width) for one in biased])
    return CellLaw(layer_law(law, fan_in, spec.width).weight, biases)


def _plain(
    spec: RecurrentSpec, of_input: CellLaw, of_state: CellLaw, sequence: Array
) -> tuple[list[float], list[float]]:
    """Return log10 of each step's gradient over the last one's, and the deviation of its pre-activations, of an rnn.

    q_t = Var W_x |x_t|² + σ_b² + σ_w² E[φ(z)²], z ~ N(0, q_{t−1}), and back the squared gradient of an example grows
    by σ_w² E[φ'(z)²], z ~ N(0, q_t), a step, whichever law the matrix has: in a wide layer the states and gradients of
    other steps, which the same matrix passes on, change neither variance. For a linear network each factor is σ_w²,
    and for orthogonal weights at any width.
    """
    kernel, gain = kernel_of(spec.activation), spec.width * of_state.weight
    fixed = float(np.square(of_input.biases).sum() + np.square(of_state.biases).sum())
    from_input = of_input.weight * np.square(sequence).sum(axis=2) + fixed  # (steps, examples)
    variances, slopes = np.zeros_like(from_input), np.zeros_like(from_input)
    squares: Array = np.zeros(from_input.shape[1])
    for time, arriving in enumerate(from_input):
        variances[time] = arriving + (gain * squares if time else 0.0)
        if not (variances[time] < LARGEST).all():
            return [math.inf], [math.inf]
        moments = [kernel.moments(float(q)) for q in variances[time]]
        squares = np.array([one.square for one in moments])
        slopes[time] = [one.slope_square for one in moments]
    factors = np.log(slopes)
    factors[:-1] += math.log(gain)
    of_examples = np.cumsum(factors[::-1], axis=0)[::-1]
    levels = HALF_DECADES * np.logaddexp.reduce(of_examples, axis=1)
    return (levels - levels[-1]).tolist(), np.sqrt(variances.mean(axis=1)).tolist()


def _gated(
    spec: RecurrentSpec, of_input: CellLaw, of_state: CellLaw, sequence: Array, generator: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Return the same of a cell with gates, whose states are not normal: from drawn units."""
    steps = _forward(spec, of_input, of_state, sequence, generator)
    stds = [float(step.preactivation.std()) for step in steps]
    return _backward(spec, of_state, steps, generator), stds


def _forward(
    spec: RecurrentSpec, of_input: CellLaw, of_state: CellLaw, sequence: Array, generator: np.random.Generator
) -> list[CellStep]:
    """Return what the steps make of units whose products are drawn, for a sequence (steps, examples, features)."""
    cell, activation, (count, examples, features) = CELLS[spec.arch], ACTIVATIONS[spec.activation], sequence.shape
    gates = len(cell.gates)
    weights = math.sqrt(of_input.weight) * generator.standard_normal((features, gates * UNITS))
    biases = [np.repeat(law.biases, UNITS) * generator.standard_normal(gates * UNITS) for law in (of_input, of_state)]
    if cell.keeper is not None:
        biases[0][cell.keeper * UNITS : (cell.keeper + 1) * UNITS] += spec.forget_bias or 0.0
    state: Array = np.zeros((examples, cell.states * UNITS))
    product = DrawnProduct((examples, count, UNITS), gates, spec.width * of_state.weight, generator)
    steps: list[CellStep] = []
    for time in range(count):
        from_state = biases[1] + (product(state[:, :UNITS]) if time else 0.0)  # the state before the first step is zero
        from_state = np.broadcast_to(from_state, (examples, gates * UNITS))
        steps.append(cell.step(sequence[time] @ weights + biases[0], from_state, state, activation))
        state = steps[-1].state
    return steps


class DrawnProduct:
    """The products of many states and one random matrix, which is never drawn: each given those before it.

    A state is a sum of orthonormal directions, of which it adds at most one to those before it; the product of a
    direction is a normal vector, drawn when the direction is new. Over infinitely many units such vectors are
    orthogonal and of one length, and they are made so: the chance overlaps of few units would add up from step to
    step, as they do in a narrow network, to an error that grows with steps²/units.

    Parameters
    ----------
    shape : tuple of int
        Examples, the most states that will come, and their units.
    gates : int
        A product has UNITS for each.
    gain : float
        fan_in · Var W.
    generator : numpy.random.Generator
    """

    def __init__(self, shape: tuple[int, int, int], gates: int, gain: float, generator: np.random.Generator) -> None:
        self._directions, self._images = np.zeros(shape), np.zeros((*shape[:2], gates * UNITS))
        self._deviation, self._generator, self._count = math.sqrt(gain / UNITS), generator, 0

    def __call__(self, state: Array) -> Array:
        """Return the product of the next state, (examples, units), drawn."""
        directions, images = self._directions[:, : self._count], self._images[:, : self._count]
        shares, left = np.zeros((len(state), self._count, 1)), state
        whole = np.linalg.norm(state, axis=1, keepdims=True)
        for _ in range(2):  # where little is left, it is mostly rounding errors, which a second round takes out
            share = directions @ left[:, :, None]
            shares, left = shares + share, left - (directions.swapaxes(1, 2) @ share)[:, :, 0]
            length = np.linalg.norm(left, axis=1, keepdims=True)
            if (length > ENOUGH * whole).all():
                break
        new, image = length > ROUNDING * whole, self._image(images[:, -APART:])
        self._directions[:, self._count] = np.where(new, left / np.where(new, length, 1.0), 0.0)
        self._images[:, self._count] = image
        self._count += 1
        product: Array = self._deviation * ((shares.swapaxes(1, 2) @ images)[:, 0] + length * image)
        return product

    def _image(self, others: Array) -> Array:
        """Return the product of a new direction, (examples, outputs): of each gate orthogonal to that of the others."""
        examples, count, outputs = others.shape
        shape = examples, outputs // UNITS, UNITS
        drawn = self._generator.standard_normal(shape)[..., None]
        gates = others.reshape(examples, count, *shape[1:]).swapaxes(1, 2)  # (examples, gates, others, units)
        drawn = (drawn - gates.swapaxes(2, 3) @ (gates @ drawn / UNITS))[..., 0]
        image: Array = drawn / np.sqrt(np.square(drawn).mean(axis=2, keepdims=True))
        return image.reshape(examples, outputs)


def _backward(
    spec: RecurrentSpec, of_state: CellLaw, steps: list[CellStep], generator: np.random.Generator
) -> list[float]:
    """Return log10 of each step's gradient over the last one's.

    What comes back through the recurrent weights is drawn like the products: the same weights take it back each time.
    """
    examples, units = steps[0].preactivation.shape
    delta: Array = np.zeros_like(steps[-1].state)
    delta[:, :UNITS] = generator.standard_normal((examples, UNITS))
    product = DrawnProduct((examples, len(steps), units), 1, spec.width * of_state.weight, generator)
    total, levels = 0.0, []
    for step in reversed(steps):
        at_z, kept, at_product = step.pullback(delta)
        levels.append(total + HALF_DECADES * float(np.log(np.square(at_z).mean())))
        delta = np.zeros_like(delta) if kept is None else kept
        delta[:, :UNITS] += product(at_product)
        scale = float(np.abs(delta).max()) or 1.0
        delta = delta / scale
        total += math.log10(scale)
    return [one - levels[0] for one in reversed(levels)]
