"""Why a model whose gradient looks healthy may not learn: each is a reason for a trial, and none a verdict."""

import math
from collections.abc import Iterator

import numpy as np

from gradcheck.diagnosis.causes import LEAST_POSSIBLE, Cause
from gradcheck.diagnosis.score import OUTPUT_DECADES
from gradcheck.diagnosis.status import Status
from gradcheck.diagnosis.summary import possible_rank
from gradcheck.diagnosis.verdict import Verdict
from gradcheck.probing.elasticity import HOPELESS, why_inelastic
from gradcheck.probing.evidence import Evidence
from gradcheck.probing.first_loss import FAR_TOO_LARGE, LARGE_INPUTS, LARGE_LOSS, NO_BETTER
from gradcheck.probing.growing import why_large
from gradcheck.probing.trial import FAR
from gradcheck.spec.thresholds import USUAL

#: The logits of different examples lie close together where so little is between them, as a share of their size. Of
#: convolutions as PyTorch draws them it is 4 %; where pixels are divided by 255 twice, 0.01 %.
ALIKE = 0.01

#: The same in logits.
CLOSE = 2e-3

#: Inputs are small where their root mean square is less than this: pixels divided by 255 twice have 0.002.
SMALL_INPUTS = 0.02

#: The gradient of more than this share of the examples is lost, as behind a softmax that is nearly a choice.
UNHEARD = 0.75

#: Decades by which the gradient of a few layers is above that of all others: no rate of plain SGD suits both.
OUTSIZED = 6.0

#: What is wrong with the loss, the batch or the model, and keeps most models from learning: they are tried.
WRONG = (
    "broadcast", "out-of-reach", "sigmoid-twice", "softmax-twice", "softmax-over-batch", "axes-swapped", "axes-viewed",
    "examples-mixed", "unregistered", "units-alike", "labels-outside", "loss-floor",
    "labels-uncounted", "logits-rectified",
)  # fmt: skip

#: Logits are tried that make the loss start at so many times what guessing costs: units that large weights have
#: saturated come down slowly, if at all.
FAR_ABOVE = 10.0

#: Why outputs are too large.
LARGE = ("branches-grow", "layers-grow", "readout-large")

#: A loss that nobody can hold against a constant answer's is huge as outputs are beyond 10^4: by its square, which may
#: be summed over all of them.
HUGE = 1e8


def doubts_of(found: Evidence, verdict: Verdict) -> tuple[Cause, ...]:
    """Return why a model may not learn that a verdict calls healthy."""
    if verdict.status != "healthy" or found.flow.obstacle:
        return ()
    flooded = (one for one in verdict.causes if one.code == "large-inputs" and one.layers)
    wrong = tuple(one for one in found.of_loss if one.code in WRONG)
    partial = () if found.partial is None else (found.partial,)
    unheard = examples_unheard(found)
    near = () if found.of_loss else _outputs_near(found)  # what is wrong with the loss is nearer to the fault
    could_differ = possible_rank(found.flow) >= LEAST_POSSIBLE  # or they'd be alike whatever the columns are
    columns = (found.drowning_column,) if found.drowning_column and could_differ else ()
    sized = (*_starts_above(found), *flooded, *why_inelastic(found))
    return (*wrong, *partial, *columns, *found.suspected, *sized, *unheard, *near)


def examples_unheard(found: Evidence) -> tuple[Cause, ...]:
    """Return that the gradient of most examples is lost, if it is."""
    return (Cause("examples-unheard", None, found.unheard, UNHEARD),) if found.unheard > UNHEARD else ()


def remarks_of(found: Evidence) -> Iterator[Cause]:
    """Yield what is said of a model that learns, too: a derivative without a graph may be an attack's, on purpose."""
    if found.partial is not None and found.partial.details["name"]:
        yield found.partial
    yield from examples_unheard(found)
    yield from _attention_hard(found)
    yield from _gradient_outsized(found)


def _attention_hard(found: Evidence) -> Iterator[Cause]:
    """Yield that most heads look at a single token, and no training has brought them there: they are at a guess."""
    first = found.at_loss.first
    for one in found.parts.notes:
        if one.code == "attention-saturated" and first.value > NO_BETTER * first.constant_answer > 0:
            heads, of = one.details["heads"], one.details["of"]
            if heads > of / 2:
                yield Cause("attention-hard", None, heads, of, {"names": one.details["names"], "largest": one.value})


