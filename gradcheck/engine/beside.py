"""Independent tasks, every other one done by a copy of this process on another core.

Threads gain nothing where a task is thousands of NumPy's calls of a tenth of a millisecond: they wait for each other
between any two. A forked process waits for nobody, and has all that it needs.
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


def shared_out(work: Callable[[T], R], items: Sequence[T], *, copied: bool) -> Iterator[R]:
    """Yield what `work` makes of each item, in order; a copy of a command that has several cores does every other one.

    What the copy can't do, be it that it ended or that its work raised, is done here: an error is raised where it
    would have been without it.

    Parameters
    ----------
    work : callable
        Must give the same in any process, and what can be pickled. The copy's is not heard: it has no output.
    items : sequence
    copied : bool
        Whether a copy does its part: ``may_copy()``, unless it would need too much memory beside this process.
    """
    if not copied or len(items) < 2:
        yield from map(work, items)
        return
    with _copy_at(work, items[1::2]) as next_of_theirs:
        for at, item in enumerate(items):
            if at % 2:
                try:
                    yield next_of_theirs()
                    continue
                except (EOFError, OSError):  # it has ended
                    pass
            yield work(item)


def may_copy() -> bool:
    """Whether a copy has a core and is safe: this is a command, and no thread holds what a copy would wait for."""
    if sys.platform != "linux" or OWN_THREADS not in os.environ or threads() < 2:
        return False
    with contextlib.suppress(OSError):
        return len(list(OWN_TASKS.iterdir())) == 1
    return False


@contextlib.contextmanager
def _copy_at(work: Callable[[T], R], items: Sequence[T]) -> Iterator[Callable[[], R]]:
    """Have a copy of this process do the work on some items; give what waits for the next result.

    That raises an EOFError or OSError where there is none. The copy is ended with the block: nobody waits for it after
    an error or an interrupt.
    """
    from multiprocessing import get_context

    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    copy = context.Process(target=_send, args=(work, items, sending), daemon=True)
    with receiving:
        try:
            with sending, interrupts_held():  # the copy inherits it: interrupts are this process's to handle
                copy.start()
        except OSError:  # no more processes, or no more memory: nothing comes
            yield receiving.recv
            return
        try:
            yield receiving.recv
        finally:
            copy.kill()
            copy.join()


def _send(work: Callable[[T], object], items: Sequence[T], sending: Connection) -> None:
    """Send what becomes of each item, until one raises, or there is no memory or no thread for the copy itself."""
    with contextlib.suppress(BaseException), Path(os.devnull).open("w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        leave_with_parent()
        for item in items:
            sending.send(work(item))


def leave_with_parent() -> None:
    """Have this process end with the one that started it by ``multiprocessing``: nobody would see its work."""
    from multiprocessing import connection, parent_process
    from threading import Thread

    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    Thread(target=wait, daemon=True).start()


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
