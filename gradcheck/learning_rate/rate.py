"""``rate``: which learning rate does this network take?"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Self, Unpack

import numpy as np

from gradcheck.data.datasets import Dataset
from gradcheck.data.epochs import Batches
from gradcheck.diagnosis.sentences.codes import sentence
from gradcheck.engine.beside import may_copy, shared_out
from gradcheck.engine.loss import constant_answer
from gradcheck.engine.memory import keep_freed_memory
from gradcheck.errors import one_of
from gradcheck.families import trainable
from gradcheck.learning_rate.answer import answer_of
from gradcheck.learning_rate.conclusions import EVEN_CHANCE, Evidence, answer_of_trainable
from gradcheck.learning_rate.network_descent import NetworkDescent
from gradcheck.learning_rate.optimizers import OPTIMIZERS
from gradcheck.learning_rate.remarks import cured, short_runs
from gradcheck.learning_rate.report import CALLED, RateCure, RateReport, make_rate_report
from gradcheck.learning_rate.rules import Rule, rule_of, usual_updates
from gradcheck.learning_rate.runs import DOUBLINGS, Draw, find_rate
from gradcheck.simulation.cures import cures
from gradcheck.simulation.experiment import A_MOMENT, Experiment, Outcome
from gradcheck.spec import pick
from gradcheck.spec.families import TRAINED
from gradcheck.spec.learning_rate import SearchSpec, rate_command_line
from gradcheck.spec.options.learning_rate import EXPERIMENT_ONLY, SEARCH_ONLY, RateOptions
from gradcheck.spec.options.option import takes

#: What searches the rate of anything else, a transformer's too.
YOURS = (
    "; of a transformer, or any model of your own in PyTorch: gradcheck probe models:build --batch models:batch "
    "--rate, or gradcheck.torch.rate(model, batch, loss, optimizer)"
)


@dataclass(frozen=True)
class RateSearch:
    """Everything that is needed to search a network's rate."""

    experiment: Experiment  # the network, the data, the seeds
    search: SearchSpec

    @classmethod
    def from_options(cls, options: RateOptions) -> Self:
        """Return the search that options describe; None means that an option wasn't given.

        Raises
        ------
        GradcheckError
            The options, or what the files hold, don't describe one.
        """
        values: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        search = SearchSpec(**pick(SearchSpec, values))
        one_of("arch", values.get("arch", "mlp"), TRAINED, beside=YOURS)
        described = {name: value for name, value in values.items() if name not in SEARCH_ONLY}
        return cls(Experiment.from_options(described, stored="updates change the matrices"), search)

    def draw(self, seed: int, tick: Callable[[], None] | None = None) -> Draw:
        """Search the rate of the network that `seed` draws."""
        constant = self.constant if math.isfinite(self.constant) else math.inf
        doublings = DOUBLINGS if self.evidence.score >= EVEN_CHANCE else 0
        return find_rate(
            self.descent(seed), self.rule, self.updates, seed, tick=tick, constant=constant, doublings=doublings
        )

    @property
    def multiplications(self) -> int:
        """Those of a forward pass of a batch, roughly."""
        return self.experiment.work // self.experiment.run.seeds

    @property
    def usual(self) -> int:
        """The updates of a run by default, by what a pass costs."""
        return usual_updates(self.multiplications)

    @property
    def updates(self) -> int:
        """Of each run."""
        return self.search.updates or self.usual

    @property
    def rule(self) -> Rule:
        """The optimizer's, for runs of so many updates."""
        return rule_of(self.search.optimizer, self.updates)

    @property
    def constant(self) -> float:
        """The loss of the best answer that is the same for all examples; nan without labels."""
        labels = self.experiment.dataset.labels
        return math.nan if labels is None else constant_answer(labels)

    def descent(self, seed: int) -> NetworkDescent:
        """Return what is searched on: a copy of the network that `seed` draws, its optimizer, its batches."""
        experiment = self.experiment._replace(run=replace(self.experiment.run, seed=seed, seeds=1))
        network = experiment.stored_network("arch", "weights are drawn anew in each pass")
        dataset, run = experiment.dataset, experiment.run
        assert isinstance(dataset, Dataset)
        with np.errstate(over="ignore"):  # a scale beyond float32: the loss shows what comes of it
            network = trainable(experiment.network, network, dataset.features, run.dtype)
        optimizer = partial(OPTIMIZERS[self.search.optimizer], self.search.weight_decay or 0.0)
        return NetworkDescent(network, optimizer, Batches(experiment.data, dataset, seed, run.dtype).without_end)

    @cached_property
    def outcome(self) -> Outcome:
        """What a simulation finds."""
        return self.experiment.outcome()

    @property
    def evidence(self) -> Evidence:
        """What that says of the network, and what a constant answer costs."""
        outcome = self.outcome
        verdict = outcome.diagnosis.verdict
        return Evidence(verdict.status, sentence(verdict.causes[0], outcome.typical), verdict.score, self.constant)

    def report(self, draws: list[Draw]) -> RateReport:
        """Return what the draws have shown."""
        evidence = self.evidence
        found = answer_of_trainable(draws, self.rule, evidence) is not None
        cure = None if found or evidence.score >= EVEN_CHANCE else self.cure()
        optimizer = self.search.optimizer
        remarks = [short_runs(optimizer, self.updates)] if found else []
        if cure is not None:
            remarks.append(cured(cure.changes, CALLED[optimizer], cure.best_rate, cure.low, cure.high))
        return make_rate_report(
            self.config, draws, self.experiment.parameters, evidence,
            remarks=[*filter(None, remarks)], cure=cure, multiplications=self.multiplications,
        )  # fmt: skip

    @property
    def config(self) -> dict[str, Any]:
        """Every option with its resolved value."""
        experiment = self.experiment.to_dict()
        described = {name: value for name, value in experiment.items() if name not in EXPERIMENT_ONLY}
        return {**self.search.to_dict(), "updates": self.updates, **described}

    def cure(self) -> RateCure | None:
        """Return the change by which ``simulate`` heals a network soonest, and the rate with it; None for none."""
        healed = cures(self.experiment, self.outcome) if self.multiplications <= A_MOMENT else ()
        if not healed:
            return None
        changes = healed[0].changes
        drawn = {"weight_std": None} if "init" in changes else {}
        healthy = replace(self, experiment=self.experiment.changed(**drawn, **changes))
        answer = answer_of([healthy.draw(self.experiment.run.seed)], healthy.rule)
        if answer is None:
            return None
        command = rate_command_line(healthy.config, healthy.usual)
        return RateCure(changes=changes, command=command, best_rate=answer.best, low=answer.low, high=answer.high)


