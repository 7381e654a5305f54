"""Losses of two networks that play against each other, as in a GAN: what one gains, the other loses."""

from gradcheck.logs.columns import PART, Column
from gradcheck.logs.series import Series
from gradcheck.logs.words import HALVES, LOSS, player_of, words


def players(series: Series) -> list[Series]:
    """Return the series with the loss of each player in place of their sum; none of a log that isn't of a game."""
    losses: dict[int, list[Column]] = {}
    for column in series.columns:
        player = player_of(words(column.layer)) if column.quantity == PART else None
        if player is not None:
            losses.setdefault(player, []).append(column)
    return [series.with_loss(_whole(losses[player])) for player in sorted(losses)] if len(losses) == 2 else []


def _whole(parts: list[Column]) -> list[Column]:
    """Return the part that is named after the player alone, which is the sum of the others; else all of them."""
    own = [set(words(part.layer)) for part in parts]
    whole = [part for part, said in zip(parts, own, strict=True) if len(said - LOSS) == 1 and not said & HALVES]
    return whole[:1] or parts
