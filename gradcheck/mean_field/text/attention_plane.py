"""A transformer's plane in characters: where tokens become alike, where attention looks at one, and the networks."""

from collections.abc import Iterable, Iterator
from string import ascii_uppercase
from typing import NamedTuple

from gradcheck.mean_field.report import AttentionDiagram, TheoryReport
from gradcheck.render.bars import columns
from gradcheck.render.page import Page
from gradcheck.render.style import INDENT

#: Tokens count as alike above this mean cosine, and attention as looking at one token below so many.
ALIKE, ONE = 0.9, 2.0


class Marks(NamedTuple):
    """The characters of the parts of the plane, and of the network."""

    between: str
    alike: str
    one: str
    own: str


BLOCK_MARKS, ASCII_MARKS = Marks("·", "░", "▒", "◆"), Marks(".", ":", "%", "*")

#: Stands for a space that no line breaks at.
STICKY = "\x1f"

#: Columns of the numbers on the left.
MARGIN = 7


def attention_plane(report: TheoryReport, page: Page) -> Iterator[str]:
    """Yield the lines of the plane: the scores' standard deviation to the right, the branches' scale upwards."""
    plane = report.attention_diagram
    assert plane is not None
    marks = BLOCK_MARKS if page.glyphs.levels[-1] == "█" else ASCII_MARKS
    styles = {marks.alike: "cyan", marks.one: "red", marks.own: "bold"}
    width = min(len(plane.score_std) * 2, page.width - 2 * INDENT - MARGIN)
    shown = columns(len(plane.score_std), width)
    wide = max(1, width // len(shown))
    names = _names_by_place(plane, shown)
    places = dict(zip(names, marks.own + ascii_uppercase, strict=False))
    yield page.readable(f"{' ' * INDENT}scale of a branch")
    for row, scale in enumerate(plane.residual_scale):
        cells = [
            places.get((row, column), "").ljust(wide, _cell(plane, row, part[0], marks))
            for column, part in enumerate(shown)
        ]
        number = f"{scale:.2g}" if row % 3 == 0 else ""
        yield f"{' ' * INDENT}{number:<{MARGIN}}" + page.painted_runs("".join(cells), styles)
    first, last = f"{plane.score_std[0]:.2g}", f"{plane.score_std[-1]:.3g}"
    room = wide * len(shown) - len(first)
    yield page.readable(" " * (INDENT + MARGIN) + first + f"std of scores {last}".rjust(room))
    for line in page.wrapped(_legend(zip(places.values(), names.values(), strict=True), marks), INDENT + MARGIN):
        yield " " * (INDENT + MARGIN) + line.replace(STICKY, " ")


def _names_by_place(plane: AttentionDiagram, shown: list[range]) -> dict[tuple[int, int], list[str]]:
    """Return the names of the networks in each cell that has any, by row and column; the network's own is the first."""
    names: dict[tuple[int, int], list[str]] = {}
    for one in plane.networks:
        place = _nearest(plane.residual_scale, one.residual_scale), _column(plane, shown, one.score_std)
        names.setdefault(place, []).append(one.name)
    return names


def _legend(networks: Iterable[tuple[str, list[str]]], marks: Marks) -> str:
    """Return what each mark says, with a space that no line breaks at between a mark and its name."""
    areas = (marks.alike, ["tokens alike at the end"]), (marks.one, ["a head looks at fewer than 2 tokens"])
    said = (*areas, (marks.between, ["neither"]), *networks)
    return "  ".join(f"{mark} {', '.join(names)}".replace(" ", STICKY) for mark, names in said)


def _cell(plane: AttentionDiagram, row: int, column: int, marks: Marks) -> str:
    cosine = plane.token_cosine[row][column]
    if plane.attended[row][column] < ONE:
        return marks.one
    return marks.alike if cosine is not None and cosine > ALIKE else marks.between


def _nearest(values: tuple[float, ...], value: float) -> int:
    """Return the place of the value that is nearest in ratio."""
    return min(range(len(values)), key=lambda index: max(values[index] / value, value / values[index]))


def _column(plane: AttentionDiagram, shown: list[range], score: float) -> int:
    place = _nearest(plane.score_std, score)
    return next(index for index, part in enumerate(shown) if place in part)
