"""A model with its batch and its loss: traced once, run as often as it takes (``probing.subject.Subject``)."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from gradcheck.errors import GradcheckError
from gradcheck.jax.functions import Function
from gradcheck.jax.graph import TRANSPARENT, Graph, graph_of
from gradcheck.jax.laying_out import Values, find_lost, laid_out, shift_for
from gradcheck.jax.losses import Loss, LossFunction, check_targets, choose_loss, draw_targets, labels_of
from gradcheck.jax.marks import is_float, main_array, marking
from gradcheck.jax.model import Model, named
from gradcheck.jax.program import Operation, Program, run, traced
from gradcheck.jax.uses import LayerUse, find_uses
from gradcheck.probing.backends import quick
from gradcheck.probing.captured import CapturedLayer, CapturedLoss, CapturedPass
from gradcheck.probing.findings import reach_of

#: What is not found in a program: the parts of a model in which JAX keeps its steps to itself.
WITHIN = "lax.cond or lax.while_loop"
HIDDEN = (f"layers in {WITHIN}",)


class JaxSubject:
    """A model of JAX's frameworks, its batch and its loss."""

    def __init__(self, model: Model, inputs: Any, targets: Any, loss: str | LossFunction | None, seed: int) -> None:
        self.model, self.inputs, self.seed = model, inputs, seed
        self.values = [*model.parameters.values()]
        self._outputs: Sequence[Any] = ()
        self.examples = int(jax.tree.leaves(inputs)[0].shape[0])
        program, shape = self._trace(self._output, None)
        self.end = _end_of(program, shape)
        self.loss: Loss = choose_loss(loss, shape, targets, self.end)
        self.drawn = targets is None
        self.targets = draw_targets(self.loss, shape, seed) if targets is None else targets
        check_targets(self.loss, shape, self.targets)
        self.program, self.shape = self._trace(self._value_and_output, self.targets)
        state, given = len(jax.tree.leaves(model.state)), len(jax.tree.leaves(inputs))
        start = len(self.values) + state
        self.graph = graph_of(self.program, len(self.values), range(start, start + given))
        self.uses: list[LayerUse] = find_uses(self.graph, [*model.parameters])
        if not self.uses:
            hidden = self.program.hides_layers()
            why = (
                f"all of its layers within {WITHIN}, where they can't be seen: take lax.scan, or lax.select"
                if hidden
                else ("none of its layers: there is none to measure")
            )
            raise GradcheckError(f"{model.name} runs {why}")

    def _trace(self, function: Any, targets: Any) -> tuple[Program, Any]:
        with marking():
            return traced(function, self.values, self.model.state, self.inputs, targets, self._key(0))

    def _output(self, values: Any, state: Any, inputs: Any, targets: Any, key: Any) -> Any:
        return self.model.run(values, state, inputs, key)

    def _value_and_output(self, values: Any, state: Any, inputs: Any, targets: Any, key: Any) -> tuple[Any, Any]:
        output = self.model.run(values, state, inputs, key)
        return self.loss.value(output, targets), output

    def _key(self, number: int) -> Any:
        return jax.random.key(self.seed + number)

    def _arguments(self, values: Sequence[Any], number: int) -> list[Any]:
        rest = (self.model.state, self.inputs, self.targets, self._key(number))
        return [*map(jnp.asarray, values), *jax.tree.leaves(rest)]

    def trained(self) -> list[np.ndarray]:
        """Return the values of the weights."""
        return [np.array(one) for one in self.values]

    def gradients(self, trained: Sequence[np.ndarray], number: int) -> tuple[float, Sequence[np.ndarray | None]]:
        """Return the loss with these values, and its gradient at each; the number seeds dropout and the like."""
        value, found = self._step(self._arguments(trained, number))
        return float(value), [np.asarray(one) for one in found]

    @cached_property
    def _step(self) -> Any:
        def loss(weights: Any, rest: Any) -> Any:
            return run(self.program, [*weights, *rest], {}, frozenset())[0][0]

        count = len(self.values)
        return jax.jit(lambda arguments: jax.value_and_grad(loss)(arguments[:count], arguments[count:]))

    def loss_of(self, output: np.ndarray, place: int = 0) -> float:
        """Return the loss of another output of the same shape; of several the place among those of floats."""
        outputs, places = list(self._outputs), [at for at, one in enumerate(self._outputs) if is_float(one)]
        outputs[places[place]] = jnp.asarray(output)
        return float(self._loss_of(jax.tree.unflatten(jax.tree.structure(self.shape[1]), outputs), self.targets))

    @cached_property
    def _loss_of(self) -> Any:
        return jax.jit(self.loss.value)

    def capture(self, trained: Sequence[np.ndarray] | None = None) -> CapturedPass:
        """Pass the batch forward and its gradient back, with these values where they are given."""
        arguments = self._arguments(self.values if trained is None else trained, 0)
        values = Values(*self._pass(arguments, 1.0))
        layers, last = laid_out(self.graph, self.uses, [*self.model.parameters], arguments, values)
        reach, shift = reach_of(layers, last), 0
        if reach.obstacle or not np.isfinite(values.loss):
            values = self._stand_in(arguments, values, reach.hidden[reach.reached - 1] if reach.reached else None)
        else:
            shift = shift_for(layers[last].uses[-1].gradient)
            values = Values(*self._pass(arguments, 2.0**shift)) if shift else values
        layers, last = laid_out(self.graph, self.uses, [*self.model.parameters], arguments, values)
        return CapturedPass(
            layers, last, self._captured_loss(values, bool(reach.obstacle)), self.examples,
            tuple(np.asarray(one) for one in jax.tree.leaves(self.inputs)), shift,
            features=self.uses[0].features, lost=() if reach.obstacle else find_lost(self.uses, layers),
            not_looked_at=HIDDEN if self.program.hides_layers() else (),
        )  # fmt: skip

    @property
    def _functions(self) -> list[tuple[Graph, Function]]:
        return list(dict.fromkeys(one for use in self.uses for one in use.functions))

    @property
    def _wanted(self) -> frozenset[int]:
        marks = {use.variable for use in self.uses}
        bases = {one.base for _, one in self._functions}
        return frozenset(marks | bases | {number for _, one in self._functions for number in one.numbers})

    @cached_property
    def _pass(self) -> Any:
        """(arguments, scale of the loss) ↦ the loss, outputs, what is wanted, responses, gradients."""
        count, wanted, functions = len(self.values), self._wanted, self._functions
        marks = [use.variable for use in self.uses]

        def forward(weights: Any, added: Any, rest: Any) -> Any:
            (value, *output), kept = run(self.program, [*weights, *rest], added, wanted)
            return value, (output, kept)

        def passed(arguments: Any, scale: Any) -> Any:
            weights, rest = arguments[:count], arguments[count:]
            shapes = jax.eval_shape(lambda *given: run(self.program, given, {}, wanted)[1], *arguments)
            added = {one: jnp.zeros(shapes[one].shape, shapes[one].dtype) for one in marks}
            value, back, (output, kept) = jax.vjp(partial(forward, rest=rest), weights, added, has_aux=True)
            responses = {one.exit: one.response(kept[one.base], kept) for _, one in functions}
            return value, output, kept, responses, *back(jnp.asarray(scale, value.dtype))

        return jax.jit(passed, compiler_options=quick(jax.default_backend()))

    def _stand_in(self, arguments: list[Any], values: Values, layer: CapturedLayer | None) -> Values:
        """Return the gradients of the mean square of a layer's last output, in place of those of a loss that isn't."""
        outermost = [one for one in self.uses if layer is not None and one.name == layer.name and not one.graph.outer]
        if not outermost:
            return values._replace(of_weights=None, of_outputs=None)
        until, count = outermost[-1].variable, len(self.values)

        def size(weights: Any, added: Any, rest: Any) -> Any:
            _, kept = run(self.program, [*weights, *rest], added, self._wanted, until)
            return jnp.mean(kept[until] ** 2)

        added = {use.variable: jnp.zeros_like(values.kept[use.variable]) for use in self.uses}
        found = jax.jit(jax.grad(size, argnums=(0, 1)))(arguments[:count], added, arguments[count:])
        return values._replace(of_weights=found[0], of_outputs=found[1])

    def _captured_loss(self, values: Values, obstructed: bool) -> CapturedLoss:
        output, self._outputs = self.shape[1], values.output
        alone = _numbers(values.output[0]) if hasattr(output, "dtype") else None
        aims, several = named(self.targets), zip(named(output), values.output, strict=True)
        parts = tuple(
            (name, CapturedLoss(self.loss.name, float(values.loss), targets=_numbers(aims.get(name)), output=found))
            for name, found in ((name, np.asarray(one)) for name, one in several if alone is None and is_float(one))
        )
        classes, labels = labels_of(self.loss, output, self.targets)
        return CapturedLoss(
            self.loss.name, float("nan") if obstructed else float(values.loss), self.loss.law, classes, labels,
            _numbers(self.targets), alone, self.end, self.drawn, parts,
        )  # fmt: skip


def _numbers(array: Any) -> np.ndarray | None:
    return np.asarray(array) if hasattr(array, "dtype") else None


def _end_of(program: Program, shape: Any) -> str:
    """Return the function that a model's main output comes from: softmax, sigmoid, tanh, relu, or none."""
    main = main_array(shape)
    place = next((at for at, one in enumerate(jax.tree.leaves(shape)) if one is main), None)
    variable = program.outputs[place] if place is not None else None
    while isinstance(variable, int) and (operation := program.maker.get(variable)) is not None:
        if name := _name_of_end(operation, program):
            return name
        if operation.name not in TRANSPARENT:
            return ""
        variable = operation.inputs[0]
    return ""


def _name_of_end(operation: Operation, program: Program) -> str:
    graph = Graph(program, set(), set())
    if graph.is_softmax(operation):
        return "softmax"
    relu = operation.name in ("max", "custom_jvp_call") and "relu" in str(operation.equation.params)
    return {"logistic": "sigmoid", "tanh": "tanh"}.get(operation.name, "relu" if relu else "")
