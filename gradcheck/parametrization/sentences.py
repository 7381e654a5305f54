"""Reasons of a judgement on a parametrisation in words: what was seen, and what to change."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.parametrization.causes import Reason
from gradcheck.parametrization.divergence import Divergence
from gradcheck.parametrization.judging import LIMIT
from gradcheck.render.numbers import significant
from gradcheck.spec.transfer import RATES

#: Layers that a sentence names.
NAMED = 4

#: No power beyond it is named: what grows faster grows exponentially.
MOST = 2


class Said(NamedTuple):
    """What a code means, its sentence, and what to change: templates."""

    meaning: str
    sentence: str
    advice: str = ""


#: Code ↦ what is said. {names}, {power}: width, width^0.5; {axis}; {step}; {s}: of one layer a verb has an s.
SENTENCES: dict[str, Said] = {
    "keeps": Said(
        "no layer's size follows the width; value: the slope furthest from 0",
        "outputs and updates keep their size in {count} layer{plural}: slopes {low:+.2f} to {high:+.2f} (limit "
        "{limit:g})",
    ),
    "diverges": Said(
        "training diverges, at all widths or some; value: the loss after it over the first one; null: not finite",
        "training diverges at {where}: after step {step} {rises}",
        "lower the learning rate at the base{lower}: {searched}",
    ),
    "not-finite": Said(
        "outputs overflow, or are not a number",
        "the output of {names} is not finite at step {step}",
        "{lessen}",
    ),
    "lazy": Said(
        "most hidden layers move less the wider they are, and the logits as much as ever; value: the exponent",
        "features stand still: the outputs of {count} hidden layers move as 1/{power}, the logits as far as ever",
        "a larger rate alone makes the logits grow: lessen the initial read-out by {power}, too (mup)",
    ),
    "start-grows": Said(
        "an output grows with width before any training; value: its exponent",
        "before any training the output of {names} grows as {power}",
        "divide the initial standard deviation of {names} by {power}",
    ),
    "start-shrinks": Said(
        "a hidden layer's output shrinks with width before any training; value: its exponent",
        "before any training the output of {names} falls as 1/{power}",
        "multiply the initial standard deviation of {names} by {power}",
    ),
    "scores-align": Said(
        "attention's scores start at one size with every width of a head; value: the exponent that they will have",
        "{names} don't fall before training: as queries and keys align they grow as {power}",
        "multiply the scores by 1/d, not 1/sqrt(d), of a head's width d",
    ),
    "update-grows": Said(
        "what a matrix gains in a step moves its output further the wider it is; value: the exponent",
        "what {names} gain{s} in step {step} grows as {power}",
        "divide the learning rate of {names} by {power}",
    ),
    "update-shrinks": Said(
        "what a matrix gains in a step moves its output less the wider it is; value: the exponent",
        "what {names} gain{s} in step {step} falls as 1/{power}",
        "multiply the learning rate of {names} by {power}",
    ),
    "change-grows": Said(
        "an output moves further the wider the network is, and no matrix's own gain explains it; value: the exponent",
        "the output of {names} moves as {power} from step {step} on",
        "divide the initial standard deviation of {names}, or what multiplies the output, by {power}",
    ),
    "change-shrinks": Said(
        "an output moves less the wider the network is, and no matrix's own gain explains it; value: the exponent",
        "the output of {names} moves as 1/{power} from step {step} on",
        "multiply the learning rate of what makes {names} by {power}",
    ),
    "size-grows": Said(
        "an output grows with width in training; value: its exponent",
        "the output of {names} grows as {power} from step {step} on",
    ),
    "size-shrinks": Said(
        "a hidden layer's output shrinks with width in training; value: its exponent",
        "the output of {names} falls as 1/{power} from step {step} on",
    ),
    "unclear": Said(
        "a slope's error leaves open on which side of the limit it is; value: the largest error",
        "the slopes of {names} are beyond the limit by less than their errors, up to ±{value:.2f} (limit {limit:g})",
        "take more seeds (--seeds 10), or widths further apart",
    ),
    "still": Said(
        "nothing has moved, or no hidden layer",
        "the output of {names} has not moved in any network",
        "take a larger --lr, or more --steps; gradcheck simulate, or probe, says whether a gradient arrives",
    ),
    "zero": Said(
        "a size is zero in some networks and not in others: no power follows; value: how many",
        "in some networks {names} give zero, or stand still, and in others not: no power of the {axis} follows",
        "take wider networks, or other seeds",
    ),
}


#: Where training diverges: what searches a rate, by the kind of networks; None: the user's own.
SEARCHED = {
    "mlp": "gradcheck rate searches the best one",
    "transformer": "a described transformer's best one is found by trying; gradcheck rate takes none",
    None: "gradcheck.torch.rate(model, batch, loss, optimizer) searches the best one",
}


#: What to do where outputs are not finite: whether it is so before any step ↦ advice.
LESSEN = {
    True: "lessen the initial standard deviations: it is so before any training",
    False: "lower the learning rate at the base",
}


def sentence(reason: Reason, axis: str) -> str:
    """Return a reason in words."""
    return SENTENCES[reason.code].sentence.format(**_words(reason, axis))


def advice(reason: Reason, axis: str, config: Mapping[str, Any]) -> str | None:
    """Return what to change, of networks that such options describe; None where there is nothing."""
    words = _words(reason, axis) | {"lower": _lower(config), "searched": SEARCHED[config.get("arch")]}
    words["lessen"] = LESSEN[words["step"] == 0]  # before any step no rate matters
    return SENTENCES[reason.code].advice.format(**words) or None


def lower_rate(optimizer: str, rate: float) -> float:
    """Return a rate to try after one that is too high: the usual one of that optimizer, or a tenth."""
    usual = RATES.get(optimizer, RATES["adam"])
    return usual if usual < rate else float(f"{rate / 10:.6g}")


def higher_rate(optimizer: str, rate: float) -> float:
    """Return a rate to try after one that moves nothing: the usual one of that optimizer, or ten times as high."""
    usual = RATES.get(optimizer, RATES["adam"])
    return usual if usual > rate else float(f"{10 * rate:.6g}")


def _lower(config: Mapping[str, Any]) -> str:
    """Name a lower rate, where the rate is known."""
    rate = config.get("lr")
    if rate is None:
        return ""
    lower = lower_rate(config["optimizer"], rate)
    return f", to {lower:g}" if "arch" not in config and "target" not in config else f", --lr {lower:g}"


def _words(reason: Reason, axis: str) -> dict[str, object]:
    layers = list(dict.fromkeys(one.layer for one in reason.slopes))
    last = [one.steps[-1].slope.exponent for one in reason.slopes]
    exponents = [one for one in last if math.isfinite(one)]
    steps = [step for one in reason.slopes if (step := one.since or one.first.step) is not None]
    step = reason.step if reason.divergence else min(steps, default=0)
    return {
        "names": named(layers), "s": "s" if len(layers) == 1 else "", "count": len(layers),
        "plural": "" if len(layers) == 1 else "s", "axis": axis,
        "power": power_of(axis, reason.power), "step": step, "value": reason.value,
        "where": _where(reason.divergence, axis), "rises": _rises(reason.divergence),
        "limit": LIMIT, "low": min(exponents, default=0.0), "high": max(exponents, default=0.0),
    }  # fmt: skip


def _where(divergence: Divergence | None, axis: str) -> str:
    """Return at which widths, or depths, training diverges."""
    if divergence is None or divergence.everywhere:
        return f"every {axis}"
    *others, last = (f"{one:,}" for one in divergence.scales)
    return f"{axis}s {', '.join(others)} and {last}" if others else f"{axis} {last}"


def _rises(divergence: Divergence | None) -> str:
    """Return how far a loss rises."""
    if divergence is None or math.isinf(divergence.times):
        return "the loss, or an output, is not finite"
    return f"the loss is up to {significant(divergence.times, 3)} times its first value"


def named(layers: Sequence[str]) -> str:
    """Return layers in words, a long list cut; a name of numbers alone, as of an ``nn.Sequential``, is a module's."""
    shown, more = layers if len(layers) <= NAMED + 1 else layers[:NAMED], len(layers) - NAMED
    kinds: dict[str, list[str]] = {}
    for name in shown:
        kind, _, number = name.rpartition(" ")
        kind = "module" if set(name) <= set("0123456789.*") else kind if kind == "layer" else ""
        kinds.setdefault(kind or name, []).append(number if kind else name)
    listed = [_listed(kind, names) for kind, names in kinds.items()]
    if len(layers) > NAMED + 1:
        listed.append(f"{more} more")
    return _in_a_row(listed, any(" and " in one for one in listed)) if listed else "no layer"


