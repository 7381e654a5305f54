"""The flow through a user's own model: its layers have names, and are of several kinds."""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.flow.gradient_flow import GradientFlow, PerLayer


class Kind(NamedTuple):
    """What a layer is, as far as the size of its gradient depends on it."""

    name: str
    is_norm: bool = False
    role: str = ""  # its place in a block: the path of its name without the numbers


@dataclass(frozen=True)
class ModelFlow(GradientFlow):
    """The flow through a model whose layers are not all of one kind."""

    labels: tuple[str, ...] = ()  # what each layer is called in the model
    # Only gradients of layers of one kind and one role are compared: after a convolution, an embedding and a norm the
    # same gradient has another size, and a branch, a gate or a query gets another share of it than the trunk, in each
    # block the same. Neither says anything about where it is lost.
    kinds: tuple[Kind, ...] = ()
    trunk: tuple[bool, ...] = ()  # all of the signal goes through it: it is in no branch
    sums: bool = True  # somewhere two signals are added, as a block's to its branch; known of no other framework
    normalized: tuple[bool, ...] = ()  # it is a norm, or one follows: its weights' length doesn't matter
    # ``gate``: it started at zero and has just been opened; ``behind``: it lies behind such a gate. How far that is
    # open says nothing about where the gradient is lost, so that each of these is compared with its like. Empty of any
    # other layer, and as a whole where there is no gate.
    gated: tuple[str, ...] = ()
    # At which uses its signal arrives of read-outs that are used several times, one bit for each; empty where that
    # isn't known. A detector's levels each have one, whose share of the loss depends on the objects in the batch.
    ends: tuple[int, ...] = ()

    def name(self, layer: int) -> str:
        """Return what layer 1, 2, ... is called in the model; a number says that it is a layer."""
        label = self.labels[layer - 1]
        return f"layer {label}" if label.isdecimal() else label

    def names(self, first: int, last: int) -> str:
        """Return what several neighbouring layers are called: ``features.0 to features.7``."""
        if first == last:
            return self.name(first)
        one, other = self.labels[first - 1], self.labels[last - 1]
        return f"layers {one} to {other}" if one.isdecimal() and other.isdecimal() else f"{one} to {other}"

    @cached_property
    def groups(self) -> list[npt.NDArray[np.intp]]:
        """Layers, from 0, whose gradients can be compared: those of one kind and role that the signal reaches.

        Layers whose role no other of their kind has are compared with each other; none with one that leads to other
        ends, as neither gets its gradient from the other alone.
        """
        gated = self.gated or ("",) * len(self.kinds)
        kinds = [(kind.name, gate) for kind, gate in zip(self.kinds, gated, strict=True)]
        reached = [(name, kind.role) for name, kind in zip(kinds, self.kinds, strict=True)][: self.reached]
        count = Counter(reached)
        ends = self.ends or (0,) * len(reached)
        keys = [
            (name, role if count[name, role] > 1 else None, end)
            for (name, role), end in zip(reached, ends[: self.reached], strict=True)
        ]
        return [np.array([at for at, one in enumerate(keys) if one == key]) for key in dict.fromkeys(keys)]

    @property
    def weight_groups(self) -> list[npt.NDArray[np.intp]]:
        """Layers, from 0, whose weights' gradients can be compared: not norms, whose next norm may undo their scale."""
        return [group for group in self.groups if not self.kinds[group[0]].is_norm]

    @property
    def carriers(self) -> npt.NDArray[np.bool_]:
        """Layers that all of the signal goes through."""
        return np.array(self.trunk, dtype=bool)

    @property
    def log10_elasticity(self) -> PerLayer:
        """log10 of ‖W‖·‖∂L/∂W‖ / |L| of each layer's weights.

        By which part of itself the loss changes when the weights change by as much as they are: no factor of the loss,
        no norm after the weights, and no scale that is moved from one layer to the next makes a difference. nan of what
        is gated.
        """
        loss = abs(self.output.loss)
        if not 0 < loss < math.inf:
            return np.full(len(self.layers), math.nan)
        norms: PerLayer = self.column("log10_weight_norm") + self.column("log10_weight_gradient_norm")
        return np.where([*map(bool, self.gated)] or False, math.nan, norms - math.log10(loss))

    @cached_property
    def log10_typical_elasticity(self) -> float:
        """log10 of the median of the layers' elasticities; nan without any."""
        known = [one for one in self.log10_elasticity.tolist() if math.isfinite(one)]
        return median(known) if known else math.nan

    @cached_property
    def log10_gradient_ratio(self) -> PerLayer:
        """log10 of each layer's gradient over that of the last layer of its kind and role that is reached by one."""
        gradient = self.column("log10_gradient_rms")
        ratio = np.full(len(gradient), math.nan)
        with np.errstate(invalid="ignore"):  # two exact zeros have no ratio
            for group in self.groups:
                heard = group[gradient[group] > -np.inf]
                ratio[group] = gradient[group] - gradient[heard[-1] if heard.size else group[-1]]
        return ratio
