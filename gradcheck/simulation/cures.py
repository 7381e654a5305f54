"""Which single changes fix a network: each is simulated before it is suggested, and again with other seeds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from gradcheck.base.record import Frozen, number
from gradcheck.diagnosis.report import SuggestionRecord
from gradcheck.diagnosis.suggestions import place
from gradcheck.engine.beside import may_copy, shared_out
from gradcheck.families import FAMILIES
from gradcheck.families.family import Change
from gradcheck.flow.gradient_flow import Tick
from gradcheck.mean_field.predicted import Prediction
from gradcheck.mean_field.prediction import predict
from gradcheck.simulation.experiment import Experiment, Outcome, part
from gradcheck.spec import NetworkSpec, Spec
from gradcheck.spec.command_line import command_line

S = TypeVar("S")
T = TypeVar("T")

#: Suggestions at most.
MOST = 5

#: Seeds beyond the user's own with which a change must raise the score as well.
FRESH_SEEDS = 2

#: The part of the work that is done once each change has been simulated.
SEARCH = 0.6


def cures(experiment: Experiment, outcome: Outcome, tick: Tick | None = None) -> tuple[SuggestionRecord, ...]:
    """Return the changes after which the network is healthy, in their order; none for one that is and trains.

    Given weights are left alone: a change would be of another network.
    """
    verdict = outcome.diagnosis.verdict
    if (verdict.status == "healthy" and verdict.trainable) or experiment.maps:
        return ()
    tried = _tried(experiment, outcome, tick and (lambda share: tick(SEARCH * share)))
    healed = [(change, one) for change, one in tried if one.status == "healthy" and one.score >= 0.5]
    healed.sort(key=lambda pair: place(pair[1]))
    if not healed:
        return ()
    networks = [experiment, *(experiment.changed(**change) for change, _ in healed)]
    needed = 1 + MOST  # at least
    rest = tick and (lambda share: tick(SEARCH + (1 - SEARCH) * share))
    others = (_scores(one, None) for one in networks[needed:])  # drawn where one of these fails
    scores = chain(_each(_scores, networks[:needed], experiment, rest), others)
    before = max(verdict.score, *next(scores))
    confirmed = (one for (_, one), fresh in zip(healed, scores, strict=True) if min(one.score, *fresh) > before)
    return tuple(islice(confirmed, MOST))


def _each(work: Callable[[S, Tick | None], T], of: Sequence[S], experiment: Experiment, tick: Tick | None) -> list[T]:
    """Return what `work` makes of each; of small networks a copy of the command does every other one."""
    told = [(one, part(tick, at, len(of))) for at, one in enumerate(of)]
    return list(shared_out(lambda one: work(*one), told, copied=experiment.is_small and may_copy()))


def _tried(experiment: Experiment, outcome: Outcome, tick: Tick | None) -> list[tuple[Change, SuggestionRecord]]:
    """Simulate each change that theory doesn't rule out."""
    batch_size, limit = experiment.data.batch_size, experiment.thresholds.max_span
    shallower = not outcome.typical.obstacle  # which doesn't help a signal that overflows within a few layers
    candidates = FAMILIES[experiment.network.arch].changes(experiment.network, batch_size, shallower)
    distinct = {replace(experiment.network, **change): change for change in candidates}
    hopeful = [change for spec, change in distinct.items() if not is_hopeless(spec, batch_size, limit)]
    return list(zip(hopeful, _each(partial(_simulated, experiment), hopeful, experiment, tick), strict=True))


def is_hopeless(spec: Spec, batch_size: int, max_span: float) -> bool:
    """Whether theory knows that a network loses or gains far more than it may: no need to simulate it.

    So batch norm is never tried where it makes gradients explode (Yang et al. 2019).
    """
    if not isinstance(spec, NetworkSpec):  # a transformer's prediction costs as much as its simulation
        return False
    found = predict(spec, input_square=1.0, batch_size=batch_size)
    return isinstance(found, Prediction) and found.gradient_span > 2 * max_span + 1


def _scores(experiment: Experiment, tick: Tick | None) -> list[float]:
    """Return the scores of single draws with seeds that the user's run doesn't have."""
    first = experiment.run.seed + experiment.run.seeds
    fresh = [replace(experiment.run, seed=first + draw, seeds=1) for draw in range(FRESH_SEEDS)]
    return [
        experiment._replace(run=run).judged(part(tick, draw, FRESH_SEEDS)).judgement.score
        for draw, run in enumerate(fresh)
    ]


def _simulated(experiment: Experiment, change: Change, tick: Tick | None) -> SuggestionRecord:
    changed = experiment.changed(**change)
    typical, _, summary, judgement = changed.judged(tick, if_healthy=True)
    made = {name: value for name, value in change.items() if value not in (None, getattr(experiment.network, name))}
    return SuggestionRecord(
        changes=Frozen(made),
        command=command_line("simulate", changed.to_dict()),
        status=judgement.status,
        score=judgement.score,
        gradient_span=number(summary.gradient_span),
        effective_rank_last=number(summary.effective_rank_last),
        first_loss=changed.far_loss(typical),
    )
