"""Why the rate of short runs may be far from the one that trains best."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.base.wording import counted
from gradcheck.learning_rate.answer import Answer
from gradcheck.learning_rate.rules import Rule
from gradcheck.learning_rate.runs import NO_BETTER, Draw
from gradcheck.render.numbers import significant

#: A loss starts far off where it is so many times what a constant answer costs.
FAR_OFF = 3.0

#: The option that makes longer runs, by the command that says what a network's gradient is like.
LONGER = {"simulate": "--updates {0}", "probe": "--rate-updates {0}, in Python updates={0}"}


class Doubt(NamedTuple):
    """A code, its sentence, and the numbers that decided."""

    code: str
    text: str
    value: float
    limit: float


def on_plateau(draws: Sequence[Draw], constant: float) -> bool:
    """Whether no run's loss gets below that of the best answer that is the same for all examples."""
    return all(one.furthest.score > NO_BETTER * constant for one in draws)  # no comparison with nan is true


def doubts_of(draws: Sequence[Draw], constant: float, by: str) -> Iterator[Doubt]:
    """Yield why the answer may be far off: runs that can't be told apart, a loss that starts far above guessing.

    The constant is the loss of the best answer that is the same for all examples, nan where it isn't known, by the
    command that knows of the network.
    """
    if not constant > 0:
        return
    start = max(draw.start.loss for draw in draws)
    least = min(one.furthest.score for one in draws)
    updates = max(len(run.losses) for one in draws for run in one.runs)
    guess, longer = significant(constant, 3), LONGER.get(by, LONGER["simulate"]).format(4 * updates)
    if start > FAR_OFF * constant:
        text = (
            f"the loss starts at {significant(start, 3)}, {significant(start / constant, 2)} times what guessing costs "
            f"({guess}): short runs show which rates bring it down, not which train best, and rates far above that "
            f"ceiling may train; no share of checked networks holds here; longer runs say more: {longer}"
        )
        yield Doubt("starts-far", text, start, FAR_OFF * constant)
    elif on_plateau(draws, constant):
        text = (
            f"no run's loss gets below {guess}, what the best answer costs that is the same for all examples: it is "
            f"{significant(least, 3)} after {counted(updates, 'update')}; a read-out's bias alone learns that, and the "
            f"rates can't be told apart by it; longer runs do: {longer}"
        )
        yield Doubt("plateau", text, least, constant)


def widened(answer: Answer, draws: Sequence[Draw], rule: Rule) -> Answer:
    """Return the answer with a band that holds all rates whose runs lower the loss, as they can't be told apart."""
    rates = [run.rate for one in draws for run in one.runs if run.falls]
    high = max(answer.high, min(max(rates) * rule.band, answer.ceiling))
    return answer._replace(low=min(answer.low, min(rates) / rule.band), high=high)
