"""Runs that an exception has ended, as Ctrl-C does in a notebook: some trainers don't tell their callbacks of it."""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Protocol
from weakref import WeakKeyDictionary, ref


class Leaving(Protocol):
    """What records a run, and can be told that the run is over."""

    def leave(self) -> None:
        """Close the log as it is."""


#: What records a run that hasn't ended properly ↦ the trainer, or the model, that runs it, and the run.
_OPEN: WeakKeyDictionary[Leaving, tuple[ref[object], object]] = WeakKeyDictionary()


def begins(recording: Leaving, runner: object, run: object) -> None:
    """Note that a run begins, after those were left that can't go on: their logs can be written again.

    The runner is the trainer, or the model, whose method runs until the run ends; the run is another object for each
    one, and the same for all that records it.
    """
    running = {id(frame.f_locals.get("self")) for top in sys._current_frames().values() for frame in _callers(top)}
    for other, (of, begun) in list(_OPEN.items()):
        if id(of()) not in running or (of() is runner and begun is not run):
            ends(other)
            other.leave()
    _OPEN[recording] = ref(runner), run


def ends(recording: Leaving) -> None:
    """Note that a run has ended."""
    _OPEN.pop(recording, None)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame, what called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back
