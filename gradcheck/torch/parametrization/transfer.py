"""``transfer``: do activations, updates and logits of the user's own model keep their size in width, or in depth?"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gradcheck.base.calls import public
from gradcheck.errors import OptionError, at_least, finite, one_of
from gradcheck.parametrization.report import TransferReport, make_transfer_report
from gradcheck.spec.probing import MODES, OPTIMIZERS
from gradcheck.spec.transfer import RATES
from gradcheck.torch.parametrization.building import (
    Build,
    Optimizer,
    build_model,
    check_build,
    check_sizes,
    takes_parameters,
)
from gradcheck.torch.parametrization.laying_out import Network, lay_out
from gradcheck.torch.parametrization.training import Training
from gradcheck.torch.probing.batches import Batches
from gradcheck.torch.probing.eager import run_eagerly
from gradcheck.torch.probing.loss.losses import LossFunction
from gradcheck.torch.probing.state import random_states_kept, seed_all
from gradcheck.torch.probing.training.sources import source_of


@public
def transfer(
    build: Build,
    widths: Sequence[int] | None = None,
    *,
    batch: object,
    loss: str | LossFunction | None = None,
    optimizer: Optimizer = None,
    lr: float | None = None,
    depths: Sequence[int] | None = None,
    steps: int = 5,
    seeds: int = 3,
    seed: int = 0,
    mode: str = "train",
    tick: Callable[[], None] | None = None,
) -> TransferReport:
    """Train your model for a few steps at several widths, and say what doesn't keep its size as it becomes wider.

    The coordinate check of Yang & Hu et al. 2022 (arXiv 2203.03466, appendix D.1), with a verdict: a learning rate that
    was tuned on a narrow model holds for a wide one if every layer's output, its change since initialisation and the
    part of the change that is due to its own weights stay as large as they are.

    >>> def build(width):
    ...     hidden = nn.Linear(width, width)
    ...     return nn.Sequential(nn.Linear(32, width), nn.ReLU(), hidden, nn.ReLU(), nn.Linear(width, 10))
    >>> report = gradcheck.torch.transfer(build, (64, 256, 1024), batch=torch.randn(64, 32))
    >>> report.verdict.status
    'grows'

    Parameters
    ----------
    build : callable
        Width (or depth) ↦ a new model, or (model, optimizer).
    widths : sequence of int
        Two at least; three or four, each two to four times the one before, tell more.
    batch : tensor, tuple, mapping, DataLoader, list of batches, iterator or callable
        (inputs, targets), or inputs alone, as ``probe`` takes them. A loader, a list of three batches or more, an
        iterator and a callable give each step a batch of its own; what the layers return is compared on the first.
    loss : str or callable, optional
        As ``probe`` takes it: ``cross-entropy``, ``mean-square``, or (output, targets) ↦ scalar.
    optimizer : str or callable, optional
        ``sgd``, ``momentum``, ``adam``, ``adamw``, ``rmsprop``; a class, or ``partial`` of one, that is called with the
        parameters; or model ↦ optimizer, where the rates of groups of parameters depend on the width. By default what
        `build` returns, or Adam.
    lr : float, optional
        Learning rate of an optimizer that is named; by default 0.1 of SGD, 0.03 of momentum, else 0.003. Of a class
        its own default.
    depths : sequence of int, optional
        Instead of `widths`: `build` takes a depth. Of layers whose names differ in their numbers only the last is
        compared.
    steps : int
        Of training.
    seeds : int
        Models of each size, each drawn by another seed.
    seed : int
        The first of them.
    mode : str
        ``train`` or ``eval``.
    tick : callable, optional
        Called after each model.

    Returns
    -------
    TransferReport
        As ``gradcheck.transfer`` returns it; a layer is a module that returns a tensor of its own, by name, and
        ``NAME scores`` are the scores of the attention that the layer follows.

    Raises
    ------
    GradcheckError
        `build`, the model or the optimizer fails, or an option isn't as it has to be; the message says what would be
        right.
    """
    axis, sizes = check_sizes(widths, depths)
    check_build(build, sizes[0], axis)
    optimizer, rate = _named(optimizer, lr)
    steps = at_least("steps", steps, 1, "it counts steps of training")
    seeds, seed = (
        at_least("seeds", seeds, 1, "it counts models"),
        at_least("seed", seed, 0, "it seeds the random numbers"),
    )
    training = Training(Batches(source_of(batch)), loss, steps, one_of("mode", mode, MODES))
    models, rates = list[Network](), set[float | None]()
    with _process_kept(), run_eagerly():
        for number in range(seed, seed + seeds):
            for size in sizes:
                seed_all(number)
                model, own, named = build_model(build, size, axis, optimizer, rate)
                models.append(Network(size, number, training.run(model, own, number)))
                rates |= {_rate_of(group) for group in own.param_groups}
                if tick is not None:
                    tick()
    options = {
        "model": type(model).__name__, "build": _name(build), axis: list(sizes),
        "optimizer": named or type(own).__name__,
        "lr": rates.pop() if len(rates) == 1 else None, "loss": _name(loss), "steps": steps, "seeds": seeds,
        "seed": seed, "mode": training.mode,
    }  # fmt: skip
    losses = {size: [_padded(one.seen.losses, steps) for one in models if one.scale == size] for size in sizes}
    return make_transfer_report(options, lay_out(models, axis, steps), axis, losses)


def _named(optimizer: Optimizer, lr: float | None) -> tuple[Optimizer, float]:
    """Return the optimizer, by its name if it has one, and the rate of one that is named."""
    optimizer = one_of("optimizer", optimizer, OPTIMIZERS) if isinstance(optimizer, str) else optimizer
    if takes_parameters(optimizer):
        return optimizer if lr is None else partial(optimizer, lr=_rate(lr)), math.nan
    if lr is not None and callable(optimizer):
        raise OptionError("lr", "is of an optimizer by name: give it where your own function makes the optimizer")
    usual = RATES.get(optimizer if isinstance(optimizer, str) else "adam", RATES["adam"])
    return optimizer, usual if lr is None else _rate(lr)


def _rate(lr: float) -> float:
    return finite("lr", lr, "it is a learning rate", above=0)


def _padded(losses: list[float], steps: int) -> list[float]:
    """Return a loss for each pass, also where training has ended early."""
    return losses + [math.nan] * (steps + 1 - len(losses))


def _rate_of(group: dict[str, Any]) -> float | None:
    """Return the rate of an optimizer's group; None of an optimizer that has none."""
    rate = group.get("lr")
    return float(rate) if isinstance(rate, int | float | Tensor) else None


def _name(one: object) -> str | None:
    """Return how a report calls what was given."""
    if one is None or isinstance(one, str):
        return one
    return getattr(one, "__qualname__", None) or type(one).__name__


@contextmanager
def _process_kept() -> Iterator[None]:
    """Put random states, PyTorch's default type and its gradient mode back, which `build` may change."""
    dtype, graded = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        with random_states_kept():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(graded)
