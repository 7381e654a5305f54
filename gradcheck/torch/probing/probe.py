"""``probe``: the same diagnosis for a user's own PyTorch model, from the framework's own autograd."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gradcheck.base.calls import public
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.summary import dead_layers
from gradcheck.errors import one_of
from gradcheck.flow.number_formats import BACK_OFF, Tally
from gradcheck.probing.trial import UNTRAINABLE, Trial
from gradcheck.probing.trying import tried
from gradcheck.probing.verdict import judge, silent_layers
from gradcheck.spec.clip_rules import Rule
from gradcheck.spec.number_formats import number_formats
from gradcheck.spec.options.option import canonical
from gradcheck.spec.probing import MODES
from gradcheck.spec.thresholds import Thresholds
from gradcheck.torch.probing.batches import Batch, Batches
from gradcheck.torch.probing.checks import check_batch, check_counts, check_model
from gradcheck.torch.probing.course import follow
from gradcheck.torch.probing.cures import cures, may_be_cured
from gradcheck.torch.probing.eager import as_written, is_compiled, run_eagerly
from gradcheck.torch.probing.gates import gated_layers, has_small_gates, may_be_shut, opened, zero_weights
from gradcheck.torch.probing.gentler import keep_healthy
from gradcheck.torch.probing.glance import glance
from gradcheck.torch.probing.history import History
from gradcheck.torch.probing.idle import find_idle
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.lesson import Lesson
from gradcheck.torch.probing.loss_value import modules_of
from gradcheck.torch.probing.losses import LossFunction
from gradcheck.torch.probing.lost import Lost
from gradcheck.torch.probing.number_formats import count_numbers
from gradcheck.torch.probing.optimizers import Optimizer
from gradcheck.torch.probing.passing import ModelPass, pass_batch
from gradcheck.torch.probing.precision import AMP, Precision
from gradcheck.torch.probing.reporting import probe_report
from gradcheck.torch.probing.second_look import Again, look_again
from gradcheck.torch.probing.state import random_states_kept, seed_all, untouched
from gradcheck.torch.probing.training import NO_STEPS, make_steps
from gradcheck.torch.probing.underflow import Underflow, underflows

#: Operations of a forward pass up to which changes are tried unasked: a tenth of a second on one core.
A_MOMENT = 1e9


@public
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
    vanish_below: float = 1e-3,
    explode_above: float = 1e3,
    max_span: float = 2.3,
    min_rank: float = 1.8,
    dead_above: float = 0.9,
    saturated_above: float = 0.9,
    tick: Callable[[float], None] | None = None,
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
    limits = Thresholds(
        vanish_below=vanish_below, explode_above=explode_above, max_span=max_span, min_rank=min_rank,
        dead_above=dead_above, saturated_above=saturated_above,
    )  # fmt: skip
    check_model(model)
    compiled, model = is_compiled(model), as_written(model)
    mode, amp = one_of("mode", mode, MODES), None if amp is None else one_of("amp", canonical(amp, AMP), AMP)
    (steps, seed), formats = check_counts(steps, seed), number_formats(number_format)
    plan = make_steps(model, steps, optimizer, lr, optimizer_options, warmup, clip)
    may_try = trial and limits == Thresholds()
    once = plan is None and amp is None and suggest is False and not formats
    subject = _Subject(
        model, Batches(batch), loss, seed, tick, may_try,
        others=() if plan is None else plan.others, count_zeros=amp is not None, once=once,
    )  # fmt: skip
    history, lost = History(model, one_batch=not callable(batch)), tuple[Underflow, ...]()
    suggestions = None
    training, beside = None if plan is None else plan.optimizer, modules_of(loss)
    with untouched(model, training, beside, lean=once), run_eagerly(), random_states_kept(), torch.enable_grad():
        model.train(mode == "train")
        numbers = count_numbers(partial(subject.pass_in_full, 0), formats, lr)
        if amp is not None:
            lost = underflows(lambda kind: subject.run(0, kind), amp)
        run = partial(subject.judge, amp, limits)
        with nullcontext() if plan is None else untouched(model, training, beside):
            judgement = follow(run, plan, history, tick)
        if plan is not None and suggest is not False:
            suggestions = keep_healthy(model, plan, history, run, partial(_glanced, run, subject, amp, history), tick)
        if suggest or (suggest is None and not steps and may_be_cured(judgement) and subject.takes_a_moment()):
            suggestions = suggestions or cures(model, history.first, partial(_judged, subject, limits, amp), seed)
    taken = NO_STEPS | ({"lr": lr} if formats else {}) if plan is None else plan.config
    options = {
        "loss": loss, "mode": mode, "amp": amp, "number_format": list(formats) or None, "steps": steps, **taken,
        "seed": seed, "suggest": suggestions is not None,
    }  # fmt: skip
    report = probe_report(model, options, limits, judgement, history, lost, compiled=compiled)
    report = report if numbers is None else numbers.added(report, judgement.found.flow)
    return report if suggestions is None else replace(report, suggestions=suggestions)


def _judged(subject: "_Subject", limits: Thresholds, amp: str | None, model: nn.Module) -> Judgement:
    """Return the judgement of a copy of the model, by the same batch and loss, without a trial."""
    return judge(replace(subject, model=model).run(0, amp), limits)


def _glanced(
    run: Callable[[int], Judgement], subject: "_Subject", amp: str | None, history: History, number: int
) -> Judgement:
    """Return loss and gradients of the nth batch, and all of it where one isn't finite."""
    return glance(subject.again(number, amp), history.first) or run(number)


