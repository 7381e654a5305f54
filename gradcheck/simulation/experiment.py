"""A network, the batch that goes through it, and how it is judged: what every simulating command runs."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from gradcheck.data.datasets import Batch, Dataset
from gradcheck.data.tokens import TokenSet
from gradcheck.diagnosis.summary import Summary, summarize
from gradcheck.diagnosis.verdict import Diagnosis, Judgement, diagnose, judge
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import loss_of
from gradcheck.errors import OptionError, one_of
from gradcheck.families import FAMILIES, drawn_network, given_network, stored_weights
from gradcheck.families.family import DrawnNetwork, Given, StoredNetwork
from gradcheck.flow.average import average
from gradcheck.flow.gradient_flow import GradientFlow, Tick, measure
from gradcheck.flow.number_formats import Tally
from gradcheck.spec import Spec, network_spec, pick, plain
from gradcheck.spec.data import DataSpec
from gradcheck.spec.options.network import DRAWN_ONLY
from gradcheck.spec.presets import with_preset
from gradcheck.spec.representation import chosen_layers
from gradcheck.spec.run import RunSpec
from gradcheck.spec.thresholds import Thresholds

#: Multiplications of a forward pass up to which suggestions are simulated unasked, and theory needs no core of its own.
A_MOMENT = 250e6

#: A first loss above so many times what guessing costs is said: outputs have to shrink before anything is learnt.
FAR = 10.0


class Outcome(NamedTuple):
    """What an experiment found: each draw's flow and summary, the typical ones, and their diagnosis."""

    flows: list[GradientFlow]
    typical: GradientFlow
    summaries: list[Summary]
    summary: Summary
    diagnosis: Diagnosis


class Judged(NamedTuple):
    """The same of an experiment of which no more is measured than flags, verdict, score and summary rest on."""

    typical: GradientFlow
    summaries: list[Summary]
    summary: Summary
    judgement: Judgement


