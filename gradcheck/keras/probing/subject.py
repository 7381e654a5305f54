"""A Keras model with its batch and loss, passed by the derivatives of what computes below it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np

from gradcheck.errors import GradcheckError
from gradcheck.keras.probing.derivatives import activity, as_array, repeated, seeded, value_and_gradients
from gradcheck.keras.probing.graph import Graph, Node, graph_of
from gradcheck.keras.probing.layers import BIASES, Layer, layers_of, own_activation
from gradcheck.keras.probing.losses import Loss, choose, mean_of
from gradcheck.keras.probing.parts import with_part
from gradcheck.keras.probing.tapping import Seen, Taps, zeros_for
from gradcheck.probing.captured import Activity, CapturedLayer, CapturedPass, Use, Weight
from gradcheck.probing.findings import Reach, reach_of
from gradcheck.probing.limits import shift_to_one

#: The loss is scaled so that its gradient begins at 1 where some gradient has no entry as large as this.
SMALL = 1e-25

#: What is not found of any model: its symbols have no gradients.
NOT_FOUND = ("what cuts a gradient off",)

#: What could not be found out of a model whose graph is not known.
WITHOUT_GRAPH = (
    "which layers all of the signal goes through", "activations apart from their layers", "norms that follow",
)  # fmt: skip


class KerasSubject:
    """A model that is built, a batch and a loss (``probing.subject.Subject``).

    Targets and weights of the examples are None where they aren't given. The seed is for targets that are drawn, and
    for random numbers outside of Keras's own generators.
    """

    def __init__(
        self, model: Any, inputs: Any, given: tuple[Any, Any], loss: Any, seed: int, *, training: bool
    ) -> None:
        self.model, self.inputs, self.training = model, inputs, training
        self.seed, self.number = seed, 0  # of random numbers that are drawn, and of the step that draws them
        self.layers = layers_of(model)
        self.state = [as_array(one.value) for one in model.non_trainable_variables]
        self.hidden: set[int] = set()
        taps, output = self._forward(self.trained())
        if not taps.seen:
            raise GradcheckError(
                f"no layer of {type(model).__name__} can be measured: each runs in a function that the backend "
                "compiles, such as jax.jit, or not at all; probe it without"
            )
        self.hidden = taps.hidden
        self.graph = graph_of(model, self.layers, inputs)
        self._end_name, self._output = self._end(taps.seen), output
        chosen = choose(loss, model, inputs, given, output, self._end_name, seed, training=training)
        self.loss: Loss = replace(chosen, drawn=given[0] is None)

    def trained(self) -> list[np.ndarray]:
        """Return the values of what is trained."""
        return [as_array(one.value) for one in self.model.trainable_variables]

    def capture(self, trained: Sequence[np.ndarray] | None = None) -> CapturedPass:
        """Pass the batch forward and its gradient back, with these values where they are given."""
        values = self.trained() if trained is None else list(trained)
        taps, output = self._forward(values)
        weights = self._weights(values, None)
        bare = _captured(taps.seen, [None] * len(taps.seen), weights, {})
        last = next(at for at, one in enumerate(bare) if one.name == taps.seen[-1].layer.name)
        reach = reach_of(bare, last)
        value, gradients, shift = self._back_from_end(values, taps.seen, reach)
        at_weights, at_outputs = (None, [None] * len(taps.seen)) if gradients is None else gradients
        layers = _captured(taps.seen, at_outputs, self._weights(values, at_weights), self._facts(taps.seen))
        return CapturedPass(
            layers, last, self.loss.captured(value, output, self._end_name),
            len(keras.tree.flatten(self.inputs)[0]), tuple(keras.tree.flatten(self.inputs)), shift,
            features=taps.seen[0].features, not_looked_at=self._not_looked_at(taps.seen),
            unused=self._unused(taps.seen),
        )  # fmt: skip

    def gradients(self, trained: Sequence[np.ndarray], number: int) -> tuple[float, Sequence[np.ndarray | None]]:
        """Return the loss with these values, and its gradient at each; the number seeds dropout and the like."""
        self.number = number
        try:
            return self._step(trained, self._state(number))
        finally:
            self.number = 0

    def loss_of(self, output: np.ndarray, place: int = 0) -> float:
        """Return the loss of another output of the same shape; of several the place among ``parts_of``."""
        other = keras.tree.map_structure(keras.ops.convert_to_tensor, with_part(self._output, place, output))
        with self._scope(self.trained(), self.state):
            return float(as_array(self.loss.function(other)))

    @cached_property
    def _step(self) -> Callable[..., tuple[float, list[np.ndarray | None]]]:
        return repeated(lambda trained, state: self._value(trained, state, Taps([], [])))

    def _state(self, number: int) -> list[np.ndarray]:
        """Return what isn't trained; the states of random numbers moved on."""
        moved = []
        for one, value in zip(self.model.non_trainable_variables, self.state, strict=True):
            random = "seed_generator" in one.path
            moved.append(value + np.array([number, 0], value.dtype) if random and value.shape == (2,) else value)
        return moved

    def _scope(self, trained: Sequence[Any], state: Sequence[Any]) -> Any:
        """Return a scope in which variables have these values, and none is changed."""
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        values = [keras.ops.convert_to_tensor(one) for one in (*trained, *state)]
        return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)), collect_losses=True)

    def _value(self, trained: Sequence[Any], state: Sequence[Any], taps: Taps, root: int | None = None) -> Any:
        """Return the loss, or the mean square of what is seen at a tap."""
        with self._scope(trained, state), seeded(self.seed + self.number):
            with taps.placed():
                output = self.model(self.inputs, training=self.training)
            value = self.loss.function(output) if root is None else None
        if root is not None:
            value = mean_of(keras.ops.square(taps.seen[root].output))
        kind = keras.backend.standardize_dtype(value.dtype)  # type: ignore[union-attr]
        return keras.ops.cast(value, kind if kind == "float64" else "float32")

    def _forward(self, trained: Sequence[np.ndarray]) -> tuple[Taps, Any]:
        """Return what passes each layer, and the output, as arrays."""
        taps = Taps(self.layers, hidden=set(self.hidden), as_arrays=True)
        with self._scope(trained, self.state), seeded(self.seed), taps.placed():
            output = self.model(self.inputs, training=self.training)
        return taps, keras.tree.map_structure(as_array, output)

    def _back_from_end(
        self, trained: list[np.ndarray], seen: Sequence[Seen], reach: Reach
    ) -> tuple[float, tuple[Sequence[Any], Sequence[Any]] | None, int]:
        """Return what `_back` does; where the loss isn't finite the gradients are of the last output before that is."""
        loss = math.nan
        if not reach.obstacle:
            loss, gradients, shift = self._back(trained, seen, None)
            if math.isfinite(loss):
                return loss, gradients, shift
        if not reach.reached:
            return loss, None, 0
        ending = reach.hidden[reach.reached - 1].name
        root = max(at for at, one in enumerate(seen) if one.layer.name == ending)
        return loss, *self._back(trained, seen, root)[1:]

    def _back(
        self, trained: list[np.ndarray], seen: Sequence[Seen], root: int | None
    ) -> tuple[float, tuple[Sequence[Any], Sequence[Any]], int]:
        """Return the loss, its gradients at weights and outputs, and the power of two by which these are scaled."""
        count = len(trained)
        offsets = zeros_for(seen) if keras.config.backend() == "jax" else []
        watched = list[Any]()

        def back(shift: int) -> tuple[float, list[np.ndarray | None]]:
            def scaled(leaves: Sequence[Any]) -> Any:
                taps = Taps(self.layers, leaves[count:] if offsets else None, self.hidden)
                value = self._value(leaves[:count], self.state, taps, root) * 2.0**shift
                watched[:] = [] if offsets else [one.output for one in taps.seen]
                return value

            return value_and_gradients(scaled, [*trained, *offsets], lambda: watched)

        shift = 0
        value, found = back(shift)
        sizes = [float(np.abs(one).max(initial=0.0)) for one in found if one is not None]
        at_end = found[-1] if root is None else found[count + root]
        largest = 0.0 if at_end is None else float(np.abs(at_end).max(initial=0.0))
        if sizes and min(sizes) < SMALL and 0 < largest < math.inf:
            shift = shift_to_one(largest)
            value, found = back(shift)
        return value / 2.0**shift, (found[:count], found[count:]), shift

    def _weights(self, trained: Sequence[np.ndarray], gradients: Sequence[Any] | None) -> dict[str, tuple[Weight, ...]]:
        """Return the weights of each layer, by its name."""
        variables = self.model.trainable_variables
        values = dict(zip(map(id, variables), trained, strict=True))
        arrived = {} if gradients is None else dict(zip(map(id, variables), gradients, strict=True))
        return {
            layer.name: tuple(
                Weight(
                    one.name, values.get(id(one), as_array(one.value)), arrived.get(id(one)), id(one) in values,
                    one.name in BIASES,
                )
                for one in layer.variables
            )
            for layer in self.layers
        }  # fmt: skip

    def _facts(self, seen: Sequence[Seen]) -> dict[int, dict[str, Any]]:
        """Return what the graph says of each use, by its place, or of a layer with an activation of its own."""
        nodes = _nodes(self.graph, seen)
        if self.graph is None:
            return {at: {"activities": _own(one)} for at, one in enumerate(seen)}
        trunk, scoring = self.graph.trunk(), self.graph.scoring()
        norms = {node for node in nodes if node is not None and _is_norm(node)}
        sources = (self.graph.source(one.parents[0], through_activations=True) for one in norms if one.parents)
        normalized = {one for one in sources if one is not None}
        measured = {node for node in nodes if node is not None}
        led = self._led(nodes, seen)
        return {
            at: {
                "activities": tuple(led.get(node, ())) if node is not None else _own(seen[at]),
                "on_trunk": node in trunk,
                "normalized": node in normalized,
                "scores": node in scoring and len(scoring) < len(measured),
            }
            for at, node in enumerate(nodes)
        }

    def _led(self, nodes: Sequence[Node | None], seen: Sequence[Seen]) -> dict[Node, list[Activity]]:
        """Return the activations that follow each use of a layer, of one before a norm those after the norm as well."""
        assert self.graph is not None
        found: dict[Node, list[Activity]] = {}
        for node, one in zip(nodes, seen, strict=True):
            for following in [] if node is None else self.graph.after(node):
                made = None if following.activation is None else activity(following.activation, one.output)
                at = node if made is not None else None
                while at is not None and made is not None:
                    found.setdefault(at, []).append(made)
                    at = self.graph.source(at.parents[0]) if _is_norm(at) and at.parents else None
        return found

    def _end(self, seen: Sequence[Seen]) -> str:
        """Return the function that the model ends in; empty where it is none that is known."""
        node = self.graph.ends[0] if self.graph is not None and len(self.graph.ends) == 1 else None
        while node is not None and node.passes_on and node.layer is None:
            node = node.parents[0]
        what = own_activation(seen[-1].layer.layer) if node is None else None if node.layer else node.what
        what = getattr(what, "activation", what)
        return str(getattr(what, "__name__", type(what).__name__)).lower() if what is not None else ""

    def _not_looked_at(self, seen: Sequence[Seen]) -> tuple[str, ...]:
        """Return what could not be found out."""
        without = WITHOUT_GRAPH if self.graph is None else ()
        blind = [self.layers[place].name for place in sorted(self.hidden)]
        if self.graph is not None:
            nodes = _nodes(self.graph, seen)
            blind += dict.fromkeys(one.layer.name for one, node in zip(seen, nodes, strict=True) if node is None)
        return (*NOT_FOUND, *without, *((f"the surroundings of {', '.join(blind)}",) if blind else ()))

    def _unused(self, seen: Sequence[Seen]) -> tuple[str, ...]:
        """Return the trained weights of layers that the pass didn't use."""
        used, trained = {one.layer.name for one in seen}, {id(one) for one in self.model.trainable_variables}
        layers = [one for place, one in enumerate(self.layers) if one.name not in used and place not in self.hidden]
        return tuple(f"{one.name}.{each.name}" for one in layers for each in one.variables if id(each) in trained)


