"""The terminal that text is shown on: its width, colours and encoding."""

import shutil
from pathlib import Path

from rich.console import Console

from gradcheck.render.terminal import PLAIN_TERMINAL, Terminal


def terminal(output: Path | None) -> Terminal:
    """Return what text is shown on: a file's plain page, or what stdout is.

    The width is that of COLUMNS, else the terminal's own, else 80; NO_COLOR leaves no escape sequence at all.
    """
    if output is not None:
        return PLAIN_TERMINAL
    width = shutil.get_terminal_size().columns
    console = Console(width=width, legacy_windows=False)
    return Terminal(width, console.encoding, None if console.no_color else console.color_system)
