"""Work that several threads do in pieces: first what somebody waits for, in between what will be needed later."""

from __future__ import annotations

import os
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import cache
from queue import SimpleQueue
from threading import Lock

from gradcheck.engine.threads import threads


class Begun:
    """Work in pieces that other threads have begun; who needs it does what is left.

    It must do the same on whichever thread.
    """

    def __init__(self, pieces: Iterable[slice], work: Callable[[slice], None], helpers: int) -> None:
        self._left, self._work, self._context = deque(pieces), work, copy_context()
        self._count, self._done = len(self._left), SimpleQueue[BaseException | None]()
        # threads that take part before it is needed; none where there is one thread
        self._helpers = _helpers(os.getpid()) if helpers else None
        if self._helpers:
            self._helpers.offer(self, helpers)

    def finish(self) -> None:
        """Return when all is done; raise what a piece raised."""
        if self._helpers:
            self._helpers.prefer(self)
        own = 0
        try:
            while (piece := self._next()) is not None:
                own += 1
                self._work(piece)
        finally:
            self._left.clear()
            if self._helpers:
                self._helpers.forget(self)
        for _ in range(self._count - own):  # other threads have begun these: wait for them
            error = self._done.get()
            if error:
                raise error

    def help(self) -> bool:
        """Do a piece on another thread; return whether one was left."""
        piece = self._next()
        if piece is None:
            return False
        error = None
        try:
            self._context.copy().run(self._work, piece)
        except BaseException as raised:  # it is raised where the work is needed
            error = raised
        self._done.put(error)
        return True

    def _next(self) -> slice | None:
        """Take a piece from those that are left."""
        try:
            return self._left.popleft()
        except IndexError:
            return None


class _Helpers:
    """The threads of a process beside the main one.

    They do what somebody waits for; only where nobody does, what will be needed later. So random numbers fill the time
    in which the main thread is at work alone, and are never in the way of what it shares out.
    """

    def __init__(self) -> None:
        self._most, self._running = max(1, threads() - 1), 0
        self._lock, self._needed, self._ahead = Lock(), dict[Begun, None](), dict[Begun, None]()

    def offer(self, begun: Begun, helpers: int) -> None:
        """Have so many threads do pieces of it, once they have nothing better to do."""
        with self._lock:
            self._ahead[begun] = None
            missing = max(0, min(helpers, self._most) - self._running)
            self._running += missing
        for started in range(missing):  # the process may end while they work: who was interrupted wants no result
            try:
                start_new_thread(self._work, ())
            except RuntimeError:  # a container may have no more: who needs the work does it
                with self._lock:
                    self._running -= missing - started
                break

    def prefer(self, begun: Begun) -> None:
        """Take it before all that nobody waits for."""
        with self._lock:
            if begun in self._ahead:
                del self._ahead[begun]
                self._needed[begun] = None

    def forget(self, begun: Begun) -> None:
        """Take it no longer."""
        with self._lock:
            self._needed.pop(begun, None)
            self._ahead.pop(begun, None)

    def _work(self) -> None:
        """Do one piece after the other, until none is left anywhere."""
        while begun := self._best():
            if not begun.help():
                self.forget(begun)

    def _best(self) -> Begun | None:
        """Return what is most urgent; None, and the thread ends, where there is nothing."""
        with self._lock:
            best = next(iter(self._needed or self._ahead), None)
            self._running -= best is None
        return best


@cache
def _helpers(process: int) -> _Helpers:
    """Return the threads of a process beside the main one; one that was forked off has none of its parent's."""
    return _Helpers()