def _nodes(graph: Graph | None, seen: Sequence[Seen]) -> list[Node | None]:
    """Return the node of each use; None where the run with symbols had other uses of that layer."""
    if graph is None:
        return [None] * len(seen)
    uses = graph.uses()
    count: dict[int, int] = {}
    for one in seen:
        count[id(one.layer.layer)] = count.get(id(one.layer.layer), 0) + 1
    waiting = {key: iter(nodes) for key, nodes in uses.items() if len(nodes) == count.get(key)}
    return [next(waiting.get(id(one.layer.layer), iter(())), None) for one in seen]


def _is_norm(node: Node) -> bool:
    """Whether a layer scales and shifts only."""
    layer = node.layer
    return layer is not None and not layer.kind and all(len(one.shape) < 2 for one in layer.variables)


def _own(seen: Seen) -> tuple[Activity, ...]:
    function = own_activation(seen.layer.layer)
    made = None if function is None else activity(function, seen.output)
    return () if made is None else (made,)


def _captured(
    seen: Sequence[Seen], gradients: Sequence[Any], weights: dict[str, tuple[Weight, ...]], facts: dict[int, Any]
) -> tuple[CapturedLayer, ...]:
    """Return the layers that were used, in the order of their first use."""
    uses: dict[Layer, list[Use]] = {}
    for at, (one, gradient) in enumerate(zip(seen, gradients, strict=True)):
        uses.setdefault(one.layer, []).append(Use(one.output, gradient, **facts.get(at, {})))
    return tuple(
        CapturedLayer(layer.name, tuple(own), weights[layer.name], layer.kind, layer.axis, layer.by_example, layer.role)
        for layer, own in uses.items()
    )
