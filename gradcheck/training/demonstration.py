"""``clip_demo``: what does each kind of gradient clipping do to a run whose gradients explode?"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Self, Unpack

import numpy as np

from gradcheck.clipping import Clipper
from gradcheck.data.datasets import Batch, Dataset
from gradcheck.data.epochs import Batches
from gradcheck.engine.beside import may_copy, shared_out
from gradcheck.engine.magnitude import joint_norm
from gradcheck.families import trainable
from gradcheck.families.family import StoredNetwork
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import pick
from gradcheck.spec.clip_rules import Rule, parse_rules
from gradcheck.spec.demonstration import network_options, reading_of
from gradcheck.spec.options.option import takes
from gradcheck.spec.options.training import EXPERIMENT_ONLY, ClipDemoOptions
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.conclusions import warnings
from gradcheck.training.report import DemoReport, make_demo_report
from gradcheck.training.sgd import TrainingStep, evaluate, train
from gradcheck.training.strategy import Strategy, judge_run
from gradcheck.training.threshold import WARM_UP, SuggestedThreshold, suggest_threshold

#: Called with a rule after each of its steps.
Tick = Callable[[Rule], None]


@dataclass(frozen=True)
class Demonstration:
    """Everything that is needed to train one network once per strategy."""

    experiment: Experiment  # the network, the data, the seed
    training: TrainingSpec
    rules: tuple[Rule, ...]  # the strategies, in the order they run
    suggestion: SuggestedThreshold | None = None  # where ``suggest`` was among them

    @classmethod
    def from_options(cls, options: ClipDemoOptions) -> Self:
        """Return the demonstration that options describe; None means that an option wasn't given.

        Raises
        ------
        GradcheckError
            The options, or what the files hold, don't describe one.
        """
        values: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        training = TrainingSpec(**pick(TrainingSpec, values))
        asked = parse_rules(values.get("clip", ()), training.library)
        experiment = Experiment.from_options(network_options(values), stored="training changes the matrices")
        return cls(experiment, training, ()).with_rules(asked)

    def with_rules(self, asked: Sequence[Rule | None]) -> Self:
        """Return the same with its strategies; None among them means a suggested threshold."""
        suggestion = self._suggestion() if None in asked else None
        rules = dict.fromkeys(suggestion.rule if rule is None and suggestion else rule for rule in asked)
        return type(self)(self.experiment, self.training, tuple(rule for rule in rules if rule), suggestion)

    @property
    def warnings(self) -> list[str]:
        """What to beware of in the rules themselves."""
        return warnings(self.rules, self.training.library)

    @property
    def batches(self) -> Batches:
        """The batches of every run."""
        run, dataset = self.experiment.run, self.experiment.dataset
        assert isinstance(dataset, Dataset)
        return Batches(self.experiment.data, dataset, run.seed, run.dtype)

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.training.epochs * self.batches.per_epoch

    def network(self) -> StoredNetwork:
        """Return the network as every run finds it."""
        experiment = self.experiment
        network = experiment.stored_network("network", "are drawn anew")
        with np.errstate(over="ignore"):  # a scale beyond float32: the run shows what comes of it
            return trainable(experiment.network, network, experiment.dataset.features, experiment.run.dtype)

    def training_batches(self) -> Iterator[Batch]:
        """Yield the batches of a whole run."""
        return chain.from_iterable(self.batches.epoch(number) for number in range(self.training.epochs))

    def run(self, rule: Rule, tick: Tick | None = None) -> Strategy:
        """Train the network from its start under one rule."""
        network, steps = self.network(), list[TrainingStep]()
        for step in train(network, self.training_batches(), Clipper(rule, self.training.library), self.training):
            steps.append(step)
            if tick is not None:
                tick(rule)
        stopped = bool(steps[-1].nonfinite) and self.training.nonfinite == "stop"
        return judge_run(rule, steps, evaluate(network, self.batches), stopped=stopped, chance=self._chance())

    def runs(self, tick: Tick | None = None) -> Iterator[Strategy]:
        """Train under each rule; what a copy of the process does, which tells of no step, is told in the end."""
        copied, told = self.experiment.is_small and may_copy(), Counter[Rule]()
        beside = dict(zip(self.rules[::2], self.rules[1::2], strict=False)) if copied else {}

        def tell(rule: Rule, times: int = 1) -> None:
            told[rule] += times
            for _ in range(times):
                if tick is not None:
                    tick(rule)

        def step(rule: Rule) -> None:  # meanwhile the copy has made one, too, as far as is known
            tell(rule)
            if rule in beside:
                tell(beside[rule])

        for strategy in shared_out(lambda rule: self.run(rule, step), self.rules, copied=copied):
            tell(strategy.rule, len(strategy.loss) - told[strategy.rule])
            yield strategy

    def _chance(self) -> float:
        """Return the accuracy of naming the most frequent class."""
        labels = self.experiment.dataset.labels
        return math.nan if labels is None else float(np.bincount(labels).max() / len(labels))

    def _suggestion(self) -> SuggestedThreshold:
        """Return a threshold from the norms of a short unclipped warm-up."""
        network = self.network()
        norm = joint_norm([array for _, one in network.maps for array in one if array is not None]).value
        steps = list(islice(train(network, self.training_batches(), Clipper("none"), self.training), WARM_UP))
        return suggest_threshold(steps, norm, self.training)

    def report(self, finished: Sequence[Strategy]) -> DemoReport:
        """Return what the strategies that are finished have shown."""
        experiment = self.experiment.to_dict()
        config = {
            "network": experiment["arch"],
            "clip": [str(rule) for rule in self.rules],
            **self.training.to_dict(),
            "sequence": reading_of(experiment),
            **{name: value for name, value in experiment.items() if name not in EXPERIMENT_ONLY},
        }
        how = self.suggestion and f"{self.suggestion.rule} {self.suggestion.how}"
        return make_demo_report(config, self.experiment, finished, self.training, self.warnings, how)


@takes(ClipDemoOptions, {"arch": "here it is network, as in clip_demo(network='lstm')"})
def clip_demo(*, tick: Tick | None = None, **options: Unpack[ClipDemoOptions]) -> DemoReport:
    """Train one network once per clipping strategy, from the same start on the same batches.

    >>> demo = gradcheck.clip_demo(clip=["none", "global-norm:0.15"], epochs=1)
    >>> [one.rule for one in demo.strategies], demo.strategies[1].largest_norm_after < 0.16
    (['none', 'global-norm:0.15'], True)

    Parameters
    ----------
    network : str
        ``rnn``, ``lstm``, ``gru``, or ``mlp``.
    clip : str or sequence of str
        The strategies, as in ``gradcheck.clipping.clip``; ``suggest`` takes the threshold of the global norm from a
        short unclipped warm-up. Without any: none, and one of each rule.
    lr, momentum, epochs : float, float, int
        Of SGD.
    library : str, optional
        Clip as it does: ``torch``, ``optax``, ``keras``, ``paddle``, ``mlx``, ``timm``, ``lightning``, ``accelerate``.
    nonfinite : str, optional
        What to do with a step whose gradient is not finite: ``skip`` (default), ``stop``, ``zero``, or ``apply`` what
        clipping makes of it (default with a library).
    sequence : str, optional
        How a recurrence reads the digits: ``rows`` (8 steps of 8 pixels), ``pixels`` (64 steps).
    depth, steps, width, activation, init, gain, recurrent_gain, forget_bias, weight_std, bias_std, norm, residual, \
    residual_scale
        The network, as in ``gradcheck.simulate``; of a recurrence `width` is 64, `init` orthogonal and
        `recurrent_gain` 5 unless they are given: its gradients explode.
    data, labels, batch_size, shuffle, weights, seed, dtype
        As in ``gradcheck.simulate``; without labels the loss is the mean squared output.
    tick : callable, optional
        Called with the rule after each of its steps, to show progress.

    Returns
    -------
    DemoReport

    Raises
    ------
    GradcheckError
        An option or a file isn't what it has to be; the message says what would be.
    """
    demonstration = Demonstration.from_options(options)
    return demonstration.report(list(demonstration.runs(tick)))
