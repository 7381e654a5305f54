"""A network, the batch that goes through it, and how it is judged: what every simulating command runs."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from gradcheck.data import Dataset, DataSpec
from gradcheck.diagnosis import Diagnosis, diagnose
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import loss_of
from gradcheck.errors import OptionError, at_least, one_of
from gradcheck.flow import GradientFlow, average, measure
from gradcheck.networks import AnyNetwork, drawn_network, given_network, shapes
from gradcheck.recurrent_weights import load_recurrence
from gradcheck.sequences import cut
from gradcheck.spec import DTYPES, LAYERS, RECURRENT, NetworkSpec, RecurrentSpec, Spec, network_spec, pick, plain
from gradcheck.summary import Summary, summarize
from gradcheck.thresholds import Thresholds
from gradcheck.weights import check_fit, load_weights

#: Options of drawn networks: given weights take their place.
DRAWN_ONLY = ("depth", "width", "init", "gain", "recurrent_gain", "forget_bias", "weight_std", "bias_std")

#: Called for each linear map that is made: a sign of life in a long run.
Tick = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """How often, how precisely.

    Attributes
    ----------
    layers : str
        How random layers are represented; ``auto`` takes ``dense``, a stored matrix.
    seed, seeds : int
        First seed; number of independent draws.
    dtype : str
        ``float64`` or ``float32``.
    """

    layers: str = "auto"
    seed: int = 0
    seeds: int = 1
    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of("layers", self.layers, LAYERS)
        one_of("dtype", self.dtype, DTYPES)
        at_least("seed", self.seed, 0, "it seeds the random numbers")
        at_least("seeds", self.seeds, 1, "one draw is the least; 5 show how much draws differ")

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values, with the layers that were used."""
        return asdict(self) | {"layers": "dense"}


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
    dataset : Dataset
        What `data` names, loaded.
    weights : str or None
        The file of the given weights.
    maps : tuple of Dense
        The given weights, first hidden layer to read-out; empty where they are drawn.
    """

    network: Spec
    data: DataSpec
    run: RunSpec
    thresholds: Thresholds
    dataset: Dataset
    weights: str | None = None
    maps: tuple[Dense, ...] = ()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the experiment that a command's options describe; None means that an option wasn't given.

        Raises
        ------
        GradcheckError
            The options, or what the files hold, don't describe one.
        """
        values = {name: plain(value) for name, value in options.items() if value is not None}
        weights = values.get("weights")
        maps = _load(Path(weights), values) if weights is not None else ()
        network = _given_spec(values, maps) if maps else network_spec(_as_deep_as_wide(values))
        data, run = DataSpec(**pick(DataSpec, values)), RunSpec(**pick(RunSpec, values))
        _check_batch_norm(network, data)
        dataset = data.load()
        if isinstance(network, RecurrentSpec):
            taken = maps[0].weight.shape[0] if maps else None
            network, dataset = cut(network, dataset, data.data, given="steps" in values, per_step=taken)
        if weights is not None:
            check_fit(Path(weights), maps, dataset, network)
        thresholds = Thresholds(**pick(Thresholds, values))
        return cls(network, data, run, thresholds, dataset, weights and str(weights), maps)

    def to_dict(self) -> dict[str, Any]:
        """Return every option with its resolved value."""
        parts = self.network, self.data, self.run, self.thresholds
        return {name: value for part in parts for name, value in part.to_dict().items()} | {"weights": self.weights}

    def changed(self, **changes: Any) -> Self:  # noqa: ANN401
        """Return the experiment with some of the network's options changed."""
        return replace(self, network=replace(self.network, **changes))

    @property
    def outputs(self) -> int:
        """Units of the read-out."""
        return int(self.maps[-1].weight.shape[1]) if self.maps else self.dataset.outputs

    @property
    def work(self) -> int:
        """Multiplications of all draws' forward passes."""
        weights = sum(fan_in * fan_out for fan_in, fan_out in shapes(self.network, self.dataset.features, self.outputs))
        return self.run.seeds * self.data.batch_size * weights

    def drawn(self, seed: int) -> AnyNetwork:
        """Return the network that `seed` draws, or the one of the given weights."""
        features, dtype = self.dataset.features, self.run.dtype
        if self.maps:
            return given_network(self.network, self.maps, features, dtype)
        return drawn_network(self.network, features, self.outputs, seed, dtype)

    def flow(self, seed: int, tick: Tick | None = None) -> GradientFlow:
        """Measure one draw."""
        inputs, labels = self.data.batch(self.dataset, seed, self.run.dtype)
        network, start = self.drawn(seed).unrolled(inputs)
        return measure(network, start, loss_of(labels), tick=tick or (lambda: None))

    def outcome(self, tick: Tick | None = None) -> Outcome:
        """Measure all draws and judge them."""
        first = self.run.seed
        flows = [self.flow(seed, tick) for seed in range(first, first + self.run.seeds)]
        typical, summaries = average(flows), [summarize(flow) for flow in flows]
        summary = average_summary(summaries)
        return Outcome(flows, typical, summaries, summary, diagnose(typical, summary, self.thresholds))


def average_summary(summaries: list[Summary]) -> Summary:
    """Return the mean span and the geometric means of the gain and the rank."""
    if len(summaries) == 1:
        return summaries[0]
    count = len(summaries)
    spans, gains, ranks = zip(*summaries, strict=True)
    return Summary(sum(spans) / count, _geometric_mean(gains), _geometric_mean(ranks))


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


def _load(path: Path, values: dict[str, Any]) -> tuple[Dense, ...]:
    """Return the given linear maps, those of a perceptron or of a recurrence."""
    arch = values.get("arch", "mlp")
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
