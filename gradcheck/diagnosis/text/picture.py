"""The whole network in one line: a sparkline of its gradient, flagged regions marked under it."""

import math
from collections.abc import Sequence
from itertools import groupby

from rich.console import Group
from rich.text import Text

from gradcheck.diagnosis.report import LayerRecord, Report
from gradcheck.diagnosis.shown_layers import of_several_kinds, plotted_field
from gradcheck.render.bars import Glyphs, Scale, bracket, columns, common_scale, sparkline
from gradcheck.render.style import STYLES


def picture(report: Report, width: int, glyphs: Glyphs) -> Group:
    """The whole network's gradient on a log scale, flagged regions marked under it.

    A transformer has a line for each kind of flow point, all on one scale, along its blocks.
    """
    names = report.points or ("",)
    lines = [report.layers[index :: len(names)] for index in range(len(names))]
    label = max(map(len, names)) + 2 if report.points else 0
    logarithms = [layer[plotted_field(report)] for layer in report.layers]
    scale, room = common_scale(logarithms), width - label
    shown = columns(len(lines[0]), room)
    first, last = f"{report.unit} 1", str(len(lines[0]))
    of_what = " of the last of its kind and role" if of_several_kinds(report) else ""
    rows = [
        Text(no_wrap=True).append(" " * min(label, max(0, width - len(line))) + line, style="dim")
        for line in _axis(logarithms, first, last, len(shown), room, of_what)
    ]
    for name, layers in zip(names, lines, strict=True):
        series = _series(layers, plotted_field(report), shown, scale, glyphs)
        flags = [flag for _, flag in series]
        line = Text(no_wrap=True).append(name.ljust(label), style="dim")
        for character, flag in series:
            line.append(character, style=STYLES[flag])
        rows.append(line)
        if set(flags) != {"ok"}:
            rows.append(Text(" " * label, no_wrap=True).append_text(_marks(flags, room, glyphs)))
    return Group(*rows)


def _series(
    layers: Sequence[LayerRecord], name: str, shown: Sequence[range], scale: Scale, glyphs: Glyphs
) -> list[tuple[str, str]]:
    """Return each column's character and the flag that stands out among its layers."""
    logarithms = [-math.inf if layer.gradient_rms == 0 else layer[name] for layer in layers]
    flags = [layer.flag for layer in layers]
    worst = (next((flags[layer] for layer in part if flags[layer] != "ok"), "ok") for part in shown)
    return list(zip(sparkline(logarithms, len(shown), glyphs, scale), worst, strict=True))


def _marks(flags: Sequence[str], width: int, glyphs: Glyphs) -> Text:
    """A bracket under each region; a name that doesn't fit into it follows it where there is room."""
    groups = [(flag, len(list(group))) for flag, group in groupby(flags)]
    marks = Text(no_wrap=True)
    end = 0
    for index, (flag, span) in enumerate(groups):
        end += span
        if flag == "ok":
            marks.append(" " * (end - len(marks)))
            continue
        marks.append(bracket(flag, span, glyphs), style=STYLES[flag])
        free = groups[index + 1][1] if index + 2 < len(groups) else width - end
        last_or_before_ok = index + 1 == len(groups) or groups[index + 1][0] == "ok"
        if flag not in bracket(flag, span, glyphs) and last_or_before_ok and len(flag) + 2 <= free:
            marks.append(f" {flag}", style=STYLES[flag])
    return marks


def _axis(logarithms: Sequence[float | None], first: str, last: str, width: int, room: int, of_what: str) -> list[str]:
    """The numbers above the sparkline: first and last layer, and the range of its heights beside or above them."""
    finite = [value for value in logarithms if value is not None and math.isfinite(value)]
    heights = f"log10 {min(finite):z.1f} … {max(finite):z.1f}".replace("-", "−") + of_what if finite else "no gradient"
    ends = first if last == "1" else first + last.rjust(max(len(last) + 1, width - len(first)))
    return [f"{ends}   {heights}"] if len(ends) + 3 + len(heights) <= room else [heights, ends]
