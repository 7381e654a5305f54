"""``Watcher``: a recorder that diagnoses while it records; what the callbacks of all trainers share."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck.errors import at_least, switch
from gradcheck.logs.report import LogFinding
from gradcheck.logs.watching import CHECK_EVERY, OnFinding, Watch, as_metrics, checked_reaction, react
from gradcheck.torch.recording.joining import is_first, join, several, shares
from gradcheck.torch.recording.recorder import Recorder
from gradcheck.torch.recording.scalars import local


class Watcher(Recorder):
    """Records a run as ``Recorder`` does, diagnoses what it has recorded, and acts on what it finds.

    Of several processes that train one model each has a watcher: the first one writes the log, and all have the same
    numbers, the norms of the whole model, by one all-reduce for each record; so that they stop together. A finding is
    logged as a metric, too, where there is a logger.
    """

    def __init__(
        self,
        model: nn.Module,
        file: str | Path,
        *,
        on_finding: OnFinding = "warn",
        check_every: int = CHECK_EVERY,
        log: Callable[[dict[str, float]], object] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.findings: list[LogFinding] = []
        self.should_stop = False
        self._file, self._on_finding, self._tell = file, checked_reaction(on_finding), log
        self._several, self._first, self._told = several(), is_first(), 0
        self._watch = Watch(check_every)
        self._loss: Tensor | None = None
        self._shared: list[nn.Parameter] | None = None
        self._shares: list[float] = []
        if self._several:
            self._join = self._join_all
        super().__init__(model, file if self._first else os.devnull, **options)

    def add_loss(self, loss: object) -> None:
        """Add the loss of one of the batches of this step, as the backward pass gets it."""
        if self._ending.sample is not None and isinstance(loss, Tensor):
            own = loss.detach()
            self._loss = own if self._loss is None else self._loss + own

    def record(self) -> None:
        """End a step of training, and diagnose if it is time to; findings wait for ``react``."""
        total, self._loss = self._loss, None
        super().step(total)

    def react(self) -> None:
        """Act on what was found since the last time."""
        if self._told == len(self.findings):
            return
        new, self._told = self.findings[self._told :], len(self.findings)
        for finding in new:
            stop = react(finding, self._on_finding, self._file, silent=not self._first)
            self.should_stop = stop or self.should_stop
            if self._tell is not None:
                self._tell(as_metrics(finding))

    def close(self) -> None:
        """Diagnose the whole log, act on what is new, and close the file; a second call does nothing."""
        if self._close.alive:
            super().close()
            self.findings += self._watch.diagnose()
            self.react()

    def leave(self) -> None:
        """Close the file as it is, without a diagnosis: the run was interrupted."""
        super().close()

    @property
    def _over(self) -> bool:
        """Whether nothing is measured any more: with other processes all go on, though one can't write."""
        return not self._close.alive if self._several else super()._over

    def _write(self, line: bytes) -> None:
        super()._write(line)
        self._watch.take(line)

    def _write_record(self, layers: Mapping[str, Sequence[float | None]], whole: Mapping[str, float | None]) -> None:
        super()._write_record(layers, whole)
        self.findings += self._watch.look(self._number, grad_norm=whole.get("grad_norm"), loss=whole.get("loss"))

    def _name_layers(self) -> None:
        super()._name_layers()
        if self._several and self._shared is not self._parameters:
            self._shared, self._shares = self._parameters, shares(self._model, self._parameters)

    def _join_all(self, lists: dict[str, list[float | None]], whole: dict[str, float | None]) -> None:
        join(lists, whole, self._shares, local(self._parameters[0]).device)


@dataclass(frozen=True)
class Watching:
    """How a run is to be watched: checked when the callback is made, and used when training begins."""

    every: int
    on_finding: OnFinding
    updates: bool
    activations: bool
    check_every: int
    overwrite: bool

    def __post_init__(self) -> None:
        at_least("every", self.every, 1, "it counts steps from one record to the next")
        at_least("check_every", self.check_every, 1, "it counts steps from one diagnosis to the next")
        checked_reaction(self.on_finding)
        for name in ("updates", "activations", "overwrite"):
            switch(name, getattr(self, name))

    def begin(
        self,
        model: nn.Module,
        file: str | Path,
        *,
        start: int,
        resume: bool,
        scaler: torch.amp.GradScaler | None = None,
        log: Callable[[dict[str, float]], object] | None = None,
    ) -> Watcher:
        """Return the watcher of a run that begins; one that is resumed goes on in its file."""
        return Watcher(
            model, file, every=self.every, on_finding=self.on_finding, updates=self.updates, log=log, scaler=scaler,
            activations=self.activations, check_every=self.check_every, overwrite=self.overwrite and not resume,
            resume=resume, start=start,
        )  # fmt: skip
