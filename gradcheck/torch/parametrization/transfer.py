"""``transfer``: do activations, updates and logits of the user's own model keep their size in width, or in depth?"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gradcheck.base.calls import public
from gradcheck.errors import OptionError, at_least, finite, one_of
from gradcheck.parametrization.report import TransferReport, make_transfer_report
from gradcheck.spec.probing import MODES, OPTIMIZERS
from gradcheck.torch.parametrization.building import Build, Optimizer, build_model, check_sizes
from gradcheck.torch.parametrization.laying_out import Network, lay_out
from gradcheck.torch.parametrization.training import Training
from gradcheck.torch.probing.batches import Batches
from gradcheck.torch.probing.eager import run_eagerly
from gradcheck.torch.probing.losses import LossFunction
from gradcheck.torch.probing.state import random_states_kept, seed_all


@public
def transfer(
    build: Build,
    widths: Sequence[int] | None = None,
    *,
    batch: object,
    loss: str | LossFunction | None = None,
    optimizer: Optimizer = None,
    lr: float = 1e-3,
    depths: Sequence[int] | None = None,
    steps: int = 5,
    seeds: int = 3,
    seed: int = 0,
    mode: str = "train",
    tick: Callable[[float], None] | None = None,
) -> TransferReport:
    """Train your model for a few steps at several widths, and say what doesn't keep its size as it becomes wider.

    The coordinate check of Yang & Hu et al. 2022 (arXiv 2203.03466, appendix D.1), with a verdict: a learning rate that
    was tuned on a narrow model holds for a wide one if every layer's output, its change since initialisation and the
    part of the change that is due to its own weights stay as large as they are.

    >>> def build(width):
    ...     return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    >>> report = gradcheck.torch.transfer(build, (64, 256, 1024), batch=torch.randn(64, 32))
    >>> report.verdict.status
    'grows'

    Parameters
    ----------
    build : callable
        Width (or depth) ↦ a new model, or (model, optimizer).
    widths : sequence of int
        Two at least; three or four, each two to four times the one before, tell more.
    batch : tensor, tuple, mapping or callable
        (inputs, targets), or inputs alone, as ``probe`` takes them. A callable returns a new batch for each step; what
        the layers return is compared on the first.
    loss : str or callable, optional
        As ``probe`` takes it: ``cross-entropy``, ``mean-square``, or (output, targets) ↦ scalar.
    optimizer : str or callable, optional
        ``sgd``, ``momentum``, ``adam``, ``adamw``, ``rmsprop``; or model ↦ optimizer, where rates of groups of parameters
        depend on the width. By default Adam, or what `build` returns.
    lr : float
        Learning rate of an optimizer that is named.
    depths : sequence of int, optional
        Instead of `widths`: `build` takes a depth. Layers whose names differ in their numbers only are compared at the
        first and the last of them.
    steps : int
        Of training.
    seeds : int
        Models of each size, each drawn by another seed.
    seed : int
        The first of them.
    mode : str
        ``train`` or ``eval``.
    tick : callable, optional
        Called with the share of the work that has been done.

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
    if not callable(build):
        raise OptionError("build", f"is {type(build).__name__}: give a function that returns the model of a {axis}")
    rate = finite("lr", lr, "it is a learning rate", above=0)
    optimizer = one_of("optimizer", optimizer, OPTIMIZERS) if isinstance(optimizer, str) else optimizer
    steps, seeds = at_least("steps", steps, 1, "it counts steps of training"), at_least("seeds", seeds, 1, "it counts models")
    seed = at_least("seed", seed, 0, "it seeds the random numbers")
    training = Training(Batches(batch), loss, steps, one_of("mode", mode, MODES))
    models: list[Network] = []
    with _process_kept(), run_eagerly():
        for number in range(seed, seed + seeds):
            for size in sizes:
                seed_all(number)
                model, own = build_model(build, size, axis, optimizer, rate)
                models.append(Network(size, number, training.run(model, own, number)))
                if tick is not None:
                    tick(len(models) / (seeds * len(sizes)))
    options = {
        axis: list(sizes), "optimizer": _name(own if optimizer is None else optimizer),
        "lr": rate if isinstance(optimizer, str) else None, "loss": _name(loss), "steps": steps, "seeds": seeds, "seed": seed,
        "mode": training.mode,
    }  # fmt: skip
    losses = {size: [_padded(one.seen.losses, steps) for one in models if one.scale == size] for size in sizes}
    return make_transfer_report({"build": _name(build)} | options, lay_out(models, axis, steps), axis, losses)


def _padded(losses: list[float], steps: int) -> list[float]:
    """Return a loss for each pass, also where training has ended early."""
    return losses + [math.nan] * (steps + 1 - len(losses))


def _name(one: object) -> str | None:
    """Return how a report calls what was given."""
    if one is None or isinstance(one, str):
        return one
    return getattr(one, "__qualname__", None) or type(one).__name__


@contextmanager
def _process_kept() -> Iterator[None]:
    """Put random states and PyTorch's default type back, which `build` may change."""
    dtype = torch.get_default_dtype()
    try:
        with random_states_kept():
            yield
    finally:
        torch.set_default_dtype(dtype)