class Experiment(NamedTuple):
    """Everything that is needed to measure and judge a network."""

    # network, data, run, thresholds: the four parts of a command's options
    network: Spec
    data: DataSpec
    run: RunSpec
    thresholds: Thresholds
    dataset: Dataset | TokenSet  # what `data` names, loaded
    weights: str | None = None  # the file of the given weights
    maps: tuple[Dense, ...] = ()  # the given weights, first hidden layer to read-out; empty where they are drawn
    preset: str | None = None  # where the network's options come from
    stored: str = ""  # why the matrices are needed, if they are for more than a measurement

    @classmethod
    def from_options(cls, options: Mapping[str, Any], stored: str = "") -> Self:
        """Return the experiment that a command's options describe; None means that an option wasn't given.

        Raises
        ------
        GradcheckError
            The options, or what the files hold, don't describe one.
        """
        said = {name: plain(value) for name, value in options.items() if value is not None}
        values = with_preset(said)
        arch = one_of("arch", values.get("arch") or "mlp", FAMILIES)
        family, given = FAMILIES[arch], None
        if "weights" in values:
            given, values = _load(Path(values["weights"]), arch, values)
        values = family.spec.usual_data(values) | values
        network = network_spec(values)
        data, run = DataSpec(**pick(DataSpec, values)), RunSpec(**pick(RunSpec, values))
        network.check_batch(data.batch_size)
        network, dataset = family.fit(network, data, frozenset(said), given)
        thresholds = Thresholds(**pick(Thresholds, values))
        file, maps = (str(given.path), tuple(given.maps)) if given else (None, ())
        experiment = cls(network, data, run, thresholds, dataset, file, maps, values.get("preset"), stored)
        chosen_layers(run.layers, network, data.batch_size, given=bool(maps), stored=stored)  # or say why not
        return experiment

    @property
    def layers(self) -> str:
        """How random layers are represented: ``dense`` or ``weightless``."""
        batch = self.data.batch_size
        return chosen_layers(self.run.layers, self.network, batch, given=bool(self.maps), stored=self.stored)

    def to_dict(self) -> dict[str, Any]:
        """Return every option with its resolved value."""
        parts = self.network, self.data, self.run, self.thresholds
        resolved = {"weights": self.weights, "preset": self.preset, "layers": self.layers}
        return {name: value for part in parts for name, value in part.to_dict().items()} | resolved

    def changed(self, **changes: Any) -> Self:  # noqa: ANN401
        """Return the experiment with some of the network's options changed."""
        return self._replace(network=replace(self.network, **changes))

    @property
    def outputs(self) -> int:
        """Units of the read-out."""
        return int(self.maps[-1].weight.shape[1]) if self.maps else self.dataset.outputs

    @property
    def classes(self) -> int:
        """Classes of the labels, 0 where there are none."""
        return 0 if isinstance(self.dataset, Dataset) and self.dataset.labels is None else self.outputs

    def far_loss(self, flow: GradientFlow) -> float | None:
        """Return the loss where training starts if that is far above guessing among the classes."""
        loss = flow.output.loss
        return loss if self.classes and FAR * math.log(self.classes) < loss < math.inf else None

    @property
    def work(self) -> int:
        """Multiplications of all draws' forward passes, roughly."""
        fans = FAMILIES[self.network.arch].shapes(self.network, self.dataset.features, self.outputs)
        rows = self.data.batch_size * self.network.rows
        weightless = self.layers == "weightless"
        of_each = (rows * (fan_in + fan_out) if weightless else fan_in * fan_out for fan_in, fan_out in fans)
        return self.run.seeds * rows * sum(of_each)

    @property
    def is_small(self) -> bool:
        """Whether a pass takes no more than a moment, and two networks in memory are no matter."""
        return self.work <= A_MOMENT

    @property
    def parameters(self) -> int:
        """How many numbers training would change."""
        return FAMILIES[self.network.arch].parameters(self.network, self.dataset.features, self.outputs)

    def draw(self, seed: int) -> DrawnNetwork:
        """Return the network that `seed` draws, or the one of the given weights."""
        features, dtype = self.dataset.features, self.run.dtype
        if self.maps:
            return given_network(self.network, self.maps, features, dtype)
        return drawn_network(self.network, features, self.outputs, seed, dtype, self.layers)

    def stored_network(self, option: str, because: str) -> StoredNetwork:
        """Return the network of the first seed as one whose weights are stored; see ``families.stored_weights``."""
        weights, features = stored_weights(self.network.arch, option, because), self.dataset.features
        if self.maps:
            return weights.network(self.network, self.maps, features, self.run.dtype)
        return weights.draw(self.network, features, self.outputs, self.run.seed, self.run.dtype)

    def batch(self, seed: int) -> Batch:
        """Return the batch that `seed` picks."""
        return self.dataset.batch(self.data, seed, self.run.dtype)

    def flow(
        self,
        seed: int,
        tick: Tick | None = None,
        *,
        only_judged: bool = False,
        within: float = math.inf,
        tally: Tally | None = None,
    ) -> GradientFlow:
        """Measure one draw, or no more of it than its verdict rests on; see ``measure``."""
        inputs, labels = self.batch(seed)
        with np.errstate(over="ignore", invalid="ignore"):  # measured, not warned of
            network, start = self.draw(seed).unrolled(inputs)
        told = tick or (lambda share: None)
        return measure(network, start, loss_of(labels), tick=told, only_judged=only_judged, within=within, tally=tally)

    def outcome(self, tick: Tick | None = None, tally: Tally | None = None) -> Outcome:
        """Measure all draws and diagnose them; a tally counts what number formats lose of them all."""
        first, draws = self.run.seed, self.run.seeds
        flows = [self.flow(first + draw, part(tick, draw, draws), tally=tally) for draw in range(draws)]
        typical, summaries, summary = _summed_up(flows)
        return Outcome(flows, typical, summaries, summary, diagnose(typical, summary, self.thresholds))

    def judged(self, tick: Tick | None = None, *, if_healthy: bool = False) -> Judged:
        """Measure what the verdict rests on in all draws, and judge them as ``outcome`` does.

        If only healthy networks matter it stops where none can come of it: what is found of one that isn't has no
        numbers.
        """
        first, draws = self.run.seed, self.run.seeds
        within = draws * self.thresholds.max_span if if_healthy else math.inf  # the mean of the spans counts
        flows = [
            self.flow(first + draw, part(tick, draw, draws), only_judged=True, within=within) for draw in range(draws)
        ]
        typical, summaries, summary = _summed_up(flows)
        return Judged(typical, summaries, summary, judge(typical, summary, self.thresholds))


def part(tick: Tick | None, index: int, count: int) -> Tick | None:
    """Return what counts one of several equal pieces of work, from 0, as its part of the whole."""
    return tick and (lambda share: tick((index + share) / count))


def _summed_up(flows: list[GradientFlow]) -> tuple[GradientFlow, list[Summary], Summary]:
    """Return the typical flow, each draw's summary, and the typical one."""
    summaries = [summarize(flow) for flow in flows]
    return average(flows), summaries, average_summary(summaries)


def average_summary(summaries: list[Summary]) -> Summary:
    """Return the mean spans and the geometric means of the gain and the ranks."""
    if len(summaries) == 1:
        return summaries[0]
    span, gain, rank_last, weight_span, rank_least, sensitivity = zip(*summaries, strict=True)
    return Summary(
        gradient_span=_mean(span),
        mean_local_gain=_geometric_mean(gain),
        effective_rank_last=_geometric_mean(rank_last),
        weight_gradient_span=_mean(weight_span),
        effective_rank_least=_geometric_mean(rank_least),
        sensitivity=_geometric_mean(sensitivity),
    )


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _geometric_mean(values: tuple[float, ...]) -> float:
    return float(math.prod(value ** (1 / len(values)) for value in values))


def _load(path: Path, arch: str, values: Mapping[str, Any]) -> tuple[Given, dict[str, Any]]:
    """Return the given weights, and the options with what those say of the network."""
    weights = stored_weights(arch, "weights", "weights are drawn")
    maps = weights.load(path, arch)
    for option in DRAWN_ONLY:
        if option in values:
            raise OptionError(option, f"goes with drawn weights, not with --weights {values['weights']}: drop one")
    return Given(path, maps), {**values, **weights.sizes(maps), "init": None}
