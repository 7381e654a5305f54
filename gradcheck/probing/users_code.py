"""What the user's code does besides what it is asked for: it prints, warns, forks."""

import ctypes
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

from gradcheck.errors import GradcheckError, printable


@contextmanager
def users_code() -> Iterator[None]:
    """Keep what the user's code does in its place.

    What it writes to stdout goes to stderr: what is printed, and what goes to the descriptor itself. Warnings show
    control characters instead of obeying them. A process that it forked ends here: the report is its parent's.
    """
    process = os.getpid()
    with redirect_stdout(sys.stderr), _neutral_warnings(), _descriptor_to_stderr():
        try:
            yield
        finally:
            if os.getpid() != process:
                os._exit(0)


@contextmanager
def _neutral_warnings() -> Iterator[None]:
    """Show the control characters that warnings may have instead of obeying them."""
    before = warnings.formatwarning

    def neutral(*what: Any, **how: Any) -> str:  # noqa: ANN401
        lines = before(*what, **how).split("\n")
        return "\n".join(map(printable, lines))

    warnings.formatwarning = neutral
    try:
        yield
    finally:
        warnings.formatwarning = before


@contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """Lead the descriptor of stdout to stderr, or nowhere where that is closed; then back.

    Raises
    ------
    GradcheckError
        It can't be led back: it was closed meanwhile.
    """
    there = _is_open(1)
    elsewhere = os.dup(2) if _is_open(2) else os.open(os.devnull, os.O_WRONLY)  # first: it may take the free number 1
    kept = os.dup(1) if there else None
    os.dup2(elsewhere, 1)
    if elsewhere != 1:
        os.close(elsewhere)
    try:
        yield
    finally:
        _flush_c()
        try:
            if kept is None:
                os.close(1)
            else:
                os.dup2(kept, 1)
                os.close(kept)
        except OSError as error:
            problem = "the model's code closed file descriptors that it didn't open, stdout's among them"
            raise GradcheckError(f"{problem}: it has to leave those alone") from error


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _flush_c() -> None:
    """Write out what C's own stdout holds back, while it still goes to stderr."""
    with suppress(Exception):  # a system without such a library
        ctypes.CDLL(None).fflush(None)
