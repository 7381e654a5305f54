"""Which reader a text needs, by how it begins."""

import re
from collections.abc import Mapping
from pathlib import PurePath

from gradcheck.logs.columns import NOTHING, meaning
from gradcheck.logs.console.console import Console
from gradcheck.logs.console.wrapped_lines import WrappedConsole, is_wrapped
from gradcheck.logs.lines import Problems
from gradcheck.logs.readers.delimited import DELIMITERS, Delimited
from gradcheck.logs.readers.documents import HISTORY, Document
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.readers.long_tables import LongDelimited, LongDocument, is_long_header, is_long_json
from gradcheck.logs.readers.metric_files import METRIC_LINE, MetricFile
from gradcheck.logs.records import MARK

#: Bytes of a file's beginning that its format is known by.
HEAD = 2**16

#: How a list of objects, or of lists, begins.
_LIST = re.compile(rb"\[\s*(?:[\[{\]]|$)")

#: Cells with more words are sentences with a comma, if none of them is a known name.
MOST_WORDS = 4

_PYTHON_LIST = re.compile(rb"\[\s*\{\s*'")

#: A name with its number: no name of a column.
_NUMBERED = re.compile(
    r"[:=]\s*[\"']?(?:[-+]?\.?\d|nan\b|inf\b)|\[\s*\d|\x1b|\d\s*/\s*\d|%\||\s[-+]?\d*\.\d|\w\([-+]?\.?\d",
    re.IGNORECASE,
)

TextReader = JsonRecords | Document | Delimited | Console | MetricFile | LongDelimited


def text_reader(first: bytes, problems: Problems, wanted: Mapping[str, str] = NOTHING, path: object = "") -> TextReader:
    """Return the reader of a text that begins so; a file of a single number is named by its path."""
    start = first[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    lines = [line for line in start.splitlines() if line.strip()]
    tag = PurePath(str(path)).name.removesuffix(".gz")
    if start.startswith((b"[", b"{")) and is_long_json(start):
        return LongDocument(problems, wanted)
    if _LIST.match(start):
        document = Document(problems, wanted, tag)
        document.python = bool(_PYTHON_LIST.match(start))
        return document
    if start.startswith(b"{") and (lines[0].strip() == b"{" or (len(lines) == 1 and HISTORY.encode() in start)):
        return Document(problems, wanted, tag)
    objects = sum(line.startswith(b'{"') for line in lines)
    if objects and (2 * objects >= len(lines) or _is_record(lines[0], wanted)):
        return WrappedConsole(problems, wanted) if is_wrapped(lines) else JsonRecords(problems, wanted)
    if METRIC_LINE.match(lines[0] if lines else b""):
        return MetricFile(problems, wanted, tag)
    uncommented = [line for line in lines if not line.startswith((b"#", b"sep="))]
    if _is_table(uncommented, wanted) or _is_table([line.lstrip(b"# ") for line in lines[:2]], wanted):
        return LongDelimited(problems, wanted) if _is_long(uncommented) else Delimited(problems, wanted, tag)
    return Console(problems, wanted, start)


def _is_record(line: bytes, wanted: Mapping[str, str]) -> bool:
    """Whether a line is an object with something to judge, or a recorder's header, or torn."""
    problems = Problems()
    reader = JsonRecords(problems, wanted)
    found = list(reader.rows(iter([line]))) if line.startswith(b'{"') else []
    return bool(found) or MARK.encode() in line[:40]


def _is_table(lines: list[bytes], wanted: Mapping[str, str]) -> bool:
    """Whether the first line names columns, and the second has as many cells."""
    head = lines[0].decode("utf-8", "replace") if lines else ""
    if _NUMBERED.search(head):
        return False
    delimiter = max(DELIMITERS, key=head.count)
    names = [name.strip(" \"'") for name in head.split(delimiter)]
    known = sum(meaning(name) is not None or name in wanted.values() for name in names)
    if len(names) == 1:
        return bool(known) and (len(lines) < 2 or _is_number(lines[1]))
    cells = lines[1].split(delimiter.encode()) if len(lines) > 1 else []
    alike = not cells or (len(cells) == len(names) and (known > 0 or any(map(_is_number, cells))))
    prose = not known and any(len(name.split()) > MOST_WORDS for name in names)
    return (alike and not prose) or known > 1


def _is_long(lines: list[bytes]) -> bool:
    """Whether a table has a number a row, and a column with its name."""
    head = lines[0].decode("utf-8", "replace") if lines else ""
    return is_long_header(name.strip(" \"'") for name in head.split(max(DELIMITERS, key=head.count)))


def _is_number(text: bytes) -> bool:
    try:
        return isinstance(float(text), float)
    except ValueError:
        return False
