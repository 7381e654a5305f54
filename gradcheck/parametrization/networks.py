"""Networks in a parametrisation: the engine's layers around linear maps that are trained."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.data.datasets import Batch
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads
from gradcheck.engine.initializers import Law as WeightLaw
from gradcheck.engine.layered import Layered, LayerPass, forward
from gradcheck.engine.linear import Dense
from gradcheck.engine.network import Network
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.transformer import AttentionBranch, Ending, MlpBranch, Stack, Sublayer
from gradcheck.engine.types import Array, Pullback
from gradcheck.parametrization.coordinates import Kind
from gradcheck.parametrization.laws import PARAMETRIZATIONS, Parametrization, Role
from gradcheck.parametrization.trained_map import TrainedMap
from gradcheck.spec.transfer import TransferSpec

#: Hidden units of a transformer's MLP over its width.
MLP_RATIO = 4

#: The read-out's initial deviation at the base, times √fan_in: logits that start small. What random logits do to the
#: first updates fades as 1/√width in mup, and would cover at narrow widths what doesn't.
READOUT = 0.25


class Subject(NamedTuple):
    """A network that is trained on one batch."""

    layers: Layered
    enter: Callable[[], tuple[Array, Pullback]]  # () ↦ what the first layer is given for the batch, and its pullback
    maps: dict[str, TrainedMap]  # by name, first to last
    heads: dict[str, Heads]  # by the name of the map that gives them queries, keys and values

    def pass_batch(self) -> tuple[list[LayerPass], Array, Callable[[Array], None]]:
        """Pass the batch forward.

        Returns
        -------
        list of LayerPass, Array, callable
            The layers' passes, the logits (rows, outputs), and what takes ∂𝓛/∂logits back to every map.
        """
        start, leave = self.enter()
        passes = list(forward(self.layers, start, range(1, self.layers.depth + 1)))
        logits, through_readout = self.layers.readout(passes[-1].output)

        def back(delta: Array) -> None:
            delta = through_readout(delta)
            for one in reversed(passes):
                delta = one.pullback(delta).at_x
            leave(delta)

        return passes, logits, back


class Maker(NamedTuple):
    """Draws the linear maps of one network in its parametrisation."""

    spec: TransferSpec
    width: int
    depth: int
    seed: int

    @property
    def table(self) -> Parametrization:
        """The parametrisation."""
        return PARAMETRIZATIONS[self.spec.param]

    @property
    def wider(self) -> float:
        """The width over the base width."""
        return self.width / self.spec.base_width

    def deeper(self, power: str) -> float:
        """Return the depth over the base depth to one of the powers of the table."""
        law = self.table.depth
        return 1.0 if law is None else float((self.depth / self.spec.base_depth) ** getattr(law, power))

    def linear(
        self,
        key: int,
        name: str,
        role: Role,
        fans: tuple[int, int],
        gain: float = 1.0,
        *,
        in_branch: bool = False,
        biased: bool = True,
    ) -> TrainedMap:
        """Draw a linear map: N(0, gain²/fan_in) at the base width, zero biases.

        The key is that of its random numbers, the name that of its output; it may be in a residual branch.
        """
        spec, (fan_in, fan_out), wider = self.spec, fans, self.wider
        laws = self.table.laws[role], self.table.laws["output bias" if role == "output" else "bias"]
        fan_at_base = fan_in if role == "input" else fan_in / wider
        law = WeightLaw("normal", gain / math.sqrt(fan_at_base) * laws[0].deviation(wider))
        weight = law.weight(self.seed, key, fan_in, fan_out, spec.dtype)
        within = self.deeper("adam" if spec.adaptive else "sgd") if in_branch else 1.0
        bias = np.zeros(fan_out, spec.dtype) if biased else None
        kind: Kind = "output" if role == "output" else "hidden"
        factors = tuple(one.rate(wider, spec.adaptive) * within for one in laws[: 1 + biased])
        return TrainedMap(name, kind, Dense(weight, bias), factors)


def perceptron(maker: Maker, batch: Batch, outputs: int) -> Subject:
    """Return a perceptron; its maps are called layer 1, layer 2, … and logits.

    Where depths are compared, so many residual layers come after the first, which has nothing to pass by it.
    """
    spec, n, inputs = maker.spec, maker.width, batch.inputs
    skips, features, depth = spec.residual, inputs.shape[1], maker.depth + (spec.axis == "depth")
    maps = [maker.linear(1, "layer 1", "input", (features, n), spec.gain)]
    maps += [
        maker.linear(key, f"layer {key}", "hidden", (n, n), spec.gain, in_branch=skips) for key in range(2, depth + 1)
    ]
    maps.append(maker.linear(depth + 1, "logits", "output", (n, outputs), READOUT))
    layers = Network(
        widths=(features, *[n] * depth, outputs),
        linear=lambda layer: maps[layer - 1],
        activation=ACTIVATIONS[spec.activation],
        norm=NORMS[spec.norm].block,
        skip_scale=maker.deeper("branch") if skips else None,
    )
    return Subject(layers, lambda: (inputs, lambda delta: delta), {one.name: one for one in maps}, {})


def transformer(maker: Maker, batch: Batch, outputs: int) -> Subject:
    """Return a transformer; its maps are called embedding, positions, 1 qkv, 1 attention, 1 mlp hidden, 1 mlp, …"""
    spec, n = maker.spec, maker.width
    assert spec.heads
    sequences, tokens = batch.inputs.shape
    head_width = n // spec.heads
    of_base = math.sqrt(spec.base_width // spec.heads)  # at the base width every parametrisation has 1/√d
    scale = (head_width / of_base**2) ** maker.table.scores / of_base
    heads = Heads(tokens, spec.heads, spec.heads, head_width, scale=float(scale))
    blocks = [_block(maker, block, heads) for block in range(1, maker.depth + 1)]
    sublayers = [_sublayer(maker, branch) for pair in blocks for branch in pair]
    embedding = maker.linear(0, "embedding", "input", (outputs, n), math.sqrt(outputs), biased=False)
    positions = maker.linear(1, "positions", "input", (tokens, n), math.sqrt(tokens), biased=False)
    readout = maker.linear(2, "logits", "output", (n, outputs), READOUT, biased=False)
    ids = np.eye(outputs, dtype=spec.dtype)[batch.inputs.reshape(-1)]  # one-hot: an embedding is a matrix as any other
    places = np.tile(np.eye(tokens, dtype=spec.dtype), (sequences, 1))

    def enter() -> tuple[Array, Pullback]:
        (one, through_one), (other, through_other) = embedding(ids), positions(places)

        def leave(delta: Array) -> Array:
            through_one(delta)
            return through_other(delta)

        return one + other, leave

    ending = Ending(NORMS[spec.norm if spec.norm_placement != "post" else "none"].block)
    stack = Stack(maker.depth, n, lambda number: sublayers[number - 1], ending, readout, lambda rows: (0, 0))
    maps = [embedding, positions, *(one for pair in blocks for branch in pair for one in branch.maps), readout]
    known = {one.name: one for one in maps if isinstance(one, TrainedMap)}
    return Subject(stack, enter, known, {name: heads for name in known if name.endswith("qkv")})


def _block(maker: Maker, block: int, heads: Heads) -> tuple[AttentionBranch, MlpBranch]:
    """Draw the two branches of a block."""
    n, hidden = maker.width, MLP_RATIO * maker.width

    def linear(place: int, name: str, fans: tuple[int, int], gain: float = 1.0) -> TrainedMap:
        return maker.linear(4 * block + place, f"{block} {name}", "hidden", fans, gain, in_branch=True)

    attention = AttentionBranch(linear(0, "qkv", (n, 3 * n)), heads, linear(1, "attention", (n, n)))
    expand, write = linear(2, "mlp hidden", (n, hidden)), linear(3, "mlp", (hidden, n), maker.spec.gain)
    return attention, MlpBranch(expand, ACTIVATIONS[maker.spec.activation], False, write)


def _sublayer(maker: Maker, branch: AttentionBranch | MlpBranch) -> Sublayer:
    """Return a branch beside the residual stream, with its norms."""
    placement, norm = maker.spec.norm_placement, NORMS[maker.spec.norm].block
    none = NORMS["none"].block
    return Sublayer(
        branch,
        before=none if placement == "post" else norm,
        after=norm if placement == "both" else none,
        outer=norm if placement == "post" else none,
        branch_scale=maker.deeper("branch"),
    )


#: Architecture ↦ what draws it.
NETWORKS: dict[str, Callable[[Maker, Batch, int], Subject]] = {"mlp": perceptron, "transformer": transformer}
