"""``GradientCallback`` for Lightning's Trainer, of the package ``lightning`` as of ``pytorch_lightning``."""

import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from gradcheck.base.calls import public
from gradcheck.logs.report import LogFinding
from gradcheck.logs.watching import CHECK_EVERY, OnFinding, tell
from gradcheck.torch.recording.watcher import Watcher, Watching

#: The packages that have a Trainer; they don't know each other's classes.
PACKAGES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


def _callbacks() -> tuple[type[Any], ...]:
    """Return the Callback of each package that is loaded, or else of the first that is installed."""
    loaded = [module for module in PACKAGES.values() if module in sys.modules]
    installed = [module for package, module in PACKAGES.items() if find_spec(package)]
    return tuple(import_module(module).Callback for module in loaded or installed[:1])


class GradientCallback(*_callbacks()):  # type: ignore[misc]
    """Records the gradients of a Lightning training, diagnoses them as it goes, and acts on what it finds.

    >>> from gradcheck.lightning import GradientCallback
    >>> trainer = lightning.Trainer(callbacks=[GradientCallback(on_finding="stop")])

    Parameters
    ----------
    file : str or Path, optional
        The log to write, for ``gradcheck diagnose``; by default ``gradcheck.jsonl`` in the Trainer's ``log_dir``, or in
        its ``default_root_dir``. A resumed training goes on in its log.
    every : int
        Steps (``trainer.global_step``) from one record to the next; the others cost nothing.
    on_finding : "warn", "stop" or callable
        ``stop`` ends the training where an error is found, and warns of all findings. A function gets the finding, in
        each process; if it returns "stop", training ends. Each finding goes to the Trainer's loggers, too.
    updates, activations, overwrite : bool
        As of ``gradcheck.torch.Recorder``.
    check_every : int
        Steps to the first diagnosis; the next ones come after five times as many, or when a long run has grown by a
        quarter.

    Notes
    -----
    Lightning removes the loss scale, then calls ``on_before_optimizer_step``, then clips: gradients are measured there
    and once more after clipping. What a LightningModule with manual optimization clips by itself can't be seen before.
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
        super().__init__()
        self._file = file
        self._watching = Watching(every, on_finding, updates, activations, check_every, overwrite)
        self._watcher: Watcher | None = None
        self._step = 0

    @property
    def findings(self) -> list[LogFinding]:
        """What was found so far."""
        return [] if self._watcher is None else list(self._watcher.findings)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to record; a resumed training goes on in its log."""
        self._close()
        folder = trainer.log_dir or trainer.default_root_dir  # asked for in all processes, which agree on it
        self._step = trainer.global_step

        def log(metrics: dict[str, float]) -> None:  # LightningModule.log would wait for log_every_n_steps
            step = 0 if self._watcher is None else max(0, self._watcher.number - 1)  # the one that was recorded last
            for logger in trainer.loggers:
                tell(partial(logger.log_metrics, step=step), metrics)

        self._watcher = self._watching.begin(
            trainer.model or pl_module,
            Path(folder) / "gradcheck.jsonl" if self._file is None else self._file,
            start=self._step,
            resume=self._step > 0,
            scaler=getattr(trainer.precision_plugin, "scaler", None),
            log=log,
        )

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: torch.optim.Optimizer) -> None:
        """Measure gradients that are going to be clipped."""
        if self._watcher is not None and pl_module.automatic_optimization and _clips(trainer, pl_module):
            by_norm = str(trainer.gradient_clip_algorithm or "norm").rpartition(".")[2].lower() == "norm"
            self._watcher.before_clipping(max_norm=(trainer.gradient_clip_val or None) if by_norm else None)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Record the step that a batch has ended, and act on what was found."""
        if self._watcher is None:
            return
        self._watcher.add_loss(outputs.get("loss") if isinstance(outputs, Mapping) else outputs)
        if trainer.global_step != self._step:
            self._step = trainer.global_step
            self._watcher.record()
            self._watcher.react()
            trainer.should_stop = trainer.should_stop or self._watcher.should_stop

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Diagnose the whole run, and close its log."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Close the log of a run that failed."""
        self._close()

    def _close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()


def _clips(trainer: Any, pl_module: Any) -> bool:
    """Whether gradients are clipped: by the Trainer, or by the module's own ``configure_gradient_clipping``."""
    own = type(pl_module).configure_gradient_clipping.__module__
    return bool(trainer.gradient_clip_val) or not own.startswith(tuple(PACKAGES))
