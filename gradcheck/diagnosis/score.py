"""How likely plain SGD is to train a network, from what its first gradient looks like.

A logistic model of two quantities, each with an effect in one direction: the decades between the layers' gradients, and
the rank that the examples' differences have where they are fewest. benchmarks/calibrate.py fits it to 400 networks that
were really trained, and prints its cross-validation and how often it is right.
"""

import math

from gradcheck.diagnosis.summary import Summary, possible_rank
from gradcheck.flow.gradient_flow import GradientFlow

#: log-odds = INTERCEPT + SPAN·min(span, SPAN_CAP) + RANK·min(ln rank, RANK_CAP), fitted by benchmarks/calibrate.py.
INTERCEPT, SPAN, RANK = 0.49, -2.29, 2.39
SPAN_CAP, RANK_CAP = 20.0, 2.5

#: Decades that the read-out's outputs may be away from 1. Networks trained at 3e-5 as well as at 5e3; beyond, none was
#: tried, and a decade is assumed to cost what one of the span does.
OUTPUT_DECADES = 4.0


def score(flow: GradientFlow, summary: Summary) -> float:
    """Return the probability that plain SGD trains the network; 0 if no gradient arrives.

    Parameters
    ----------
    flow : GradientFlow
    summary : Summary
        Of the flow, or of several draws of which it is the typical one.

    Notes
    -----
    A narrow layer, or a batch of few examples, can't have more than its rank: what counts is what is missing.
    """
    if flow.obstacle or not math.isfinite(summary.gradient_span):
        return 0.0
    log_odds = INTERCEPT + SPAN * (_span(summary) + excess_output(flow)) + RANK * (RANK_CAP - _missing(flow, summary))
    return 1 / (1 + math.exp(-log_odds))


def _span(summary: Summary) -> float:
    """Return the decades between the layers' gradients, those at z or those of the weights, whichever is more."""
    at_weights = summary.weight_gradient_span
    span = summary.gradient_span if math.isnan(at_weights) else max(summary.gradient_span, at_weights)
    return min(span, SPAN_CAP)


def excess_output(flow: GradientFlow) -> float:
    """Return by how many decades the outputs are too large or too small; 0 if they aren't, or have no size."""
    size = abs(flow.output.log10_logit_rms)
    return min(size - OUTPUT_DECADES, SPAN_CAP) if OUTPUT_DECADES < size < math.inf else 0.0


def _missing(flow: GradientFlow, summary: Summary) -> float:
    """Return the logarithm of the rank that is lost, of what counts and can be there; one example has none to lose."""
    if math.isnan(summary.effective_rank_least):
        return 0.0
    room = min(RANK_CAP, math.log(max(1.0, possible_rank(flow))))
    return max(0.0, room - math.log(summary.effective_rank_least))
