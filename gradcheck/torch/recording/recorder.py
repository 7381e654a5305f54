"""``Recorder``: what each layer's weights and gradients do in a training run, as a log for ``gradcheck diagnose``."""

from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Self
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from gradcheck.base.calls import public
from gradcheck.errors import OptionError, at_least, switch
from gradcheck.logs.appending import GrowingLog
from gradcheck.logs.records import has_weights, header_line, record_line
from gradcheck.torch.probing.checks import checked_module
from gradcheck.torch.recording.clipping import clip_grad_norm_
from gradcheck.torch.recording.ending import Ending, weakly
from gradcheck.torch.recording.naming import REQUIRES_GRAD, checked_parameters, named
from gradcheck.torch.recording.optimizers import Concerned
from gradcheck.torch.recording.outputs import Unseen
from gradcheck.torch.recording.sample import DIGITS, Join, Sample
from gradcheck.torch.recording.scalars import Single, single


class Recorder:
    """Records a training run: one line in the loop, one small line of JSON for each sampled step.

    >>> with gradcheck.torch.Recorder(model, "run.jsonl", every=10) as recorder:
    ...     for inputs, targets in batches:
    ...         optimizer.zero_grad()
    ...         loss = criterion(model(inputs), targets)
    ...         loss.backward()
    ...         norm = recorder.clip_grad_norm_(1.0)  # in place of torch.nn.utils.clip_grad_norm_, if you clip
    ...         optimizer.step()
    ...         recorder.step(loss)
    >>> gradcheck.diagnose("run.jsonl").log.layers
    4

    Without ``with``, call ``close()`` at the end. On the command line, ``gradcheck diagnose run.jsonl`` reads the log.

    Parameters
    ----------
    model : torch.nn.Module
        Parameters that require a gradient are recorded. In distributed training, record in one process only.
    file : str or Path
        The log to write; ``gradcheck diagnose`` reads it, also while it grows. Missing folders are made.
    every : int
        Steps from one record to the next; the others cost nothing. Gradients are in each record, weights and updates
        in steps 10 and 20 and at most in every fiftieth.
    updates : bool
        Record how large updates are relative to the weights. This keeps one copy of the weights.
    activations : bool
        Record the root mean square of what each layer puts out, and the dead units of layers that an activation module
        (``nn.ReLU``) follows, by a forward hook that exists only in sampled steps. What ``torch.compile`` returns calls
        no hooks, and a warning says so; with ``model.compile()`` they are called.
    scaler : torch.amp.GradScaler, optional
        Its loss scale is recorded. Norms are those of gradients without it, as the optimizer gets them.
    resume : bool
        Continue an existing file after its last step. Otherwise it is written anew, and the earlier run's log is kept
        beside it: ``run.jsonl`` becomes ``run.1.jsonl``, or the next number that is free.
    start : int, optional
        Number of the first step, where a checkpoint has it; by default 0, or in a resumed file the one after the last
        that was recorded. Of steps that are recorded twice the later ones count.
    overwrite : bool
        Write over an earlier run's log.

    Raises
    ------
    OutputError
        The file can't be written, or another recorder is writing it.
    GradcheckError
        The model has no parameter to train, or an option isn't as it has to be.

    Notes
    -----
    Numbers stay on their device until the step ends, and are fetched together: one synchronisation for each sampled
    step (and device). Training stays the same to the last bit. A full disk ends the recording with a warning, not the
    run, though warnings be errors. A warning at the end says if ``step`` was forgotten.

    The gradient that is recorded is the one that the optimizer gets: what ``torch.nn.utils.clip_grad_norm_`` did before
    can't be seen. Where you clip, take the recorder's ``clip_grad_norm_``, or call ``before_clipping``.

    A step that a ``GradScaler`` skips is recorded with its infinite gradient and without updates; with a closure
    (``LBFGS``), the gradient is that of the last evaluation. Norms that float32 can't hold are computed in float64
    where that needs no further synchronisation, on processors and CUDA.
    """

    #: Joins the numbers of several processes.
    _join: Join | None = None

    @public
    def __init__(
        self,
        model: nn.Module,
        file: str | Path,
        *,
        every: int = 10,
        updates: bool = True,
        activations: bool = False,
        scaler: torch.amp.GradScaler | None = None,
        resume: bool = False,
        start: int | None = None,
        overwrite: bool = False,
    ) -> None:
        checked_module(model, "record")
        self.every = at_least("every", every, 1, "it counts steps from one record to the next")
        self.updates, self.activations = switch("updates", updates), switch("activations", activations)
        first = None if start is None else at_least("start", start, 0, "it is the number of a step")
        if switch("resume", resume) and switch("overwrite", overwrite):
            raise OptionError("overwrite", "begins anew, and resume continues what is there: choose one of them")
        self._names = checked_parameters(model)
        self._model, self._scaler = model, scaler
        self._log = GrowingLog(file, resume=resume, overwrite=switch("overwrite", overwrite))
        following = 0 if self._log.last_step is None else self._log.last_step + 1
        self._number = following if first is None else first
        self._unseen = Unseen(model)
        self._parameters: list[nn.Parameter] = []
        self._trained: list[bool] = []
        self._copies: list[Tensor] = []
        self._concerned = Concerned()
        hook = register_optimizer_step_pre_hook(weakly(self, Recorder._before_update))
        self._ending = Ending(self._log, list(model.parameters()), hook)
        self._close = finalize(self, self._ending.close)
        if not self._number % self.every:
            self._begin()

    @property
    def number(self) -> int:
        """Number of the current step; the first is 0 unless ``start`` says otherwise."""
        return self._number

    def step(
        self,
        loss: Tensor | float | None = None,
        *,
        lr: Tensor | float | None = None,
        loss_scale: Tensor | float | None = None,
    ) -> None:
        """End a step of training: after each ``optimizer.step()``, however many batches it took.

        Parameters
        ----------
        loss : Tensor or float, optional
            The loss of this step, without its loss scale.
        lr : Tensor or float, optional
            The learning rate; by default that of the optimizer's first group.
        loss_scale : Tensor or float, optional
            The loss scale; by default that of ``scaler``.

        Raises
        ------
        GradcheckError
            One of them isn't a number, or is several.
        """
        if self._ending.sample is not None and not self._over:
            given = {"loss": loss, "lr": lr, "loss_scale": loss_scale}
            known = {name: single(name, value) for name, value in given.items() if value is not None}
            self._record(self._ending.sample, known)
        self._number += 1
        self._ending.steps += 1
        if not self._number % self.every:
            self._begin()

    def before_clipping(self, *, max_norm: Tensor | float | None = None, scale: Tensor | float | None = None) -> None:
        """Measure gradients as they are now, before they are clipped by any rule; in other steps do nothing.

        Call it right before clipping, after ``scaler.unscale_(optimizer)``. For an optimizer that isn't PyTorch's the
        updates need this line, too.

        Parameters
        ----------
        max_norm : float, optional
            Threshold of the global norm, which is recorded.
        scale : Tensor or float, optional
            The loss scale by which these gradients are still multiplied.
        """
        if self._sample is not None:
            self._sample.before_clipping(single("scale", scale))
            self._sample.whole["max_norm"] = single("max_norm", max_norm)

    def clip_grad_norm_(self, max_norm: float, **options: Any) -> Tensor:  # noqa: ANN401
        """Clip the norm of all gradients, sparse ones too, and measure it before and after.

        Parameters
        ----------
        max_norm : float
        **options
            Those of ``torch.nn.utils.clip_grad_norm_``.

        Returns
        -------
        Tensor
            What that function returns, which refuses sparse gradients: the norm before.
        """
        self.before_clipping(max_norm=max_norm if options.get("norm_type", 2.0) == 2.0 else None)
        return clip_grad_norm_(self._model.parameters(), max_norm, **options)

    def close(self) -> None:
        """Remove all hooks and close the file; a second call does nothing."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._ending.failed = kind is not None
        self._close()

    @property
    def _sample(self) -> Sample | None:
        """That of this step, if it is sampled."""
        return self._ending.sample

    @property
    def _over(self) -> bool:
        """Whether nothing is measured any more."""
        return self._log.closed

    def _record(self, sample: Sample, given: Mapping[str, Single]) -> None:
        """Write the record of a step that ends, with the numbers that were given of it."""
        outputs, waiting = sample.outputs, self._concerned.waiting(sample.stepped)
        layers, whole = sample.numbers(given, waiting)
        self._write_record(layers, whole)
        if outputs is not None and whole.get("grad_norm") is not None:
            self._unseen.tell(outputs)
        self._ending.end_sample(keep_hooks=self.every == 1)

    def _write(self, line: bytes) -> None:
        """Write a line of the log."""
        self._log.write(line)

    def _write_record(self, layers: Mapping[str, Sequence[float | None]], whole: Mapping[str, float | None]) -> None:
        """Write the record of this step."""
        self._write(record_line(self._number, layers, digits=DIGITS, **whole))

    def _begin(self) -> None:
        """Prepare for a step that is sampled."""
        self._log.tell_forked()
        if self._over:
            return
        self._name_layers()
        outputs = self._ending.seen(self._model, self._parameters) if self.activations else None
        copies, leftovers = self._copies if self.updates else None, self._ending.watched(self._parameters)
        weights = has_weights(self._number, self.every)
        sample = Sample(self._parameters, copies, outputs, leftovers, weights=weights, join=self._join)
        sample.whole["loss_scale"] = scale_of(self._scaler)
        self._ending.sample = sample

    def _name_layers(self) -> None:
        """Write a header, at the start and whenever other parameters than before require a gradient."""
        trained = list(map(REQUIRES_GRAD, self._names.values()))
        if trained != self._trained:
            self._trained, self._copies = trained, []
            self._concerned.forget()
            self._parameters = list(compress(self._names.values(), trained))
            self._write(header_line(list(compress(self._names, trained)), every=self.every))

    def _updated_by(self, optimizer: torch.optim.Optimizer) -> frozenset[int]:
        """Find out the places of the parameters that an optimizer updates."""
        updated = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        if not updated <= set(map(id, self._names.values())):
            self._name_anew()
        places = frozenset(at for at, parameter in enumerate(self._parameters) if id(parameter) in updated)
        self._concerned.learn(optimizer, places)
        return places

    def _name_anew(self) -> None:
        """Take in parameters that have come since the model was named, or taken the place of others."""
        names = named(self._model)
        if list(map(id, names.values())) != list(map(id, self._names.values())):
            self._names, self._trained = names, []
            self._ending.parameters = list(names.values())
            self._concerned.forget()
            if self._sample is not None:  # it has the gradients of those that were there
                self._ending.end_sample()
                self._begin()

    def _before_update(self, optimizer: torch.optim.Optimizer, arguments: Any, keywords: Any) -> None:  # noqa: ANN401
        """Measure the gradients that an optimizer of this model gets."""
        places = self._concerned.look_up(optimizer)
        if places is None:
            places = self._updated_by(optimizer)
        if not places:
            return
        self._ending.updates[id(optimizer)] += 1
        if (sample := self._ending.sample) is not None:
            closure = keywords.get("closure") is not None or any(one is not None for one in arguments[1:])
            sample.before_update(optimizer, places, gradients_follow=closure)
            sample.whole["loss_scale"] = scale_of(self._scaler)


def scale_of(scaler: torch.amp.GradScaler | None) -> Tensor | float | None:
    """Return the loss scale of this step, on its device: ``get_scale`` would wait for it."""
    if scaler is None or not scaler.is_enabled():
        return None
    scale = getattr(scaler, "_scale", None)
    return scale.clone() if isinstance(scale, Tensor) else scaler.get_scale()
