"""A sign of life on stderr, for runs that take longer than a moment."""

import sys
import time
from types import TracebackType
from typing import Self

PATIENCE = 1.0  # seconds before anything shows
INTERVAL = 0.2  # seconds between updates


class Progress:
    """One line of a terminal, wiped in the end; silent anywhere else."""

    def __init__(self, quiet: bool) -> None:
        self.shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
        self.visible = False
        self.start = time.monotonic()
        self.due = self.start + PATIENCE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, share: float | None, what: str) -> None:
        """Say what is done, how long it took and how long the rest will take, if that is known and it is time to."""
        now = time.monotonic()
        if self.shown and now >= self.due:
            self.due = now + INTERVAL
            self.visible = True
            seconds = now - self.start
            left = "" if share is None else f", about {seconds / share * (1 - share):.0f} s left"
            sys.stderr.write(f"\r\033[K{what}, {seconds:.0f} s{left}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Wipe the line."""
        if self.visible:
            self.visible = False
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


class ShareProgress(Progress):
    """Shows which share of the work is done; where it starts again, changes are simulated."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet)
        self.share, self.heard = 0.0, self.start  # what is done, and when it was said
        self.what = "simulated"
        self.then = ""  # what follows when all is done, and isn't counted

    def __call__(self, share: float) -> None:
        """So much is done, 0 to 1."""
        if share < self.share:
            self.start, self.what = self.heard, "of the changes simulated"
        self.share, self.heard = share, time.monotonic()
        if share >= 1 and self.then:
            self.due = min(self.due, max(self.heard, self.start + PATIENCE))  # the last word stays until the end
            self.show(None, f"{share:.0%} {self.what}, {self.then}")
        else:
            self.show(share, f"{share:.0%} {self.what}")


class CountedProgress(Progress):
    """Counts steps, rows or the like to a known number."""

    def __init__(self, total: int, quiet: bool, unit: str = "rows") -> None:
        super().__init__(quiet)
        self.total, self.unit, self.done = total, unit, 0
        self.what = ""  # being done, said after the count

    def __call__(self) -> None:
        """One more is done."""
        self.done += 1
        what = f" · {self.what}" if self.what else ""
        self.show(self.done / self.total, f"{self.done:,} of {self.total:,} {self.unit}{what}")
