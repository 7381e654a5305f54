"""What number formats lose of the tensors that matrix products take in, and of the weights' gradients and updates."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from gradcheck.engine.initializers import WEIGHT_STREAM
from gradcheck.engine.layered import Layered
from gradcheck.engine.linear import Beside, Dense, Linear, Weightless
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.number_formats import FORMATS, Counts, NumberFormat, counts, lost_updates, tensor_scale
from gradcheck.engine.pieces import product
from gradcheck.engine.subspaces import orthonormalised
from gradcheck.engine.types import Array

#: What is cast at a layer: the inputs X of its linear maps, W, ∂𝓛/∂(X W), and ∂𝓛/∂W.
Kind = Literal["activations", "weights", "gradients", "weight_gradients"]
KINDS: tuple[Kind, ...] = ("activations", "weights", "gradients", "weight_gradients")

#: Those that are as large as the loss is scaled.
OF_LOSS = ("gradients", "weight_gradients")

#: As long as a gradient of the scaled loss overflows, the scale is divided by 2**BACK_OFF.
BACK_OFF = 4

#: Rows that are drawn of a matrix that isn't there, or up to twice as many.
DRAWN_ROWS = 64

#: The format that weights are kept in where updates are counted.
KEPT = "bf16"


class Case(NamedTuple):
    """A format, and what scales a tensor before it is cast: the loss, its own power of two, or one for each block."""

    format: str
    scaling: Literal["loss", "tensor", "block"]
    shifts: tuple[int, ...] = ()  # log2 of the loss scales, the largest first

    @property
    def form(self) -> NumberFormat:
        """The format itself."""
        return FORMATS[self.format]


class Shares(NamedTuple):
    """Of a tensor's entries that aren't zero, those that round to zero, to a subnormal number, beyond the largest."""

    to_zero: float
    subnormal: float
    overflow: float
    log2_scale: int | None  # what multiplied it, the least of several tensors; None where each block has its own


def cases_of(formats: Iterable[str], loss_scales: Mapping[str, int]) -> tuple[Case, ...]:
    """Return how formats are used: with a loss scale, of which log2 is given, and with scales of the tensors' own."""
    return tuple(case for name in formats for case in _cases(name, loss_scales.get(name)))


def _cases(name: str, shift: int | None) -> list[Case]:
    if FORMATS[name].block:
        return [Case(name, "block")]
    scaled = [Case(name, "tensor")]
    return scaled if shift is None else [Case(name, "loss", tuple(range(shift, -1, -BACK_OFF))), *scaled]


