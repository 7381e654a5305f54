"""A PyTorch model with its batches and its loss: passed, tried where it looks ill, and judged."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gradcheck.diagnosis.summary import dead_layers
from gradcheck.flow.number_formats import BACK_OFF, Tally
from gradcheck.probing.trial import UNTRAINABLE, Trial
from gradcheck.probing.trying import tried
from gradcheck.probing.verdict import judge, silent_layers
from gradcheck.spec.thresholds import Thresholds
from gradcheck.torch.probing.again import Again
from gradcheck.torch.probing.batches import Batch, Batches
from gradcheck.torch.probing.checks import check_batch
from gradcheck.torch.probing.gates import gated_layers, has_small_gates, may_be_shut, opened, zero_weights
from gradcheck.torch.probing.half_precision import Precision
from gradcheck.torch.probing.idle import find_alike, find_idle, find_waking
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.loss.losses import LossFunction
from gradcheck.torch.probing.lost import Lost
from gradcheck.torch.probing.passing import ModelPass, pass_batch
from gradcheck.torch.probing.second_look import look_again
from gradcheck.torch.probing.state import seed_all
from gradcheck.torch.probing.training.glance import glance
from gradcheck.torch.probing.training.lesson import Lesson

#: Operations of a forward pass up to which changes are tried unasked: a tenth of a second on one core.
A_MOMENT = 1e9


@dataclass
class ModelSubject:
    """What all passes of a probe share."""

    model: nn.Module
    batches: Batches
    loss: str | LossFunction | None
    seed: int
    limits: Thresholds
    precision: Precision | None  # None: the full one
    tick: Callable[[float], None] | None = None  # called with the share of a trial that is over
    may_try: bool = False  # whether a trial may still be held
    once: bool = False  # no steps are taken, so that a forward pass more or less leaves no trace
    count_zeros: bool = False  # whether underflow is asked for
    others: tuple[Tensor, ...] = ()  # parameters of the loss that an optimizer trains
    trial: Trial | None = None  # of the model as it was at the start
    idle: frozenset[str] = frozenset()  # layers that this batch has no use for
    waking: frozenset[str] = frozenset()  # layers that get a gradient once the others have been trained
    # among modules without gradient those that should have one
    lost_of: dict[tuple[str, ...], Lost] = field(default_factory=dict)

    def judge(self, number: int) -> Judgement:
        """Return the judgement after so many steps; what looks ill at the start is tried before it is accused."""
        judgement = judge(self.run(number), self.limits)
        if self.may_try and number == 0:
            self.may_try = False
            with suppress(*UNTRAINABLE):
                return self._tried(judgement)
        return judgement.after(self.trial) if self.trial and judgement.is_suspicion else judgement

    def judge_copy(self, model: nn.Module) -> Judgement:
        """Return the judgement of a copy of the model, by the same batch and loss, without a trial."""
        return judge(replace(self, model=model).run(0), self.limits)

    def glance(self, number: int, first: Judgement) -> Judgement:
        """Return loss and gradients of the nth batch, the rest as at `first`; all of it where one isn't finite."""
        return glance(self.again(number), first) or self.judge(number)

    def _tried(self, judgement: Judgement) -> Judgement:
        """Return the judgement after a trial, where one is due."""
        found = judgement.found
        lesson = self.lesson(self.batches.take(0), found.shift)
        judgement = tried(judgement, lesson, found.at_loss.first, self.tick, from_zero=found.values.never_negative)
        self.trial = judgement.trial
        return judgement

    def run(self, number: int) -> ModelPass:
        """Pass a batch for the nth time; where the scaled loss's gradient overflows, again with a smaller scale."""
        seed_all(self.seed + number)
        batch = self.batches.take(number)
        check_batch(batch)
        precision, self.idle = self.precision, frozenset()
        while True:
            found = self._measure(batch, number, precision)
            again = self._again(batch, number, precision)
            seed_all(again.seed)
            if idle := find_idle(found, again) | find_alike(found, again) | self._waking(found, batch, number):
                self.idle = idle
                found = self._measure(batch, number, precision)
            overflows = not found.flow.obstacle and bool(found.flow.nonfinite.any())
            if precision is None or not overflows or precision.shift < BACK_OFF:
                return look_again(found, again)
            precision = precision._replace(shift=precision.shift - BACK_OFF)

    def _waking(self, found: ModelPass, batch: Batch, number: int) -> frozenset[str]:
        """Return which layers without gradient get one within a few steps, where a trial may say so."""
        if self.may_try and number == 0:
            self.waking = find_waking(found, self.lesson(batch, found.shift))
        return self.waking

    def again(self, number: int) -> Again:
        """Return what passes the nth batch without measuring it."""
        seed_all(self.seed + number)
        return self._again(self.batches.take(number), number, self.precision)

    def _again(self, batch: Batch, number: int, precision: Precision | None) -> Again:
        return Again(self.model, batch, self.loss, self.seed + number, self.seed, precision, self.lost_of, {})

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
        """Pass a batch; where weights at zero shut layers off, or are all there is, once more after training."""
        brief, gated = self.once and may_be_shut(self.model), has_small_gates(self.model)
        found = self._pass(batch, number, precision, brief=brief)
        closed = found.closed or found.cut or found.untrained or found.flow.obstacle
        shut = silent_layers(found.flow) or len(found.flow.layers) == 1
        if closed or not shut or not zero_weights(self.model):
            return replace(self._pass(batch, number, precision) if brief else found, gated=gated)
        with opened(self.lesson(batch, found.shift), found.gradients) as gates:
            again = self._pass(batch, number, precision)
        if dead_layers(found.flow) and dead_layers(again.flow):  # they aren't dead because zeros are all they are given
            return replace(self._pass(batch, number, precision) if brief else found, gated=gated)
        output = again.flow.output._replace(loss=found.at_loss.first.value)
        flow = replace(again.flow, output=output, gated=gated_layers(found.flow, again.flow, gates))
        return replace(
            again,
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
