"""Tables in the text of a console: their headers, their rows, and cells that hold several numbers."""

import re
from collections.abc import Mapping

from gradcheck.logs.columns import NOTHING, PART, chosen, meaning
from gradcheck.logs.words import is_a_guess

#: What is drawn between two tables.
_RULE = re.compile(r"^\s*[-=+─-╿|]{3,}\s*$")

#: What the text of a tensor says beside its number: ``tensor(2.1, device='cuda:0', dtype=float32)``.
_OF_TENSOR = re.compile(r",\s*(?:dtype|device|grad_fn|requires_grad|weak_type)=(?:'[^']*'|<[^>]*>|[\w.]+)(?=[,)])")

#: Several numbers in brackets, each of them a part of a loss.
_LIST = r"\[\s*({0}(?:\s*,\s*{0})*)\s*\]".format(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)")
_LISTS, _LOSSES = re.compile(_LIST), re.compile(r"(?i)(?<=loss)((?:es)?['\"]?\s*[:=]?\s*)" + _LIST + r"(?!\s*[:=])")

#: A part of a loss that is numbered, ``Style 2 loss: 0.31``, alone on a line.
_NUMBERED = re.compile(r"(?i)(([a-z]\w*) \d+ \w*loss)\s*[:=]\s*([-+]?(?:[\d.]+(?:e[-+]?\d+)?|nan|inf))")

#: Names of two words in a header whose columns a blank parts.
_TWO_WORDS = re.compile(
    r"(?i)\b(train|trn|training|val|valid|validation|test|eval|avg|mean|total|batch|gen|disc|g|d|grad|gradient|learning)"
    r" (loss|losses|error|err|acc|accuracy|norm|rate)\b"
)

#: What makes a header a comment, ``# step  loss``, where the step has a name of its own.
_COMMENT = re.compile(r"(?i)^#+\s*(?=(?:step|epoch|iter\w*|batch)\b)")

#: What makes a cell bold, struck through or code in Markdown.
_EMPHASIS = "*_~` "

#: A remark in the name of a column.
_ASIDE = re.compile(r"\s*\([^()]*\)")

#: A number at the beginning of a cell.
_CELL = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan\b|inf\b)", re.IGNORECASE)

#: A cell where blanks part them.
_WORD = re.compile(r"\S+")

#: The names that a detector of objects prints its losses under.
_OF_BOXES = {"box": "box_loss", "obj": "obj_loss", "cls": "cls_loss"}


def numbered(line: str) -> tuple[str, str] | None:
    """Return the name and the number of a part of a loss that is numbered; None of any other line."""
    found = _NUMBERED.fullmatch(line)
    return None if found is None or meaning(found[2]) else (found[1], found[3])


def cells(line: str) -> tuple[str, str] | None:
    """Return the cells of a table of names and numbers; None of any other line."""
    if line[:1] != "|" or line[-1:] != "|":
        return None
    parts = line[1:-1].split("|")
    return (parts[0].strip(), parts[1].strip()) if len(parts) == 2 else None


def heads_two(first: str, second: str) -> bool:
    """Whether two cells are a header above steps and their losses, and no name beside its number."""
    above, beside = meaning(first), meaning(second)
    told = beside is not None and beside.quantity in ("loss", PART, "grad_norm")
    return told and above is not None and above.quantity in ("step", "epoch")


def is_rule(line: str) -> bool:
    """Whether a line is drawn between two tables."""
    return bool(_RULE.match(line))


