"""A page of ``gradcheck explain``, and the list of them, as text."""

from collections.abc import Iterator, Mapping, Sequence
from math import log10
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.explanations import Example, Topic
from gradcheck.explanations.explanation import Explanation, Factor
from gradcheck.render.bars import bar, common_scale
from gradcheck.render.layout import beside, borderless, indented, printed
from gradcheck.render.numbers import power, significant
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT, STYLES, can_show_blocks, in_ascii

#: Columns that the words in front of each part take.
LABEL = 6

#: Columns beyond which a line of prose is hard to read.
WIDEST = 100


def as_text(explanation: Explanation, page: Page = PLAIN_PAGE) -> str:
    """Return a page: what and why, the formula, commands to type, the sources."""
    topic = explanation.topic if can_show_blocks(page.encoding) else _ascii(explanation.topic)
    page = page._replace(width=min(page.width, WIDEST))
    if explanation.cause:
        topic = topic._replace(name=explanation.cause, summary=f"{explanation.meaning} ({topic.name})")
    return printed(_page(topic, explanation.factors, page), page)


def topics_as_text(topics: Sequence[Mapping[str, Any]], page: Page = PLAIN_PAGE) -> str:
    """Return one line for each topic, and how to read one."""
    return printed(_list(topics), page)


def _list(topics: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    table = beside()
    for topic in topics:
        table.add_row(Text(topic["name"], style=_style(topic["name"])), Text(topic["summary"]))
    yield table
    yield ""
    yield Text("gradcheck explain TOPIC", style="dim", no_wrap=True)


def _style(name: str) -> str:
    return f"bold {STYLES.get(name, '')}".rstrip()


def _ascii(part: Any) -> Any:  # noqa: ANN401
    """Return a topic, or a part of it, in letters that every terminal has; they are longer, so before the layout."""
    if isinstance(part, str):
        return in_ascii(part)
    parts = map(_ascii, part)
    return part._make(parts) if hasattr(part, "_make") else tuple(parts)


def _page(topic: Topic, factors: Sequence[Factor], page: Page) -> Iterator[RenderableType]:
    yield Text.assemble((topic.name, _style(topic.name)), "  ", topic.summary)
    yield ""
    yield indented(Text(topic.what))
    if topic.why:
        yield _labelled("why", topic.why)
    for index, line in enumerate(topic.formula):
        yield _labelled("" if index else "math", line, "bold")
    if factors:
        yield from _product(factors, page)
    if topic.table:
        yield ""
        yield indented(_table(topic.table))
    yield ""
    yield from _commands("see", topic.examples)
    yield from _commands("try", topic.try_next)
    yield ""
    yield _labelled("from", "; ".join(topic.references), "dim")
    yield _labelled("also", ", ".join(topic.related), "dim")


def _table(rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of words, which wrap where the page is narrow."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    return table


def _labelled(label: str, text: str | Text, style: str = "") -> RenderableType:
    """Return a text with a word before it, its further lines aligned with the first."""
    table = Table.grid()
    table.add_column(width=LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(label, style="dim"), Text.assemble(text, style=style))
    return indented(table)


def _commands(label: str, examples: Sequence[Example]) -> Iterator[RenderableType]:
    """Yield each command whole, to be copied, and under it what it shows."""
    for index, example in enumerate(examples):
        word = ("" if index else label).ljust(LABEL)
        yield Text.assemble(" " * INDENT, (word, "dim"), (example.command, "bold"), no_wrap=True)
        if not example.shows:
            continue
        shown = Text(example.shows)
        shown.stylize(STYLES.get(example.verdict, ""), 0, len(example.verdict))
        yield _labelled("", Text.assemble("→ ", shown))


def _product(factors: Sequence[Factor], page: Page) -> Iterator[RenderableType]:
    """Yield the factors of a network multiplied out, layer by layer on the gradient's way; last, what is measured."""
    table = borderless(("layer", "gain", "product", ""), left=("",))
    logarithms = [log10(factor.product) for factor in factors]
    scale, room = common_scale([*logarithms, 0.0]), max(1, min(24, page.width - 40))
    for factor, logarithm in zip(factors, logarithms, strict=True):
        shown = Text(bar(scale.share(logarithm), room, page.glyphs), style=STYLES["vanishing"])
        table.add_row(str(factor.layer), significant(factor.local_gain), power(logarithm), shown)
    yield indented(table, INDENT + LABEL)
    end = factors[-1]
    yield _labelled("", f"gradient_ratio of layer {end.layer}, measured: {power(log10(end.gradient_ratio))}", "bold")
