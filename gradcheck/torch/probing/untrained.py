"""Why nothing that is to be trained gets a gradient, where nothing does: all is frozen, or the loss has no graph."""

from collections.abc import Sequence

import torch
from torch import nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import printable
from gradcheck.torch.graph import Node, nodes
from gradcheck.torch.modules import named_parameters
from gradcheck.torch.probing.cutting import Cut, CutWatch
from gradcheck.torch.probing.loss.losses import ForwardResult, Loss
from gradcheck.torch.probing.lost import as_plain
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.tracing import floats

#: Codes of causes that lie in the loss, or in what is frozen: no layer of the model is to blame.
NO_LAYER = ("loss-cut", "nothing-trained")


def find_untrained(model: nn.Module, gradients: Gradients, result: ForwardResult, end: Node) -> Cause | None:
    """Return why no parameter gets a gradient, if none does; a loss that isn't finite is another story.

    Without a graph of the loss there are no gradients, and of a read-out that has none no node.
    """
    loss, output, targets, value = result
    if value is None:
        return None
    named = {name: one for name, one in named_parameters(model) if one.requires_grad}
    if not named:
        return Cause("nothing-trained", None, sum(1 for _ in model.parameters()))
    if any(gradients.get(one) is not None for one in named.values()):
        return None
    graph = set() if value.grad_fn is None else set(nodes([value.grad_fn]))
    outputs = [one.grad_fn for one in floats(as_plain(output)) if one.grad_fn is not None]
    if graph.intersection([*outputs, end]):
        names = tuple(map(printable, named))
        return Cause("outside-loss", None, len(named), details={"names": names})
    if outputs:
        return _of_cut("loss-cut", _cut_of_loss(loss, output, targets), again=value.requires_grad)
    return _of_cut("output-cut", None, again=False)


def _cut_of_loss(loss: Loss, output: object, targets: object) -> Cut | None:
    """Return what cuts the loss off from the output: it is computed once more, watched function by function."""
    watch = CutWatch()
    try:
        with torch.enable_grad(), watch:
            value = loss.function(output, targets)
    except Exception:  # the user's own loss may have had its one pass
        return None
    return watch.of(value)


def _of_cut(code: str, cut: Cut | None, *, again: bool) -> Cause:
    details = {"function": "" if cut is None else cut.function, "kind": "" if cut is None else cut.kind, "again": again}
    return Cause(code, details=details)


def name_cut(cause: Cause, cuts: Sequence[Cut]) -> Cause:
    """Return the cause that the output has no graph with the function that cut it off."""
    return _of_cut(cause.code, cuts[0], again=False) if cuts else cause
