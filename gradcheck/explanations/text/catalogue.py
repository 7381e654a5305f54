"""What there is to choose from, as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gradcheck.render.layout import borderless, printed
from gradcheck.render.numbers import significant
from gradcheck.render.page import PLAIN_PAGE, Page

#: The narrowest column in which a long source is shown beside the rest.
NARROW = 40

#: Columns of the JSON only: another column or the name says the same shorter.
LEFT_OUT = ("published", "kv_heads", "mlp_width", "residual_scale", "version", "layers")


def as_text(entries: Sequence[Mapping[str, Any]], page: Page = PLAIN_PAGE) -> str:
    """Return one line for each entry, its source after it where the terminal is wide enough, else below it."""
    return printed(_parts(entries, page.width), page)


def _parts(entries: Sequence[Mapping[str, Any]], width: int) -> Iterator[RenderableType]:
    names = [name for name in entries[0] if name not in (*LEFT_OUT, "source")]
    while _needed(entries, names) > width and len(names) > 2:
        names.pop()  # the sources and the JSON have it as well
    sources = list(dict.fromkeys(entry["source"] for entry in entries))
    beside = width - _needed(entries, names) >= min(NARROW, max(map(len, sources)))
    numbers = [name for name in names if type(entries[0][name]) in (int, float)]
    table = borderless(map(_head, names), left=[_head(name) for name in names if name not in numbers])
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
