"""The search itself: a model's first updates from where it is, after which everything is put back."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import torch
from torch import nn

from gradcheck.errors import OptionError, at_least, one_of
from gradcheck.learning_rate.answer import answer_of
from gradcheck.learning_rate.conclusions import Reason, has_progressed
from gradcheck.learning_rate.remarks import (
    another_rule,
    groups,
    learnt_little,
    lost_to_rounding,
    noisy,
    not_held,
    one_batch,
    short_runs,
)
from gradcheck.learning_rate.report import CALLED
from gradcheck.learning_rate.rules import CHECKED, rule_of, usual_updates
from gradcheck.learning_rate.rules import Rule as RateRule
from gradcheck.learning_rate.runs import DOUBLINGS, MOST, Draw, find_rate
from gradcheck.probing.user_errors import ending_reported
from gradcheck.spec.clip_rules import Rule
from gradcheck.spec.probing import LOSSES, MODES
from gradcheck.torch.learning_rate.descent import ModelDescent
from gradcheck.torch.learning_rate.update import Update
from gradcheck.torch.probing.batches import Batches
from gradcheck.torch.probing.checks import check_counts, check_model, set_mode
from gradcheck.torch.probing.eager import as_written, run_eagerly
from gradcheck.torch.probing.loss.losses import LossFunction
from gradcheck.torch.probing.loss.value import modules_of
from gradcheck.torch.probing.state import random_states_kept, untouched
from gradcheck.torch.probing.training.first_steps import make_clip
from gradcheck.torch.probing.training.optimizers import find_not_held, make_optimizer
from gradcheck.torch.probing.training.sources import source_of

#: A loss that differs by more than this share between two passes with the same weights is noisy.
NOISE = 1e-3

#: Optimizers that the rules were found on, the most particular first.
KNOWN: Mapping[type[torch.optim.Optimizer], str] = {
    torch.optim.AdamW: "adamw",
    torch.optim.Adam: "adam",
    torch.optim.SGD: "sgd",
}

#: The rate at which an optimizer by name begins its search, where none is asked about.
BEGINNING = 0.01


@dataclass(frozen=True, kw_only=True)
class ModelSearch:
    """Whose rate is searched, and how: all checked."""

    model: nn.Module  # as it is written, where it is compiled
    batches: Batches
    loss: str | LossFunction | None
    optimizer: torch.optim.Optimizer
    updates: int | None  # None for as many as a pass of the model costs little enough for
    train: bool  # the model's mode
    clip: Rule | None
    seed: int

    @classmethod
    def of(
        cls,
        model: nn.Module,
        batch: object,
        loss: str | LossFunction | None,
        optimizer: Any,  # noqa: ANN401
        *,
        lr: float | None = None,
        updates: int | None = None,
        mode: str = "train",
        clip: str | Rule | None = None,
        optimizer_options: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> "ModelSearch":
        """Return the search that ``rate`` is asked for.

        Raises
        ------
        GradcheckError
            Something isn't as it has to be.
        """
        check_model(model)
        _check_order(loss, optimizer)
        if updates is not None:
            updates = at_least("updates", updates, 1, "a run has at least one; 100 are usual, of large models 8")
        _, seed = check_counts(updates or CHECKED[-1], seed)
        train, model, rule = one_of("mode", mode, MODES) == "train", as_written(model), make_clip(clip)
        made = make_optimizer(optimizer, BEGINNING if lr is None else lr, optimizer_options or {}, model)
        return cls(
            model=model, batches=Batches(source_of(batch)), loss=loss, optimizer=made, updates=updates, train=train,
            clip=rule, seed=seed,
        )  # fmt: skip

    @cached_property
    def update(self) -> Update:
        """The optimizer's update."""
        return Update(self.optimizer)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(one.numel() for one in self.update.parameters)

    @property
    def called(self) -> str:
        """What the optimizer is called."""
        momentum = self.optimizer.param_groups[0].get("momentum")
        return f"{type(self.optimizer).__name__}{f' with momentum {momentum:g}' if momentum else ''}"

    def config(self, found: "Found") -> dict[str, Any]:
        """Return every option with its resolved value."""
        return {
            "model": type(self.model).__name__, "loss": found.loss, "mode": "train" if self.train else "eval",
            "optimizer": self.called, "updates": found.updates, "seed": self.seed,
            "clip": None if self.clip is None else str(self.clip), "rates": list(self.update.rates.usual),
        }  # fmt: skip

    @property
    def rule(self) -> str:
        """The name of the optimizer whose rule holds, or that of Adam where none was checked."""
        name = next((name for kind, name in KNOWN.items() if isinstance(self.optimizer, kind)), "adam")
        return "momentum" if name == "sgd" and self.optimizer.param_groups[0].get("momentum") else name

    def found(self, tick: Callable[[float], None] | None = None, doublings: int = DOUBLINGS) -> "Found":
        """Search along the first update, make the runs, and put everything back; see ``find_rate``."""
        beside = modules_of(self.loss)
        with (
            ending_reported(), untouched(self.model, self.optimizer, beside), run_eagerly(), random_states_kept(),
            torch.enable_grad(),
        ):  # fmt: skip
            set_mode(self.model, self.train)
            descent = ModelDescent(
                self.model, self.batches, self.loss, self.update, seed=self.seed, clip=self.clip, beside=beside
            )
            descent.look()
            constant = descent.constant if math.isfinite(descent.constant) else math.inf
            updates = self.updates or usual_updates(descent.multiplications())
            descent.restart()
            rule = rule_of(self.rule, updates)
            draw = find_rate(descent, rule, updates, tick=_counted(tick), constant=constant, doublings=doublings)
            answer = answer_of([draw], rule)
            best = math.nan if answer is None else answer.best
            loss = "" if descent.loss is None else descent.loss.name
            remarks = tuple(self._remarks(descent, draw, best, updates))
            return Found(draw, loss, descent.constant, updates, rule, remarks)

    def _remarks(self, descent: ModelDescent, draw: Draw, best: float, updates: int) -> Iterator[Reason]:
        """Yield what else is to be said; the model is where the last update has led."""
        rates, kind = self.update.rates, type(self.optimizer).__name__
        if little := learnt_little(draw, descent.constant):
            yield little
        if math.isfinite(best):
            if len(set(rates.usual)) > 1:
                yield groups(rates.at(best))
            for dtype, share in self.update.lost(best):
                yield lost_to_rounding(share, dtype)
            if type(self.optimizer) not in KNOWN:
                yield another_rule(kind, CALLED[self.rule])
            elif short := short_runs(self.rule, updates):
                yield short
        if descent.noise > NOISE:
            yield noisy(descent.noise)
        if self.batches.one is not None:
            yield one_batch(updates)
        if names := find_not_held(self.model, self.optimizer):
            yield not_held(names)