def header(line: str, wanted: Mapping[str, str] = NOTHING, above: str = "") -> tuple[str, ...]:
    """Return the names in the header of a table whose rows are lines of numbers; none of any other line.

    Parameters
    ----------
    line : str
    wanted : mapping, optional
        A quantity ↦ the name of its column.
    above : str
        The line before, which names begin in if it has as many cells.
    """
    if "|" in line:
        names, before = ([cell.strip() for cell in one.strip().strip("|").split("|")] for one in (line, above))
        if len(before) == len(names):
            names = [_ASIDE.sub("", f"{first} {second}").strip() for first, second in zip(before, names, strict=True)]
    else:
        line = _TWO_WORDS.sub(r"\1_\2", _COMMENT.sub("", line))
        names = re.split(r"\s{2,}|\t", line.strip())
        names = names if len(names) > 2 else line.split()
    names = ["step" if name in ("#", "counter") else name.strip("*~").rstrip(".") for name in names]
    if _OF_BOXES.keys() <= {name.lower() for name in names}:
        names = [_OF_BOXES.get(name.lower(), name) for name in names]
    quantities = {column.quantity for column in chosen(names, wanted)}
    judged = quantities & {"loss", PART, "grad_norm"} or ("step" in quantities and any(map(is_a_guess, names)))
    longest = 80 if "|" in line else 40
    wordy = any(len(name) > longest or re.search(r"[=:;.!?'\"{}]", name) for name in names)
    return tuple(names) if len(names) > 2 and judged and not wordy else ()


def starts(names: tuple[str, ...], line: str) -> tuple[int, ...]:
    """Return where the names of a header begin whose columns blanks part; nothing if any isn't written there."""
    found: list[int] = []
    for name in names if "|" not in line else ():
        found.append(line.find(name, found[-1] + 1 if found else 0))
        if found[-1] < 0:
            return ()
    return tuple(found)


def row_below(names: tuple[str, ...], line: str, columns: tuple[int, ...] = (), indent: int = 0) -> dict[str, str]:
    """Return the numbers of a line below a header, by the names there; none of a line that isn't one of its rows.

    Parameters
    ----------
    names : tuple of str
    line : str
    columns : tuple of int
        Where the names begin, as far as that is known: a row whose cells are blank here and there is read by it.
    indent : int
        The blanks before the line.
    """
    line = _LISTS.sub(lambda found: _sum(found[1]), line) if "[" in line else line
    framed = line.startswith("|") or " | " in line
    cells = [cell.strip() for cell in line.strip("| ").split("|")] if framed else line.split()
    if not framed and columns and len(cells) < len(names):
        return _aligned(names, line, columns, indent)
    if not framed and columns and len(cells) == len(names) + 1 and indent < columns[0] and cells[0].isdecimal():
        cells = cells[1:]  # what pandas counts its rows by, below no name
    apart = tuple(" ".join(names).split())
    if not framed and len(names) != len(cells) == len(apart):
        names = apart
    found = [_CELL.match(cell.strip(_EMPHASIS)) for cell in cells[: len(names)]]
    if (
        len(cells) < len(names)
        or not found
        or found[0] is None
        or sum(one is not None for one in found) < 0.6 * len(names)
    ):
        return {}
    return {name: one[0] for name, one in zip(names, found, strict=True) if one is not None}


def _aligned(names: tuple[str, ...], line: str, columns: tuple[int, ...], indent: int) -> dict[str, str]:
    """Return the numbers of a row with blank cells, each of which begins where its name does; none of other lines."""
    by_column = dict(zip(columns, names, strict=True))
    cells = {found.start() + indent: found[0] for found in _WORD.finditer(line)}
    if len(cells) < 3 or not cells.keys() <= by_column.keys() or columns[0] not in cells:
        return {}
    return {by_column[at]: found[0] for at, cell in cells.items() if (found := _CELL.fullmatch(cell))}


def of_numbers(line: str) -> str:
    """Return a line in which tensors are their numbers, and losses that are a list are their sum."""
    if "=" in line and "(" in line:
        line = _OF_TENSOR.sub("", line)
    return _LOSSES.sub(lambda found: found[1] + _sum(found[2]), line) if "[" in line else line


def _sum(numbers: str) -> str:
    """Return the sum of numbers with commas between them; a single one as it is written."""
    return repr(sum(map(float, numbers.split(",")))) if "," in numbers else numbers
