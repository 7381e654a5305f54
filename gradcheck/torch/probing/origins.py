"""Where a lost signal, gradient or difference between examples comes from, where one place is to blame."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.summary import dead_layers, narrowest
from gradcheck.errors import printable
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.limits import DIFFERENT
from gradcheck.spec.thresholds import USUAL
from gradcheck.torch.graph import nodes
from gradcheck.torch.layers import Layer
from gradcheck.torch.modules import named_modules
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.cutting import CutWatch
from gradcheck.torch.probing.hooks import Call, Recording, version_of
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.route import is_of_one

#: Nodes of functions whose slope is zero wherever they have one.
FLAT = ("Round", "Floor", "Ceil", "Trunc", "Sign", "Sgn", "Heaviside")

#: Modules whose units are rows of their weights.
OF_ROWS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

#: Dropouts that are meant drop at most nine of ten units: here the share to keep was typed, for that to drop.
MOST_DROPPED = 0.95

#: So many that drop so much are a reason for a trial.
SEVERAL, MUCH_DROPPED = 2, 0.9

#: log10 of how far apart outputs are, and of that over their size, above which they have not faded.
SOUND = -4.0


def find_origins(
    model: nn.Module, batch: Batch, record: Recording, root: Tensor | None, gradients: Gradients, flow: ModelFlow
) -> Iterator[Cause]:
    """Yield what alone would explain what a pass shows: each is looked for only where it shows."""
    if flow.obstacle or root is None or record.brief:
        return
    dropped = _dropping(model)
    if dropped:
        yield Cause("dropout-all", None, len(dropped), details={"names": dropped})
        return
    if mostly := _dropping(model, MOST_DROPPED):
        yield Cause("dropout-most", None, len(mostly), details={"names": mostly, "share": MOST_DROPPED})
    silent = bool(np.isneginf(flow.column("log10_gradient_rms")).any())
    alike = narrowest(flow)[1] < USUAL.min_rank
    if silent:
        yield from _flat(root, record, gradients, flow)
        yield from _makes_zeros(batch, record, flow)
    if alike:
        yield from _inputs_alike(batch)
        yield from _units_alike(record, flow)
    if (silent or alike) and not dead_layers(flow):
        yield from _silent_before(record, flow)


def find_functional_dropout(run: Callable[[CutWatch], object]) -> Iterator[Cause]:
    """Yield that a function drops everything, given what runs the model once more, watched."""
    watch = CutWatch()
    run(watch)
    if watch.drops_all:
        yield Cause("dropout-all", None, 1, details={"names": ("a dropout that forward calls",)})


def find_much_dropped(model: nn.Module) -> Iterator[Cause]:
    """Yield that modules drop so much that it may be the share that is to be kept: a reason for a trial."""
    for share, least in ((MOST_DROPPED, 1), (MUCH_DROPPED, SEVERAL)):
        dropped = _dropping(model, share)
        if len(dropped) >= least:
            yield Cause("dropout-most", None, len(dropped), details={"names": dropped, "share": share})
            return


def _dropping(model: nn.Module, least: float = 1.0) -> tuple[str, ...]:
    """Return the modules that drop at least this share; by default, everything."""
    found = []
    for name, one in named_modules(model):
        share = getattr(one, "p", 0.0) if isinstance(one, nn.modules.dropout._DropoutNd) else 0.0
        if isinstance(one, nn.MultiheadAttention) or (isinstance(one, nn.RNNBase) and one.num_layers > 1):
            share = one.dropout
        if one.training and share >= least:
            found.append(printable(name) or type(one).__name__)
    return tuple(found)


def _flat(root: Tensor, record: Recording, gradients: Gradients, flow: ModelFlow) -> Iterator[Cause]:
    """Yield the function without a slope that all that comes back to some parameters goes through."""
    calls = {call.node: _called(call, flow) for call in record.calls if call.node is not None}
    everywhere = bool(np.isneginf(flow.column("log10_gradient_rms")).all())
    for node in nodes([root.grad_fn]):
        alone = is_of_one(node) and not everywhere  # at the end of the model it shuts the loss off
        if not alone and not node.name().startswith(FLAT):
            continue
        before = list(nodes([node]))
        leaves = [one.variable for one in before if hasattr(one, "variable")]
        arrived = [gradients.get(one) for one in leaves if isinstance(one, nn.Parameter)]  # inputs may go around it
        if any(one is not None for one in arrived) and not any(bool(one.any()) for one in arrived if one is not None):
            after = next((calls[one] for one in before if one in calls), "the inputs")
            function = node.name().partition("Backward")[0].lower()
            code = "softmax-of-one" if alone else "flat-operation"
            yield Cause(code, details={"function": function, "after": after})
            return


def _makes_zeros(batch: Batch, record: Recording, flow: ModelFlow) -> Iterator[Cause]:
    """Yield the layer that makes zeros of inputs and weights that aren't zero: it rounds its weights, or masks them."""
    given = [one for one in (*batch.arguments, *batch.keywords.values()) if isinstance(one, Tensor)]
    if not any(bool(one.any()) for one in given):
        return
    for call in record.calls:
        if call.log10_rms == -np.inf:
            matrices = [one for one in call.layer.acting if one.dim() > 1]
            if isinstance(call.layer.module, OF_ROWS) and matrices and all(bool(one.any()) for one in matrices):
                yield Cause("makes-zeros", details={"names": (_called(call, flow),)})
            return
        if call.responses and all(one.log10_rms == -np.inf for one in call.responses):
            return


