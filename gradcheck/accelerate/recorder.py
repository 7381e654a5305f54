"""``Recorder`` for a loop with Accelerate: it sees clipping, accumulation and the loss scale by itself."""

from functools import partial
from pathlib import Path
from typing import Self

from accelerate import Accelerator
from torch import Tensor, nn

from gradcheck.accelerate.clipping import watch_clipping
from gradcheck.base.calls import public
from gradcheck.logs.report import LogFinding
from gradcheck.logs.watching import CHECK_EVERY, OnFinding, tell
from gradcheck.torch.recording.watcher import Watching


class Recorder:
    """Records a training loop that uses Accelerate, diagnoses it as it goes, and says when to stop.

    >>> with gradcheck.accelerate.Recorder(accelerator, model, on_finding="stop") as recorder:
    ...     for inputs, targets in batches:
    ...         with accelerator.accumulate(model):
    ...             loss = criterion(model(inputs), targets)
    ...             accelerator.backward(loss)
    ...             if accelerator.sync_gradients:
    ...                 norm = accelerator.clip_grad_norm_(model.parameters(), 1.0)
    ...             optimizer.step()
    ...             optimizer.zero_grad()
    ...         recorder.step(loss)
    ...         if recorder.should_stop:
    ...             break

    Without ``with``, call ``close()`` at the end. Make it after ``accelerator.prepare``, in every process.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
    model : torch.nn.Module
        As ``accelerator.prepare`` returned it.
    file : str or Path, optional
        The log to write, for ``gradcheck diagnose``; by default ``gradcheck.jsonl`` in the accelerator's logging
        folder, or where the program runs.
    every : int
        Steps of the optimizer from one record to the next; the others cost nothing.
    on_finding : "warn", "stop" or callable
        ``stop`` sets ``should_stop`` where an error is found, and warns of all findings. A function gets the finding,
        in each process; if it returns "stop", ``should_stop`` is set.
    updates, activations, overwrite : bool
        As of ``gradcheck.torch.Recorder``.
    check_every : int
        Steps to the first diagnosis; the next ones come after five times as many, or when a long run has grown by a
        quarter.
    start : int
        Number of the first step; above 0, an existing log is continued.

    Attributes
    ----------
    should_stop : bool
        Whether the training is to stop; the same in all processes.
    findings : list of LogFinding
        What was found so far.
    """

    @public
    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        file: str | Path | None = None,
        *,
        every: int = 10,
        on_finding: OnFinding = "warn",
        updates: bool = True,
        activations: bool = False,
        check_every: int = CHECK_EVERY,
        overwrite: bool = False,
        start: int = 0,
    ) -> None:
        watching = Watching(every, on_finding, updates, activations, check_every, overwrite)
        if file is None:
            file = Path(accelerator.logging_dir or ".") / "gradcheck.jsonl"
        self._accelerator, self._step = accelerator, start
        self._watcher = watching.begin(
            model, file, start=start, resume=start > 0, scaler=getattr(accelerator, "scaler", None), log=self._log
        )
        self._end = watch_clipping(accelerator, self._watcher)

    def step(self, loss: Tensor | None = None) -> None:
        """Tell that a batch is done: after its ``optimizer.step()``, whether gradients are still accumulated or not.

        Parameters
        ----------
        loss : Tensor, optional
            Of the batch, as it was given to ``accelerator.backward``.
        """
        if loss is not None:
            self._watcher.add_loss(loss.detach() / self._accelerator.gradient_accumulation_steps)
        if self._accelerator.sync_gradients:
            self._watcher.record()
            self._step += 1
            self._watcher.react()

    @property
    def number(self) -> int:
        """Number of the current step of the optimizer."""
        return self._step

    @property
    def should_stop(self) -> bool:
        """Whether the training is to stop."""
        return self._watcher.should_stop

    @property
    def findings(self) -> list[LogFinding]:
        """What was found so far."""
        return list(self._watcher.findings)

    def close(self) -> None:
        """Diagnose the whole log, and close it; a second call does nothing."""
        self._end()
        self._watcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _log(self, metrics: dict[str, float]) -> None:
        """Log a finding at the step that was recorded last.

        W&B drops what comes with a lower number than it has seen, the loop's own rows as well as this one, and the loop
        may count batches: there the finding joins the row that is being written.
        """
        for tracker in self._accelerator.trackers:
            row = {"commit": False} if tracker.name == "wandb" else {"step": max(0, self._step - 1)}
            tell(partial(tracker.log, **row), metrics)
