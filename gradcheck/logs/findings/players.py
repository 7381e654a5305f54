"""Losses of two networks that play against each other, as in a GAN: what one gains, the other loses."""

from collections.abc import Collection

from gradcheck.logs.columns import PART, Column
from gradcheck.logs.series import Series
from gradcheck.logs.words import HALVES, LOSS, player_of, words

#: What the letters of one player become in the name of the other, and the longest words that are names by letters.
_OPPOSED, SHORT = str.maketrans("gd", "dg"), 3


def players(series: Series) -> list[Series]:
    """Return the series with the loss of each player in place of their sum; none of a log that isn't of a game."""
    losses: dict[int, list[Column]] = {}
    parts = {column: words(column.layer) for column in series.columns if column.quantity == PART}
    for column, name in parts.items():
        player = player_of(name)
        if player is None:
            player = _by_a_letter(name, parts.values())
        if player is not None:
            losses.setdefault(player, []).append(column)
    return [series.with_loss(_whole(losses[player])) for player in sorted(losses)] if len(losses) == 2 else []


def _by_a_letter(name: tuple[str, ...], others: Collection[tuple[str, ...]]) -> int | None:
    """Return the player of a name that differs from another by a letter, ``VG`` beside ``VD``; None of any other."""
    for at, word in enumerate(name):
        opposed = word.translate(_OPPOSED)
        if len(word) <= SHORT and opposed != word and (*name[:at], opposed, *name[at + 1 :]) in others:
            return int("d" in word)
    return None


def _whole(parts: list[Column]) -> list[Column]:
    """Return the part that is named after the player alone, which is the sum of the others; else all of them."""
    own = [set(words(part.layer)) for part in parts]
    whole = [part for part, said in zip(parts, own, strict=True) if len(said - LOSS) == 1 and not said & HALVES]
    return whole[:1] or parts
