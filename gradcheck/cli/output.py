"""Where results go: stdout, or a file that is written whole or not at all."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gradcheck.base.loading import named
from gradcheck.cli.page import page
from gradcheck.errors import OutputError

#: Where the JSON of every report is made.
JSON = "gradcheck.render.documents:as_json"


def formats_of(room: str) -> dict[str, str]:
    """Return the formats that most rooms have ↦ the functions that make them, as ``module:function``."""
    return {
        "text": f"gradcheck.{room}.text:as_text",
        "json": JSON,
        "csv": f"gradcheck.{room}.formats:as_csv",
        "markdown": f"gradcheck.{room}.formats:as_markdown",
        "html": f"gradcheck.{room}.html:as_html",
    }


def show(document: object, form: str, formats: Mapping[str, str], output: Path | None, **how: object) -> None:
    """Write a document in one of its formats; what makes it is loaded now, and nothing else.

    Text is made for the page that it is shown on.
    """
    made = named(formats[form])
    write(made(document, page(output), **how) if form == "text" else made(document, **how), output)


class ClosedPipeError(Exception):
    """Whoever read stdout has gone away."""


def write(text: str, output: Path | None) -> None:
    """Write a document to stdout or to a file; a reader that has gone away is no error.

    Raises
    ------
    OutputError
        The file, or what stdout leads to, can't be written.
    """
    try:
        if output is None:
            write_now(text)
        else:
            from gradcheck.base.files import write_whole

            write_whole(output, _encoded(text))
    except (ClosedPipeError, BrokenPipeError):
        return


def write_now(text: str) -> None:
    """Write to stdout at once.

    Raises
    ------
    ClosedPipeError
        Nobody reads any more.
    OutputError
        What stdout leads to can't be written.
    """
    if sys.stdout is None:  # closed by the shell
        return
    try:
        rest = memoryview(_encoded(text))
        while rest:  # unbuffered (python -u), a write may take a part only
            rest = rest[sys.stdout.buffer.write(rest) or 0 :]
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        let_go_of_stdout()
        raise ClosedPipeError from error
    except OSError as error:
        let_go_of_stdout()
        raise OutputError("stdout", f"can't be written: {(error.strerror or str(error)).lower()}") from error


def _encoded(text: str) -> bytes:
    """UTF-8, whatever the locale; bytes of file names that are none stay as they were."""
    return text.encode(errors="surrogateescape")


def let_go_of_stdout() -> None:
    """Keep the interpreter from writing once more when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
