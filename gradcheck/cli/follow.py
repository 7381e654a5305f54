"""Watches a log that grows: a live table on the terminal, until an interrupt or until enough is found."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from gradcheck.base.files import near
from gradcheck.cli import note
from gradcheck.cli.page import has_colours
from gradcheck.logs.files import STDIN
from gradcheck.logs.lines import PAUSE
from gradcheck.logs.log import Log
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import LogReport, report_on
from gradcheck.logs.text.live import live_view
from gradcheck.render.page import Page
from gradcheck.render.style import without_controls

#: The file, the threshold of clipping, and which column is what.
Asked = tuple[str, float | None, Mapping[str, str]]

#: Seconds between two looks at what was read.
INTERVAL = 1.0


class Watch:
    """Looks at a log every now and then, and shows it if anyone can see it."""

    def __init__(self, asked: Asked, quiet: bool, enough: Callable[[LogReport], bool]) -> None:
        self.asked = asked  # the arguments of ``report_on`` beside the log
        self.enough = enough  # whether a report has what is waited for
        self.log: Log | None = None
        self._quiet = quiet
        self._due = 0.0
        self._rows = -1
        shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        console = Console(stderr=True, color_system="standard" if has_colours(sys.stderr) else None) if shown else None
        self._live = Live(console=console, auto_refresh=False, transient=True) if console else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, log: Log) -> bool:
        """Look at a log if it is time to and there is something new; return whether it has what is waited for."""
        if self.log is not None and log is not self.log:
            self._begin_anew()
        self.log = log
        now = time.monotonic()
        rows = log.table.rows_read
        if now < self._due or rows == self._rows:
            return False
        self._rows = rows
        report = self.report()
        self._due = time.monotonic() + INTERVAL
        if self._live and report:
            self._live.update(
                live_view(report, Page(self._live.console.width, self._live.console.encoding)), refresh=True
            )
        return report is not None and self.enough(report)

    def _begin_anew(self) -> None:
        """Forget the run before, and say so: above the live table, where there is one."""
        self._rows, self._due = -1, 0.0
        text = without_controls(f"{self.asked[0]} was replaced or cut: a new run, judged from its own beginning")
        if self._live:
            self._live.console.print(text, markup=False, highlight=False)
        elif not self._quiet and sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def report(self) -> LogReport | None:
        """Return what the log shows so far; None if nothing was read."""
        return report_on(self.log, *self.asked) if self.log and self.log.table.rows_read else None


def followed(asked: Asked, quiet: bool, enough: Callable[[LogReport], bool]) -> tuple[LogReport | None, bool]:
    """Watch a log; return what was found, and whether it ended with an interrupt."""
    watch, interrupted = Watch(asked, quiet, enough), False
    try:
        _wait_for(Path(asked[0]), quiet)
        with watch:
            watch.log = read_log(asked[0], follow=watch, columns=asked[2])
    except KeyboardInterrupt:
        interrupted = True
    return watch.report(), interrupted


def _wait_for(path: Path, quiet: bool) -> None:
    """Wait until there is a file, as a training that was started just now has yet to write it; say so."""
    if path.exists() or not path.name or not path.parent.is_dir() or str(path) == STDIN:
        return
    note(f"note: {path}: no such file yet: waiting for it until Ctrl-C{near(path)}", quiet)
    while not path.exists():
        time.sleep(PAUSE)
