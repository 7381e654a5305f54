"""The terminal that text is shown on: its width, colours and encoding."""

import shutil

from rich.console import Console

from gradcheck.render.terminal import Terminal


def terminal() -> Terminal:
    """Return what stdout is.

    The width is that of COLUMNS, else the terminal's own, else 80; NO_COLOR leaves no escape sequence at all.
    """
    width = shutil.get_terminal_size().columns
    console = Console(width=width, legacy_windows=False)
    return Terminal(width, console.encoding, None if console.no_color else console.color_system)
