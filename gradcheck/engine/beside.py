"""Small independent tasks, half of them done by a copy of this process on another core.

Tasks of a tenth of a millisecond at a time gain nothing by threads, which wait for each other between any two calls
of NumPy; a forked process waits for nobody and has all that it needs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gradcheck.engine.threads import OWN_THREADS, threads

if TYPE_CHECKING:  # who has one core doesn't load it
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")

#: The threads of this process, those of libraries among them, where the system lists them.
OWN_TASKS = Path("/proc/self/task")


def in_halves(work: Callable[[T], R], items: Sequence[T], *, copied: bool = True) -> list[R]:
    """Return what `work` makes of each item; of a command with several cores a copy of it does every other one.

    What the copy can't do, be it that it ended or that its work raised, is done here: an error is raised where it
    would have been without it.

    Parameters
    ----------
    work : callable
        Must give the same in any process, and what can be pickled.
    items : sequence
    copied : bool
        False where a copy would need too much memory beside this process.
    """
    if not copied or len(items) < 2 or not _may_fork():
        return [work(item) for item in items]
    with _copy_at(lambda: [work(item) for item in items[1::2]]) as theirs:
        results = [work(item) for item in items[::2]]
        others = theirs()
    if others is None:
        others = [work(item) for item in items[1::2]]
    for at, result in enumerate(others):
        results.insert(2 * at + 1, result)
    return results


def _may_fork() -> bool:
    """Whether a copy is worth its while and safe: this is a command, and no thread holds what a copy would wait for."""
    if sys.platform != "linux" or OWN_THREADS not in os.environ or threads() < 2:
        return False
    with contextlib.suppress(OSError):
        return len(list(OWN_TASKS.iterdir())) == 1
    return False


@contextlib.contextmanager
def _copy_at(task: Callable[[], list[R]]) -> Iterator[Callable[[], list[R] | None]]:
    """Have a copy of this process do a task; give what waits for its result, None where there is none.

    It is ended with the block: nobody waits for it after an error or an interrupt.
    """
    from multiprocessing import get_context

    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    copy = context.Process(target=_send, args=(task, sending), daemon=True)

    def result() -> list[R] | None:
        with contextlib.suppress(EOFError, OSError):
            received: list[R] = receiving.recv()
            return received
        return None

    try:
        with interrupts_held():  # the copy inherits it: interrupts are this process's to handle
            copy.start()
    except OSError:  # no more processes, or no more memory
        sending.close()
        yield lambda: None
        return
    sending.close()
    try:
        yield result
    finally:
        copy.kill()
        copy.join()


def _send(task: Callable[[], object], sending: Connection) -> None:
    """Do a task and send what it gives; nothing where it raises."""
    with contextlib.suppress(BaseException):
        sending.send(task())


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let an interrupt wait for the end of the block, where the system can; what is started in it never gets one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