def _inputs_alike(batch: Batch) -> Iterator[Cause]:
    """Yield that the examples that go in are the same, or of two kinds."""
    count = batch.examples
    given = [one for one in (*batch.arguments, *batch.keywords.values()) if isinstance(one, Tensor) and one.dim()]
    rows = [one.detach().reshape(count, -1) for one in given if len(one) == count and not one.is_sparse]
    left = torch.ones(count, dtype=torch.bool)
    kinds = 0
    while rows and bool(left.any()) and kinds < DIFFERENT:
        first = int(left.nonzero()[0])
        same = torch.stack([(one == one[first]).all(1).cpu() for one in rows]).all(0)
        left, kinds = left & ~same, kinds + 1
    if rows and not bool(left.any()) and kinds < min(DIFFERENT, count):
        yield Cause("inputs-alike", None, kinds, count)


def _units_alike(record: Recording, flow: ModelFlow) -> Iterator[Cause]:
    """Yield the layers all of whose units have the same weights; those of a single layer are told apart by labels."""
    if len(flow.layers) < 2:
        return
    carrying = {name for name, carries in zip(flow.labels, flow.carriers, strict=True) if carries}
    alike = [layer.name for layer in record.layers() if layer.name in carrying and _has_one_row(layer)]
    names = [flow.name(flow.labels.index(name) + 1) for name in alike]
    if names:
        yield Cause("units-alike", None, len(names), details={"names": tuple(names)})


def _has_one_row(layer: Layer) -> bool:
    if not isinstance(layer.module, OF_ROWS):
        return False
    matrices = [one.detach() for one in layer.acting if one.dim() > 1 and len(one) > 1]
    return bool(matrices) and all(bool((one == one[:1]).all()) for one in matrices)


def _silent_before(record: Recording, flow: ModelFlow) -> Iterator[Cause]:
    """Yield the layer that gets the same for every example, though the layer before it did not give the same."""
    calls = [call for call in record.calls if call.on_trunk and isinstance(call.layer.module, OF_ROWS)]
    for before, call in pairwise(calls):
        lost_there = before.log10_std > SOUND and before.log10_std - before.log10_rms > SOUND
        if lost_there and _is_same(call) and not _is_same(before) and not _fades(before):
            saturated = any(one.log10_rms > -np.inf for one in before.responses)
            details = {"name": _called(call, flow), "before": _called(before, flow), "saturated": saturated}
            yield Cause("silent-before", details=details)
            return


def _fades(call: Call) -> bool:
    """Whether what follows a layer answers, and isn't saturated: what is lost there is the last of what fades."""
    return any(one.log10_rms > -np.inf and one.saturated < 1 for one in call.responses)


def _called(call: Call, flow: ModelFlow) -> str:
    """Return what a layer is called: a number says that it is one."""
    name = call.layer.name
    return flow.name(flow.labels.index(name) + 1) if name in flow.labels else name


def _is_same(call: Call) -> bool:
    """Whether a layer gave the same for every example."""
    if version_of(call.output) != call.version:
        return False
    rows = call.layer.rows(call.output.detach())
    return len(rows) > 1 and bool((rows == rows[:1]).all())
