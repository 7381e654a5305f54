"""The terminal that text is shown on: its width and colours."""

import os

from rich.console import Console


def console() -> Console:
    """Return stdout's console; COLUMNS sets its width on a dumb terminal and in a pipe as well."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() and int(columns) > 0 else None
    return Console(width=width, soft_wrap=False, legacy_windows=False)
