import os
import subprocess
import sys
import threading

from gradcheck.engine.pieces import WORTH, begin, in_pieces
from gradcheck.engine.threads import OWN_THREADS


def test_other_threads_do_what_is_waited_for_before_what_was_begun_ahead(on_threads):
    order, taken, met = list[str](), threading.Event(), threading.Barrier(2)

    def later(piece):
        taken.set()
        if piece.start == 0:  # as long as the one that waits has no more than one of its own pieces
            met.wait(timeout=60)
        order.append("later")

    def now(piece):
        met.wait(timeout=60)
        order.append("now")

    def work():
        begun = begin(4 * WORTH, later, WORTH)
        assert taken.wait(timeout=60)
        in_pieces(3, now, 1)  # the first of these meets the first of those, the others each other
        begun.finish()

    on_threads(2, work)
    assert sorted(order[:4]) == ["later", "now", "now", "now"]


def test_work_that_nobody_waits_for_does_not_keep_a_process_from_ending():
    program = (
        "import time; from gradcheck.engine.pieces import ahead; ahead(lambda: time.sleep(600)); "
        "raise KeyboardInterrupt"
    )
    environment = os.environ | {OWN_THREADS: "2"}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=120)
    assert b"KeyboardInterrupt" in ended.stderr


def test_where_the_system_allows_no_more_threads_those_that_there_are_do_the_work(on_threads, monkeypatch):
    def refused(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("gradcheck.engine.begun.start_new_thread", refused)
    done = list[int]()
    on_threads(4, lambda: [in_pieces(5, lambda piece: done.append(piece.start), 1) for _ in range(2)])
    assert done == [0, 1, 2, 3, 4] * 2
