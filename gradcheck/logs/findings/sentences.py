"""The sentence of each kind of finding."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gradcheck.base.wording import as_percent
from gradcheck.render.numbers import power

if TYPE_CHECKING:
    from gradcheck.logs.findings.finding import Finding

#: Ratios below so many decades are ratios of an exact zero.
NOTHING = -200.0

#: What isn't finite, the earliest in a step first.
WORDS = {
    "weight_norm": "a weight", "activation_rms": "an activation", "loss": "the loss", "grad_norm": "the gradient",
    "grad_norm_after": "the clipped gradient", "update_norm": "an update", "update_ratio": "an update",
}  # fmt: skip


def step_text(step: float | None) -> str:
    """Return a step as people read it; an epoch may have decimals."""
    if step is None:
        return "-"
    return f"{step:,.0f}" if float(step).is_integer() else f"{step:.6g}"


def counted(number: int, what: str) -> str:
    """Return ``1 layer``, ``2 layers``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def factor_text(decades: float) -> str:
    """Return a factor of so many decades: ``30``, ``14,000``, ``4.0e+09``."""
    if decades < 1:
        return f"{10**decades:.3g}"
    return power(decades) if decades >= 6 else f"{float(power(decades)):,.0f}"


def _exploding(found: "Finding") -> str:
    numbers, ends = found.numbers, f"from step {step_text(found.first_step)} to {step_text(found.last_step)}"
    how = "at once" if found.details["at_once"] else f"by a factor of {factor_text(numbers['log10_per_step'])} a step"
    grown = f"the {found.details['what']} grows {factor_text(numbers['log10_rise'])}-fold"
    return f"{grown} {ends}, {how}, and does not come back"


def _nonfinite(found: "Finding") -> str:
    name, rows = str(found.details["what"]), int(found.numbers["rows"])
    what = f"{WORDS.get(name, name)} is {'infinite' if found.details['value'] == math.inf else 'not a number'}"
    when = f"{'from' if rows > 1 else 'at'} step {step_text(found.first_step)}"
    often = f"in {counted(rows, 'row')}" if rows > 1 else "in this row only"
    passes = ": the loss scale was too high, and the step was skipped" if found.severity else ""
    return f"{what} {when}, {often}{passes}"


def _vanishing(found: "Finding") -> str:
    if not found.layers:
        return "the gradient norm is exactly zero in every step"
    weakest = found.numbers["log10_weakest_ratio"]
    how_weak = "nothing" if weakest < NOTHING else f"1/{factor_text(-weakest)}"
    less = f"less than 1/{factor_text(-(found.limit or 0.0))} of the last layers' gradient"
    some = f"{counted(len(found.layers), 'parameter')} from {found.layers[0]} on"
    return f"{some} get{'s' * (len(found.layers) == 1)} {less}, the weakest {how_weak}"


def _collapsed(found: "Finding") -> str:
    how_far = "to exactly zero" if found.details["zero"] else f"to 1/{factor_text(found.numbers['log10_fall'])}"
    if not found.details["whole"]:
        some = f"{counted(len(found.layers), 'parameter')}, {found.layers[0]} first"
        return f"the gradient of {some}, falls {how_far} of its share"
    why = "and the loss gets nowhere" if found.details["got_nowhere"] else "at once"
    return f"the gradient norm falls {how_far} by step {step_text(found.first_step)}, {why}"


def _no_gradient(found: "Finding") -> str:
    some = f"{counted(len(found.layers), 'parameter')} of {found.details['of']}"
    return f"{some} never get{'s' * (len(found.layers) == 1)} a gradient"


def _dead(found: "Finding") -> str:
    many = f"more than {found.limit:.0%} of the units dead at the end, up to {found.numbers['dead_fraction']:.0%}"
    return f"{counted(len(found.layers), 'layer')} with {many}"


def _spikes(found: "Finding") -> str:
    count, step = int(found.numbers["spikes"]), step_text(found.numbers["highest_step"])
    where = f"at step {step}" if count == 1 else f"the highest at step {step}"
    height = f"{factor_text(found.numbers['log10_highest'])} times its neighbours"
    return f"{counted(count, 'spike')} of the {found.details['what']}, {where}: {height}"


def _update_ratio(found: "Finding") -> str:
    worst, limit = found.numbers["update_ratio"], found.limit or 0.0
    where = f"{'below' if worst < limit else 'above'} {limit:g}"
    return f"updates of {counted(len(found.layers), 'layer')} are {where} of the weights, as far as {worst:.2g}"


def _always_clipped(found: "Finding") -> str:
    share, kept = (as_percent(found.numbers[name]) for name in ("clipped_fraction", "kept"))
    return f"{share} of the steps are clipped; {kept} of the learning rate is left"


def _never_clipped(found: "Finding") -> str:
    limit = found.numbers["max_norm"]
    threshold = f"the threshold {limit:.3g}" if math.isfinite(limit) else "the threshold"
    return f"{threshold} is never reached; the largest norm is {found.numbers['largest_norm']:.3g}"


#: Kind of finding ↦ its sentence.
SENTENCES: Mapping[str, Callable[["Finding"], str]] = {
    "exploding": _exploding,
    "nonfinite": _nonfinite,
    "vanishing": _vanishing,
    "collapsed": _collapsed,
    "no-gradient": _no_gradient,
    "dead": _dead,
    "spikes": _spikes,
    "always-clipped": _always_clipped,
    "update-ratio": _update_ratio,
    "never-clipped": _never_clipped,
}
