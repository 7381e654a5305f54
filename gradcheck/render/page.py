"""Where plain text is shown: width, encoding, colours. What needs no tables is printed without rich."""

import textwrap
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from gradcheck.render.bars import ASCII, BLOCKS, Glyphs
from gradcheck.render.style import can_show_blocks, in_ascii

#: The codes of the colours in ``style.STYLES``, of labels and of dim text.
CODES = {"green": "32", "cyan": "36", "red": "31", "yellow": "33", "magenta": "35", "bold": "1", "dim": "2"}


class Page(NamedTuple):
    """Where text is shown."""

    width: int = 80
    encoding: str = "utf-8"
    colours: bool = False

    @property
    def glyphs(self) -> Glyphs:
        """The characters that it can show."""
        return BLOCKS if can_show_blocks(self.encoding) else ASCII

    def painted(self, text: str, *styles: str) -> str:
        """Return the text in colours, where there are any."""
        if not self.colours or not text:
            return text
        return f"\033[{';'.join(CODES.get(style, '7') for style in styles)}m{text}\033[0m"

    def painted_runs(self, characters: Iterable[str], styles: Mapping[str, str]) -> str:
        """Return the characters in a row, each run of one in its style, where it has any."""
        runs = ("".join(run) for _, run in groupby(characters))
        return "".join(self.painted(run, styles[run[0]]) if run[0] in styles else run for run in runs)

    def readable(self, text: str) -> str:
        """Return the text in characters that can be shown."""
        return text if can_show_blocks(self.encoding) else in_ascii(text)

    def wrapped(self, text: str, indent: int) -> list[str]:
        """Return the lines that a sentence takes after an indent."""
        return textwrap.wrap(self.readable(text), max(20, self.width - indent), break_on_hyphens=False)

    def joined(self, lines: Iterable[str]) -> str:
        """Return the lines as one text."""
        return "".join(f"{line.rstrip()}\n" for line in lines)


PLAIN_PAGE = Page()
