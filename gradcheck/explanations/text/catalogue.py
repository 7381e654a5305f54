"""What there is to choose from, as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.render.numbers import significant
from gradcheck.render.terminal import PLAIN_TERMINAL, Terminal, printed

#: The narrowest column in which a long source stands beside the rest.
NARROW = 40

#: Columns that are told in the JSON only: the text says the same shorter, or the name does.
LEFT_OUT = ("published", "kv_heads", "mlp_width", "residual_scale")


def catalogue_as_text(entries: Sequence[Mapping[str, Any]], terminal: Terminal = PLAIN_TERMINAL) -> str:
    """Return one line for each entry, its source behind it where the terminal is wide enough, else under it."""
    return printed(lambda glyphs: _parts(entries, terminal.width), terminal)


def _parts(entries: Sequence[Mapping[str, Any]], width: int) -> Iterator[RenderableType]:
    names = [name for name in entries[0] if name not in (*LEFT_OUT, "source")]
    while _needed(entries, names) > width and len(names) > 2:
        names.pop()  # the sources and the JSON tell it as well
    sources = list(dict.fromkeys(entry["source"] for entry in entries))
    beside = width - _needed(entries, names) >= min(NARROW, max(map(len, sources)))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        number = isinstance(entries[0][name], int | float) and not isinstance(entries[0][name], bool)
        table.add_column(_head(name), justify="right" if number else "left", no_wrap=True)
    if beside:
        table.add_column("source", overflow="fold")
    for entry in entries:
        first, *others = (_cell(entry[name]) for name in names)
        table.add_row(Text(first, style="bold"), *others, *([Text(entry["source"])] if beside else []))
    yield table
    if not beside:
        yield ""
        for source in sources:
            sharing = ", ".join(entry["name"] for entry in entries if entry["source"] == source)
            yield Text.assemble((f"{sharing}: ", "bold"), source)


def _needed(entries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int:
    """Return how wide the columns are together."""
    return sum(max(len(_head(name)), *(len(_cell(entry[name])) for entry in entries)) + 2 for name in names)


def _head(name: str) -> str:
    return name.removeprefix("model_").replace("_", " ")


def _cell(value: Any) -> str:  # noqa: ANN401
    """Return a value as one reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value / 1e9:.3g}B" if value >= 1e9 else f"{value / 1e6:.3g}M" if value >= 1e6 else str(value)
    if isinstance(value, float):
        return significant(value)
    if isinstance(value, list):
        return ", ".join(f"{one:g}" for one in value) or "-"
    return "-" if value is None else str(value)
