"""``GradientCallback`` for ``transformers.Trainer``."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from gradcheck.accelerate.clipping import Replacement, watch_clipping
from gradcheck.base.calls import public
from gradcheck.logs.interrupted import begins, ends
from gradcheck.logs.report import LogFinding
from gradcheck.logs.watching import CHECK_EVERY, OnFinding, tell
from gradcheck.torch.recording.watcher import Watcher, Watching

#: The method whose results are the losses of a step's batches, as the backward pass gets them.
TRAINS = "training_step"

#: The method that tells all callbacks, in their order, that the training has ended.
ENDS = "on_train_end"


class GradientCallback(TrainerCallback):
    """Records the gradients of a ``transformers.Trainer``, diagnoses them as it goes, and acts on what it finds.

    >>> from gradcheck.huggingface import GradientCallback
    >>> trainer = Trainer(model, arguments, train_dataset=data, callbacks=[GradientCallback(on_finding="stop")])

    Parameters
    ----------
    file : str or Path, optional
        The log to write, for ``gradcheck diagnose``; by default ``gradcheck.jsonl`` in ``output_dir``. A resumed
        training goes on in its log.
    every : int
        Steps from one record to the next, numbered as the Trainer does; the others cost nothing.
    on_finding : "warn", "stop" or callable
        ``stop`` ends the training where an error is found, and warns of all findings. A function gets the finding, in
        each process; if it returns "stop", training ends. Each finding is logged by ``trainer.log``, too.
    updates, activations, overwrite : bool
        As of ``gradcheck.torch.Recorder``.
    check_every : int
        Steps to the first diagnosis; the next ones come after five times as many, or when a long run has grown by a
        quarter.

    Notes
    -----
    The Trainer clips before it calls any callback: the gradient before clipping is measured within its accelerator's
    ``clip_grad_norm_``. With DeepSpeed, parameters have no gradients to measure.
    """

    @public
    def __init__(
        self,
        file: str | Path | None = None,
        *,
        every: int = 10,
        on_finding: OnFinding = "warn",
        updates: bool = True,
        activations: bool = False,
        check_every: int = CHECK_EVERY,
        overwrite: bool = False,
    ) -> None:
        self._file = file
        self._watching = Watching(every, on_finding, updates, activations, check_every, overwrite)
        self._watcher: Watcher | None = None
        self._ends: list[Callable[[], None]] = []

    @property
    def findings(self) -> list[LogFinding]:
        """What was found so far."""
        return [] if self._watcher is None else list(self._watcher.findings)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin to record; a resumed training goes on in its log."""
        self._close()
        trainer = _calling_trainer()
        if trainer is not None:
            begins(self, trainer, state)
        log = None if trainer is None else partial(tell, partial(Trainer.log, trainer))  # TRL's own takes its metrics
        self._watcher = self._watching.begin(
            given["model"],
            Path(args.output_dir) / "gradcheck.jsonl" if self._file is None else self._file,
            start=state.global_step + 1,
            resume=state.global_step > 0,
            scaler=getattr(given.get("optimizer"), "scaler", None),
            log=log,
        )
        if trainer is not None:
            self._ends = [
                watch_clipping(trainer.accelerator, self._watcher), _watch_losses(trainer, self._watcher),
                _before_others_end(trainer, self._watcher.close),
            ]  # fmt: skip

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Record the step, while its gradients are still there."""
        if self._watcher is not None:
            self._watcher.record()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Act on what was found."""
        if self._watcher is not None:
            should_log = control.should_log
            self._watcher.react()
            control.should_training_stop = control.should_training_stop or self._watcher.should_stop
            if control.should_training_stop:  # the loggers end before this callback: a finding would begin another run
                self._watcher.close()
            control.should_log = should_log  # a finding that is logged takes the Trainer's own row back

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Diagnose the whole run, and close its log."""
        self._close()

    def leave(self) -> None:
        """Close the log of a run that was interrupted: the Trainer tells its callbacks nothing."""
        self._end()
        if self._watcher is not None:
            self._watcher.leave()

    def _close(self) -> None:
        self._end()
        if self._watcher is not None:
            self._watcher.close()

    def _end(self) -> None:
        """Take back what was replaced."""
        ends(self)
        for end in self._ends:
            end()
        self._ends = []


def _calling_trainer() -> Any:
    """Return the Trainer that calls, or None: it hands a callback its model, but neither itself nor its losses."""
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), Trainer):
            return frame.f_locals["self"]
        frame = frame.f_back
    return None


def _before_others_end(trainer: Trainer, close: Callable[[], None]) -> Callable[[], None]:
    """Let something end before all callbacks do, the loggers among them; return what takes that back.

    Another callback may end the training after an evaluation: no event follows but the end, for the loggers first.
    """

    def on_train_end(end_all: Callable[..., Any], *values: Any, **options: Any) -> Any:
        close()
        return end_all(*values, **options)

    return Replacement(trainer.callback_handler, ENDS, on_train_end).end


def _watch_losses(trainer: Trainer, watcher: Watcher) -> Callable[[], None]:
    """Let a watcher have the losses of all batches of a step; return what ends that."""

    def training_step(train: Callable[..., Any], *values: Any, **options: Any) -> Any:
        loss = train(*values, **options)
        watcher.add_loss(loss)
        return loss

    return Replacement(trainer, TRAINS, training_step).end
