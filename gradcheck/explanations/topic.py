"""What a page of ``gradcheck explain`` is made of."""

from typing import NamedTuple


class Example(NamedTuple):
    """A command that can be typed, and what it shows."""

    arguments: str  # what is typed after ``gradcheck``
    verdict: str = ""  # empty where it shows none
    figures: str = ""  # numbers as the command's report has them; a test simulates each

    @property
    def command(self) -> str:
        """The whole command line."""
        return f"gradcheck {self.arguments}"

    @property
    def shows(self) -> str:
        """The verdict, then the numbers."""
        return ", ".join(filter(None, (self.verdict, self.figures)))


class Topic(NamedTuple):
    """One page: plain data, one screen."""

    name: str  # what one types
    summary: str  # one line, for the list of topics
    # what it is, and why it matters
    what: str
    why: str
    formula: tuple[str, ...]  # one a line
    examples: tuple[Example, ...]  # commands that show it
    try_next: tuple[Example, ...]  # commands that fix it: a test compares their score with that of the last example
    references: tuple[str, ...]  # the papers it rests on
    related: tuple[str, ...] = ()  # names of other topics
    aliases: tuple[str, ...] = ()  # other names for it
    table: tuple[tuple[str, ...], ...] = ()  # below the formula: a header, and rows that begin with a name
