"""The line on stderr, against a terminal and a clock of the test's own; test_streams.py meets the real ones."""

import io
from types import SimpleNamespace

import pytest

from gradcheck.cli import progress
from gradcheck.cli.progress import INTERVAL, PATIENCE, CountedProgress, ShareProgress

WIPE = "\r\033[K"


class Screen(io.StringIO):
    """What is written to stderr, and whether that is a terminal."""

    terminal = True

    def isatty(self):
        return self.terminal

    @property
    def lines(self):
        """What was shown, one line after the other; an empty one where it was wiped."""
        start, *shown = self.getvalue().split(WIPE)
        assert start == ""
        return shown


@pytest.fixture
def screen(monkeypatch):
    """A terminal."""
    terminal = Screen()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=terminal))  # pytest gives sys another one again
    return terminal


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands at 100 s until its `now` is moved on."""
    hand = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: hand.now))
    return hand


def run(one, clock, shares, seconds=2.0):
    """Let the work go on by these shares, so many seconds each."""
    for share in shares:
        clock.now += seconds
        one(share)


# ---- a share


def test_the_line_says_which_share_is_done_how_long_it_took_and_how_long_the_rest_will_take(screen, clock):
    run(ShareProgress(quiet=False), clock, [0.25, 0.5, 1.0], seconds=30)
    assert screen.lines == [
        "25% simulated, 30 s, about 90 s left",
        "50% simulated, 60 s, about 60 s left",
        "100% simulated, 90 s, about 0 s left",
    ]


def test_what_follows_and_isnt_counted_is_said_when_all_is_done_without_a_time_for_it(screen, clock):
    one = ShareProgress(quiet=False)
    one.then = "changes are tried"
    run(one, clock, [0.5])
    run(one, clock, [1.0], seconds=INTERVAL / 2)
    assert screen.lines[-1] == "100% simulated, changes are tried, 2 s"


def test_a_second_run_is_of_the_changes_and_has_a_time_of_its_own(screen, clock):
    one = ShareProgress(quiet=False)
    run(one, clock, [0.5, 1.0], seconds=10)
    run(one, clock, [0.1, 0.3, 0.5], seconds=20)
    assert screen.lines == [
        "50% simulated, 10 s, about 10 s left",
        "100% simulated, 20 s, about 0 s left",
        "10% of the changes simulated, 20 s, about 180 s left",
        "30% of the changes simulated, 40 s, about 93 s left",
        "50% of the changes simulated, 60 s, about 60 s left",
    ]


def test_a_share_that_stands_still_starts_no_second_run(screen, clock):
    run(ShareProgress(quiet=False), clock, [0.5, 0.5, 0.5])
    assert all("changes" not in line for line in screen.lines)


def test_nothing_shows_before_a_moment_has_passed(screen, clock):
    run(ShareProgress(quiet=False), clock, [0.1 * step for step in range(1, 10)], seconds=0.99 * PATIENCE / 9)
    assert screen.getvalue() == ""


def test_the_line_is_drawn_anew_no_more_often_than_one_can_read_it(screen, clock):
    run(ShareProgress(quiet=False), clock, [step / 1000 for step in range(1, 1001)], seconds=(PATIENCE + 4) / 1000)
    assert 4 / INTERVAL * 0.9 <= len(screen.lines) <= 4 / INTERVAL + 1


# ---- a count


def test_a_count_says_how_many_of_what_and_the_time_left(screen, clock):
    one = CountedProgress(2000, quiet=False)
    for _ in range(1500):
        clock.now += 0.01
        one()
    assert screen.lines[-1].startswith("1,")
    clock.now += 5
    one()
    assert screen.lines[-1] == "1,501 of 2,000 rows, 20 s, about 7 s left"


def test_a_count_of_something_else_says_what_and_what_is_being_done(screen, clock):
    one = CountedProgress(4, quiet=False, unit="steps")
    clock.now += 3
    one()
    one.what = "clip norm:1"
    clock.now += 3
    one()
    assert screen.lines == [
        "1 of 4 steps, 3 s, about 9 s left",
        "2 of 4 steps · clip norm:1, 6 s, about 6 s left",
    ]


def test_a_count_goes_on_where_nobody_sees_it(screen, clock):
    screen.terminal = False
    one = CountedProgress(3, quiet=False)
    one()
    one()
    assert one.done == 2


# ---- silence, and the end


@pytest.fixture(params=["share", "count"])
def make(request):
    """Quiet or not ↦ one of both kinds, as a context and as what is called with a share."""

    def one(quiet=False):
        made = ShareProgress(quiet) if request.param == "share" else CountedProgress(3, quiet)
        return made, (made if request.param == "share" else lambda share: made())

    return one


def test_the_line_is_wiped_in_the_end(make, screen, clock):
    shown, tick = make()
    with shown:
        run(tick, clock, [0.3, 0.6, 0.9])
    assert len(screen.lines) == 4
    assert screen.lines[-1] == ""


def test_the_line_is_wiped_after_an_interrupt_too(make, screen, clock):
    shown, tick = make()

    def interrupted():
        with shown:
            run(tick, clock, [0.3])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(screen.lines) == 2
    assert screen.lines[-1] == ""


def test_what_was_wiped_is_wiped_once(make, screen, clock):
    shown, tick = make()
    with shown:
        run(tick, clock, [0.3])
        shown.clear()
        shown.clear()
    assert len(screen.lines) == 2


def test_a_short_run_leaves_the_terminal_alone(make, screen, clock):
    shown, tick = make()
    with shown:
        run(tick, clock, [0.3, 0.9], seconds=0.01)
    assert screen.getvalue() == ""


def test_nothing_shows_when_it_is_to_be_quiet(make, screen, clock):
    shown, tick = make(quiet=True)
    with shown:
        run(tick, clock, [0.3, 0.6, 0.9])
    assert screen.getvalue() == ""


def test_nothing_shows_where_there_is_no_terminal(make, screen, clock):
    screen.terminal = False
    shown, tick = make()
    with shown:
        run(tick, clock, [0.3, 0.6, 0.9])
    assert screen.getvalue() == ""


def test_a_closed_stderr_does_not_matter(make, monkeypatch, clock):
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=None))
    shown, tick = make()
    with shown:
        run(tick, clock, [0.3, 0.6, 0.9])
    assert not shown.shown
