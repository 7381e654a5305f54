"""How a network's signal flows forward and its gradient back, layer by layer.

A ``GradientFlow`` holds what was measured, magnitudes as base-10 logarithms. It knows neither which network it
came from nor how it is shown.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.diversity import LeastRank
from gradcheck.engine.layered import Layered, LayerPass, Units
from gradcheck.engine.linear import log10_weight_gradient_norm
from gradcheck.engine.loss import Loss, mean_square
from gradcheck.engine.magnitude import LOG10_2, Scaled, log10_joint_norm, log10_norm, log10_rms, rescaled
from gradcheck.engine.memory import keep_freed_memory
from gradcheck.engine.types import Array
from gradcheck.flow.layer_flow import LayerFlow, forward_flow, judged_forward_flow, with_gradient
from gradcheck.flow.number_formats import Tally
from gradcheck.flow.passing import backward_passes, forward_passes, is_finite, why_not_finite

#: One number for each layer, first to last.
PerLayer = npt.NDArray[np.float64]

#: Bytes of weights and passes that are held at once; a larger network is passed through in segments, forward twice.
#: Three times as much saves 14 % of the processor time of 400 layers of 4,096, and costs GPT-3 a fifth more.
MEMORY = 512 * 2**20

#: How much longer a layer's backward pass takes than its forward pass, its measurements among it.
BACKWARD_WORK = 2.5

#: Called with the share of the work that is done, 0 to 1, to show the progress of a long run.
Tick = Callable[[float], None]


class OutputFlow(NamedTuple):
    """What is measured at the read-out; nan where the forward pass did not arrive there."""

    loss: float = math.nan
    log10_logit_rms: float = math.nan
    log10_weight_gradient_norm: float = math.nan
    # log10 of what the loss changes by, were the outputs moved at random by as much as the examples differ in them
    log10_distinction: float = math.nan


@dataclass(frozen=True)
class GradientFlow:
    """The flow through a whole network."""

    # fan_in, fan_out: shape of each hidden layer's linear map
    fan_in: tuple[int, ...]
    fan_out: tuple[int, ...]
    layers: tuple[LayerFlow, ...]  # one for each hidden layer, first to last
    output: OutputFlow  # the read-out and the loss
    # hidden layers whose forward signal is finite; where that is not all of them, or the logits are not finite, there
    # is no loss, and the gradients are those of the mean squared output of layer `reached`
    reached: int
    obstacle: str = ""  # what stopped the forward pass after `reached`: ``overflow``, ``nan``, or empty if nothing did
    unit: str = "layer"  # what a layer is called: ``layer``, or ``step`` of a recurrence; of a transformer ``block``
    points: tuple[str, ...] = ()  # the flow points of each unit, where it has several: each is a layer here
    shared: bool = False  # the layers share their weights, as the steps of a recurrence do
    rows: float = math.inf  # rows of the batch: examples, or all their tokens; inf where it is unknown
    # 1 where a row of a model's inputs is a single number, of which layers make little rank; else inf
    features: float = math.inf

    def name(self, layer: int) -> str:
        """Return what layer 1 … is called: ``layer 3``, ``step 3``, ``block 1 mlp``."""
        if not self.points:
            return f"{self.unit} {layer}"
        block, point = divmod(layer - 1, len(self.points))
        return f"{self.unit} {block + 1} {self.points[point]}"

    def names(self, first: int, last: int) -> str:
        """Return what several neighbouring layers are called: ``layers 3 to 7``."""
        if first == last:
            return self.name(first)
        return f"{self.name(first)} to {self.name(last)}" if self.points else f"{self.unit}s {first} to {last}"

    def column(self, name: str) -> PerLayer:
        """Return one field of ``LayerFlow`` for all layers."""
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, PerLayer]:
        """All fields of ``LayerFlow`` for all layers."""
        table = np.array(self.layers, dtype=np.float64).reshape(-1, len(LayerFlow._fields)).T.copy()
        table.flags.writeable = False
        return dict(zip(LayerFlow._fields, table, strict=True))

    @property
    def groups(self) -> list[npt.NDArray[np.intp]]:
        """Layers, from 0, whose gradients can be compared: here all that the signal reaches."""
        return [np.arange(self.reached)]

    @property
    def weight_groups(self) -> list[npt.NDArray[np.intp]]:
        """Layers, from 0, whose weights' gradients can be compared: of several flow points those of one kind."""
        kinds = max(1, len(self.points))
        return [] if self.shared else [group[kind::kinds] for group in self.groups for kind in range(kinds)]

    @property
    def carriers(self) -> npt.NDArray[np.bool_]:
        """Layers that all of the signal goes through: of a transformer the stream, of a recurrence the last step."""
        units, depth = Units(self.unit, self.points, self.shared), len(self.layers)
        return np.array([units.carries(layer, depth) for layer in range(1, depth + 1)], dtype=bool)

    @property
    def log10_sensitivity(self) -> float:
        """log10 of how much more moving the weights by their size changes the loss than the outputs by their spread.

        Both at random, to first order; nan where the layers share their weights or have several of them.
        """
        leverage = self.column("log10_leverage")
        if np.isnan(leverage).any():
            return math.nan
        return log10_joint_norm(leverage.tolist()) - self.output.log10_distinction

    @property
    def nonfinite(self) -> npt.NDArray[np.bool_]:
        """Layers after an overflow, and those at which the gradient itself overflows."""
        gradient = self.column("log10_gradient_rms")
        after = np.arange(len(self.layers)) >= self.reached
        overflown: npt.NDArray[np.bool_] = np.isnan(gradient) | (gradient == np.inf)
        return after | overflown

    @property
    def log10_gradient_ratio(self) -> PerLayer:
        """log10 of each layer's gradient over that of the last layer reached."""
        gradient = self.column("log10_gradient_rms")
        with np.errstate(invalid="ignore"):  # two exact zeros have no ratio
            ratio: PerLayer = gradient - gradient[self.reached - 1]
        return ratio

    @property
    def log10_local_gain(self) -> PerLayer:
        """log10 of each layer's gradient over that of the next comparable one; nan for the last."""
        gradient = self.column("log10_gradient_rms")
        gain = np.full(len(gradient), math.nan)
        with np.errstate(invalid="ignore"):
            for group in self.groups:
                gain[group[:-1]] = gradient[group[:-1]] - gradient[group[1:]]
        return gain