class Tally:
    """Counts, layer by layer, what number formats lose of a pass, or of several draws together.

    Updates of bf16 weights are those of a step of plain SGD at this learning rate.
    """

    def __init__(self, cases: Sequence[Case], rate: float) -> None:
        self.cases, self.rate = tuple(cases), rate
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.drawn = False  # whether rows of weights were
        self._counts: defaultdict[tuple[Hashable, Case, Kind, int], Counts] = defaultdict(Counts)
        self._scales: dict[tuple[Hashable, Case, Kind], int] = {}
        self._overflown: set[tuple[Case, int]] = set()  # loss scales at which a gradient does
        self._updates: dict[Hashable, tuple[int, int]] = {}  # lost, and of how many
        self._shared: list[tuple[tuple[Scaled, Scaled], ...]] = []  # of the steps of a recurrence, last to first
        self._owner: Hashable = None  # of weights that all layers share

    def add_layer(
        self, layer: int, network: Layered, maps: Sequence[Linear], products: Sequence[tuple[Scaled, Scaled]]
    ) -> None:
        """Count a layer's tensors, given its linear maps and the factors (X, D) of their weights' gradients."""
        for x, delta in products:
            self.add(layer, "activations", x)
            self.add(layer, "gradients", delta)
        if network.units.shared:
            self._shared.append(tuple(products))
            if layer > 1:
                return
            products, self._shared = [_joined(parts) for parts in zip(*self._shared, strict=True)], []
            self._owner = layer
        self.drawn |= network.weightless
        for linear, (x, delta) in zip(maps, products, strict=True):
            fan_in = x.mantissa.shape[1]
            some = slice(None, None, max(1, fan_in // DRAWN_ROWS) if network.weightless else 1)
            gradient = product(np.ascontiguousarray(x.mantissa[:, some].T), delta.mantissa)
            self.add_weights(layer, weight_rows(linear, some).T, Scaled(gradient.T, x.exponent + delta.exponent))

    def add_weights(self, layer: Hashable, weights: Array, gradient: Scaled | None) -> None:
        """Count weights (units, what they add up), their gradient, and what a step of SGD changes."""
        self.add(layer, "weights", Scaled(weights))
        if gradient is None:
            return
        self.add(layer, "weight_gradients", gradient)
        found = lost_updates(weights, gradient, self.rate, FORMATS[KEPT])
        before = self._updates.get(layer, (0, 0))
        self._updates[layer] = (before[0] + found[0], before[1] + found[1])

    def add(self, layer: Hashable, kind: Kind, tensor: Scaled) -> None:
        """Count a tensor (rows, columns); where blocks have scales, its rows are cut into them."""
        for case in self.cases:
            form, place = case.form, (layer, case, kind)
            own = tensor_scale(tensor, form) if case.scaling == "tensor" else 0
            self._scales[place] = min(own, self._scales.get(place, own))
            for shift in (case.shifts if kind in OF_LOSS else ()) or (0,):
                added = counts(tensor, form, own + shift)
                self._counts[*place, shift] = self._counts[*place, shift].plus(added)
                if kind in OF_LOSS and added.overflow:
                    self._overflown.add((case, shift))

    def loss_shift(self, case: Case) -> int:
        """Return log2 of the largest loss scale at which no gradient overflows, or of the least one."""
        held = (shift for shift in case.shifts if (case, shift) not in self._overflown)
        return next(held, case.shifts[-1] if case.shifts else 0)

    def shares(self, layer: Hashable, case: Case, kind: Kind) -> Shares | None:
        """Return what a case loses of a layer's tensors; None where it has none, or all are zero."""
        home = self._home(layer) if "weight" in kind else layer
        shift = self.loss_shift(case) if kind in OF_LOSS else 0
        found = self._counts.get((home, case, kind, shift))
        if found is None or not found.entries:
            return None
        scale = None if case.scaling == "block" else self._scales[home, case, kind] + shift
        to_zero, subnormal, overflow = (one / found.entries for one in found[1:])
        return Shares(to_zero, subnormal, overflow, scale)

    def lost(self, layer: Hashable) -> float | None:
        """Return the share of a layer's updates that rounding loses; None where it has none."""
        lost, count = self._updates.get(self._home(layer), (0, 0))
        return lost / count if count else None

    @property
    def all_lost(self) -> float | None:
        """The share of all layers' updates that rounding loses."""
        lost, count = map(sum, zip((0, 0), *self._updates.values(), strict=True))
        return lost / count if count else None

    def _home(self, layer: Hashable) -> Hashable:
        """Return the layer whose weights a layer has."""
        return layer if self._owner is None else self._owner


def _joined(parts: Sequence[tuple[Scaled, Scaled]]) -> tuple[Scaled, Scaled]:
    """Return the inputs of a map, and the gradients at its outputs, of several steps one below the other."""
    inputs, deltas = zip(*parts, strict=True)
    return _stacked(inputs), _stacked(deltas)


def _stacked(parts: Sequence[Scaled]) -> Scaled:
    most = max(one.exponent for one in parts)
    return Scaled(np.concatenate([np.ldexp(one.mantissa, one.exponent - most) for one in parts]), most)


def weight_rows(linear: Linear, some: slice) -> Array:
    """Return some rows of W, (rows, fan_out); of a weightless map rows drawn from its law, independent of any pass."""
    if isinstance(linear, Dense):
        return linear.weight[some]
    if isinstance(linear, Beside):
        weights = np.concatenate([weight_rows(one, some) for one in linear.maps], axis=1)
        if linear.columns is not None:
            weights[:, linear.columns] = weights.copy()
        return weights
    assert isinstance(linear, Weightless)
    rows, size = len(range(linear.fan_in)[some]), max(linear.fan_in, linear.fan_out)
    numbers = linear.noise(WEIGHT_STREAM, rows, size if linear.haar else linear.fan_out)
    unit = orthonormalised(numbers)[:, : linear.fan_out] if linear.haar else numbers
    scaled: Array = unit * linear.scale
    return scaled
