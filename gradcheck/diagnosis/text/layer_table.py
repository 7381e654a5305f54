"""The table of layers, as wide as the terminal allows."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.diagnosis.report import LayerRecord, Report
from gradcheck.diagnosis.shown_layers import plotted_field, shown_layers, title
from gradcheck.render.bars import bar, common_scale
from gradcheck.render.layout import aside, borderless, indented
from gradcheck.render.numbers import power, significant
from gradcheck.render.page import Page
from gradcheck.render.style import INDENT, STYLES

#: Columns of the table: heading, and how a layer of a report fills it.
COLUMNS: dict[str, Callable[[Report, LayerRecord], str]] = {
    "layer": title,
    "gradient": lambda report, layer: power(layer.log10_gradient_rms, layer.gradient_rms),
    "ratio": lambda report, layer: power(layer.log10_gradient_ratio, layer.gradient_ratio),
    "gain": lambda report, layer: significant(layer.local_gain),
    "theory": lambda report, layer: significant(_predicted(report)[layer.index - 1]),
    "activation": lambda report, layer: significant(layer.activation_rms),
    "rank": lambda report, layer: significant(layer.effective_rank),
    "cosine": lambda report, layer: significant(layer.input_cosine),
    "saturated": lambda report, layer: _share(layer.saturated_fraction),
    "dead": lambda report, layer: _share(layer.dead_fraction),
    "weights": lambda report, layer: significant(layer.weight_norm),
    "weight gradient": lambda report, layer: power(layer.log10_weight_gradient_norm, layer.weight_gradient_norm),
    "flag": lambda report, layer: layer.flag,
}

#: The narrowest terminal that a set of columns fits into, with a bar after them.
LAYOUTS = (
    (126, tuple(COLUMNS)),
    (
        106,
        ("layer", "gradient", "ratio", "gain", "theory", "activation", "rank", "cosine", "saturated", "dead", "flag"),
    ),
    (80, ("layer", "gradient", "ratio", "gain", "theory", "activation", "rank", "flag")),
    (72, ("layer", "gradient", "ratio", "gain", "activation", "rank", "flag")),
    (48, ("layer", "gradient", "gain", "flag")),
    (0, ("layer", "gradient", "flag")),
)


#: Room that a layer's name leaves to the fewest columns and a bar; and what it has at least.
BESIDE_TITLE, LEAST_TITLE = 32, 16


def end_of_name(name: str, room: int) -> str:
    """Return the end of a long name: it says more than the beginning, which all have in common."""
    return name if len(name) <= room else f"…{name[1 - room :]}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def layer_table(report: Report, page: Page, all_layers: bool) -> Iterator[RenderableType]:
    """Yield the layers, each with a bar on the sparkline's log scale; of a deep network a sample."""
    width, glyphs = page.width, page.glyphs
    shown = [report.layers[index - 1] for index in shown_layers(len(report.layers), report.regions, all_layers)]
    titles = [end_of_name(title(report, layer), max(LEAST_TITLE, width - BESIDE_TITLE)) for layer in shown]
    longer = max(map(len, titles)) - len("layer")  # as a block and its flow point are, or a name
    names = _columns(width - max(0, longer), any(_predicted(report)))
    cells = ([COLUMNS[name](report, layer) for name in names[1:]] for layer in shown)
    rows = [[called, *others] for called, others in zip(titles, cells, strict=True)]
    used = INDENT + sum(max(map(len, column)) + 2 for column in zip(names, *rows, strict=True))
    used += 2 * any(one.startswith("…") for one in titles)  # three dots where the terminal has ASCII only
    scale = common_scale([layer[plotted_field(report)] for layer in report.layers])
    heights, room = [layer[plotted_field(report)] for layer in shown], max(1, min(24, width - used))
    bars = ["" if height is None else bar(scale.share(height), room, glyphs) for height in heights]
    heads = [report.unit if name == "layer" else name for name in names]
    yield indented(_table(heads, shown, rows, bars))
    if len(shown) < len(report.layers):
        count = f"{len(shown)} of {len(report.layers)} {'flow points' if report.points else report.unit + 's'}"
        yield aside(f"  {count} shown; --all-layers shows the rest")


def _predicted(report: Report) -> Sequence[float | None]:
    """Return the local gains that theory predicts, None where it says nothing."""
    return (report.prediction and report.prediction.local_gains) or (None,) * len(report.layers)


def _columns(room: int, predicted: bool) -> tuple[str, ...]:
    """Return the columns that fit; where nothing is predicted, that one's room is the others'."""
    if predicted:
        return next(names for least, names in LAYOUTS if room >= least or least == 0)
    bare = ((least, names, tuple(name for name in names if name != "theory")) for least, names in LAYOUTS)
    spare = len("theory") + 2
    return next(fewer for least, names, fewer in bare if room >= least - spare * (fewer != names) or least == 0)


def _table(
    names: Sequence[str], shown: Sequence[LayerRecord], rows: Sequence[Sequence[str]], bars: Sequence[str]
) -> Table:
    named = ("layer",) if shown[0].kind is not None else ()
    table = borderless([*names, ""], left=("flag", "block", "", *named))
    for layer, row, bar_text in zip(shown, rows, bars, strict=True):
        style = STYLES[layer.flag]
        cells = [Text(cell, style=style if name == "flag" else "") for name, cell in zip(names, row, strict=True)]
        table.add_row(*cells, Text(bar_text, style=style))
    return table
