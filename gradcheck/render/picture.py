"""The whole network in one line: a sparkline of its gradient, flagged regions marked under it."""

import math
from collections.abc import Sequence
from itertools import groupby

from rich.console import Group
from rich.text import Text

from gradcheck.render.bars import Glyphs, bracket, columns, sparkline
from gradcheck.render.style import STYLES
from gradcheck.report import Report


def picture(report: Report, width: int, glyphs: Glyphs) -> Group:
    """The whole network's gradient on a log scale, flagged regions marked under it."""
    logarithms = [-math.inf if layer.gradient_rms == 0 else layer.log10_gradient_rms for layer in report.layers]
    flags = [layer.flag for layer in report.layers]
    shown = columns(len(flags), width)
    worst = [next((flags[layer] for layer in layers if flags[layer] != "ok"), "ok") for layers in shown]
    line = Text(no_wrap=True)
    for character, flag in zip(sparkline(logarithms, width, glyphs), worst, strict=True):
        line.append(character, style=STYLES[flag])
    marks = [_marks(worst, width, glyphs)] if set(worst) != {"ok"} else []
    return Group(*_axis(logarithms, report.unit, len(shown), width), line, *marks)


def _marks(flags: Sequence[str], width: int, glyphs: Glyphs) -> Text:
    """A bracket under each region; a name that doesn't fit into it stands behind it where there is room."""
    groups = [(flag, len(list(group))) for flag, group in groupby(flags)]
    marks = Text(no_wrap=True)
    end = 0
    for index, (flag, span) in enumerate(groups):
        end += span
        if flag == "ok":
            marks.append(" " * (end - len(marks)))
            continue
        marks.append(bracket(flag, span, glyphs), style=STYLES[flag])
        free = groups[index + 1][1] if index + 1 < len(groups) else width - end
        last_or_before_ok = index + 1 == len(groups) or groups[index + 1][0] == "ok"
        if flag not in bracket(flag, span, glyphs) and last_or_before_ok and len(flag) + 2 <= free:
            marks.append(f" {flag}", style=STYLES[flag])
    return marks


def _axis(logarithms: list[float | None], unit: str, width: int, room: int) -> list[Text]:
    """The numbers above the sparkline: first and last layer, and the range of its heights beside or above them."""
    finite = [value for value in logarithms if value is not None and math.isfinite(value)]
    heights = f"log10 {min(finite):.1f} … {max(finite):.1f}".replace("-", "−") if finite else "no gradient"
    first, last = f"{unit} 1", str(len(logarithms))
    ends = first if len(logarithms) == 1 else first + last.rjust(max(len(last) + 1, width - len(first)))
    fits = len(ends) + 3 + len(heights) <= room
    lines = [f"{ends}   {heights}"] if fits else [heights, ends]
    return [Text(line, style="dim", no_wrap=True) for line in lines]
