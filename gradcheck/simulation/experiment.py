"""A network, the batch that goes through it, and how it is judged: what every simulating command runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from gradcheck.building.networks import AnyNetwork, drawn_network, given_network, parameters, shapes
from gradcheck.building.recurrent_weight_files import load_recurrence
from gradcheck.building.weight_files import check_fit, load_weights
from gradcheck.data.datasets import Batch, Dataset, load_dataset
from gradcheck.data.sequences import cut
from gradcheck.data.tokens import TokenSet, cut_patches, load_tokens
from gradcheck.diagnosis.summary import Summary, summarize
from gradcheck.diagnosis.verdict import Diagnosis, diagnose
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import loss_of
from gradcheck.errors import OptionError
from gradcheck.flow.average import average
from gradcheck.flow.gradient_flow import GradientFlow, Tick, measure
from gradcheck.spec import (
    RECURRENT,
    NetworkSpec,
    RecurrentSpec,
    Spec,
    TransformerSpec,
    network_spec,
    pick,
    plain,
)  # fmt: skip
from gradcheck.spec.data import DataSpec
from gradcheck.spec.presets import with_preset
from gradcheck.spec.representation import chosen_layers
from gradcheck.spec.run import TRANSFORMER_DATA as OF_TRANSFORMERS
from gradcheck.spec.run import RunSpec as RunSpec
from gradcheck.spec.thresholds import Thresholds

#: Options of drawn networks: given weights take their place.
DRAWN_ONLY = ("depth", "width", "init", "gain", "recurrent_gain", "forget_bias", "weight_std", "bias_std")


class Outcome(NamedTuple):
    """What an experiment found: each draw's flow and summary, the typical ones, and what they come to."""

    flows: list[GradientFlow]
    typical: GradientFlow
    summaries: list[Summary]
    summary: Summary
    diagnosis: Diagnosis


@dataclass(frozen=True)
class Experiment:
    """Everything that is needed to measure and judge a network.

    Attributes
    ----------
    network, data, run, thresholds
        The four parts of a command's options.
    dataset : Dataset or TokenSet
        What `data` names, loaded.
    weights : str or None
        The file of the given weights.
    maps : tuple of Dense
        The given weights, first hidden layer to read-out; empty where they are drawn.
    preset : str or None
        Where the network's options come from.
    stored : str
        Why the matrices are needed, if they are for more than a measurement.
    """

    network: Spec
    data: DataSpec
    run: RunSpec
    thresholds: Thresholds
    dataset: Dataset | TokenSet
    weights: str | None = None
    maps: tuple[Dense, ...] = ()
    preset: str | None = None
    stored: str = ""

    @classmethod
    def from_options(cls, options: Mapping[str, Any], stored: str = "") -> Self:
        """Return the experiment that a command's options describe; None means that an option wasn't given.

        Parameters
        ----------
        options : mapping
        stored : str
            Why the matrices are needed, if they are for more than a measurement.

        Raises
        ------
        GradcheckError
            The options, or what the files hold, don't describe one.
        """
        values = _completed({name: plain(value) for name, value in options.items() if value is not None})
        weights = values.get("weights")
        maps = _load(Path(weights), values) if weights is not None else ()
        network = _given_spec(values, maps) if maps else network_spec(_as_deep_as_wide(values))
        data, run = DataSpec(**pick(DataSpec, values)), RunSpec(**pick(RunSpec, values))
        _check_batch_norm(network, data)
        given = {name for name in ("steps", "tokens") if options.get(name) is not None}  # by the user, not a preset
        network, dataset = _fitted(network, data, given, maps)
        if weights is not None:
            assert isinstance(dataset, Dataset)
            check_fit(Path(weights), maps, dataset, network)
        thresholds = Thresholds(**pick(Thresholds, values))
        preset, file = values.get("preset"), weights and str(weights)
        experiment = cls(network, data, run, thresholds, dataset, file, maps, preset, stored)
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
        return replace(self, network=replace(self.network, **changes))

    @property
    def outputs(self) -> int:
        """Units of the read-out."""
        return int(self.maps[-1].weight.shape[1]) if self.maps else self.dataset.outputs

    @property
    def rows(self) -> int:
        """Rows of the batch: examples, or all their tokens."""
        tokens = self.network.tokens if isinstance(self.network, TransformerSpec) else 1
        return self.data.batch_size * tokens

    @property
    def work(self) -> int:
        """Multiplications of all draws' forward passes, roughly."""
        fans, rows = shapes(self.network, self.dataset.features, self.outputs), self.rows
        if self.layers == "weightless":
            return self.run.seeds * rows * sum(rows * (fan_in + fan_out) for fan_in, fan_out in fans)
        return self.run.seeds * rows * sum(fan_in * fan_out for fan_in, fan_out in fans)

    @property
    def parameters(self) -> int:
        """How many numbers training would change."""
        return parameters(self.network, self.dataset.features, self.outputs)

    def drawn(self, seed: int) -> AnyNetwork:
        """Return the network that `seed` draws, or the one of the given weights."""
        features, dtype = self.dataset.features, self.run.dtype
        if self.maps:
            assert not isinstance(self.network, TransformerSpec)
            return given_network(self.network, self.maps, features, dtype)
        return drawn_network(self.network, features, self.outputs, seed, dtype, self.layers)

    def batch(self, seed: int) -> Batch:
        """Return the batch that `seed` picks."""
        if isinstance(self.dataset, TokenSet):
            return self.dataset.batch(self.data, seed)
        return self.dataset.batch(self.data, seed, self.run.dtype)

    def flow(self, seed: int, tick: Tick | None = None) -> GradientFlow:
        """Measure one draw."""
        inputs, labels = self.batch(seed)
        network, start = self.drawn(seed).unrolled(inputs)
        return measure(network, start, loss_of(labels), tick=tick or (lambda share: None))

    def outcome(self, tick: Tick | None = None) -> Outcome:
        """Measure all draws and judge them."""
        first, draws = self.run.seed, self.run.seeds
        flows = [self.flow(first + draw, part(tick, draw, draws)) for draw in range(draws)]
        typical, summaries = average(flows), [summarize(flow) for flow in flows]
        summary = average_summary(summaries)
        return Outcome(flows, typical, summaries, summary, diagnose(typical, summary, self.thresholds))


