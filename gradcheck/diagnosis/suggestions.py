"""The order of changes that fix a network: by what was measured of each."""

from collections.abc import Sequence

from gradcheck.diagnosis.report import SuggestionRecord
from gradcheck.render.numbers import percent

#: Changes that make another, smaller network of it rather than heal it.
SMALLER = frozenset({"depth", "steps", "blocks"})

#: Probabilities above it are equal: on so many of the networks that were trained the score itself is right.
SURE = 0.95


def place(suggestion: SuggestionRecord) -> tuple[bool, bool, float, int, float]:
    """Return what changes are sorted by: the likeliest to train first, of those that surely do the smallest change.

    Of changes as small as each other the one after which the layers' gradients are most alike. One after which the loss
    starts far above guessing comes after all others.
    """
    score = min(SURE, round(suggestion.score, 2))
    span = suggestion.gradient_span
    far = suggestion.first_loss is not None
    return is_smaller(suggestion), far, -score, len(suggestion.changes), float("inf") if span is None else span


def starts_far(suggestion: SuggestionRecord) -> str:
    """Say where the loss starts after a change if that is far above guessing."""
    return "" if suggestion.first_loss is None else f", the loss starts at {suggestion.first_loss:.3g}"


def is_smaller(suggestion: SuggestionRecord) -> bool:
    """Whether it makes another network of it: such a one comes last."""
    return not SMALLER.isdisjoint(suggestion.changes)


def said_order(suggestions: Sequence[SuggestionRecord]) -> str:
    """Say whether changes need each other, and which to try first."""
    if len(suggestions) == 1:
        return "it is enough alone"
    alone = "each is enough alone"
    if suggestions[0].loss is not None:
        return f"{alone}; the lowest loss comes first"
    smaller = sum(map(is_smaller, suggestions))
    if smaller == len(suggestions) - 1:  # nothing but the first to put in order
        return f"{alone}; a smaller network comes last"
    last = ", a smaller network last" if smaller and smaller < len(suggestions) else ""
    return f"{alone}; likeliest to train first (above {percent(SURE)}: smallest change){last}"
