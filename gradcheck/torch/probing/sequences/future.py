"""Whether a model that is to predict the next token sees it: the outputs before a token that is changed stay."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.modules import all_modules, in_eval_mode
from gradcheck.torch.probing.batches import Batch, tensors_in
from gradcheck.torch.probing.loss.mixing import CHANGED

#: In fewer tokens targets may be the next ones by chance.
FEWEST = 4


def find_future(model: nn.Module, batch: Batch) -> Iterator[Cause]:
    """Yield that outputs change with a later token, where the targets are the inputs' next tokens.

    The last token alone is changed, in one example and without dropout: what a prefix may see of itself, it may.
    """
    tokens = _tokens_before_targets(batch)
    if tokens is None:
        return
    given, axis = tokens
    count = given.shape[axis]
    kept = given.select(1 - axis, 0)
    others = kept[kept != kept[-1]]
    if not len(others):
        return
    changed = kept.clone()
    changed[-1] = others[-1]
    with torch.no_grad(), in_eval_mode(all_modules(model)):
        before, now = (_rows(model, batch, given, axis, one) for one in (kept, changed))
        if before is None or now is None:
            return
        moved = ((now - before).abs().amax(1) > CHANGED * before.abs().max())[: count - 1]
        if not moved.any() or not torch.equal(before, _rows(model, batch, given, axis, kept)):  # they move by chance
            return
    yield Cause("future-seen", None, int(moved.sum()), details={"token": count})


def _tokens_before_targets(batch: Batch) -> tuple[Tensor, int] | None:
    """Return the only input of tokens whose next ones are targets, and the axis in which they follow each other."""
    inputs = [one for one in tensors_in((batch.arguments, batch.keywords)) if _is_of_tokens(one)]
    targets = [*inputs, *(one for one in tensors_in(batch.targets) if not one.is_floating_point())]
    found = [(one, axis) for one in inputs for axis in (1, 0) if any(_are_next(one, other, axis) for other in targets)]
    return found[0] if len(found) == 1 else None


def _is_of_tokens(one: Tensor) -> bool:
    return one.dim() == 2 and not (one.is_floating_point() or one.is_complex() or one.dtype == torch.bool)


def _are_next(tokens: Tensor, targets: Tensor, axis: int) -> bool:
    """Whether targets are the tokens after those given, but for what isn't counted, and no others."""
    if targets is tokens or targets.numel() != tokens.numel() or tokens.shape[axis] < FEWEST:
        return False
    there = targets.reshape(tokens.shape)
    aims, after = there.narrow(axis, 0, there.shape[axis] - 1), tokens.narrow(axis, 1, tokens.shape[axis] - 1)
    counted = aims >= 0
    shifted = bool((aims == after)[counted].all()) and 2 * int(counted.sum()) > counted.numel()
    return shifted and not bool((there == tokens)[there >= 0].all())


def _rows(model: nn.Module, batch: Batch, given: Tensor, axis: int, tokens: Tensor) -> Tensor | None:
    """Return the outputs for a single example with these tokens, one row each; None where it isn't known which is."""
    examples = given.shape[1 - axis]

    def single(one: Any) -> Any:  # noqa: ANN401
        if one is given:
            return tokens.unsqueeze(1 - axis)
        if not isinstance(one, Tensor) or one.dim() <= 1 - axis or one.shape[1 - axis] != examples:
            return one
        return one.narrow(1 - axis, 0, 1)

    keywords = {name: single(one) for name, one in batch.keywords.items()}
    copied, _ = Batch(tuple(map(single, batch.arguments)), keywords).copied(with_gradient=False)
    tensor = main_tensor(model(*copied.arguments, **copied.keywords))
    if tensor is None:
        return None
    axes = [at for at, size in enumerate(tensor.shape) if size == len(tokens)]
    if tensor.dim() == 3 and axis in axes and tensor.shape[1 - axis] == 1:
        axes = [axis]
    return tensor.detach().movedim(axes[0], 0).flatten(1).double() if len(axes) == 1 and tensor.dim() > 1 else None
