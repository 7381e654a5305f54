"""A sign of life on stderr, for runs that take longer than a moment."""

import sys
import time
from types import TracebackType
from typing import Self

PATIENCE = 1.0  # seconds before anything shows
INTERVAL = 0.2  # seconds between updates


class Progress:
    """Counts on one line of a terminal and wipes it in the end; silent anywhere else.

    Parameters
    ----------
    quiet : bool
    unit : str
        What is counted: layers, steps, rows.
    """

    def __init__(self, quiet: bool, unit: str = "layers") -> None:
        self.unit = unit
        self.shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
        self.visible = False
        self.done = 0
        self.start = time.monotonic()
        self.due = self.start + PATIENCE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def __call__(self) -> None:
        """One more is done."""
        self.done += 1
        now = time.monotonic()
        if self.shown and now >= self.due:
            self.due = now + INTERVAL
            self.visible = True
            sys.stderr.write(f"\r\033[K{self.said(now - self.start)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Wipe the line."""
        if self.visible:
            self.visible = False
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def said(self, seconds: float) -> str:
        """Return what the line says."""
        return f"{self.done:,} {self.unit}, {seconds:.0f} s"


class CountedProgress(Progress):
    """Counts to a known number, and says the time that is left.

    Parameters
    ----------
    total : int
    quiet, unit
        As in ``Progress``.
    """

    def __init__(self, total: int, quiet: bool, unit: str = "rows") -> None:
        super().__init__(quiet, unit)
        self.total = total
        self.what = ""  # being done, said behind the count

    def said(self, seconds: float) -> str:
        """Return what the line says."""
        left = seconds / self.done * (self.total - self.done)
        what = f" · {self.what}" if self.what else ""
        return f"{self.done:,} of {self.total:,} {self.unit}{what}, {seconds:.0f} s, about {left:.0f} s left"