def _listed(kind: str, names: Sequence[str]) -> str:
    """Return layers of one kind: ``layers 2 and 3``, ``layer 2``; of a name of its own that."""
    if names == [kind]:
        return kind
    return f"{kind}s {_in_a_row(names)}" if len(names) > 1 else f"{kind} {names[0]}"


def _in_a_row(words: Sequence[str], comma: bool = False) -> str:
    """Return words with commas and an ``and``, after a comma where there is another one."""
    *first, last = words
    return f"{', '.join(first)}{',' if comma else ''} and {last}" if first else last


def power_of(axis: str, exponent: float) -> str:
    """Return a power of the width in words: ``width``, ``width^0.5``."""
    if exponent > MOST:
        return f"more than {axis}^{MOST}"
    return axis if exponent == 1 else f"{axis}^{exponent:g}"


def rate_in_words(status: str, reasons: Sequence[Reason], axis: str, scales: Sequence[int]) -> str:
    """Return what the judgement means for a learning rate that was tuned on the smallest network."""
    small, large = f"{axis} {scales[0]:,}", f"{scales[-1]:,}"
    times = scales[-1] / scales[0]
    if status == "transfers":
        return f"a learning rate tuned at {small} holds at {large}"
    if status == "diverges":
        return f"whether a learning rate tuned at {small} holds at {large} stays open: this one is too high"
    if status == "unclear":
        return f"whether a learning rate tuned at {small} holds at {large} stays open"
    if status == "grows":
        if any(one.code.startswith("start-") for one in reasons):
            return f"no learning rate goes from {small} to {large}: the networks differ before training"
        most = max((one.power for one in reasons if one.divergence is None and one.value > 0), default=math.inf)
        factor = f"some {times**most:,.0f} times" if most <= MOST else "far"
        return f"a learning rate tuned at {small} is {factor} too large at {large}"
    least = min((one.value for one in reasons if one.divergence is None and math.isfinite(one.value)), default=-0.5)
    return f"with a learning rate tuned at {small} they move {times**-least:,.0f} times less at {large}"
