"""A threshold for the global norm, from the norms of a short unclipped warm-up."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from gradcheck.errors import OptionError
from gradcheck.spec.clip_rules import SMALL, Rule
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.sgd import TrainingStep

#: Unclipped steps that are measured.
WARM_UP = 25

#: A steady gradient may move the parameters by at most this part of their norm a step, momentum included.
LONGEST_STEP = 0.01


class SuggestedThreshold(NamedTuple):
    """A rule, the finite norms of the warm-up, and the fraction of the parameters' norm that a steady step of the
    median norm would be; None if the parameters bear that.
    """

    rule: Rule
    norms: tuple[float, ...]
    moved: float | None = None

    @property
    def how(self) -> str:
        """How the threshold was found, in words."""
        norms = _median_in_words(self.norms)
        if self.moved is None:
            return f"is {norms}"
        longest = f"{100 * LONGEST_STEP:.0f} % of the parameters' norm"
        return f"keeps a steady step to {longest}; {norms}, would make it {100 * self.moved:.3g} %"


def suggest_threshold(steps: Sequence[TrainingStep], parameter_norm: float, spec: TrainingSpec) -> SuggestedThreshold:
    """Return a threshold for the global norm, by the steps of an unclipped run and the norm of its first parameters.

    Raises
    ------
    OptionError
        No gradient has a finite norm above zero.

    Notes
    -----
    The scale of the norms (Pascanu et al. 2013 take half to ten times the average; here the median, which one spike
    doesn't move). Where they explode already that is too much: then the longest step that the parameters can bear. A
    steady gradient of norm c moves them by lr·c/(1 − momentum) a step.
    """
    whole = (step.report.norm_before for step in steps if not step.nonfinite)
    norms = [norm for norm in whole if math.isfinite(norm)]
    middle = median(norms) if norms else 0.0
    if not 0 < middle < math.inf:
        problem = f"suggest: of {len(steps)} unclipped steps none has a finite gradient above 0"
        raise OptionError("clip", f"{problem}; type a threshold (global-norm:1, say), or lower --lr")
    bearable = LONGEST_STEP * parameter_norm * (1 - spec.momentum) / spec.lr
    if middle <= bearable:
        return SuggestedThreshold(_rule(middle), tuple(norms))
    if bearable <= SMALL:
        problem = f"suggest: at this rate the parameters bear only a gradient of {bearable:.2g}"
        raise OptionError("clip", f"{problem}, {_median_in_words(norms)}; lower --lr")
    return SuggestedThreshold(_rule(bearable), tuple(norms), LONGEST_STEP * middle / bearable)


def _median_in_words(norms: Sequence[float]) -> str:
    steps = f"{len(norms)} unclipped step{'s' * (len(norms) > 1)}"
    return f"the median norm of {steps}, {median(norms):.3g} ({min(norms):.3g} to {max(norms):.3g})"


def _rule(threshold: float) -> Rule:
    """Return the rule with a threshold as people type it."""
    return Rule("global-norm", float(f"{threshold:.2g}"))