def _gradient_outsized(found: Evidence) -> Iterator[Cause]:
    """Yield that fewer than half of the layers get a gradient decades above that of all others, if so.

    Depth is judged within each role, so that two roles may lie this far apart unseen, as where one layer starts at
    zero and its norm follows. Not where branches start behind tiny gates: theirs are small, until the gates open.
    """
    if found.gated and not found.opened:
        return
    sizes = found.flow.column("log10_gradient_rms")
    order = np.argsort(-sizes)
    upper = sizes[order[: (len(sizes) + 1) // 2]]
    if found.flow.obstacle or not np.isfinite(upper).all():
        return
    gaps = -np.diff(upper)
    if not gaps.max(initial=0) > OUTSIZED:
        return
    names = tuple(found.flow.labels[one] for one in sorted(order[: gaps.argmax() + 1]))
    yield Cause("gradient-outsized", None, float(gaps.max()), OUTSIZED, {"names": names})


def status_of(doubts: tuple[Cause, ...]) -> Status:
    """Return what a model is called that doesn't learn in a trial, after the first reason for it."""
    if doubts[0].code == "loss-floor" and doubts[0].details["function"] == "cosine":  # the temperature is too large
        return "vanishing"
    if doubts[0].code in (*WRONG, "gradient-partial", "targets-huge", "dropout-most", "features-apart"):
        return "not-learning"
    if doubts[0].code in LARGE:
        return "exploding"
    return (
        "collapsed"
        if doubts[0].code in ("outputs-near", "inputs-small") and (doubts[0].value or 0) < ALIKE
        else "vanishing"
    )


def status_unlearnt(doubts: tuple[Cause, ...], verdict: Verdict) -> Status:
    """Return what a model is called that doesn't learn in a trial, whatever it was suspected of."""
    huge = any(one.code == "targets-huge" for one in verdict.causes)
    return status_of(doubts) if doubts else "not-learning" if huge else verdict.status


def may_be_slow(found: Evidence) -> bool:
    """Whether a slow start says nothing: not where so little of the gradient is left that Adam only widens rounding."""
    return not found.flow.log10_typical_elasticity < HOPELESS


def starts_far(found: Evidence) -> Iterator[Cause]:
    """Yield that a loss starts so far off that the first steps break what is there; not where more is known of why."""
    first, flow = found.at_loss.first, found.flow
    large = found.first_rms > LARGE_INPUTS and not flow.normalized[0]
    if large or flow.obstacle or flow.output.log10_logit_rms > OUTPUT_DECADES:
        return
    if first.classes and first.value > FAR * first.constant_answer > 0:
        yield Cause("starts-far", None, first.value, first.constant_answer, {"classes": first.classes})
    numbers = found.outputs if first.outsized is None else first.outsized.details["numbers"]  # a mean has one's size
    if not math.isfinite(first.constant_answer) and abs(first.value) > HUGE * numbers:
        yield Cause("starts-far", None, first.value, None, {"classes": 0})


def _starts_above(found: Evidence) -> Iterator[Cause]:
    """Yield why the logits are so large that the loss starts many times above guessing, where it does.

    Where nothing is saturated they come down, though slowly: of a linear model that is drawn from N(0, 1) in thousands
    of steps.
    """
    first = found.sized(found.at_loss.first)
    far = first.value > FAR_ABOVE * first.constant_answer > 0
    if first.classes and far and _is_saturated(found):
        yield from (one for one in why_large(first, found.flow) if one.code in LARGE)


def _is_saturated(found: Evidence) -> bool:
    """Whether most layers' units are saturated, or most heads of attention look at a single token."""
    known = [one.saturated_fraction for one in found.flow.layers if not math.isnan(one.saturated_fraction)]
    units = sum(one > USUAL.saturated_above for one in known)
    heads = (one.details for one in found.parts.notes if one.code == "attention-saturated")
    return units > len(known) / 2 or any(one["heads"] > one["of"] / 2 for one in heads)


def has_large_inputs(found: Evidence) -> bool:
    """Whether the first layer is given numbers of the size of bytes, and the loss doesn't show it where it starts."""
    first = found.at_loss.first
    shown = first.value > LARGE_LOSS * first.constant_answer
    return found.given_rms > FAR_TOO_LARGE and not found.flow.normalized[0] and not shown


def _outputs_near(found: Evidence) -> Iterator[Cause]:
    """Yield that the logits of different examples lie close together; not where all of them are zero.

    Of outputs that are compared with numbers it says little: an autoencoder that ends in a sigmoid starts at one half.
    Nor does their distance where the loss reads something else, as one that makes unit vectors of embeddings first.
    """
    first, apart = found.at_loss.first, found.outputs_apart
    if not first.classes or not apart >= 0 or not first.output_rms > 0:
        return
    share = apart / first.output_rms
    as_logits = first.value <= LARGE_LOSS * first.constant_answer  # small ones cost what guessing does
    if share < ALIKE or (apart < CLOSE and as_logits):
        small = found.given_rms < SMALL_INPUTS and share > 0 and not found.flow.normalized[0]
        details = {"apart": apart, "inputs": found.given_rms} if small else {"apart": apart}
        yield Cause("inputs-small" if small else "outputs-near", None, share, ALIKE, details)


def falls_without_bound(found: Evidence) -> bool:
    """Whether a loss takes scores for log-probabilities, so that each step makes it fall, whatever is learnt.

    Other losses without a least value may be meant: an adversary's, or a policy's whose returns are all negative.
    """
    return any(one.code == "nll-not-log" and one.details.get("given") != "probabilities" for one in found.of_loss)
