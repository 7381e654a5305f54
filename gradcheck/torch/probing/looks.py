"""What there is to see after the forward pass, before a gradient goes back and takes the graph with it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from gradcheck.torch.graph import Graph
from gradcheck.torch.probing.hooks import RECURRENT, Call, Recording
from gradcheck.torch.probing.measuring import measure_outputs, note_responses, place_calls
from gradcheck.torch.probing.norms import NormsOfOne, find_norms_of_one
from gradcheck.torch.probing.parts import Attention
from gradcheck.torch.probing.route import Route
from gradcheck.torch.probing.sequences.attention import find_attention, find_single
from gradcheck.torch.probing.sequences.tokens import Alike, find_alike_tokens


class Looks(NamedTuple):
    """What has been seen before a gradient went back."""

    attention: tuple[Attention, ...] = ()
    alike: Alike | None = None
    norms_of_one: NormsOfOne | None = None
    single: tuple[str, ...] = ()  # layers that matter only to how a single token is weighed


def look_forward(
    record: Recording, graph: Graph, route: Route, root: Tensor | None, leaves: Sequence[Tensor], examples: int
) -> Looks:
    """Measure what is there before a gradient goes back, and let the outputs go."""
    if record.brief:
        if root is not None:
            note_responses(record, graph, root.grad_fn, examples)
        return Looks()
    attention = find_attention(record, graph, examples)
    single = () if root is None else find_single(record, graph, root.grad_fn)
    with np.errstate(all="ignore"):
        if root is not None:
            place_calls(record, graph, root, leaves, examples)
        measure_outputs(record, route.hidden, examples)
    alike = find_alike_tokens(record, graph, examples)
    alone = find_norms_of_one(record, graph)
    let_go(record, route.end)  # where the gradient may start
    return Looks(attention, alike, alone, single)


def let_go(record: Recording, *kept: Call) -> None:
    """Let go the outputs of the calls that nobody looks at once more, but for some."""
    for call in record.calls:
        if not (call.on_trunk or call in kept or isinstance(call.layer.module, RECURRENT)):
            call.forget_output()
