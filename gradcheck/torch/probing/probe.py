"""``probe``: the same diagnosis for a user's own PyTorch model, from the framework's own autograd."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import torch
from torch import nn

from gradcheck.diagnosis.report import Report
from gradcheck.errors import one_of
from gradcheck.probing.user_errors import ending_reported
from gradcheck.spec.clip_rules import Rule
from gradcheck.spec.number_formats import number_formats
from gradcheck.spec.options.measurement import VerdictOptions
from gradcheck.spec.options.option import canonical, takes
from gradcheck.spec.probing import MODES
from gradcheck.spec.thresholds import USUAL, Thresholds
from gradcheck.torch.probing.batches import Batches
from gradcheck.torch.probing.checks import check_counts, check_model, set_mode
from gradcheck.torch.probing.eager import as_written, is_compiled, run_eagerly
from gradcheck.torch.probing.half_precision import AMP
from gradcheck.torch.probing.loss.losses import LossFunction
from gradcheck.torch.probing.loss.value import modules_of
from gradcheck.torch.probing.number_formats import count_numbers
from gradcheck.torch.probing.reporting import probe_report
from gradcheck.torch.probing.state import random_states_kept, untouched
from gradcheck.torch.probing.subject import ModelSubject
from gradcheck.torch.probing.training.course import follow
from gradcheck.torch.probing.training.cures import cures, may_be_cured
from gradcheck.torch.probing.training.first_steps import NO_STEPS, make_steps
from gradcheck.torch.probing.training.gentler import keep_healthy
from gradcheck.torch.probing.training.history import History
from gradcheck.torch.probing.training.optimizers import Optimizer
from gradcheck.torch.probing.training.outpaced import find_outpaced
from gradcheck.torch.probing.underflow import Underflow, underflows


@takes(VerdictOptions)
def probe(
    model: nn.Module,
    batch: object,
    loss: str | LossFunction | None = None,
    *,
    mode: str = "train",
    amp: str | None = None,
    number_format: str | Sequence[str] | None = None,
    steps: int = 0,
    optimizer: Optimizer = "sgd",
    lr: float = 0.1,
    optimizer_options: Mapping[str, Any] | None = None,
    warmup: int = 0,
    clip: str | Rule | None = None,
    seed: int = 0,
    suggest: bool | None = False,
    trial: bool = True,
    tick: Callable[[float], None] | None = None,
    **limits: Unpack[VerdictOptions],
) -> Report:
    """Pass a batch forward and its gradient back through a model, and diagnose that gradient.

    >>> layers = [part for _ in range(20) for part in (nn.Linear(32, 32), nn.Sigmoid())]
    >>> report = gradcheck.torch.probe(nn.Sequential(*layers, nn.Linear(32, 10)), torch.randn(64, 32))
    >>> report.verdict.status
    'vanishing'

    Parameters
    ----------
    model : torch.nn.Module
        Its weights, buffers, gradients and mode are left as they were.
    batch : tensor, tuple, mapping or callable
        (inputs, targets), or inputs alone; inputs are a tensor, a tuple of them, or a mapping of names. Targets that
        aren't given are drawn. A callable returns such a batch, a new one for each step.
    loss : str or callable, optional
        ``cross-entropy``, ``mean-square``, or (output, targets) ↦ scalar. By default cross-entropy where the output
        looks like logits, else mean square.
    mode : str
        ``train`` or ``eval``.
    amp : str, optional
        ``fp16`` (with a loss scale of 65,536) or ``bf16``: run under autocast, and say where its gradient underflows.
    number_format : str or sequence of str, optional
        ``fp16``, ``bf16``, ``fp8-e4m3``, ``fp8-e5m2``, ``mxfp8``: count what a cast to it loses of each layer's
        tensors, as they are in full precision before any step.
    steps : int
        Steps of training to take; the diagnosis is repeated after each, and the last one reported.
    optimizer : str, Optimizer or callable
        ``sgd``, ``momentum``, ``adam``, ``adamw``, ``rmsprop``; an optimizer of this model; or parameters ↦ optimizer.
    lr : float
        Learning rate of an optimizer that is named, and of the updates that `number_format` counts.
    optimizer_options : mapping, optional
        Further options of an optimizer that is named, or arguments of the function: ``{"eps": 1e-4}``.
    warmup : int
        Steps over which the learning rate rises linearly to its full value.
    clip : str or Rule, optional
        What clips the gradient before each step: ``value:c``, ``norm:c`` (of each tensor), ``global-norm:c``.
    seed : int
        For targets that are drawn, and for whatever the model draws: dropout, say.
    suggest : bool, optional
        Try changes that may fix an ill model, on copies of it, and other steps where those taken make it ill; None:
        the former where a pass takes a moment, and no steps are asked for.
    trial : bool
        Train a model that looks ill on this batch, for 360 steps at most, before it is accused; limits of your own
        decide without one.
    vanish_below, explode_above, max_span, min_rank, dead_above, saturated_above : float
        Limits of what is healthy; see ``gradcheck.Thresholds``.
    tick : callable, optional
        Called with the share of the work that has been done.

    Returns
    -------
    Report
        ``layers`` are the modules that hold weights, by name, except the last one used: it is the read-out, ``output``.
        ``model`` has what only a real model has: parameters without gradient, steps of training, underflow.

    Raises
    ------
    GradcheckError
        The model can't be run on this batch, or an option isn't as it has to be; the message says what would be right.
    """
    thresholds = Thresholds(**limits)
    check_model(model)
    compiled, model = is_compiled(model), as_written(model)
    mode, amp = one_of("mode", mode, MODES), None if amp is None else one_of("amp", canonical(amp, AMP), AMP)
    (steps, seed), formats = check_counts(steps, seed), number_formats(number_format)
    plan = make_steps(model, steps, optimizer, lr, optimizer_options, warmup, clip)
    may_try = trial and thresholds == USUAL
    once = plan is None and amp is None and suggest is False and not formats
    subject = ModelSubject(
        model, Batches(batch), loss, seed, thresholds, None if amp is None else AMP[amp], tick,
        may_try=may_try, once=once, count_zeros=amp is not None,
        others=() if plan is None else plan.others,
    )  # fmt: skip
    history, lost, suggestions = History(model, one_batch=not callable(batch)), tuple[Underflow, ...](), None
    training, beside = None if plan is None else plan.optimizer, modules_of(loss)
    with (
        ending_reported(), untouched(model, training, beside, lean=once), run_eagerly(), random_states_kept(),
        torch.enable_grad(),
    ):  # fmt: skip
        set_mode(model, mode == "train")
        numbers = count_numbers(partial(subject.pass_in_full, 0), formats, lr)
        if amp is not None:
            lost = underflows(replace(subject, precision=None).run(0), subject.run(0))
        with nullcontext() if plan is None else untouched(model, training, beside):
            judgement = follow(subject.judge, plan, history, tick)
        if plan is not None and may_try:
            history.found += find_outpaced(partial(subject.lesson, subject.batches.take(0)), history, plan)
        if plan is not None and suggest is not False:
            glance = partial(subject.glance, first=history.first)
            suggestions = keep_healthy(model, plan, history, subject.judge, glance, tick)
        if suggest or (suggest is None and not steps and may_be_cured(judgement) and subject.takes_a_moment()):
            suggestions = suggestions or cures(model, history.first, subject.judge_copy, seed)
    taken = NO_STEPS | ({"lr": lr} if formats else {}) if plan is None else plan.config
    options = {
        "loss": loss, "mode": mode, "amp": amp, "number_format": list(formats) or None, "steps": steps, **taken,
        "seed": seed, "suggest": suggestions is not None,
    }  # fmt: skip
    report = probe_report(model, options, thresholds, judgement, history, lost, compiled=compiled)
    report = report if numbers is None else numbers.added(report, judgement.found.flow)
    return report if suggestions is None else replace(report, suggestions=suggestions)
