"""The terminal that text is shown on: its width, colours and encoding."""

import os

from rich.console import Console

from gradcheck.render.terminal import Terminal


def terminal() -> Terminal:
    """Return what stdout is.

    COLUMNS sets the width on a dumb terminal and in a pipe as well; NO_COLOR leaves no escape sequence at all.
    """
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() and int(columns) > 0 else None
    console = Console(width=width, legacy_windows=False)
    return Terminal(console.width, console.encoding, None if console.no_color else console.color_system)
