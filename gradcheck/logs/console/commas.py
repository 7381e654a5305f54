"""Decimals after a comma, as a console writes them whose language is German, French, Russian or another of many."""

import re

#: A loss, norm or rate that has a comma where others have a point: before other than three digits, or after a zero.
_SURELY = re.compile(
    r"(?i)(?:loss|norm|lr|rate)['\"]?\s*[:=]?\s*[-+]?(?:0,\d{2,}|[1-9]\d*,(?:\d\d|\d{4,}))(?:e[-+]?\d+)?(?![\w,.])"
)

#: Any number with a comma, where there are such.
_DECIMAL = re.compile(r"(?<=[:=\s])([-+]?\d+),(\d+(?:[eE][-+]?\d+)?)(?![\w,.])")


class Commas:
    """Turns them into points, from the first line on whose loss, norm or rate surely has one."""

    def __init__(self) -> None:
        self.seen = False

    def see(self, line: str) -> None:
        """Look whether a line has such a number."""
        self.seen = self.seen or ("," in line and bool(_SURELY.search(line)))

    def pointed(self, line: str) -> str:
        """Return a line with points for the commas of its decimals, once there was one."""
        return _DECIMAL.sub(r"\1.\2", line) if self.seen and "," in line else line
