"""From rich's building blocks to a string that a terminal can show."""

import io
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from rich.console import Console, RenderableType

from gradcheck.render.bars import ASCII, BLOCKS, Glyphs
from gradcheck.render.style import can_show_blocks, in_ascii


class Terminal(NamedTuple):
    """Where text is shown: its width, its encoding, and one of rich's colour systems or None."""

    width: int = 80
    encoding: str = "utf-8"
    color_system: str | None = None


PLAIN_TERMINAL = Terminal()


def printed(parts: Callable[[Glyphs], Iterable[RenderableType]], terminal: Terminal) -> str:
    """Return as text what `parts` makes of the characters that the terminal can show."""
    blocks = can_show_blocks(terminal.encoding)
    console = Console(
        file=io.StringIO(),
        width=terminal.width,
        color_system=cast(Any, terminal.color_system),
        force_terminal=terminal.color_system is not None,
        legacy_windows=False,
        highlight=False,
    )
    with console.capture() as capture:
        for part in parts(BLOCKS if blocks else ASCII):
            console.print(part, soft_wrap=getattr(part, "no_wrap", None) is True)
    text = "\n".join(line.rstrip() for line in capture.get().split("\n"))
    return text if blocks else in_ascii(text)
