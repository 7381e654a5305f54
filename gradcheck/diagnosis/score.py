"""How likely plain SGD is to train a network, from what its first gradient looks like.

A logistic model of three quantities, each with an effect in one direction: the decades between the layers' gradients,
the rank that the examples' differences have where they are fewest, and how much the outputs change with all weights.
benchmarks/calibrate.py fits it to 800 networks of two laws that were really trained, and prints how well a fit to one
law tells which networks of the other train.
"""

import math

from gradcheck.diagnosis.summary import Summary, possible_rank
from gradcheck.flow.gradient_flow import GradientFlow

#: log-odds = INTERCEPT + SPAN·min(span, SPAN_CAP) + RANK·min(ln rank, RANK_CAP) + SENSITIVITY·log10 sensitivity, fitted
#: by benchmarks/calibrate.py.
INTERCEPT, SPAN, RANK, SENSITIVITY = -1.34, -1.01, 1.72, -3.23
SPAN_CAP, RANK_CAP, SENSITIVITY_CAP = 20.0, 2.5, 2.0

#: The same, fitted to the first law alone, of a network whose sensitivity isn't known: a recurrence, a transformer, a
#: user's own model that is more than a chain of linear layers.
UNKNOWN_INTERCEPT, UNKNOWN_SPAN, UNKNOWN_RANK = 0.49, -2.29, 2.39

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
    span, rank = _span(summary) + excess_output(flow), RANK_CAP - _missing(flow, summary)
    if math.isnan(summary.sensitivity):
        return _chance(UNKNOWN_INTERCEPT + UNKNOWN_SPAN * span + UNKNOWN_RANK * rank)
    return _chance(INTERCEPT + SPAN * span + RANK * rank + SENSITIVITY * _decades(summary.sensitivity))


def _chance(log_odds: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + math.exp(-log_odds))


def _decades(sensitivity: float) -> float:
    """Return log10 of the sensitivity, within the decades in which networks were trained."""
    return min(max(math.log10(sensitivity), -SENSITIVITY_CAP), SENSITIVITY_CAP) if sensitivity else -SENSITIVITY_CAP


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
