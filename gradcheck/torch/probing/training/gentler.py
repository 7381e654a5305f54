"""Which other steps keep a model healthy that training makes ill: tried from the same start, on the same batches."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from torch import nn

from gradcheck.base.record import number
from gradcheck.diagnosis.report import SuggestionRecord
from gradcheck.errors import GradcheckError
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.state import untouched
from gradcheck.torch.probing.training.course import follow
from gradcheck.torch.probing.training.cures import recorded
from gradcheck.torch.probing.training.first_steps import Steps, make_clip
from gradcheck.torch.probing.training.history import History
from gradcheck.torch.probing.training.optimizers import known_rates

#: Factors of the learning rate where training makes the model ill, and where it doesn't move it; and how far they go
#: on: until one is small enough, and as long as a larger one leads further.
SMALLER, LARGER = (0.1, 0.01), (10.0, 100.0, 1000.0)
LEAST, MOST = 1e-4, 1e6

#: A loss that stays where the parameters move by less than this share of their size in a step wants a larger rate.
SLOW = 1e-3

RATE = """for group in optimizer.param_groups:
    group["lr"] *= {factor:g}"""

WARM_UP = """warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / {steps}, total_iters={steps} - 1)
# after each optimizer.step():
warmup.step()"""

CLIP = """# between loss.backward() and optimizer.step():
torch.nn.utils.clip_grad_norm_(model.parameters(), {limit:g})"""


class Way(NamedTuple):
    """Other steps: the options that a report names them by, their PyTorch code, and how they are taken."""

    changes: dict[str, Any]
    code: str
    steps: Steps


def keep_healthy(
    model: nn.Module,
    steps: Steps,
    history: History,
    run: Callable[[int], Judgement],
    glance: Callable[[int], Judgement],
    tick: Callable[[float], None] | None = None,
) -> tuple[SuggestionRecord, ...]:
    """Return the other steps that end healthy and lower, the lowest loss first; none where those taken do.

    The model is as it was before the first step, and is left so. The same batch is run for the same number; a glance is
    enough for passes of which only loss and gradients matter.
    """
    if history.statuses[0] != "healthy" or (history.statuses[-1] == "healthy" and not history.has_risen):
        return ()
    slow = history.statuses[-1] == "not-learning" and history.pace < SLOW

    def attempt(way: Way, heard: Callable[[float], None] | None = None) -> SuggestionRecord | None:
        tried = History(model, history.one_batch)
        try:
            with untouched(model, steps.optimizer):
                judgement = follow(run, way.steps, tried, heard, glance)
        except GradcheckError:  # the user's model decides
            return None
        healed = tried.statuses[-1] == "healthy" and tried.again < history.losses[0]
        return _record(way, judgement, tried) if healed else None

    ways = list(_ways(steps, history, slow))
    found = [attempt(way, tick and _part_of(tick, index, len(ways))) for index, way in enumerate(ways)]
    losses = {way.steps.share: _loss(one) for way, one in zip(ways, found, strict=True) if "lr" in way.changes}
    while (factor := _further(losses, slow)) is not None:
        found.append(attempt(_at_rate(steps, factor)))
        losses[factor] = _loss(found[-1])
    return tuple(sorted(filter(None, found), key=_loss))


def _loss(found: SuggestionRecord | None) -> float:
    """Return the loss that other steps end with; infinity where they don't keep the model healthy."""
    return math.inf if found is None or found.loss is None else found.loss


def _further(losses: dict[float, float], slow: bool) -> float | None:
    """Return the factor of the rate to try next, given those tried and what they end with; None where it's enough."""
    if not losses:
        return None
    best = min(losses.values())
    if slow:
        furthest = max(losses)
        return 10 * furthest if losses[furthest] == best < math.inf and furthest < MOST else None
    furthest = min(losses)
    return furthest / 10 if best == math.inf and furthest > LEAST else None


def _part_of(tick: Callable[[float], None], index: int, count: int) -> Callable[[float], None]:
    return lambda share: tick((index + share) / count)


def _ways(steps: Steps, history: History, slow: bool) -> Iterator[Way]:
    if not any(known_rates(steps.optimizer)):
        return
    yield from (_at_rate(steps, factor) for factor in (LARGER if slow else SMALLER))
    if slow:
        return
    if not steps.warmup:
        long = max(2, steps.number // 2)
        yield Way({"warmup": long}, WARM_UP.format(steps=long), steps._replace(warmup=long))
    norm = history.points[0].gradient
    if steps.clip is None and 0 < norm < math.inf:
        limit = float(f"{norm:.1g}")  # as large as the first gradient, about
        rule = make_clip(f"global-norm:{limit:g}")
        yield Way({"clip": str(rule)}, CLIP.format(limit=limit), steps._replace(clip=rule))


def _at_rate(steps: Steps, factor: float) -> Way:
    """Return the same steps at so many times the rate."""
    rates = known_rates(steps.optimizer)
    rate = float(f"{factor * max(rates):.3g}") if len(rates) == 1 else f"{factor:g} times as high"
    return Way({"lr": rate}, RATE.format(factor=factor), steps._replace(share=factor))


def _record(way: Way, judgement: Judgement, tried: History) -> SuggestionRecord:
    return replace(recorded(way.changes, way.code, judgement), status=tried.statuses[-1], loss=number(tried.again))
