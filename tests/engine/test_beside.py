"""Work that a copy of the process does: in processes of their own, for pytest's has threads."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcheck.engine.beside import may_copy, shared_out
from gradcheck.engine.threads import OWN_THREADS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's threads")

#: Prints, one JSON value a line, what each case came to; `own` is the first process.
SCRIPT = """
import json, multiprocessing, os, signal, sys, threading, time
from gradcheck.engine.beside import may_copy, shared_out

in_turn = lambda *task: list(shared_out(*task, copied=may_copy()))
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may have inherited that it is ignored
own = os.getpid()
tell = lambda value: print(json.dumps(value), flush=True)
busy = lambda item: (item, os.getpid() == own)

tell(in_turn(busy, range(5)))

waiting = threading.Event()
other = threading.Thread(target=waiting.wait)
other.start()
tell(in_turn(busy, range(3)))
waiting.set(), other.join()

def unhappy(item):
    if item == 3:
        raise ValueError(os.getpid() == own)
    return item

try:
    in_turn(unhappy, range(4))
except ValueError as error:
    tell(error.args)

def fragile(item):
    if os.getpid() != own:
        os.kill(os.getpid(), signal.SIGKILL)
    return item

tell(in_turn(fragile, range(4)))

start = threading.Thread.start

def refuse(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
tell(in_turn(busy, range(4)))
threading.Thread.start = start

def interrupted(item):
    if os.getpid() != own:
        time.sleep(600)
    os.killpg(os.getpgrp(), signal.SIGINT)

try:
    in_turn(interrupted, range(2))
except KeyboardInterrupt:
    tell(len(multiprocessing.active_children()))
"""

CASES = ("shared", "threaded", "raised", "lost", "threadless", "left")


@pytest.fixture(scope="module")
def told():
    """Case ↦ what it came to in a process that may have two threads; and what it wrote on stderr."""
    environment = os.environ | {OWN_THREADS: "2", "OPENBLAS_NUM_THREADS": "1"}
    one = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=60, process_group=0
    )
    lines = [json.loads(line) for line in one.stdout.splitlines()]
    return dict(zip(CASES, lines, strict=True)) | {"stderr": one.stderr}


def test_every_other_item_is_done_by_a_copy_and_all_come_back_in_their_order(told):
    assert told["shared"] == [[0, True], [1, False], [2, True], [3, False], [4, True]]


def test_a_process_with_another_thread_is_not_copied(told):
    assert told["threaded"] == [[0, True], [1, True], [2, True]]


def test_an_error_in_the_copy_is_raised_where_it_would_have_been_without_one(told):
    assert told["raised"] == [True]


def test_what_a_copy_that_is_killed_leaves_undone_is_done_here(told):
    assert told["lost"] == [0, 1, 2, 3]


def test_a_copy_that_may_have_no_thread_leaves_its_work_to_the_first_process(told):
    assert told["threadless"] == [[0, True], [1, True], [2, True], [3, True]]


def test_an_interrupt_ends_the_copy_and_is_not_told_by_it(told):
    assert told["left"] == 0
    assert told["stderr"] == ""


#: The copy tells its number and sleeps; so does the first process.
ORPHAN = """
import os, time
from gradcheck.engine.beside import shared_out

own = os.getpid()

def sleep(item):
    if os.getpid() != own:
        os.write(1, b"%d\\n" % os.getpid())
    time.sleep(600)

list(shared_out(sleep, range(2), copied=True))
"""


def has_ended(process):
    """Whether a process is gone, or only waits for somebody to ask what became of it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def test_a_copy_ends_with_the_process_that_made_it():
    environment = os.environ | {OWN_THREADS: "2", "OPENBLAS_NUM_THREADS": "1"}
    first = subprocess.Popen([sys.executable, "-c", ORPHAN], env=environment, stdout=subprocess.PIPE)
    with first:
        copy = int(first.stdout.readline())
        first.kill()
    due = time.monotonic() + 30
    while not has_ended(copy) and time.monotonic() < due:
        time.sleep(0.01)
    assert has_ended(copy)


@pytest.mark.parametrize("threads", [None, "1"])
def test_who_is_no_command_or_has_one_thread_makes_no_copy(threads, monkeypatch):
    monkeypatch.delenv(OWN_THREADS, raising=False)
    if threads:
        monkeypatch.setenv(OWN_THREADS, threads)
    assert not may_copy()


def test_without_a_copy_all_is_done_in_one_process():
    assert list(shared_out(lambda item: (item, os.getpid()), [1, 2], copied=False)) == [
        (1, os.getpid()), (2, os.getpid()),
    ]  # fmt: skip


def test_where_no_process_can_be_started_all_is_done_here(monkeypatch):
    def fork():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)
    assert list(shared_out(lambda item: -item, [1, 2, 3], copied=True)) == [-1, -2, -3]
