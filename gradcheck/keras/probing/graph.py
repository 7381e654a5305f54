"""The graph of a Keras model's layers and operations, from a run with symbols in place of numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

from gradcheck.keras.probing.layers import LOOPS, Layer, own_activation, tree
from gradcheck.probing.paths import Paths, bottlenecks

#: Layers and operations that pass on what they get, entry by entry or pooled, by the names of their classes.
TRANSPARENT = (
    "Dropout", "SpatialDropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "Reshape", "Flatten", "Permute",
    "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling", "ZeroPadding", "Cropping", "UpSampling",
    "Identity", "Transpose", "Swapaxes", "Squeeze", "ExpandDims", "GetItem", "Cast", "Rescaling", "BatchNormalization",
    "LayerNormalization", "Masking", "ActivityRegularization", "RepeatVector", "Copy",
)  # fmt: skip

#: The same with one symbol alone among what they get.
WITH_CONSTANTS = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide")

#: Operations that are activation functions.
ACTIVATIONS = (
    "Relu", "Relu6", "Sigmoid", "Softplus", "Softsign", "Silu", "LogSigmoid", "LeakyRelu", "HardSigmoid", "HardSilu",
    "Elu", "Selu", "Gelu", "Celu", "HardTanh", "Tanh", "Mish", "SoftShrink", "HardShrink", "TanhShrink", "Threshold",
    "Squareplus", "SparsePlus", "SparseSigmoid",
)  # fmt: skip

#: Layers that are.
ACTIVATION_LAYERS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU)

SOFTMAXES = ("softmax", "sparsemax")


@dataclass(eq=False)
class Node:
    """One use of a layer or operation; an input has neither."""

    what: Any = None  # the layer, the operation, or the function of an activation
    parents: list["Node"] = field(default_factory=list)
    layer: Layer | None = None  # where it is one that is measured
    activation: Callable[[Any], Any] | None = None  # where it is one
    values: list["Node"] | None = None  # of a whole attention, what its queries and keys don't lead to

    @property
    def name(self) -> str:
        """The name of the class, or of the function."""
        return str(getattr(self.what, "__name__", type(self.what).__name__))

    @property
    def is_softmax(self) -> bool:
        """Whether it makes scores into weights."""
        if self.layer is not None:  # its own activation is a node beside it
            return False
        return _is_softmax(self.what) or _is_softmax(getattr(self.what, "activation", None))

    @property
    def passes_on(self) -> bool:
        """Whether what comes out is what went in."""
        linear = getattr(self.what, "activation", None) is keras.activations.linear
        one = len(self.parents) == 1
        return one and (linear or self.name.startswith((*TRANSPARENT, *WITH_CONSTANTS)))


def _is_softmax(what: Any) -> bool:
    name = str(getattr(what, "__name__", type(what).__name__)).lower()
    return any(one in name for one in SOFTMAXES) and "log" not in name


@dataclass
class Graph:
    """A model's graph, and what was found in it."""

    nodes: list[Node] = field(default_factory=list)
    ends: list[Node] = field(default_factory=list)

    def uses(self) -> dict[int, list[Node]]:
        """Return the nodes of each measured layer, by its id, in the order of its uses."""
        found: dict[int, list[Node]] = {}
        for node in self.nodes:
            if node.layer is not None:
                found.setdefault(id(node.layer.layer), []).append(node)
        return found

    def trunk(self) -> set[Node]:
        """Return the nodes that all of the signal goes through."""
        root = Node(parents=self.ends)
        paths = Paths({one: list(one.parents) for one in (root, *self.nodes)})
        inputs = {one for one in self.nodes if one.what is None}
        embedded = {one for one in self.nodes if one.layer is not None and one.layer.kind == "embedding"}
        below = {one for start in embedded for one in paths.reached([start])} & inputs
        return bottlenecks(paths, root, (inputs - below) | embedded) - {root}

    def scoring(self) -> set[Node]:
        """Return the uses of layers that reach the end only through a softmax."""
        paths = Paths({one: list(one.parents) for one in self.nodes})

        def inputs(node: Node) -> list[Node]:
            return [] if node.is_softmax else node.parents if node.values is None else node.values

        ends = [_before_softmax(one) for one in self.ends]
        reached, elsewhere = set(paths.reached(ends)), set(paths.reached(ends, inputs))
        return {one for one in reached - elsewhere if one.layer is not None}

    def source(self, node: Node | None, *, through_activations: bool = False) -> Node | None:
        """Return the first measured layer going back from a node, as long as the path has no fork; or None."""
        while node is not None and node.layer is None:
            passes = node.passes_on or (through_activations and node.activation is not None)
            node = node.parents[0] if passes and node.parents else None
        return node

    def after(self, node: Node) -> list[Node]:
        """Return the activations that directly follow a use of a layer."""
        return [one for one in self.nodes if one.activation is not None and one.parents == [node]]


