"""What the cells of a notebook printed: their text is a log, and so are the tables that trainers draw in them."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: How a notebook begins.
_NOTEBOOK = re.compile(rb'\s*\{\s*"(?:cells"\s*:\s*\[|metadata"\s*:|nbformat(?:_minor)?"\s*:)')

#: What its file is called.
SUFFIX = ".ipynb"

#: Rows and cells of a table, and what else HTML has.
_ROW, _CELL, _TAG = (
    re.compile(pattern, re.DOTALL) for pattern in (r"<tr\b.*?</tr>", r"<t[dh]\b[^>]*>(.*?)</t[dh]>", r"<[^>]*>")
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
    for cell in _objects(notebook.get("cells")):
        for output in _objects(cell.get("outputs")):
            yield _text(output.get("text"))
            data = output.get("data")
            if isinstance(data, Mapping):
                rows = _ROW.findall(_text(data.get("text/html")))
                yield "\n".join(map(_line, rows)) if rows else _text(data.get("text/plain"))


def _objects(found: Any) -> Iterable[Mapping[str, Any]]:  # noqa: ANN401
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _text(found: Any) -> str:  # noqa: ANN401
    """Return a text, which may be kept in lines."""
    return "".join(one for one in found if isinstance(one, str)) if isinstance(found, list | str) else ""


def _line(row: str) -> str:
    """Return a row of a table with bars between its cells."""
    return "| " + " | ".join(html.unescape(_TAG.sub("", cell)).strip() for cell in _CELL.findall(row)) + " |"
