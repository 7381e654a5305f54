"""One sampled step: what is measured in it, before it is fetched from the device."""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from operator import attrgetter
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gradcheck.torch.recording.leftovers import Leftovers
from gradcheck.torch.recording.outputs import Outputs
from gradcheck.torch.recording.scalars import Column, Single, fetch, locals_of, norms

#: Digits that a norm of float32 has.
DIGITS = 7

#: Asked of each parameter in each sampled step.
GRADIENT = attrgetter("grad")

#: A record: name of a quantity ↦ one number for each parameter; name of a quantity ↦ a number of the whole step.
Numbers: TypeAlias = tuple[dict[str, list[float | None]], dict[str, float | None]]

#: Turns the numbers of this process into those of all, in place: one list for each quantity, and single numbers.
Join: TypeAlias = Callable[[dict[str, list[float | None]], dict[str, float | None]], None]


class Sample:
    """What is measured in one step; all of it stays on the device until ``numbers`` is called.

    Weights and updates are measured in some steps, gradients in all. The copies are memory for the weights before the
    update, kept from step to step and empty at first; there are none without updates.
    """

    def __init__(
        self,
        parameters: list[nn.Parameter],
        copies: list[Tensor] | None,
        outputs: Outputs | None,
        leftovers: Leftovers,
        *,
        weights: bool = True,
        join: Join | None = None,
    ) -> None:
        self.whole: dict[str, Single] = {"lr": None, "grad_scale": None}
        self._parameters, self._copies, self.outputs = parameters, copies if weights else None, outputs
        self._weights, self._join = weights, join
        self._leftovers = leftovers
        self._columns: dict[str, Column] = {}
        self._updated: list[Set[int]] = []  # places, by each update
        self.stepped: list[Set[int]] = []  # the same, and those whose gradients follow
        self._clips = self._clips_next = self._follow = False

    def before_clipping(self, scale: Single = None) -> None:
        """Measure gradients that will be clipped, and are still multiplied by the loss scale if one is given."""
        if "grad_norm" in self._columns:
            self._add(set(range(len(self._parameters))).difference(*self._updated), "grad_norm")
        else:
            self._measure()
        self.whole["grad_scale"] = scale
        self._clips = self._clips_next = True

    def before_update(self, optimizer: torch.optim.Optimizer, places: Set[int], *, gradients_follow: bool) -> None:
        """Measure the gradients that an optimizer gets, unless it has a closure: then they follow.

        Of several optimizers each has gradients of its own, which may be computed only after another one's step. Of
        several steps of one of them the first counts.
        """
        self.stepped.append(places)
        if self.whole["lr"] is None:
            self.whole["lr"] = optimizer.param_groups[0]["lr"]
        if self.whole["grad_scale"] is None:
            self.whole["grad_scale"] = getattr(optimizer, "grad_scale", None)  # a fused optimizer unscales by itself
        if not gradients_follow:
            self._measure_those_of(places)
        elif self._weights and "weight_norm" not in self._columns:
            self._follow = True
            self._measure_weights()
        else:
            self._follow = True

    def numbers(self, given: Mapping[str, Single], waiting: Set[int] = frozenset()) -> Numbers:
        """Measure the update, and fetch all numbers at once, with those given of the whole step by name.

        Those of the gradients at the places that wait for another step are left out.
        """
        self._measure_update()
        if self._follow and self._clips:
            self._columns["grad_norm_after"] = norms(self._gradients())
        if self.whole["lr"] is not None:  # an update: without one, gradients are accumulated on purpose
            self.whole["grad_left"] = self._leftovers.norm
        single = {**self.whole, **given}
        columns = self._columns if self.outputs is None else self._columns | self.outputs.columns()
        found = fetch(columns, single, len(self._parameters))
        if self._join is not None:
            self._join(*found)
        for name in {"grad_norm", "grad_norm_after"} & found[0].keys() if waiting else ():
            found[0][name] = [None if at in waiting else norm for at, norm in enumerate(found[0][name])]
        return _lay_out(*found)

    def _gradients(self, places: Set[int] | None = None) -> list[Tensor | None]:
        """Return the gradients, or those at some places and None at the others."""
        gradients = locals_of(list(map(GRADIENT, self._parameters)))
        if places is None or len(places) == len(gradients):
            return gradients
        return [gradient if place in places else None for place, gradient in enumerate(gradients)]

    def _local(self) -> list[Tensor]:
        """Return the weights, or what this process has of them."""
        return locals_of(self._parameters)

    def _measure_weights(self) -> None:
        """Measure the weights, and copy them if an update is measured."""
        weights = self._local()
        with torch.no_grad():
            self._columns["weight_norm"] = norms(weights)
            if self._copies:
                torch._foreach_copy_(self._copies, weights)
            elif self._copies is not None:
                self._copies.extend(one.detach().clone() for one in weights)

    def _measure_those_of(self, places: Set[int]) -> None:
        """Measure the gradients at the places that an optimizer updates; at first those of the others, too."""
        if "grad_norm" not in self._columns:
            self._measure()
        else:
            clipped = ["grad_norm_after"] if self._clips else []
            again = ["grad_norm"] if self._updated and not self._clips_next else []
            self._add(set(places).difference(*self._updated), *clipped, *again)
        self._updated.append(places)
        self._clips_next = False

    def _add(self, places: Set[int], *names: str) -> None:
        """Measure the gradients at some places, as columns of these names; what they have there no longer counts."""
        if names and places:
            found = norms(self._gradients(places))
            for name in names:
                whole = len(places) == len(self._parameters)
                self._columns[name] = found if whole else [*self._columns.get(name, ()), *found]

    def _measure(self) -> None:
        """Measure all gradients for the first time in this step, and the weights, once."""
        self._columns["grad_norm"] = norms(self._gradients())
        if self._weights and "weight_norm" not in self._columns:
            self._measure_weights()

    def _measure_update(self) -> None:
        """Measure how far the weights have moved since they were copied; in a skipped step, that they haven't."""
        if "grad_norm" not in self._columns:
            self._columns["grad_norm"] = norms(self._gradients())
        if not self._weights:
            return
        with torch.no_grad():
            if "weight_norm" not in self._columns:
                self._columns["weight_norm"] = norms(self._local())
            elif self._copies:
                torch._foreach_sub_(self._copies, self._local())
                self._columns["update_norm"] = norms(self._copies)


