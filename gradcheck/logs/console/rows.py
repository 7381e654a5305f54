"""A kind of rows in the text of a console, and how those of one shape are read."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from gradcheck.logs.columns import Column, Layout
from gradcheck.logs.lines import LostPart


@dataclass(eq=False)
class Kind:
    """Rows that one print statement wrote, with a number to judge."""

    key: str  # its name among the kinds
    worth: int
    names: dict[Column, str]  # column ↦ what the log calls it
    leads: set[str]  # the words before its first number
    placed: bool = False  # its numbers say how many there are of something, ``350/735``
    rows: int = 0
    rises: bool = True  # numbers at the beginning of its lines have risen so far, as steps do
    fractional: bool = False  # its epochs have decimals, and are rounded: they are no steps
    last: float = math.nan  # the step of its last row
    interval: float = math.inf  # how far that was from the one before
    # the last steps, each with its epoch ↦ whether all of their numbers were finite
    recent: dict[tuple[float, float], bool] = field(default_factory=dict)
    # where a bar drew its last row, step and epoch, and its other numbers
    drawn: tuple[tuple[float, ...], bytes] = ((), b"")
    bar_total: float = math.nan  # where the bar ends that its rows belong to
    between: bool = False  # one of its rows stood beside a bar that was not at its end
    inside: bool = False  # its steps begin anew with each epoch
    rank: str = ""  # the process whose rows count, where each says which printed it
    lost_parts: dict[str, LostPart] = field(default_factory=dict)  # parts of a finite loss that aren't finite


class Plan(NamedTuple):
    """What is taken from the lines of one shape."""

    kind: Kind
    layout: Layout
    places: tuple[int, ...]  # of the numbers that are taken, in the order of the layout's first columns
    step: int  # which of them is the step; −1 if there is none
    instead: int  # which of them stands for the loss, and is changed; −1 if none does
    change: str  # how
    epoch: int
    inside: bool  # the step begins anew with each epoch
    lacks_loss: bool  # other rows of its kind have one
    is_clock: bool  # its epoch has decimals, and says when, if not which step
    is_skipped: bool  # the line says that the step wasn't taken
    rank: int  # which of them is the process that printed the line, and no column; −1 if none is
    leads: bool  # the step is the number that the line begins with
    parts: tuple[tuple[str, int], ...]  # of the loss, beside the whole one: names, and places in the line
