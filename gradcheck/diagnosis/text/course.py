"""The losses of a probe's steps in one line."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from gradcheck.diagnosis.report import Report
from gradcheck.render.bars import Scale, columns, sparkline
from gradcheck.render.numbers import told_apart
from gradcheck.render.page import Page
from gradcheck.render.style import INDENT, STYLES

#: Columns at most.
WIDEST = 60

#: Losses above zero are drawn by their logarithms where the largest is so many times the smallest.
WIDE = 100.0


def losses(report: Report, page: Page) -> Iterator[RenderableType]:
    """Yield the loss before each step and after the last one, where steps were taken."""
    training = None if report.model is None else report.model.training
    known = [] if training is None else [loss for loss in training.losses if loss is not None]
    if training is None or not known:
        return
    low, high = min(known), max(known)
    logarithmic = low > 0 and high > WIDE * low
    heights = [math.log10(one) if logarithmic and one is not None else one for one in training.losses]
    ends = [math.log10(one) if logarithmic else one for one in (low, high)]
    scale = Scale(ends[0], ends[1] if ends[1] > ends[0] else math.inf)  # flat: at the foot
    room = min(WIDEST, page.width - 2 * INDENT)
    line = sparkline(heights, room, page.glyphs, scale)
    extent = " … ".join(told_apart(low, high)).replace("-", "−")
    yield ""
    yield Text(f"  loss{', log scale' if logarithmic else ''}  {extent}", style="dim")
    yield Text(f"  {line}", style=STYLES[report.verdict.status], no_wrap=True)
    first, last = "step 0", str(len(heights) - 1)
    used = len(columns(len(heights), room))
    if len(heights) > 1:
        yield Text(f"  {first}{last.rjust(max(len(last) + 1, used - len(first)))}", style="dim", no_wrap=True)
