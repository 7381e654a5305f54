"""A user's own model, as it goes down: its loss on a batch, at the weights that its own optimizer's step leads to."""

import math
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gradcheck.errors import GradcheckError
from gradcheck.probing.limits import IGNORED
from gradcheck.probing.trial import UNTRAINABLE
from gradcheck.spec.clip_rules import Rule
from gradcheck.spec.probing import LOSSES
from gradcheck.torch.learning_rate.update import Update
from gradcheck.torch.probing.batches import Batch, Batches
from gradcheck.torch.probing.checkpoints import checkpoints_opened
from gradcheck.torch.probing.checks import check_batch
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.keeping import Kept, keep, put_back
from gradcheck.torch.probing.loss.first_loss import answers_of
from gradcheck.torch.probing.loss.losses import Loss, LossFunction, choose_loss, draw_targets
from gradcheck.torch.probing.loss.value import as_number
from gradcheck.torch.probing.state import seed_all
from gradcheck.torch.probing.training.first_steps import CLIPS

#: The gradients of most matrices are lost where their median share of the whole has shrunk by so many decades.
LOST = 2.0

#: Types in which a loss has three digits: what differs by the last of them is the same.
HALF = (torch.float16, torch.bfloat16)


class ModelDescent:
    """A model, its optimizer, and its batches, one a step.

    The seed is of whatever the model draws: the same in all passes of a step. The rule clips the gradient before each
    step. Beside it are modules of the loss, whose buffers a pass may change.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        loss: str | LossFunction | None,
        update: Update,
        *,
        seed: int = 0,
        clip: Rule | None = None,
        beside: Sequence[nn.Module] = (),
    ) -> None:
        self._model, self._batches, self._asked, self.update = model, batches, loss, update
        self._seed, self._clip, self._steps = seed, clip, 0
        self._buffers = [module._buffers for part in (model, *beside) for module in part.modules()]
        self._batch: Batch | None = None
        self._targets: Any = None
        self.loss: Loss | None = None  # what was asked for, or chosen by the first output
        self._first = self._before = self._after = self._held()  # buffers before and after the pass with a gradient
        self._graph = False  # a pass without a graph fails
        self._kind = ""  # what a constant answer costs is known of: cross-entropy or mean-square
        self._answers: dict[int, Tensor] = {}  # number of a batch ↦ its targets
        self._looked = False  # whether a first pass was made, and once more
        self.noise = 0.0  # the share by which a second pass with the same weights has another loss
        self._shares: list[Tensor] = []  # the matrices' logarithmic shares of the gradient: first, and last
        self._loss, self._slack = 0.0, 0.0  # that of the batch, and what rounding may change of it

    def look(self) -> float:
        """Take the next batch; let the optimizer make its update of it; return the loss."""
        self._batch, self._targets = self._batches.take(self._steps), None
        check_batch(self._batch)
        self._before = self._held()
        with torch.enable_grad(), errors_in_one_line():
            value = self._value()
            loss = float(value.detach())
            self._after = self._held()
            gradients = self._gradients(value) if math.isfinite(loss) else []
            if not self._looked:
                self._looked = True
                again = self._again()
                self.noise = abs(again - loss) / (abs(loss) or 1.0) if math.isfinite(loss) else 0.0
            if gradients:
                self._shares = [*self._shares[:1], _shares(gradients)] if self._steps else [_shares(gradients)]
                self.update.make(gradients, self._seed + self._steps)
        digits = torch.finfo(value.dtype).eps if value.dtype in HALF else 0.0
        self._loss, self._slack = loss, digits * abs(loss)
        return loss

    def fades(self) -> bool:
        """Whether the gradients of most matrices are a far smaller share of the whole than at the first update."""
        if len(self._shares) < 2:
            return False
        return bool((self._shares[1] - self._shares[0]).median() < -LOST)

    def along(self, rate: float) -> float:
        """Return the loss of the same batch after a step at this rate, finite or not; inf where there is none."""
        self.update.go(rate)
        try:
            loss = self._again()
        except UNTRAINABLE:
            loss = math.inf  # a model may refuse what isn't finite
        return self._loss if abs(loss - self._loss) <= self._slack else loss

    def step(self, rate: float) -> None:
        """Take a step at this rate."""
        self.update.stay(rate)
        put_back(self._after)
        self._steps += 1

    def multiplications(self) -> float:
        """Return those of a forward pass of the batch, or at least one of each parameter with each example."""
        assert self._batch is not None
        put_back(self._before)
        counter = FlopCounterMode(display=False)
        slowly = torch.backends.mkldnn.flags(enabled=False)  # which runs an LSTM as one operation that isn't counted
        with warnings.catch_warnings(action="ignore"), suppress(*UNTRAINABLE), torch.no_grad(), slowly, counter:
            self._value()
        counted = counter.get_total_flops() / 2
        return max(float(counted), float(self._batch.examples * sum(one.numel() for one in self.update.parameters)))

    @property
    def constant(self) -> float:
        """The loss of the best answer that is the same for all examples; nan where it isn't known."""
        if not self._answers or self.loss is None:
            return math.nan
        kind = self._kind or self.loss.name
        answers = _joined([*self._answers.values()], by_place=kind == "mean-square")
        if answers is None:
            return math.nan
        if kind == "mean-square":
            return float((answers - answers.mean(0)).abs().square().mean())
        if answers.is_floating_point():  # probabilities
            return math.nan
        _, counts = answers[answers != IGNORED].unique(return_counts=True)
        return float(torch.special.entr(counts / counts.sum()).sum())

    def restart(self) -> None:
        """Go back to where all began: parameters, optimizer, buffers, and the first batch."""
        self.update.restart()
        put_back(self._first)
        self._steps = 0

    def _again(self) -> float:
        """Return the loss of the same batch, from the same buffers and random numbers."""
        put_back(self._before)
        if not self._graph:
            try:
                with torch.no_grad():
                    return float(self._value())
            except UNTRAINABLE:
                self._graph = True  # some need it: their forward asks for a gradient
                put_back(self._before)
        return float(self._value().detach())

    def _value(self) -> Tensor:
        assert self._batch is not None
        batch, _ = self._batch.copied(with_gradient=False)
        seed_all(self._seed + self._steps)
        with checkpoints_opened(Recording(), inputs_as_given=True):  # their gradients would go past the optimizer
            output = self._model(*batch.arguments, **batch.keywords)
        if self.loss is None:
            self.loss = choose_loss(self._asked, output, batch.targets)
        if batch.targets is None and self._targets is None:
            self._targets = draw_targets(self.loss.name, output, torch.Generator().manual_seed(self._seed))
        targets = self._targets if batch.targets is None else batch.targets
        value = as_number(self.loss.function(output, targets), self.loss.name)
        if torch.is_grad_enabled():
            self._remember(value, targets)
        return value.reshape(())

    def _remember(self, value: Tensor, targets: object) -> None:
        """Keep the batch's targets, of a loss of one's own where its graph shows that it is a usual one."""
        assert self.loss is not None
        known = (self.loss.name, targets) if self.loss.name in LOSSES else answers_of(value, targets)
        if known is not None and isinstance(known[1], Tensor):
            self._kind, self._answers[self._steps] = known[0], known[1].detach()

    def _gradients(self, value: Tensor) -> list[Tensor | None]:
        """Return the gradient of each parameter that is trained, clipped."""
        parameters = self.update.parameters
        found: Sequence[Tensor | None] = [None]
        if value.requires_grad:
            found = torch.autograd.grad(value, parameters, allow_unused=True)  # users' hooks stay quiet
        if all(one is None for one in found):
            raise GradcheckError("the loss doesn't depend on any parameter that the optimizer trains")
        if self._clip is None or self._clip.threshold is None:
            return list(found)
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
        CLIPS[self._clip.name]([one for one in parameters if one.grad is not None], self._clip.threshold)
        clipped = [one.grad for one in parameters]
        for one in parameters:
            one.grad = None
        return clipped

    def _held(self) -> Kept:
        return keep(self._buffers)


def _shares(gradients: Sequence[Tensor | None]) -> Tensor:
    """Return log10 of the share of the whole that each matrix's gradient has; one that is zero isn't counted."""
    matrices = [one.detach() for one in gradients if one is not None and one.ndim > 1 and not one.is_sparse]
    norms = torch.stack([torch.linalg.vector_norm(one).double().cpu() for one in matrices] or [torch.tensor(0.0)])
    return (norms / torch.linalg.vector_norm(norms)).clamp(min=1e-300).log10()


def _joined(targets: Sequence[Tensor], *, by_place: bool) -> Tensor | None:
    """Return the targets of all batches; None of numbers that have no place in common, as in sequences of any length.

    By place the best constant answer has a number for each place of an example's target, else one for all.
    """
    if not by_place:
        whole = not any(one.is_floating_point() for one in targets)
        return torch.cat([one.flatten() for one in targets]) if whole else targets[0]
    if len({one.shape[1:] for one in targets}) > 1 or not targets[0].ndim:
        return None
    answers = torch.cat([*targets])
    return answers.to(torch.complex128 if answers.is_complex() else torch.float64)
