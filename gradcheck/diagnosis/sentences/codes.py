"""Each cause of a verdict in words: one table of the codes, what they mean, and their sentences. Loads no NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcheck.base.wording import the_loss
from gradcheck.diagnosis.sentences.code import TRAINED, Code
from gradcheck.diagnosis.sentences.course import OF_COURSES
from gradcheck.diagnosis.sentences.faults import OF_FAULTS
from gradcheck.diagnosis.sentences.loss import OF_LOSS
from gradcheck.diagnosis.sentences.nonfinite import OF_OPERATIONS
from gradcheck.diagnosis.sentences.number_formats import OF_NUMBERS
from gradcheck.diagnosis.sentences.parts import OF_PARTS
from gradcheck.diagnosis.sentences.rate import OF_RATES
from gradcheck.diagnosis.sentences.trial import OF_TRIALS

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow

#: More names than this are counted.
NAMED = 3


def sentence(cause: Cause, flow: GradientFlow) -> str:
    """Return a cause in words and numbers."""
    part = f"of the output {cause.details['part']}: " if "part" in cause.details else ""
    return part + _sentence(cause, flow)


def _sentence(cause: Cause, flow: GradientFlow) -> str:
    made = CODES[cause.code].sentence
    if callable(made):
        return made(cause, flow)
    if cause.details.get("trained"):  # what is said of the start is no remedy
        made = f"{made.partition('; ')[0]}; {TRAINED}"
    names = cause.details.get("names", ())
    several = len(names) > 1
    fields = {
        "at": _at(cause, flow),
        "points": _points(flow),
        "value": _number(cause),
        "limit": abs(cause.limit or 0.0),
        "hundredfold": 100 * _number(cause),
        "hundredfold_limit": 100 * (cause.limit or 0.0),
        "names": listed(names),
        "the_loss": the_loss(str(cause.details.get("loss", ""))),
        "s": "" if several else "s",
        "them": "them" if several else "it",
        "they": "they" if several else "it",
        "are": "are" if several else "is",
        "their": "their" if several else "its",
    }
    return made.format_map({**cause.details, **fields})


def as_multiple(ratio: float) -> str:
    """Return a ratio as one says it: ``1/1000 of``, ``1000 times``."""
    return f"1/{1 / ratio:.4g} of" if 0 < ratio < 1 else f"{ratio:.4g} times"


def listed(names: Sequence[str]) -> str:
    """Return some names as one says them: ``a, b and 7 more``."""
    if len(names) <= NAMED:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _at(cause: Cause, flow: GradientFlow) -> str:
    """Return the first layer's name; without one it is the read-out."""
    return flow.name(cause.layers[0]) if cause.layers else "the read-out"


def _points(flow: GradientFlow) -> str:
    """Return what several layers are called."""
    return "points" if flow.points else f"{flow.unit}s"


def _number(cause: Cause) -> float:
    return math.nan if cause.value is None else cause.value


def _dead(cause: Cause, flow: GradientFlow) -> str:
    last = flow.name((cause.layers or (1, 1))[1])
    where = last if cause.value == 1 else f"{cause.value} {_points(flow)}, the last of them {last},"
    return f"every unit of {where} has derivative 0 for the whole batch: no gradient reaches its weights"


def _region(cause: Cause, flow: GradientFlow) -> str:
    first, last = cause.layers or (1, 1)
    get = "get" if last > first else "gets"
    if cause.code == "vanishing" and flow.reached and flow.layers[flow.reached - 1].log10_gradient_rms == -math.inf:
        return f"{flow.names(first, last)} {get} no gradient: {flow.name(flow.reached)} passes none on"
    return f"{flow.names(first, last)} {get} {_too_much_or_little(cause, flow)}"


def _scattered(cause: Cause, flow: GradientFlow) -> str:
    first, last = map(flow.name, cause.layers or (1, 1))
    return f"{cause.value} {_points(flow)} between {first} and {last} get {_too_much_or_little(cause, flow)}"


def _too_much_or_little(cause: Cause, flow: GradientFlow) -> str:
    if cause.code in ("exploding", "exploding-scattered"):
        return f"more than {as_multiple(cause.limit or 0.0)} {_last_reached(flow)}'s gradient"
    less = f"less than {as_multiple(cause.limit)}" if cause.limit else "nothing of"
    return f"{less} {_last_reached(flow)}'s gradient"


def _last_reached(flow: GradientFlow) -> str:
    """Return what gradients are compared with: the last layer that the signal reaches."""
    if flow.reached and flow.reached < len(flow.layers):
        return flow.name(flow.reached)
    if len(flow.groups) > 1:
        return f"the last such {flow.unit}"
    return f"the last {flow.unit} {flow.points[-1]}" if flow.points else f"the last {flow.unit}"


def _span(cause: Cause, flow: GradientFlow) -> str:
    span, limit, gain = _number(cause), cause.limit or 0.0, cause.details["gain"]
    verb = "apart" if span <= limit else "lost" if cause.details["shrinks"] else "gained"
    decades = f"{span:.1f} decades" if span >= 10 else f"{span:.2f} decades"
    if span > limit:
        decades += " (powers of ten)"
    contrary = verb != "apart" and (gain < 1) != cause.details["shrinks"]  # the ends say nothing of the middle
    each = "" if math.isnan(gain) or contrary else f": a factor of {gain:.3g} a {flow.unit}"
    among = f" from block to block of {role}" if (role := cause.details.get("role")) else ""
    return f"{decades} {verb}{among} (limit {limit:g}){each}"