def _lay_out(layers: dict[str, list[float | None]], whole: dict[str, Any]) -> Numbers:
    """Return what a record holds: gradients without their scale, the norm of all, updates relative to weights."""
    gradients, scale = layers.pop("grad_norm"), whole.pop("grad_scale")
    if scale:
        gradients = [None if norm is None else norm / scale for norm in gradients]
    whole["grad_norm"] = _joint_norm(gradients)
    named = {"grad_norm": gradients}
    if "grad_norm_after" in layers:  # of an optimizer whose gradients nothing clips they are those before
        after = layers["grad_norm_after"] = [
            before if one is None else one for before, one in zip(gradients, layers["grad_norm_after"], strict=True)
        ]
        whole["grad_norm_after"] = _joint_norm(after)
    if not whole.get("grad_left"):  # none, as it should be
        whole.pop("grad_left", None)
    updates = layers.pop("update_norm", None)
    named |= {name: found for name, found in layers.items() if found.count(None) < len(found)}
    if updates is not None:
        named["update_ratio"] = list(map(_ratio, updates, layers["weight_norm"]))
    return named, whole


def _joint_norm(norms: Sequence[float | None]) -> float | None:
    known: Any = [norm for norm in norms if norm is not None] if None in norms else norms
    return math.hypot(*known) if known else None


def _ratio(update: float | None, weight: float | None) -> float | None:
    """Return an update relative to its weights; None where these are zero."""
    return update / weight if update is not None and weight else None
