"""A sign of life on stderr, for runs that take longer than a moment."""

import sys
import time
from types import TracebackType
from typing import Self

PATIENCE = 1.0  # seconds before anything shows
INTERVAL = 0.2  # seconds between updates


class Progress:
    """Counts layers on one line of a terminal and wipes it in the end; silent anywhere else."""

    def __init__(self, quiet: bool) -> None:
        self.shown = sys.stderr.isatty() and not quiet
        self.layers = 0
        self.start = self.due = time.monotonic()
        self.due += PATIENCE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shown and self.due > self.start + PATIENCE:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def __call__(self) -> None:
        """One more layer."""
        self.layers += 1
        now = time.monotonic()
        if self.shown and now >= self.due:
            self.due = now + INTERVAL
            sys.stderr.write(f"\r\033[K{self.layers:,} layers, {now - self.start:.0f} s")
            sys.stderr.flush()