def _weight_span(cause: Cause, flow: GradientFlow) -> str:
    said = f"the weights' gradients are {_number(cause):.1f} decades apart (limit {cause.limit or 0.0:g})"
    decide = "; those at the layers' outputs are not, and decide: Adam makes up for the others"
    return said + (decide if cause.details.get("within") else "")


def _rank(cause: Cause, flow: GradientFlow) -> str:
    what, rank, limit = "tokens" if flow.points else "examples", _number(cause), cause.limit or 0.0
    if rank >= limit:
        return f"the {what} stay apart: effective rank {rank:.1f} (limit {limit:g})"
    where = "at the end" if cause.details["at_the_end"] else f"at {_at(cause, flow)}"
    since = cause.details.get("rounded")
    rounded = f"; from {flow.name(since)} on they differ by rounding errors at most" if since else ""
    return f"the {what} look alike {where}: effective rank {rank:.1f} (limit {limit:g}){rounded}"


def _becomes_nan(cause: Cause, flow: GradientFlow) -> str:
    before = _at(cause, flow) if cause.layers else "the inputs"
    what = "a root or logarithm of a negative number, a 0/0 or a softmax of −inf alone"
    return f"there is {what} between {before} and it"


def _underflow(cause: Cause, flow: GradientFlow) -> str:
    share = f"{100 * _number(cause):.0f} % of the gradient at {cause.details['layer']}"
    return f"{share} underflows in {_precision(cause)}"


def _no_underflow(cause: Cause, flow: GradientFlow) -> str:
    return f"no layer's gradient underflows in {_precision(cause)}"


def _precision(cause: Cause) -> str:
    scale = cause.details["loss_scale"]
    return str(cause.details["amp"]) + (f" at a loss scale of {scale:,.0f}" if scale != 1 else "")


_FORWARD = "{at} is the first whose forward signal %s: there is no loss"

CODES = {
    "forward-overflow": Code(
        "the first layer whose forward signal overflows; null: the read-out",
        _FORWARD % "overflows the range of floats",
    ),
    "forward-nan": Code(
        "the first layer whose forward signal is not a number; null: the read-out", _FORWARD % "is not a number"
    ),
    "stand-in-loss": Code(
        "the layer whose mean squared output takes the place of the loss",
        "the gradients shown are those of {at}'s mean squared output",
    ),
    "forward-zero": Code(
        "from its first layer on the forward signal is exactly zero",
        "the forward signal is exactly zero from {at} on: nothing after it sees the input",
    ),
    "dead": Code("every unit of some layers has derivative 0; value: how many layers", _dead),
    "vanishing": Code("a region; value: its gradient_ratio furthest from 1", _region),
    "exploding": Code("a region; value: its gradient_ratio furthest from 1", _region),
    "vanishing-scattered": Code("many regions; value: how many layers they have", _scattered),
    "exploding-scattered": Code("many regions; value: how many layers they have", _scattered),
    "gradient-overflow": Code(
        "the layer at which the gradient overflows in the backward pass",
        "the backward pass overflows the range of floats at {at}",
    ),
    "gradient-zero": Code(
        "some layers get a gradient of exactly zero", "some {points} get no gradient at all: it is exactly zero"
    ),
    "span": Code("the weakest and the strongest layer; value: decades between their gradients", _span),
    "rank": Code("the layer whose examples differ least; value: its effective rank", _rank),
    "weight-span": Code(
        "value: decades between the layers' weight gradients",
        _weight_span,
    ),
    "sensitivity": Code(
        "value: by which part of what tells the examples apart the outputs change as all weights move by 1 %",
        "all weights changed by 1 % at random change the outputs by {value:.2g} times what tells the examples apart",
    ),
    "output-size": Code(
        "value: log10 of the root mean square of the read-out's outputs",
        "the outputs' root mean square is 10^{value:.1f} (limits 1e-{limit:g}, 1e{limit:g})",
    ),
    "layers-zero": Code(
        "some layers get exactly zero that hasn't faded; value: how many",
        "{names} get{s} a gradient of exactly zero, though the loss depends on {them}",
    ),
    "norms-follow": Code(
        "norms follow the layers; value: how many times wider the limits are",
        "growth of the gradient counts half where norms follow: the limits are twice as wide",
    ),
    "weights-nonfinite": Code(
        "weights are not finite before the pass; value: of how many layers",
        "the weights of {names} are not finite before the pass",
    ),
    "becomes-nan": Code("the last layer before numbers become none; null: the inputs", _becomes_nan),
    "unused": Code(
        "parameters never receive a gradient; value: how many",
        "{names} never receive{s} a gradient: the loss doesn't depend on {them}, or a detach(), no_grad() or "
        "stop_gradient() is between",
    ),
    "parameters-zero": Code(
        "parameters have a gradient of exactly zero; value: how many",
        "{names} get{s} a gradient of exactly zero on this batch",
    ),
    "underflow": Code("value: share of a layer's gradient that underflows in half precision", _underflow),
    "no-underflow": Code("no layer's gradient underflows in half precision", _no_underflow),
    "more-underflow": Code("the same of other layers; value: how many", "that of {value} more layers does too"),
    **OF_COURSES,
    **OF_FAULTS,
    **OF_LOSS,
    **OF_OPERATIONS,
    **OF_NUMBERS,
    **OF_RATES,
    **OF_PARTS,
    **OF_TRIALS,
}
