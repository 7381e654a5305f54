"""A loss that is a sum: which of its terms moves the layers that they share."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.diagnosis.causes import Cause

#: Decades between the shares of two terms from which on one drowns the other.
DROWNED = 3.0

#: A term whose own factor is so small beside another's is meant to be small: an entropy bonus, a penalty.
MEANT = 0.1

#: Why a term of derivatives may train nothing.
KINKS = " (the derivative of a ReLU's slope is zero: take a smooth activation for a loss of derivatives)"


class Term(NamedTuple):
    """One term of a loss."""

    name: str
    log10_norm: float  # of its gradient at the weights of the last layer that all terms share; nan without one
    trains: bool  # its gradient is not exactly zero at every parameter
    of_derivatives: bool = False  # it is made of derivatives, as a physics-informed loss is
    factor: float = 1.0  # size of what it is multiplied by; 1 where that isn't one number
    alone: bool = False  # no other term depends on the model's main output
    cut: str = ""  # the function that cuts it off from the graph


def with_cut(terms: tuple[Term, ...], functions: Sequence[str]) -> tuple[Term, ...]:
    """Add the terms that functions cut off from the graph; a loss that looked like none has one other at least."""
    known = terms or (Term("the other", math.nan, trains=True),)
    return (*known, *(Term("one term", math.nan, trains=False, cut=one) for one in functions)) if functions else terms


def causes_of(terms: Sequence[Term]) -> Iterator[Cause]:
    """Yield terms that train nothing, and one that drowns the others; of those that are meant to be small neither.

    The only term that depends on the model's main output is what it is trained for, as a reconstruction is beside a
    divergence: it isn't meant to be small. An equation's residual, made of derivatives, and the values at its boundary
    have to be fulfilled at once: beside it none is.
    """
    count, largest = len(terms), max(terms, key=lambda term: term.factor, default=None)
    if largest is not None:
        terms = [
            term
            for term in terms
            if term.factor > MEANT * largest.factor
            or term.alone
            or (largest.of_derivatives and not term.of_derivatives)
        ]
    for term in terms:
        if not term.trains:
            why = f" ({term.cut} cuts it off from the weights)" if term.cut else KINKS * term.of_derivatives
            yield Cause("term-zero", None, 0.0, details={"term": term.name, "count": count, "why": why})
    heard = sorted((term for term in terms if math.isfinite(term.log10_norm)), key=lambda term: term.log10_norm)
    if heard and heard[-1].log10_norm - heard[0].log10_norm > DROWNED:
        times = 10 ** min(heard[-1].log10_norm - heard[0].log10_norm, 300.0)
        yield Cause("term-drowned", None, times, 10**DROWNED, {"term": heard[0].name, "other": heard[-1].name})