def measure(
    network: Layered,
    inputs: Array,
    loss: Loss,
    memory: int = MEMORY,
    tick: Tick = lambda share: None,
    *,
    only_judged: bool = False,
    within: float = math.inf,
    tally: Tally | None = None,
) -> GradientFlow:
    """Pass one batch forward and its gradient back, and measure every layer.

    Parameters
    ----------
    network : Layered
    inputs : Array
        What the first layer is given: (batch, features), or the state before a recurrence's first step.
    loss : Loss
        Of the logits, the mean over the batch.
    memory : int
        Bytes to hold at once; less costs a second forward pass and changes no number.
    tick : callable
        Called after each layer, forward and back, with the share of the work that is done.
    only_judged : bool
        Measure what flags, verdict and score rest on; the rest is nan, as are ranks that can't be the least.
    within : float
        Decades between the layers' gradients after which it is given up: the layers before are nan, and not healthy.
    tally : Tally, optional
        Counts what number formats lose of each layer that the gradient goes back through.

    Returns
    -------
    GradientFlow
    """
    keep_freed_memory()
    measured, keep = (judged_forward_flow, _whole) if only_judged else (forward_flow, _lean)
    with np.errstate(all="ignore"):  # over- and underflow are measured, not warned of
        work = network.depth * (1 + BACKWARD_WORK)
        forth = forward_passes(network, inputs, memory, measured, keep, lambda done: tick(done / work))
        output, delta, obstacle = _turn(network, forth.starts[-1], loss, forth.obstacle)
        layers, ranks = forth.layers, LeastRank()
        for index, layer_pass, back in backward_passes(network, forth, delta, keep):
            layers[index] = with_gradient(layers[index], back, layer_pass.maps)
            if tally is not None:
                tally.add_layer(index + 1, network, layer_pass.maps, back.products)
            if only_judged and not obstacle:
                _add_rank(ranks, network, index + 1, layer_pass)
            tick((network.depth + (len(layers) - index) * BACKWARD_WORK) / work)
            if abs(layers[index].log10_gradient_rms - layers[-1].log10_gradient_rms) > within:
                layers[:index] = [LayerFlow()] * index
                break
    for layer, rank in ranks.ranks().items():
        layers[layer - 1] = layers[layer - 1]._replace(effective_rank=rank)
    beyond = (LayerFlow(),) * (network.depth - len(layers))
    fan_in, fan_out = zip(*network.fans, strict=True)
    every = (*layers, *beyond)
    return GradientFlow(fan_in, fan_out, every, output, len(layers), obstacle, *network.units, rows=len(inputs))


def _lean(layer_pass: LayerPass) -> LayerPass:
    """Return what the way back needs of a pass, without the arrays that have been measured."""
    nothing = np.empty(0)
    return layer_pass._replace(preactivation=nothing, output=nothing, activity=nothing, slopes=())


def _whole(layer_pass: LayerPass) -> LayerPass:
    """Return the pass: its rank may be looked at later."""
    return layer_pass


def _add_rank(ranks: LeastRank, network: Layered, layer: int, layer_pass: LayerPass) -> None:
    """Take a layer's outputs among those whose least rank is looked for: all of the signal goes through it."""
    if network.units.carries(layer, network.depth):
        ranks.add(layer, rescaled(layer_pass.activity).mantissa, exact=layer == network.depth)


def _turn(network: Layered, x: Array, loss: Loss, obstacle: str) -> tuple[OutputFlow, Scaled, str]:
    """Go through the read-out to the loss and turn: return what is measured there, and ∂𝓛/∂x.

    Where there is no finite read-out, the mean squared x takes the place of the loss.
    """
    if not obstacle:
        readout = network.readout
        logits, through_readout = readout(x)
        obstacle = "" if is_finite(logits) else why_not_finite(readout)
    if obstacle:
        return OutputFlow(), rescaled(mean_square(x)[1]), obstacle
    value, at_logits = loss(logits)
    delta = rescaled(at_logits)
    norm = log10_weight_gradient_norm(rescaled(x), delta)
    apart = log10_rms(rescaled(logits - logits.mean(0))) if len(logits) > 1 else math.nan  # one differs from none
    distinction = apart + log10_norm(delta.mantissa) + delta.exponent * LOG10_2
    output = OutputFlow(value, log10_rms(rescaled(logits)), norm, distinction)
    return output, rescaled(through_readout(delta.mantissa), delta.exponent), ""
