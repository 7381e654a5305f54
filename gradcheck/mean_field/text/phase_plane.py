"""The plane of σ_w and σ_b in characters: order, chaos, the critical line and the network's point."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.mean_field.report import TheoryReport
from gradcheck.render.bars import columns
from gradcheck.render.page import Page
from gradcheck.render.style import INDENT


class Marks(NamedTuple):
    """The characters of the phases, of the line between them and of the network."""

    ordered: str
    chaotic: str
    critical: str
    own: str


BLOCK_MARKS, ASCII_MARKS = Marks("·", "░", "█", "◆"), Marks(".", ":", "#", "X")

#: Columns of the numbers on the left.
MARGIN = 6


def phase_plane(report: TheoryReport, page: Page) -> Iterator[str]:
    """Yield the lines of the plane, σ_w to the right and σ_b upwards, with both axes."""
    plane = report.phase_diagram
    assert plane is not None
    marks = BLOCK_MARKS if page.glyphs.levels[-1] == "█" else ASCII_MARKS
    sigma_w, sigma_b, chaotic = plane.sigma_w, plane.sigma_b, [[one > 1 + 1e-6 for one in row] for row in plane.chi]
    shown = columns(len(sigma_w) - 1, page.width - 2 * INDENT - MARGIN)
    styles = dict(zip(marks, ("cyan", "red", "green", "bold"), strict=True))
    own = _place(sigma_b, report.config.sigma_b), _place(sigma_w, report.config.sigma_w)
    yield page.readable(f"{' ' * INDENT}{'σ_b':<{MARGIN}}")
    for row in range(len(sigma_b) - 1):
        number = f"{sigma_b[row]:.2g}" if row % 4 == 0 else "0" if row == len(sigma_b) - 2 else ""
        cells = [
            marks.own if (row, True) == (own[0], own[1] in one) else _cell(chaotic, row, one, marks) for one in shown
        ]
        yield f"{' ' * INDENT}{number:<{MARGIN}}" + page.painted_runs(cells, styles)
    right = f"{sigma_w[-1]:.3g}"
    axis = f"{sigma_w[0]:.2g}" + f"σ_w {right}".rjust(len(shown) - len(f"{sigma_w[0]:.2g}"))
    yield page.readable(" " * (INDENT + MARGIN) + axis)
    legend = f"{marks.ordered} ordered  {marks.critical} critical  {marks.chaotic} chaotic  {marks.own} this network"
    yield from (" " * (INDENT + MARGIN) + line for line in page.wrapped(legend, INDENT + MARGIN))


def _place(corners: Sequence[float], value: float) -> int:
    """Return the cell between corners that a value is in; the last one begins at it."""
    rising = corners[0] < corners[-1]
    inside = [index for index in range(len(corners) - 1) if (corners[index] <= value) == rising]
    return (inside[-1] if inside else 0) if rising else min(len(inside), len(corners) - 2)


def _cell(chaotic: Sequence[Sequence[bool]], row: int, cell: range, marks: Marks) -> str:
    """Return a cell's character: the line passes where its corners differ in phase."""
    corners = {chaotic[one][column] for one in (row, row + 1) for column in (cell[0], cell[-1] + 1)}
    return marks.critical if len(corners) == 2 else marks.chaotic if True in corners else marks.ordered
