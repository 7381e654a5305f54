"""A kind of rows in the text of a console, and how those of one shape are read."""

import math
import re
from typing import NamedTuple

from gradcheck.logs.columns import Column, Layout
from gradcheck.logs.lines import LostPart


class Kind:
    """Rows that one print statement wrote, with a number to judge.

    Attributes
    ----------
    key : str
        Its name among the kinds.
    worth : int
    names : dict
        Column ↦ what the log calls it.
    fractional : bool
        Its epochs have decimals, and are rounded: they are no steps.
    last, interval : float
        The step of its last row, and how far it was from the one before.
    recent : dict
        The last steps, each with its epoch ↦ whether all of their numbers were finite.
    drawn : tuple
        Where a bar drew its last row, step and epoch, and its other numbers.
    bar_total : float
        Where the bar ends that its rows belong to.
    between : bool
        One of its rows stood beside a bar that was not at its end.
    inside : bool
        Its steps begin anew with each epoch.
    leads : set of str
        The words before its first number.
    rows : int
    rises : bool
        Numbers at the beginning of its lines have risen so far, as steps do.
    placed : bool
        They say how many there are of something, ``350/735``.
    rank : str
        The process whose rows count, where each says which printed it.
    lost_parts : dict
        Parts of a finite loss that aren't finite.
    """

    def __init__(self, key: str, worth: int, names: dict[Column, str], lead: str, placed: bool = False) -> None:
        self.key, self.worth, self.names = key, worth, names
        self.leads, self.rows, self.between, self.inside = {lead}, 0, False, False
        self.fractional, self.rises = False, True
        self.last, self.interval = math.nan, math.inf
        self.recent: dict[tuple[float, float], bool] = {}
        self.drawn: tuple[tuple[float, ...], bytes] = ((), b"")
        self.bar_total = math.nan
        self.placed, self.rank = placed, ""
        self.lost_parts: dict[str, LostPart] = {}


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
    pattern: re.Pattern[str] | None
    is_skipped: bool  # the line says that the step wasn't taken
    rank: int  # which of them is the process that printed the line, and no column; −1 if none is
    leads: bool  # the step is the number that the line begins with
    parts: tuple[tuple[str, int], ...]  # of the loss, beside the whole one: names, and places in the line
