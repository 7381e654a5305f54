"""Numbers in the text of a console that have a step before them, and no name: ``1200:<tab>-5.13``."""

import math
import re
import shlex
from collections import deque

from gradcheck.logs.numbers import texts

#: Such a line. A blank alone is no sign: prose and times of day have one, too.
_LINE = re.compile(r"(?i)(\d+):(?:\t| {2,})\s*([-+]?\d+\.\d+(?:e[-+]?\d+)?|nan|[-+]?inf(?:inity)?)\Z")

#: What such a number is called.
NAME = "unnamed loss"

#: How it is said that such numbers are losses.
ASKED = f"say --column loss={shlex.quote(NAME)}"

#: Rows that are held back at most, until one shows that they aren't such a list.
MOST_HELD = 2000


class Unnamed:
    """Finds rows in such lines: they count once one with a later step follows, and if they are no list in order.

    Numbers that never fall are sections, versions, sizes or a list that is sorted, and hardly losses.

    Parameters
    ----------
    asked : bool
        They are said to be losses.
    """

    def __init__(self, asked: bool = False) -> None:
        self._held: deque[tuple[str, str]] = deque(maxlen=MOST_HELD)
        self._step, self._value, self._is_loss = -1, -math.inf, asked
        self._rises = False

    @property
    def nothing(self) -> str:
        """What is said of a list that never falls; empty if there is none."""
        return f"its numbers have no names, and never fall: if they are its loss, {ASKED}" if self._rises else ""

    def rows(self, text: str) -> list[dict[str, str]] | None:
        """Return the rows of a line, and of those held back; None of any other line."""
        found = _LINE.match(text)
        if found is None:
            return None
        step, value = int(found[1]), texts([found[2]])[0]
        follows, falls = step > self._step >= 0, value < self._value
        self._step, self._value = step, value
        if not follows:
            self._held.clear()
        self._held.append((found[1], found[2]))
        self._is_loss = self._is_loss or math.isinf(value) or (follows and falls)
        self._rises = not self._is_loss and (self._rises or follows)
        if not follows or not self._is_loss:
            return []
        rows = [{"step": at, NAME: number} for at, number in self._held]
        self._held.clear()
        return rows
