"""Theory of a transformer as text: what its blocks do to the gradient, to the stream, and to how unlike tokens are."""

from collections.abc import Callable, Iterator

from gradcheck.base.record import power_in_range
from gradcheck.base.wording import counted
from gradcheck.mean_field.report import TheoryLayer, TheoryReport
from gradcheck.render.bars import common_scale, sparkline
from gradcheck.render.numbers import significant
from gradcheck.render.page import Page
from gradcheck.render.style import INDENT

#: A gradient that changes by fewer decades counts as unchanged.
LEAST = 0.005

#: Decades between the first attention and the stream after it from which on both are said.
BESIDE = 0.1

#: Tokens whose mean cosine is above can't be told apart: 1 % of their squared length differs, the limit of ``probe``.
ALIKE = 0.99

#: Attention that is spread over fewer tokens has a single one.
ONE = 1.05

#: Rows of the table, of a deep stack.
ROWS = 9

#: What the table says of a block: heading, the flow point, and how the point fills it.
COLUMNS: dict[str, tuple[int, Callable[[TheoryLayer], str]]] = {
    "gradient": (2, lambda point: significant(power_in_range(point.log10_gradient_ratio), 3)),
    "stream": (2, lambda point: significant(point.preactivation_std, 3)),
    "attention adds": (0, lambda point: significant(point.preactivation_std, 3)),
    "mlp adds": (1, lambda point: significant(point.preactivation_std, 3)),
    "tokens' cosine": (2, lambda point: significant(point.token_cosine, 3)),
    "attended": (0, lambda point: significant(point.attended, 3)),
}

#: The widest terminal that a set of columns doesn't fit into.
NARROW = {"attention adds": 72, "mlp adds": 72, "attended": 56, "stream": 44}


def verb(change: float) -> str:
    """Return what a gradient does that changes by so much on its way to the first layer."""
    return "grows" if change > 0 else "shrinks"


def sentences_of_blocks(report: TheoryReport) -> list[str]:
    """Return the verdict in words, the gradient first."""
    return [_gradient(report), *_tokens(report), _attention(report)]


def _gradient(report: TheoryReport) -> str:
    network, blocks = report.network, counted(len(report.layers) // len(report.points), "block")
    ratio, deviation = report.layers[0].log10_gradient_ratio, network.log10_gradient_ratio_std
    band = f" (±{deviation:.2g} at this width)" if deviation else ""
    if abs(ratio) < LEAST:
        return f"the gradient keeps its size in {blocks}{band}"
    gain = significant(network.mean_local_gain, 3)
    said = f"the gradient {verb(ratio)} by {abs(ratio):.3g} decades in {blocks}{band}: a factor of {gain} a block"
    stream = [point.log10_gradient_ratio for point in report.layers[len(report.points) - 1 :: len(report.points)]]
    if abs(ratio - stream[0]) < BESIDE:
        return said
    low, high = (significant(power_in_range(one), 2) for one in (min(stream), max(stream)))
    return f"{said}, from the end to the first attention; the stream's is {low} to {high} times that at the end"


def _tokens(report: TheoryReport) -> Iterator[str]:
    """Say how alike tokens are at the end, and how fast they become so."""
    network, points = report.network, len(report.points)
    first = report.layers[points - 1].token_cosine
    if network.token_cosine is None or first is None:
        return
    factor = network.token_gap_factor
    said = f"two tokens' mean cosine goes from {first:.2g} to {network.token_cosine:.3g}"
    rate = "" if factor is None else f"; at the end a block multiplies what is left to 1 by {significant(factor, 3)}"
    yield said + rate + (": they can't be told apart" if loses_tokens(report) else "")


def loses_tokens(report: TheoryReport) -> bool:
    """Whether tokens can't be told apart at the end: then a gradient of a good size trains nothing."""
    return (report.network.token_cosine or 0.0) > ALIKE


def _attention(report: TheoryReport) -> str:
    network = report.network
    tokens = significant(network.attended, 2)
    return (
        f"attention's scores have a standard deviation of up to {significant(network.score_std, 2)}: a head's weight "
        + (f"lies on no fewer than {tokens} tokens" if (network.attended or 0) > ONE else "lies on a single token")
    )


def picture_of_blocks(report: TheoryReport, page: Page) -> Iterator[str]:
    """The predicted gradient of each flow point along the blocks, and a table of blocks."""
    label = max(map(len, report.points)) + 2
    ratios = [layer.log10_gradient_ratio for layer in report.layers]
    blocks, scale = len(report.layers) // len(report.points), common_scale(ratios)
    heights = f"log10 {min(ratios):z.1f} … {max(ratios):z.1f}, predicted".replace("-", "−")
    room = page.width - 2 * INDENT - label
    ends = "block 1" + (f"{blocks}".rjust(max(4, min(blocks, room) - len("block 1"))) if blocks > 1 else "")
    fits = INDENT + label + len(ends) + 3 + len(heights) <= page.width
    for line in [f"{ends}   {heights}"] if fits else [heights, ends]:
        indent = min(INDENT + label, max(0, page.width - len(line)))
        yield page.painted(" " * indent + page.readable(line), "dim")
    for place, point in enumerate(report.points):
        line = sparkline(ratios[place :: len(report.points)], room, page.glyphs, scale)
        yield " " * INDENT + page.painted(point.ljust(label), "dim") + line
    yield ""
    yield from _table(report, page)


def _table(report: TheoryReport, page: Page) -> Iterator[str]:
    blocks = [
        report.layers[first : first + len(report.points)] for first in range(0, len(report.layers), len(report.points))
    ]
    names = [name for name in COLUMNS if page.width > NARROW.get(name, 0)]
    shown = sorted({round(step * (len(blocks) - 1) / (ROWS - 1)) for step in range(ROWS)})
    rows = [["block", *names], *([str(index + 1), *_cells(blocks[index], names)] for index in shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for index, row in enumerate(rows):
        line = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield " " * INDENT + (page.painted(line, "dim") if index == 0 else line)


def _cells(block: tuple[TheoryLayer, ...], names: list[str]) -> list[str]:
    return [COLUMNS[name][1](block[COLUMNS[name][0]]) for name in names]
