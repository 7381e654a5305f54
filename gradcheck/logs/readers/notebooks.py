"""What the cells of a notebook printed: their text is a log, and so are the tables that trainers draw in them."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: How a notebook begins, after the mark of its bytes' order that some editors write.
_NOTEBOOK = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:cells"\s*:\s*\[|metadata"\s*:|nbformat(?:_minor)?"\s*:|worksheets"\s*:)'
)

#: What its file is called.
SUFFIX = ".ipynb"

#: Where rows and cells of a table begin, where a cell ends, and what else HTML has; most end marks may be left out.
_ROW, _CELL, _END, _TAG = map(
    re.compile, (r"<tr\b", r"<t[dh]\b[^<>]*>", r"</?t(?:[dhr]|able|body|head|foot)\b", r"<[^<>]*>")
)


def may_be_notebook(first: bytes, name: str) -> bool:
    """Whether a text begins as a notebook does, and its file is called so or the text has a notebook's cells."""
    return bool(_NOTEBOOK.match(first)) and (name.endswith(SUFFIX) or b'"cell_type"' in first)


def printed(text: bytes) -> bytes:
    """Return what the cells of a notebook printed, one after the other; nothing of one that is damaged."""
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        return b""
    return "\n".join(_outputs(notebook)).encode("utf-8", "replace")


def _outputs(notebook: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of the outputs of all cells; of those that are drawn their tables, a line a row."""
    for cell in _cells(notebook):
        for output in _objects(cell.get("outputs")):
            yield _text(output.get("text"))
            data = output.get("data")
            if isinstance(data, Mapping):
                rows = _ROW.split(_text(data.get("text/html")))[1:]
                yield "\n".join(map(_line, rows)) if rows else _text(data.get("text/plain"))


def _cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the cells; before nbformat 4 they are in worksheets."""
    for part in (notebook, *_objects(notebook.get("worksheets"))):
        yield from _objects(part.get("cells"))


def _objects(found: Any) -> Iterable[Mapping[str, Any]]:  # noqa: ANN401
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _text(found: Any) -> str:  # noqa: ANN401
    """Return a text, which may be kept in lines."""
    return "".join(one for one in found if isinstance(one, str)) if isinstance(found, list | str) else ""


def _line(row: str) -> str:
    """Return a row of a table with bars between its cells."""
    cells = (_END.split(cell, 1)[0] for cell in _CELL.split(row)[1:])
    return "| " + " | ".join(html.unescape(_TAG.sub("", cell)).strip() for cell in cells) + " |"
