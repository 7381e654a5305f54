"""Executors for sweeps: processes on this machine, or a Dask cluster."""

import contextlib
import logging
import multiprocessing
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, InvalidStateError, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from gradcheck.engine.beside import interrupts_held, leave_with_parent
from gradcheck.engine.shared_draws import share_from_now_on
from gradcheck.engine.threads import one_thread
from gradcheck.errors import MissingExtraError, OptionError

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds to wait for a scheduler's answer; with the start-up, the command gives up within 10.
PATIENCE = 8

#: Seconds to wait for a worker, before the sweep and within it: a machine of a cluster may have to start first.
WORKERS_WITHIN = 60


class Workers(Executor):
    """Processes on this machine; a pool that loses one is replaced when the next task comes."""

    def __init__(self, count: int) -> None:
        self.count = count
        with _safe_path():
            self.pool = self._pool()  # and the process that keeps track of its semaphores

    def _pool(self) -> ProcessPoolExecutor:
        # spawned, not forked: NumPy is loaded in the child, after its number of threads is settled
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.count, mp_context=context, initializer=_settle)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a task to the pool, a new one if the last has lost a process."""
        with interrupts_held(), _safe_path():  # processes that are started now inherit both
            try:
                return self.pool.submit(fn, *args, **kwargs)
            except BrokenExecutor:
                self.pool.shutdown(wait=False, cancel_futures=True)
                self.pool = self._pool()
                return self.pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, at once if the tasks are to be cancelled."""
        if cancel_futures:
            for process in multiprocessing.active_children():
                process.terminate()
        self.pool.shutdown(wait=wait, cancel_futures=cancel_futures)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keep processes that are started in the block from running a types.py of the current folder as Python's own."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _has_folder() -> bool:
    """Whether the current folder is still there: no process can be started in one that was deleted."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _settle() -> None:
    """Prepare a worker: its rows share what they draw, and without a parent there is no work."""
    share_from_now_on()
    leave_with_parent()


@contextlib.contextmanager
def local(count: int) -> Iterator[tuple[Executor | None, int]]:
    """Give an executor of `count` processes and how many tasks it should hold; None for one: this process."""
    one_thread()  # a process: more would only take time from the other workers
    if count == 1 or not _has_folder():
        yield None, 1
        return
    workers = Workers(count)
    try:
        yield workers, 2 * count
    except BaseException:
        workers.shutdown(cancel_futures=True)
        raise
    workers.shutdown()


@contextlib.contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Give an executor on the Dask cluster whose scheduler listens at `address`.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    OptionError
        There is no scheduler.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("--scheduler", "distributed", "distributed") from error
    if not re.fullmatch(r"(tcp|tls|ws|wss)://.+:\d+", address):
        problem = f"{address} isn't an address; allowed: tcp://host:8786, as dask scheduler prints it"
        raise OptionError("scheduler", problem)
    for name in logging.root.manager.loggerDict:  # what matters is said in one line, below or in a row
        if name.startswith(("distributed", "tornado")):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    # Dask may still finish a task that was failed here for want of a scheduler; Python calls that critical.
    logging.getLogger("concurrent.futures").disabled = True
    client = _connected(partial(Client, address, timeout=PATIENCE, set_as_default=False))
    if client is None:
        problem = f"{address}: no scheduler answers within {PATIENCE} s; start one with: dask scheduler"
        raise OptionError("scheduler", problem)
    executor = Cluster(client)
    try:
        _await_workers(client, address)
        with executor.interrupts_kept():
            yield executor, max(8, 4 * sum(client.ncores().values()))
    finally:
        client.close(timeout=1)


def _connected(connect: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Return a client, or None where none comes about in time: for a service that is silent Dask waits for ever."""
    clients: list[Any] = []

    def try_it() -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError, MemoryError):  # MemoryError: other words as sizes
            clients.append(connect())

    trial = threading.Thread(target=try_it, daemon=True)
    trial.start()
    trial.join(PATIENCE + 1)
    return clients[0] if clients else None


def _await_workers(client: Any, address: str) -> None:  # noqa: ANN401
    """Wait for the first worker, and say so; raise an OptionError if none comes."""
    if client.ncores():
        return
    if sys.stderr is not None:
        sys.stderr.write(f"waiting for workers of {address}, {WORKERS_WITHIN} s at most\n")
        sys.stderr.flush()
    due = time.monotonic() + WORKERS_WITHIN
    while not client.ncores():
        if time.monotonic() > due:
            raise OptionError("scheduler", f"{address}: has no worker; start one with: dask worker {address}")
        time.sleep(0.2)


class Cluster(Executor):
    """A Dask cluster; it takes no task while its scheduler is away, for it would wait for it forever."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self.client, self.executor = client, client.get_executor(pure=False)
        self.pending: set[Future[Any]] = set()
        self.interrupted = False
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def interrupts_kept(self) -> Iterator[None]:
        """Raise an interrupt at the next task if Python couldn't: Dask's futures have finalizers, which swallow it."""
        report = sys.unraisablehook

        def keep(unraisable: "sys.UnraisableHookArgs") -> None:
            if unraisable.exc_type is KeyboardInterrupt:
                self.interrupted = True
            else:
                report(unraisable)

        sys.unraisablehook = keep
        try:
            yield
        finally:
            sys.unraisablehook = report
        self._check()

    def _check(self) -> None:
        if self.interrupted:
            raise KeyboardInterrupt

    def _watch(self) -> None:
        """Fail the tasks of a scheduler that has gone, or of an interrupted sweep: none waits for ever."""
        seen = time.monotonic()  # when there was a worker, or nothing to wait for
        while self.client.status != "closed":
            time.sleep(0.2)
            now = time.monotonic()
            if self.interrupted or self.client.status != "running":
                self._fail("the scheduler is gone")
            elif not self.pending or (now - seen > WORKERS_WITHIN / 4 and self._has_workers()):
                seen = now
            elif now - seen > WORKERS_WITHIN:
                self._fail(f"the scheduler has had no worker for {WORKERS_WITHIN} s")

    def _has_workers(self) -> bool:
        try:
            return bool(self.client.ncores())
        except Exception:  # the scheduler is about to be gone: said when it is
            return True

    def _fail(self, problem: str) -> None:
        for future in tuple(self.pending):
            with contextlib.suppress(InvalidStateError):
                future.set_exception(RuntimeError(problem))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a task to the scheduler."""
        self._check()
        if self.client.status != "running":
            raise RuntimeError("the scheduler is gone")
        future: Future[T] = self.executor.submit(fn, *args, **kwargs)
        self.pending.add(future)
        future.add_done_callback(self.pending.discard)
        return future


def available(count: int | None) -> int:
    """Return the number of workers asked for, or the cores that this process may use."""
    if count is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count < 1:
        raise OptionError("workers", f"{count} is not a whole number of at least 1: one process is the least")
    return count
