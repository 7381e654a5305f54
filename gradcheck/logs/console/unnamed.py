"""Numbers in the text of a console that have a step before them, and no name: ``1200:<tab>-5.13``."""

import math
import re
import shlex
from collections import deque

from gradcheck.logs.numbers import texts

#: Such a line. A blank alone is no sign, but after a word: prose and times of day have one, too. What follows is of no
#: use, be it the loss of another network.
_NUMBER = r"([-+]?\d+\.\d+(?:e[-+]?\d+)?|nan|[-+]?inf(?:inity)?)"
_STEP = r"(?:(?:iter(?:ation)?|step|epoch) (\d+):|(\d+):(?:\t| {2,}| (?=nan|[-+]?inf)))"
_LINE = re.compile(rf"(?i){_STEP}\s*{_NUMBER}(?:\s+[\d.na-]+)?\Z")

#: A tensor that is printed alone: it has no step.
_TENSOR = re.compile(rf"(?i)tensor\({_NUMBER}\)\Z")

#: How such a line begins, if not with a digit.
FIRST = "iIsSeEt"

#: What such a number is called.
NAME = "unnamed loss"

#: How it is said that such numbers are losses.
ASKED = f"say --column loss={shlex.quote(NAME)}"

#: Rows that are held back at most, until one shows that they aren't such a list.
MOST_HELD = 2000


class Unnamed:
    """Finds rows in such lines: they count once one with a later step follows, and if they are no list in order.

    Numbers that never fall are sections, versions, sizes or a sorted list, and hardly losses, unless they are said to
    be.
    """

    def __init__(self, asked: bool = False) -> None:
        self._held: deque[dict[str, str]] = deque(maxlen=MOST_HELD)
        self._step, self._value, self._is_loss = -1, -math.inf, asked
        self._rises = False

    @property
    def nothing(self) -> str:
        """What is said of a list that never falls; empty if there is none."""
        return f"its numbers have no names, and never fall: if they are its loss, {ASKED}" if self._rises else ""

    def rows(self, text: str, is_named: bool = False) -> list[dict[str, str]] | None:
        """Return the rows of a line, and of those held back; None of any other line.

        After a word, or in a tensor, a number counts only where no other has a name.
        """
        if not text[:1].isdigit() and (is_named or text[:1] not in FIRST):
            return None
        found, alone = _LINE.match(text), _TENSOR.match(text)
        if found:
            at, number = found[1] or found[2], found[3]
        elif alone:
            at, number = "", alone[1]
        else:
            return None
        step, value = int(at) if at else self._step + 1, texts([number])[0]
        follows, falls = step > self._step >= 0, value < self._value
        self._step, self._value = step, value
        if not follows:
            self._held.clear()
        self._held.append({"step": at, NAME: number} if at else {NAME: number})
        self._is_loss = self._is_loss or math.isinf(value) or (follows and falls)
        self._rises = not self._is_loss and (self._rises or follows)
        if not follows or not self._is_loss:
            return []
        rows = list(self._held)
        self._held.clear()
        return rows
