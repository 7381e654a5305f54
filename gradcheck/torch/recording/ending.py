"""The end of a recording: what has to be undone, and whether its one line in the loop was forgotten."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from torch import nn
from torch.utils.hooks import RemovableHandle

from gradcheck.logs.appending import GrowingLog, warn
from gradcheck.torch.recording.leftovers import Leftovers
from gradcheck.torch.recording.outputs import Outputs
from gradcheck.torch.recording.sample import Sample

#: So many steps of an optimizer to one of the recorder are too many.
TOO_MANY = 10


@dataclass(eq=False)
class Ending:
    """What a recorder leaves to be closed, however it ends: by ``close()``, unreferenced, or with the program."""

    log: GrowingLog
    parameters: list[nn.Parameter]  # all that the model has
    hook: RemovableHandle | None = None
    sample: Sample | None = None  # that of a step which hasn't ended
    leftovers: Leftovers | None = None
    # its hooks, which stay where the next step is sampled, too: ``torch.compile`` compiles anew for each new one
    outputs: Outputs | None = None
    steps: int = 0  # how often ``recorder.step`` was called
    updates: Counter[int] = field(default_factory=Counter)  # how many steps each optimizer of the model took, by its id
    failed: bool = False  # the ``with`` block ends with an exception
    process: int = field(default_factory=os.getpid)

    def watched(self, parameters: list[nn.Parameter]) -> Leftovers:
        """Return what watches these parameters for leftovers in a step that begins."""
        if self.leftovers is None or self.leftovers.parameters is not parameters:
            if self.leftovers is not None:
                self.leftovers.close()
            self.leftovers = Leftovers(parameters)
        return self.leftovers

    def seen(self, model: nn.Module, parameters: list[nn.Parameter]) -> Outputs:
        """Return what sees the outputs of the layers of these parameters in a step that begins."""
        if self.outputs is None or self.outputs.parameters is not parameters:
            if self.outputs is not None:
                self.outputs.close()
            self.outputs = Outputs(model, parameters)
        return self.outputs

    def end_sample(self, *, keep_hooks: bool = False) -> None:
        """End the sampled step, if there is one; its hooks are removed, or serve the next one."""
        self.sample = None
        for hooks in (self.leftovers, self.outputs) if keep_hooks else ():
            if hooks is not None:
                hooks.renew()
        if not keep_hooks:
            self._end_hooks()

    def _end_hooks(self) -> None:
        for hooks in (self.leftovers, self.outputs):
            if hooks is not None:
                hooks.close()
        self.leftovers = self.outputs = None

    def close(self) -> None:
        """Remove all hooks, close the file, and warn if training went on without ``recorder.step``."""
        if os.getpid() != self.process:  # a process that was forked ends: the recorder goes on in another one
            return
        if self.hook is not None:
            self.hook.remove()
        self.end_sample()
        self.log.close()
        problem = self._forgotten()
        if problem:
            advice = "call recorder.step(loss) after each optimizer.step()"
            warn(f"{self.log.file}: {problem}; {advice}")

    def _forgotten(self) -> str | None:
        """Say what shows that ``recorder.step`` was called too rarely; None if nothing does."""
        updates = max(self.updates.values(), default=0)
        taken = f"the optimizer took {updates:,} step{'s'[: updates != 1]}"
        if self.steps:
            return f"{taken}, recorder.step was called {self.steps:,}×" if updates >= TOO_MANY * self.steps else None
        if self.failed and updates < 2:  # the exception came before the first call
            return None
        if updates:
            return f"{taken}, but recorder.step was never called: nothing is recorded"
        if any(parameter.grad is not None for parameter in self.parameters):
            return "there are gradients, but recorder.step was never called: nothing is recorded"
        return None


def weakly(owner: object, method: Callable[..., object]) -> Callable[..., None]:
    """Return a function that calls a method of an object as long as that is referenced elsewhere."""
    reference = ref(owner)

    def call(*arguments: Any) -> None:  # noqa: ANN401
        found = reference()
        if found is not None:
            method(found, *arguments)

    return call