@takes(RateOptions)
def rate(*, tick: Callable[[], None] | None = None, **options: Unpack[RateOptions]) -> RateReport:
    """Search the learning rate that a network takes, by short runs from its start.

    >>> report = gradcheck.rate(depth=4, width=32, activation="tanh", init="lecun", optimizer="adam")
    >>> report.verdict.status, report.answer.low < report.answer.best_rate < report.answer.ceiling
    ('found', True)

    Along the first update the rate is searched at which the loss of its batch is least. From there, short runs at rates
    a factor of two apart show which one gets furthest.

    Parameters
    ----------
    optimizer : str
        ``sgd``, ``momentum`` (0.9), ``adam`` or ``adamw``, as in PyTorch.
    lr : float, optional
        A rate to judge: ``report.verdict.status`` is ``fits``, ``too-high`` or ``too-low``.
    weight_decay : float, optional
        Of the optimizer; 0, of adamw 0.01.
    updates : int, optional
        Of each run; by default 100, of larger networks fewer, down to 8, by the multiplications of a pass. Where none
        of fewer than 100 has learnt anything, runs of twice and of four times as many are made.
    arch, depth, steps, width, activation, init, gain, recurrent_gain, forget_bias, weight_std, bias_std, norm, \
    residual, residual_scale
        The network, as in ``gradcheck.simulate``: an mlp, rnn, lstm or gru.
    data, labels, batch_size, shuffle, weights, seed, seeds, dtype
        As in ``gradcheck.simulate``; without labels the loss is the mean squared output.
    tick : callable, optional
        Called after each run, to show progress.

    Returns
    -------
    RateReport
        Its ``answer`` is None where no rate helps; ``verdict`` says why, and ``cure``, if there is one, after which
        change of the network a rate does.

    Raises
    ------
    GradcheckError
        An option or a file isn't what it has to be; the message says what would be.
    """
    keep_freed_memory()
    search = RateSearch.from_options(options)
    first, count = search.experiment.run.seed, search.experiment.run.seeds
    seeds, copied = range(first, first + count), search.multiplications <= A_MOMENT and may_copy()
    return search.report(list(shared_out(lambda seed: search.draw(seed, tick), seeds, copied=copied)))
