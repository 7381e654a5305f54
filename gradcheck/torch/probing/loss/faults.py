"""What is wrong with the output, or between it and the loss, while the graph still has its values."""

from torch import nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Graph
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.loss.boundless import find_boundless
from gradcheck.torch.probing.loss.losses import ForwardResult, find_squashed_twice
from gradcheck.torch.probing.loss.mismatch import find_mismatch, find_mixed_examples, find_negated
from gradcheck.torch.probing.loss.uncounted import find_uncounted
from gradcheck.torch.probing.loss.unscaled import find_rounded_to_zero
from gradcheck.torch.probing.route import Route
from gradcheck.torch.probing.unregistered import find_unregistered
from gradcheck.torch.probing.values import Values


def find_faults(
    model: nn.Module, result: ForwardResult, route: Route, graph: Graph, batch: Batch, values: Values
) -> tuple[Cause, ...]:
    """Return what is wrong there; of a loss that is known to be zero at best nobody asks for its bound."""
    chosen, output, targets, value = result
    found = (
        *find_unregistered(model, output, graph),
        *find_squashed_twice(chosen, output, value),
        *find_mismatch(output, targets, value, route.end.node, drawn=batch.targets is None and targets is not None),
        *find_mixed_examples(model, output, value, graph, batch.examples),
        *find_negated(value),
        *find_rounded_to_zero(chosen, output, targets, value),
    )
    if value is None or found:
        return found
    if batch.targets is not None and (uncounted := tuple(find_uncounted(chosen, output, targets, batch.examples))):
        return uncounted
    if values.never_negative:
        return ()
    return tuple(find_boundless(chosen, output, targets, batch.examples))
