"""Numbers in the text of a console that have a step before them, and no name: ``1200:<tab>-5.13``."""

import re

#: Such a line. A blank alone is no sign: prose and times of day have one, too.
_LINE = re.compile(r"(?i)(\d+):(?:\t| {2,})\s*([-+]?\d+\.\d+(?:e[-+]?\d+)?|nan|[-+]?inf(?:inity)?)\Z")


class Unnamed:
    """Finds rows in such lines: the first one counts once another with a later step follows."""

    def __init__(self) -> None:
        self._held: tuple[str, str] | None = None
        self._last = -1

    def rows(self, text: str) -> list[dict[str, str]] | None:
        """Return the rows of a line, and of the one held back; None of any other line."""
        found = _LINE.match(text)
        if found is None:
            return None
        held, self._held = self._held, None
        step, last, self._last = int(found[1]), self._last, int(found[1])
        if step <= last or last < 0:
            self._held = found[1], found[2]
            return []
        return [{"step": at, "unnamed loss": value} for at, value in (*([held] if held else []), found.groups())]
