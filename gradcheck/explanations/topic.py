"""What a page of ``gradcheck explain`` is made of."""

from typing import NamedTuple


class Example(NamedTuple):
    """A command that can be typed, and what it shows.

    Attributes
    ----------
    arguments : str
        What is typed after ``gradcheck``.
    verdict : str
        Empty where it shows none.
    figures : str
        Numbers as the command's report has them; a test simulates each.
    """

    arguments: str
    verdict: str = ""
    figures: str = ""

    @property
    def command(self) -> str:
        """The whole command line."""
        return f"gradcheck {self.arguments}"

    @property
    def shows(self) -> str:
        """The verdict, then the numbers."""
        return ", ".join(filter(None, (self.verdict, self.figures)))


class Topic(NamedTuple):
    """One page: plain data, one screen.

    Attributes
    ----------
    name : str
        What one types.
    summary : str
        One line, for the list of topics.
    what, why : str
        What it is, and why it matters.
    formula : tuple of str
        One a line.
    examples : tuple of Example
        Commands that show it.
    try_next : tuple of Example
        Commands that fix it: a test compares their score with that of the last example.
    references : tuple of str
        The papers it rests on.
    related : tuple of str
        Names of other topics.
    aliases : tuple of str
        Other names for it.
    """

    name: str
    summary: str
    what: str
    why: str
    formula: tuple[str, ...]
    examples: tuple[Example, ...]
    try_next: tuple[Example, ...]
    references: tuple[str, ...]
    related: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
