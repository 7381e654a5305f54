"""The page that plain text is shown on, found out without rich."""

import os
import shutil
import sys
from pathlib import Path

from gradcheck.render.page import PLAIN_PAGE, Page


def page(output: Path | None) -> Page:
    """Return what text is shown on: a file's plain page, or what stdout is.

    The width is that of COLUMNS, else the terminal's own, else 80. Colours follow NO_COLOR, FORCE_COLOR and TERM.
    """
    if output is not None or sys.stdout is None:
        return PLAIN_PAGE
    return Page(shutil.get_terminal_size().columns, sys.stdout.encoding or "ascii", _colours())


def _colours() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb").lower() not in ("dumb", "unknown")
