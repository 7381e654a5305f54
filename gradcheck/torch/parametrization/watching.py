"""Hooks on a model that is trained for a few steps: what its layers return, how far that has moved, and why.

The output of a hidden layer moves with what comes in, even where its own weights stand still. So the layer is run once
more on the same input with the weights that it had at initialisation: how far the two are apart is its own update.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gradcheck.errors import printable
from gradcheck.torch.graph import Graph, Node, in_backward, reached_without_softmax
from gradcheck.torch.layers import candidates, main_tensor
from gradcheck.torch.parametrization.sizes import Size
from gradcheck.torch.probing.hooks import version_of
from gradcheck.torch.probing.sequences.attention import find_scores
from gradcheck.torch.probing.state import random_states_kept, seed_all

#: Smaller scores are what rounding leaves of a softmax's logarithm.
ROUNDING = 1e-6


@dataclass
class Seen:
    """What one layer has returned in one pass, of all its calls together."""

    shape: tuple[int, ...]  # of its last output
    heads: int = 0  # of an attention, where these are its scores, before the softmax, without the mean of each row
    queries: bool = False  # it reaches the model's output only through a softmax
    output: Size = field(default_factory=Size)
    change: Size = field(default_factory=Size)  # output − output at initialisation
    update: Size = field(default_factory=Size)  # what its own weights have added to the output since
    calls: int = 0


class Watch:
    """What the layers of a model return in each pass that is watched; the first is that of its initialisation.

    Every module counts that returns a tensor of its own, but for dropout.

    Parameters
    ----------
    model : nn.Module
        As it is at initialisation.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.output = ""  # the layer whose output is the model's
        # for each pass, name of a layer ↦ what it returned; in the order in which they ended
        self.passes: list[dict[str, Seen]] = []
        self._first: dict[str, list[Tensor]] = {}  # outputs at initialisation, of each call
        self._weights = {one.module: _trained(one.module) for one in candidates(model)}
        self._called = set[nn.Module]()
        # of this pass: a layer's output ↦ its name and how often the output had been changed in place
        self._returned: dict[Tensor, tuple[str, int]] = {}
        self._ends: list[tuple[str, Node | None]] = []
        self._quiet = False

    @contextmanager
    def watching(self, examples: int) -> Iterator[None]:
        """Watch one forward pass of so many examples as long as the context lasts."""
        self.passes.append({})
        handles = [
            module.register_forward_hook(partial(self._hear, printable(name)), with_kwargs=True)
            for name, module in self.model.named_modules()
            if "parametrizations" not in name.split(".")
        ]
        try:
            yield
            graph = Graph(node for _, node in self._ends)
            self._note_queries(graph)
            self._note_scores(graph, examples)
            self._forget_outer_layers()
        finally:
            for handle in handles:
                handle.remove()
            self._returned, self._ends = {}, []

    def _hear(
        self, name: str, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], output: object
    ) -> None:
        """Note what a module has returned."""
        tensor = main_tensor(output)
        if self._quiet or in_backward() or tensor is None or not tensor.numel():
            return
        self._called.add(module)
        known, version = self._returned.get(tensor, ("", -1))
        if version != version_of(tensor) and not isinstance(module, nn.modules.dropout._DropoutNd):
            known = name or type(module).__name__
            self._returned[tensor] = (known, version_of(tensor))
            self._ends.append((known, tensor.grad_fn))
            seen = self._note(known, tensor.detach())
            if len(self.passes) > 1 and self._weights.get(module):
                self._note_update(seen, module, inputs, keywords)
        if module is self.model:
            self.output = known

    def _note(self, name: str, tensor: Tensor) -> Seen:
        seen = self.passes[-1].setdefault(name, Seen(tuple(tensor.shape)))
        first = self._first.setdefault(name, [])
        if len(self.passes) == 1:
            first.append(tensor.clone())
        seen.output.add(tensor)
        if seen.calls < len(first) and first[seen.calls].shape == tensor.shape:
            seen.change.add(tensor - first[seen.calls])
        seen.calls += 1
        return seen

    def _note_update(self, seen: Seen, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """Note what a module's weights have added to its output since initialisation."""

        def run(weights: dict[str, Tensor]) -> Tensor | None:
            seed_all(0)  # what it drops is the same in both
            buffers = {name: _copied(one) for name, one in module.named_buffers()}
            return main_tensor(functional_call(module, {**weights, **buffers}, inputs, keywords))

        self._quiet = True
        try:
            with torch.no_grad(), random_states_kept(), suppress(Exception):  # the user's own may run once only
                now, then = run({}), run(self._weights[module])
                if now is not None and then is not None:
                    seen.update.add(now - then)
        finally:
            self._quiet = False

    def _note_scores(self, graph: Graph, examples: int) -> None:
        """Note the scores of each attention while the graph has them."""
        for name, scores in find_scores(graph, self._ends, examples):
            there = scores.isfinite()
            mean = scores.masked_fill(~there, 0).sum(-1, keepdim=True) / there.sum(-1, keepdim=True).clamp(min=1)
            centred = (scores - mean)[there]
            centred[centred.abs() < ROUNDING] = 0  # of queries that are zero
            self._note(f"{name} scores", centred).heads = scores.shape[1]

    def _note_queries(self, graph: Graph) -> None:
        """Note which layers reach the output only through a softmax; one at the end of the model doesn't count."""
        root = next((node for name, node in self._ends if name == self.output), None)
        if root is None:
            return
        behind = set(graph.reached([root])) - reached_without_softmax(graph, root)
        found = [name for name, node in self._ends if node in behind]
        for name in found if len(found) < len(self._ends) - 1 else ():
            self.passes[-1][name].queries = True

    def _forget_outer_layers(self) -> None:
        """Leave out of the layers with updates those that have others within."""
        self._weights = {
            layer: weights
            for layer, weights in self._weights.items()
            if not any(one is not layer and one in self._called and one in self._weights for one in layer.modules())
        }


def _trained(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of a module's trained weights, by their names in it."""
    return {name: _copied(one) for name, one in module.named_parameters() if one.requires_grad}


def _copied(tensor: Tensor) -> Tensor:
    """Return a copy with all that was hung on the tensor: parametrisations keep their shapes there."""
    copy = tensor.detach().clone()
    vars(copy).update(vars(tensor))
    return copy
