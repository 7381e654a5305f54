"""The page that a command's text is shown on: decided here alone, and without rich."""

import os
import shutil
import sys
from pathlib import Path
from typing import TextIO

from gradcheck.render.page import PLAIN_PAGE, Page


def page(output: Path | None) -> Page:
    """Return what text is shown on: a file's plain page, or what stdout is.

    The width is that of COLUMNS, else the terminal's own, else 80.
    """
    if output is not None or sys.stdout is None:
        return PLAIN_PAGE
    return Page(shutil.get_terminal_size().columns, sys.stdout.encoding or "utf-8", has_colours(sys.stdout))


def has_colours(stream: TextIO) -> bool:
    """Whether what is written to a stream is coloured: on a terminal, unless the environment says otherwise.

    NO_COLOR, TERM=dumb and FORCE_COLOR=0 forbid colours. TTY_COMPATIBLE says whether the stream is as good as a
    terminal (1) or not (0); where it says neither, FORCE_COLOR does: with anything but nothing, it is.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("FORCE_COLOR") == "0":
        return False
    if os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    compatible, forced = os.environ.get("TTY_COMPATIBLE"), os.environ.get("FORCE_COLOR")
    if compatible in ("0", "1"):
        return compatible == "1"
    return stream.isatty() if forced is None else forced != ""