def part(tick: Tick | None, index: int, count: int) -> Tick | None:
    """Return what counts one of several equal pieces of work, from 0, as its part of the whole."""
    return tick and (lambda share: tick((index + share) / count))


def average_summary(summaries: list[Summary]) -> Summary:
    """Return the mean spans and the geometric means of the gain and the ranks."""
    if len(summaries) == 1:
        return summaries[0]
    columns = zip(Summary._fields, zip(*summaries, strict=True), strict=True)
    means = {name: _mean(values) if name.endswith("_span") else _geometric_mean(values) for name, values in columns}
    return Summary(**means)


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _geometric_mean(values: tuple[float, ...]) -> float:
    product = 1.0
    for value in values:
        product *= value ** (1 / len(values))
    return product


def _as_deep_as_wide(values: dict[str, Any]) -> dict[str, Any]:
    """Let a list of widths say how deep the network is."""
    width = values.get("width")
    if isinstance(width, list | tuple) and values.get("arch") not in RECURRENT:
        return {"depth": len(width)} | values
    return values


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options with those of the preset, and those that a transformer has for its data."""
    values = with_preset(values)
    if values.get("arch") != "transformer":
        return values
    data = {"data": "gaussian"} if values.get("patch") is not None else {}
    return OF_TRANSFORMERS | data | values


def _fitted(network: Spec, data: DataSpec, given: set[str], maps: tuple[Dense, ...]) -> tuple[Spec, Dataset | TokenSet]:
    """Return the network with as many steps or tokens as the data has, and the data."""
    if isinstance(network, TransformerSpec):
        if network.patch is None:
            return network, load_tokens(network, data)
        if data.data == "text":
            raise OptionError("data", "text is tokens, and --patch takes vectors: drop one")
        return cut_patches(network, load_dataset(data), data, given="tokens" in given)
    dataset = load_dataset(data)
    if isinstance(network, RecurrentSpec):
        taken = maps[0].weight.shape[0] if maps else None
        return cut(network, dataset, data.data, given="steps" in given, per_step=taken)
    return network, dataset


def _load(path: Path, values: dict[str, Any]) -> tuple[Dense, ...]:
    """Return the given linear maps, those of a perceptron or of a recurrence."""
    arch = values.get("arch", "mlp")
    if arch == "transformer":
        raise OptionError("weights", "goes with --arch mlp, rnn, lstm or gru; a transformer's weights are drawn")
    return tuple(load_recurrence(path, arch) if arch in RECURRENT else load_weights(path))


def _given_spec(values: dict[str, Any], maps: tuple[Dense, ...]) -> Spec:
    """Return the network whose weights are given; they say how deep and how wide it is."""
    for option in DRAWN_ONLY:
        if option in values:
            raise OptionError(option, f"goes with drawn weights, not with --weights {values['weights']}: drop one")
    if values.get("arch") in RECURRENT:
        return network_spec(values | {"width": int(maps[1].weight.shape[0]), "init": None})
    widths = tuple(one.weight.shape[1] for one in maps[:-1])
    return network_spec(values | {"depth": len(widths), "width": widths, "init": None})


def _check_batch_norm(network: Spec, data: DataSpec) -> None:
    if isinstance(network, NetworkSpec) and network.norm == "batch" and data.batch_size == 1:
        raise OptionError("batch_size", "1 has no variance for --norm batch: use 2 or more, or --norm layer")
