"""The gradient of a recorded pass, sent back from the loss; of one that has nothing to ask, from the read-out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import nodes
from gradcheck.torch.modules import all_parameters
from gradcheck.torch.probing.checkpoints import find_hiding
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.half_precision import Precision
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.looks import let_go
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.route import Route, find_shut_end, gradient_at_end, shift_for, start_where_solved


class Sent(NamedTuple):
    """What arrived."""

    gradients: Gradients = Gradients()
    closed: Cause | None = None  # what lets no gradient through between loss and read-out, if anything does
    shift: int = 0  # the gradients are those of 2**shift times the loss
    solved: bool = False  # the loss is where it is least: they are those of the outputs' mean square


def send_back(
    model: nn.Module,
    start: tuple[Tensor, Tensor],
    solvable: Tensor | None,
    route: Route,
    record: Recording,
    precision: Precision | None,
    wanted: Sequence[Tensor],
) -> Sent:
    """Send the gradient back from where it starts, and with what; the layers' calls measure what reaches them.

    `solvable` is a loss that is never less than 0.
    """
    with errors_in_one_line("the gradient can't go back: "):  # such as: what the graph needs was changed in place
        record.hiding = find_hiding(start[0], record)
        at_end = gradient_at_end(*start, route)
        shut = find_shut_end(at_end, start[0], route)
        solved = start_where_solved(solvable, shut, route)
        if solved is not None:
            start = solved
            at_end = start[1]
        record.shift = shift = shift_for(at_end) if precision is None else precision.shift
        gradients = _backward(model, start[0], start[1] * 2.0**shift, wanted, record)
    if not record.brief:
        let_go(record)
    closed = None if solved or any(call.moved for call in record.calls) else shut
    return Sent(gradients, closed, shift, solved is not None)


def _backward(model: nn.Module, root: Tensor, seed: Tensor, others: Sequence[Tensor], record: Recording) -> Gradients:
    """Send a gradient back from the root; the layers' calls measure what reaches them.

    Where layers may run in the backward pass only, their gradients arrive where ``backward()`` puts them.
    """
    wanted = [one for one in (*all_parameters(model), *others) if one.requires_grad]
    record.listening = True
    if record.hiding is None:
        found = torch.autograd.grad(root, wanted, seed, allow_unused=True)
    else:
        kept = [(node.variable, node.variable.grad) for node in nodes([root.grad_fn]) if hasattr(node, "variable")]
        for one in wanted:
            one.grad = None
            one.retain_grad()
        root.backward(seed)
        found = tuple(one.grad for one in wanted)
        for one, before in kept:
            one.grad = before
    record.listening = False
    return dict(zip(wanted, found, strict=True))