@dataclass
class _Subject:
    """What all passes of a probe share."""

    model: nn.Module
    batches: Batches
    loss: str | LossFunction | None
    seed: int
    tick: Callable[[float], None] | None = None  # called with the share of a trial that is over
    may_try: bool = False  # whether a trial may still be held
    count_zeros: bool = False  # whether underflow is asked for
    once: bool = False  # no steps are taken, so that a forward pass more or less leaves no trace
    trial: Trial | None = None  # of the model as it was at the start
    others: tuple[Tensor, ...] = ()  # parameters of the loss that an optimizer trains
    idle: frozenset[str] = frozenset()  # layers that this batch has no use for
    # among modules without gradient those that should have one
    lost_of: dict[tuple[str, ...], Lost] = field(default_factory=dict)

    def judge(self, amp: str | None, limits: Thresholds, number: int) -> Judgement:
        """Return the judgement after so many steps; what looks ill at the start is tried before it is accused."""
        found = self.run(number, amp)
        judgement = judge(found, limits)
        if self.may_try and number == 0:
            self.may_try = False
            with suppress(*UNTRAINABLE):
                return self._tried(judgement)
        return judgement.after(self.trial) if self.trial and judgement.is_suspicion else judgement

    def _tried(self, judgement: Judgement) -> Judgement:
        """Return the judgement after a trial, where one is due."""
        found = judgement.found
        lesson = self.lesson(self.batches.take(0), found.shift)
        judgement = tried(judgement, lesson, found.at_loss.first, self.tick, from_zero=found.values.never_negative)
        self.trial = judgement.trial
        return judgement

    def run(self, number: int, amp: str | None) -> ModelPass:
        """Pass a batch for the nth time; where the scaled loss's gradient overflows, again with a smaller scale."""
        seed_all(self.seed + number)
        batch = self.batches.take(number)
        check_batch(batch)
        precision, self.idle = None if amp is None else AMP[amp], frozenset()
        while True:
            found = self._measure(batch, number, precision)
            if idle := find_idle(found, self.again(number, amp)):
                self.idle = idle
                found = self._measure(batch, number, precision)
            overflows = not found.flow.obstacle and bool(found.flow.nonfinite.any())
            if precision is None or not overflows or precision.shift < BACK_OFF:
                return self._look_again(batch, number, precision, found)
            precision = precision._replace(shift=precision.shift - BACK_OFF)

    def again(self, number: int, amp: str | None) -> Again:
        """Return what passes the nth batch without measuring it."""
        seed_all(self.seed + number)
        batch, precision = self.batches.take(number), None if amp is None else AMP[amp]
        return Again(self.model, batch, self.loss, self.seed + number, self.seed, precision, self.lost_of)

    def _look_again(self, batch: Batch, number: int, precision: Precision | None, found: ModelPass) -> ModelPass:
        again = Again(self.model, batch, self.loss, self.seed + number, self.seed, precision, self.lost_of)
        return look_again(found, again)

    def takes_a_moment(self) -> bool:
        """Whether a forward pass has few enough multiplications for changes to be tried unasked."""
        batch, _ = self.batches.take(0).copied(with_gradient=False)
        try:
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                self.model(*batch.arguments, **batch.keywords)
        except Exception:  # the user's model may have had its one pass
            return False
        return bool(counter.get_total_flops() <= A_MOMENT)

    def _measure(self, batch: Batch, number: int, precision: Precision | None) -> ModelPass:
        """Pass a batch; where weights at zero shut layers off, once more after training has opened them."""
        brief, gated = self.once and may_be_shut(self.model), has_small_gates(self.model)
        found = self._pass(batch, number, precision, brief=brief)
        closed = found.closed or found.cut or found.untrained or found.flow.obstacle or dead_layers(found.flow)
        if closed or not silent_layers(found.flow) or not zero_weights(self.model):
            return (self._pass(batch, number, precision) if brief else found)._replace(gated=gated)
        with opened(self.lesson(batch, found.shift), found.gradients) as gates:
            again = self._pass(batch, number, precision)
        output = again.flow.output._replace(loss=found.at_loss.first.value)
        flow = replace(again.flow, output=output, gated=gated_layers(found.flow, again.flow, gates))
        return again._replace(
            opened=tuple(gates.opened), shut=gates.shut, gated=True, gradients=found.gradients, shift=found.shift,
            at_loss=found.at_loss, values=found.values, flow=flow,
        )  # fmt: skip

    def lesson(self, batch: Batch, shift: int) -> Lesson:
        """Return what is to be learnt: this batch."""
        return Lesson(self.model, batch, self.loss, self.seed, 2.0**shift)

    def pass_in_full(self, number: int, tally: Tally) -> ModelPass:
        """Pass the nth batch in full precision, and count what number formats lose."""
        batch = self.batches.take(number)
        check_batch(batch)
        return self._pass(batch, number, None, tally=tally)

    def _pass(
        self, batch: Batch, number: int, precision: Precision | None, *, brief: bool = False, tally: Tally | None = None
    ) -> ModelPass:
        seed_all(self.seed + number)  # dropout's; the targets that are drawn stay the same
        generator = torch.Generator().manual_seed(self.seed)
        return pass_batch(
            self.model, batch, self.loss, generator, precision, self.others,
            count_zeros=self.count_zeros, brief=brief, tally=tally, idle=self.idle,
        )  # fmt: skip
