"""The first steps of training: many a model is healthy at the start and becomes ill within a hundred steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.errors import OptionError, at_least, finite, one_of, shown
from gradcheck.spec.clip_rules import Rule, rule_of
from gradcheck.spec.options.option import plain
from gradcheck.spec.probing import OPTIMIZERS
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.training.optimizers import Optimizer, find_not_held, make_optimizer, rates_of


class Steps(NamedTuple):
    """How steps of training are taken."""

    number: int
    optimizer: torch.optim.Optimizer
    warmup: int  # the first so many rise linearly to the full rate
    clip: Rule | None
    config: dict[str, Any]  # how the report says it
    not_held: tuple[str, ...]  # parameters that want a gradient, and that the optimizer doesn't train
    share: float = 1.0  # of every learning rate
    others: tuple[Tensor, ...] = ()  # parameters that the optimizer trains and that are none of the model's


#: What a report says of steps that aren't taken.
NO_STEPS: dict[str, Any] = {"optimizer": None, "lr": None, "optimizer_options": None, "warmup": None, "clip": None}


def make_steps(
    model: nn.Module,
    number: int,
    optimizer: Optimizer,
    lr: float,
    options: Mapping[str, Any] | None,
    warmup: int,
    clip: str | Rule | None,
) -> Steps | None:
    """Return how steps are taken, as ``probe`` is told; None where none are.

    Raises
    ------
    OptionError
        One of the options isn't as it has to be.
    """
    rate = finite("lr", lr, "it is a learning rate", above=0)
    warmup, rule = at_least("warmup", warmup, 0, "it counts steps of training"), make_clip(clip)
    if not number:
        return None
    made = make_optimizer(optimizer, rate, options or {}, model)
    if warmup and None in rates_of(made):
        raise OptionError("warmup", f"finds no rate to raise: {type(made).__name__} has groups without an lr")
    named = isinstance(optimizer, str)
    config = {
        "optimizer": one_of("optimizer", optimizer, OPTIMIZERS) if named else type(made).__name__,
        "lr": rate if named else None,
        "optimizer_options": {name: _written(value) for name, value in options.items()} if options else None,
        "warmup": warmup or None,
        "clip": None if rule is None else str(rule),
    }
    own = {*model.parameters()}
    others = tuple(one for group in made.param_groups for one in group["params"] if one not in own)
    return Steps(number, made, warmup, rule, config, find_not_held(model, made), others=others)


def _written(value: object) -> object:
    """Return an option's value as a report can hold it."""
    kept = plain(value)
    return kept if isinstance(kept, int | float | str | list | tuple | None) else shown(value)


def make_clip(rule: str | Rule | None) -> Rule | None:
    """Return the rule by which gradients are clipped.

    Raises
    ------
    OptionError
        There is no such rule, it has no threshold, or it learns its threshold from far more steps.
    """
    if rule is None:
        return None
    if isinstance(rule, str) and rule.strip() in CLIPS:
        raise OptionError("clip", f"{rule} has no threshold; type {rule}:1, or what the training itself clips at")
    found = rule_of(rule)
    if found.name not in CLIPS:
        problem = f"{found.name} is a rule of clip-demo; here they are {', '.join(CLIPS)}, as in global-norm:1"
        raise OptionError("clip", problem)
    return found


def train(run: Callable[[int], Judgement], steps: Steps | None) -> Iterator[Judgement]:
    """Yield what `run` finds after so many steps, from none on; the last one where the loss isn't finite any more."""
    number, rates = (0, []) if steps is None else (steps.number, rates_of(steps.optimizer))
    for taken in range(number + 1):
        judgement = run(taken)
        yield judgement
        if steps is None or judgement.found.flow.obstacle or taken == number:
            return
        share = steps.share * min(1.0, (taken + 1) / max(1, steps.warmup))
        for group, rate in zip(steps.optimizer.param_groups, rates, strict=True):
            if rate is not None:
                group["lr"] = rate * share
        _take_step(steps, judgement.found.gradients, judgement.found.shift)


def _take_step(steps: Steps, gradients: Gradients, shift: int) -> None:
    """Take one step of training, given the gradients of 2**shift times the loss."""
    held = [one for group in steps.optimizer.param_groups for one in group["params"]]
    for parameter in held:
        gradient = gradients.get(parameter)
        parameter.grad = None if gradient is None else gradient * 2.0**-shift
    if steps.clip is not None and steps.clip.threshold is not None:
        CLIPS[steps.clip.name]([one for one in held if one.grad is not None], steps.clip.threshold)
    with errors_in_one_line("the optimizer's step failed: "):
        steps.optimizer.step()


def _clip_each_norm(parameters: Sequence[Tensor], limit: float) -> None:
    for one in parameters:
        nn.utils.clip_grad_norm_(one, limit)


#: Rule of clipping ↦ what does it in PyTorch.
CLIPS: dict[str, Callable[[Sequence[Tensor], float], Any]] = {
    "value": nn.utils.clip_grad_value_,
    "norm": _clip_each_norm,
    "global-norm": nn.utils.clip_grad_norm_,
}