def _check_order(loss: object, optimizer: object) -> None:
    """Raise an error for a loss and an optimizer that have changed places."""
    order = "the order is model, batch, loss, optimizer, or name them: loss=…, optimizer=…"
    kind = loss if isinstance(loss, type) else type(loss)
    if issubclass(kind, torch.optim.Optimizer):
        raise OptionError("loss", f"is the optimizer {kind.__name__}: {order}")
    if isinstance(optimizer, nn.Module) or optimizer in LOSSES:
        name = optimizer if isinstance(optimizer, str) else type(optimizer).__name__
        raise OptionError("optimizer", f"is {name}, which is no optimizer but a loss: {order}")


def _counted(tick: Callable[[float], None] | None) -> Callable[[], None] | None:
    """Return what is called after each run, and tells the share of the runs that there are at most."""
    runs = count(1)
    return None if tick is None else lambda: tick(min(1.0, next(runs) / MOST))


class Found(NamedTuple):
    """What a search has found."""

    draw: Draw
    loss: str  # the name of the loss
    constant: float  # the loss of the best answer that is the same for all examples; nan where it isn't known
    updates: int  # of each run
    rule: RateRule  # of the optimizer, for runs of so many
    remarks: tuple[Reason, ...]

    @property
    def progressed(self) -> bool:
        """Whether the loss has fallen below its first value, and below that of any constant answer where it's known."""
        return has_progressed(self.draw, self.constant)
