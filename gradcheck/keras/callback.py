"""``GradientCallback`` for ``model.fit`` of Keras 3."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import keras

from gradcheck.base.calls import public
from gradcheck.errors import GradcheckError, at_least, switch
from gradcheck.keras.taps import Tap
from gradcheck.logs.appending import GrowingLog
from gradcheck.logs.interrupted import begins, ends
from gradcheck.logs.records import has_weights, header_line, record_line
from gradcheck.logs.report import LogFinding
from gradcheck.logs.watching import CHECK_EVERY, OnFinding, Watch, as_metrics, checked_reaction, react

#: Digits that a norm of float32 has.
DIGITS = 7

#: In the logs of each epoch, how much was found so far: what writes a table takes its columns from the first one.
COUNT = "gradcheck/findings"


class GradientCallback(keras.callbacks.Callback):
    """Records the gradients of ``model.fit``, diagnoses them as it goes, and acts on what it finds.

    >>> from gradcheck.keras import GradientCallback
    >>> model.fit(inputs, targets, callbacks=[GradientCallback("run.jsonl", on_finding="stop")])

    Parameters
    ----------
    file : str or Path
        The log to write, for ``gradcheck diagnose``. A model that is trained further goes on in its log.
    every : int
        Steps of the optimizer from one record to the next; the others cost nothing.
    on_finding : "warn", "stop" or callable
        ``stop`` ends the training where an error is found, and warns of all findings. A function gets the finding; if
        it returns "stop", training ends. Each finding is in the logs of its epoch, too, for the callbacks after this,
        and their number in those of every epoch, as ``gradcheck/findings``.
    updates : bool
        Record how large updates are relative to the weights, in few records.
    check_every : int
        Steps to the first diagnosis; the next ones come after five times as many, or when a long run has grown by a
        quarter.
    overwrite : bool
        Write over an earlier run's log.

    Notes
    -----
    Keras has no hook between gradients and update: two methods of the optimizer are replaced during ``fit``, by those
    that measure (``gradcheck.keras.taps``). With JAX they become part of the compiled step. A step that a loss scale
    skips isn't recorded, nor is what a layer puts out.
    """

    @public
    def __init__(
        self,
        file: str | Path = "gradcheck.jsonl",
        *,
        every: int = 10,
        on_finding: OnFinding = "warn",
        updates: bool = True,
        check_every: int = CHECK_EVERY,
        overwrite: bool = False,
    ) -> None:
        super().__init__()
        self.every = at_least("every", every, 1, "it counts steps from one record to the next")
        self.findings: list[LogFinding] = []
        self._file, self._on_finding = file, checked_reaction(on_finding)
        self._updates, self._overwrite = switch("updates", updates), switch("overwrite", overwrite)
        self._check_every = at_least("check_every", check_every, 1, "it counts steps from one diagnosis to the next")
        self._tap: Tap | None = None
        self._log: GrowingLog | None = None
        self._watch = Watch(check_every)
        self._parts: dict[int, dict[str, Any]] = defaultdict(dict)
        self._copies: list[Any] = []
        self._fresh: list[LogFinding] = []
        self._shown: list[dict[str, float]] = []
        self._begun = self._told = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin to record; a model that is trained further goes on in its log."""
        self._close()
        self._shown = []
        if self.model.optimizer is None or not self.model.trainable_variables:
            raise GradcheckError("the model has no optimizer, or no variable to train: nothing to record")
        begins(self, self.model, self.params)
        resume = int(self.model.optimizer.iterations) > 0
        self._log = GrowingLog(self._file, resume=resume, overwrite=self._overwrite and not resume)
        self._tap = _tap()(self.model, self.every, self._take)
        self._write(header_line([one.path for one in self.model.trainable_variables], every=self.every))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count the batches of the epochs before."""
        if self._tap is not None:
            self._begun = self._tap.done

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Copy the weights, if this batch ends a step of which the update is measured."""
        if self._tap is not None and self._measures_update(batch):
            self._copies = self._tap.copied()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Record the steps whose numbers are there, and act on what was found."""
        if self._tap is None:
            return
        if self._copies:
            step = (self._begun + batch) // self._tap.batches
            copies, self._copies = self._copies, []
            moved = [new - old for new, old in zip(self._tap.copied(), copies, strict=True)]
            self._take(step, "weight_norm", self._tap.norms(copies))
            self._take(step, "update_norm", self._tap.norms(moved))
        self._record()
        self._react()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the findings of an epoch to its logs, in the last one those of the whole run."""
        self._record()
        if self.model.stop_training or epoch + 1 == self.params.get("epochs"):
            self.findings += self._watch.diagnose()
        self._react()
        self._shown.append(self._tell(logs))

    def on_train_end(self, logs: Any = None) -> None:
        """Diagnose the whole run, and close its log; what is new is in the logs for the callbacks after this."""
        self._close()
        self._tell(logs)
        self._fill_history()

    def _measures_update(self, batch: int) -> bool:
        """Whether a batch, the number of which counts from the epoch's start, ends a step with weights and update."""
        assert self._tap is not None
        step, inside = divmod(self._begun + batch, self._tap.batches)
        due = step % self.every == 0 and has_weights(step, self.every)
        alone = getattr(self.model, "steps_per_execution", 1) == 1
        return self._updates and alone and due and inside == self._tap.batches - 1

    def _take(self, step: int, name: str, numbers: Any) -> None:
        """Take in numbers of a step: the loss of several batches is added up."""
        if name == "loss":
            numbers = [*self._parts[step].get("loss", ()), numbers]
        self._parts[step][name] = numbers

    def _record(self) -> None:
        """Write the records of the steps of which gradients have arrived."""
        if self._tap is None or not any("grad_norm" in parts for parts in self._parts.copy().values()):
            return
        self._tap.wait()
        for step in sorted(self._parts):
            parts = self._parts.pop(step) if "grad_norm" in self._parts[step] else None
            if parts is not None:
                self._write_record(step, parts)

    def _write_record(self, step: int, parts: dict[str, Any]) -> None:
        losses, update = parts.pop("loss", []), parts.pop("update_norm", None)
        if update is not None:
            pairs = zip(update, parts["weight_norm"], strict=True)
            parts["update_ratio"] = [moved / weight if weight else None for moved, weight in pairs]
        whole = {
            "loss": math.fsum(losses) / len(losses) if losses else None,
            "lr": float(self.model.optimizer.learning_rate),
            "grad_norm": _joint(parts["grad_norm"]),
            "grad_norm_after": _joint(parts["grad_norm_after"]) if "grad_norm_after" in parts else None,
            "max_norm": self._tap.max_norm if self._tap is not None else None,
        }
        self._write(record_line(step, parts, digits=DIGITS, **whole))
        self.findings += self._watch.look(step, grad_norm=whole["grad_norm"], loss=whole["loss"])

    def _write(self, line: bytes) -> None:
        if self._log is not None:
            self._log.write(line)
        self._watch.take(line)

    def _react(self) -> None:
        """Act on what was found since the last time."""
        new, self._told = self.findings[self._told :], len(self.findings)
        for finding in new:
            self._fresh.append(finding)
            if react(finding, self._on_finding, self._file):
                self.model.stop_training = True

    def _tell(self, logs: Any) -> dict[str, float]:
        """Add what was found since the last time to the logs that the callbacks after this one get; return it."""
        told = {name: value for finding in self._fresh for name, value in as_metrics(finding).items()}
        self._fresh = []
        if logs is not None:
            logs.update({COUNT: float(len(self.findings))} | told)
        return told

    def _fill_history(self) -> None:
        """Give each finding in the history one entry an epoch, as the losses have: tables take lists of one length."""
        history = getattr(getattr(self.model, "history", None), "history", {})
        if max(map(len, history.values()), default=0) == len(self._shown):
            for name in history.keys() & {name for told in self._shown for name in told}:
                history[name] = [told.get(name, math.nan) for told in self._shown]

    def leave(self) -> None:
        """Close the log of a run that was interrupted, and leave the model as it was: ``fit`` tells nothing."""
        ends(self)
        if self._tap is not None:
            self._tap.close()
        if self._log is not None:
            self._log.close()
        self._tap = self._log = None

    def _close(self) -> None:
        """Record what is left, diagnose the whole log, and leave the model as it was."""
        recorded = self._tap is not None and self._log is not None
        if recorded:
            self._record()
        self.leave()
        if recorded:
            self.findings += self._watch.diagnose()
            self._react()


def _joint(norms: list[float | None]) -> float | None:
    known = [norm for norm in norms if norm is not None]
    return math.hypot(*known) if known else None


def _tap() -> type[Tap]:
    """Return the tap for what computes below Keras."""
    if keras.config.backend() == "jax":
        from gradcheck.keras.jax_tap import JaxTap

        return JaxTap
    if keras.config.backend() != "torch":
        raise GradcheckError(
            f"gradcheck.keras: Keras computes with {keras.config.backend()!r}; fit's gradients are seen with 'torch' "
            "or 'jax': set the environment variable KERAS_BACKEND to one of them before Keras is imported"
        )
    from gradcheck.keras.torch_tap import TorchTap

    return TorchTap