def _before_softmax(node: Node) -> Node:
    """Return what a softmax at the end of a model gets: it makes no scores."""
    while (node.is_softmax or node.passes_on) and node.layer is None and len(node.parents) == 1:
        node = node.parents[0]
    return node


class _Tracer:
    """Notes every use of a layer and every operation of a run with symbols."""

    def __init__(self, model: Any, layers: Sequence[Layer]) -> None:
        self.model, self.graph = model, Graph()
        self.measured = {id(one.layer): one for one in layers}
        self.producers: dict[int, Node] = {}
        self.kept: list[Any] = []  # symbols: another may not get the number of one that is gone

    def run(self, inputs: Any) -> Graph:
        """Return the graph of a run on symbols of the shapes and types of these arrays."""

        def symbol(array: Any) -> Any:
            kind = self.model.compute_dtype if array.dtype.kind == "f" else str(array.dtype)
            tensor = keras.KerasTensor(array.shape, kind)
            self._note(Node(), [tensor])
            return tensor

        every = [self.model, *(layer for _, layer in tree(self.model))]
        before = [(one, list(one._inbound_nodes), list(one._outbound_nodes)) for one in every]
        try:
            with self._watched(every):
                outputs = self.model(keras.tree.map_structure(symbol, inputs))
        finally:
            for one, inbound, outbound in before:
                one._inbound_nodes[:], one._outbound_nodes[:] = inbound, outbound
        self.graph.ends = self._parents(outputs)
        return self.graph

    @contextmanager
    def _watched(self, layers: Sequence[Any]) -> Iterator[None]:
        method = keras.Operation.symbolic_call
        tracer = self

        def symbolic_call(operation: Any, *arguments: Any, **keywords: Any) -> Any:
            outputs = operation.compute_output_spec(*arguments, **keywords)
            tracer._add(operation, arguments, keywords, outputs)
            return outputs

        try:
            keras.Operation.symbolic_call = symbolic_call
            for layer in layers:
                object.__setattr__(layer, "symbolic_call", self._of_layer(layer))
            yield
        finally:
            keras.Operation.symbolic_call = method
            for layer in layers:
                if "symbolic_call" in vars(layer):
                    object.__delattr__(layer, "symbolic_call")

    def _of_layer(self, layer: Any) -> Callable[..., Any]:
        """Return what runs a layer on symbols: one that has parts by its parts."""
        whole = id(layer) in self.measured or isinstance(layer, (*LOOPS, *ACTIVATION_LAYERS)) or not layer._layers

        def symbolic_call(*arguments: Any, **keywords: Any) -> Any:
            count = len(self.graph.nodes)
            if not whole:
                try:
                    outputs = layer.call(*arguments, **keywords)
                    self._parents(outputs)
                    return outputs
                except Exception:  # it wants numbers: of what is in it nothing is known
                    del self.graph.nodes[count:]
            outputs = layer.compute_output_spec(*arguments, **keywords)
            self._add(layer, arguments, keywords, outputs)
            return outputs

        return symbolic_call

    def _add(self, what: Any, arguments: Any, keywords: Any, outputs: Any) -> None:
        """Note a use of a layer or operation, and of a layer's own activation."""
        node = Node(what, self._parents((arguments, keywords)), self.measured.get(id(what)))
        if node.name == "DotProductAttention":
            node.values = node.parents[2:]
        if node.layer is None and (isinstance(what, ACTIVATION_LAYERS) or node.name in ACTIVATIONS):
            node.activation = getattr(what, "activation", what.call)
        own = own_activation(what) if node.layer is not None else None
        if own is None:
            self._note(node, keras.tree.flatten(outputs))
            return
        self._note(node, [])
        self._note(Node(own, [node], activation=own), keras.tree.flatten(outputs))

    def _note(self, node: Node, outputs: Sequence[Any]) -> None:
        self.graph.nodes.append(node)
        self.kept += outputs
        self.producers |= {id(one): node for one in outputs}

    def _parents(self, values: Any) -> list[Node]:
        """Return where symbols come from; of one that nothing has noted, KeyError."""
        symbols = (one for one in keras.tree.flatten(values) if isinstance(one, keras.KerasTensor))
        return [self.producers[id(one)] for one in symbols]


def graph_of(model: Any, layers: Sequence[Layer], inputs: Any) -> Graph | None:
    """Return a model's graph; None if it can't be run on symbols, as what computes with its backend's own functions."""
    try:
        return _Tracer(model, layers).run(inputs)
    except Exception:  # whatever the user's own code doesn't do with symbols
        return None
