"""What the tests of the text share."""

import pytest
from rich.console import Console

from gradcheck.diagnosis.text.picture import picture
from gradcheck.render.bars import BLOCKS


@pytest.fixture(scope="session")
def lines_of():
    """A report and a width ↦ the picture's lines: numbers, sparklines, marks."""

    def lines(report, width=60, glyphs=BLOCKS):
        console = Console(width=400, highlight=False, color_system=None)
        with console.capture() as capture:
            console.print(picture(report, width, glyphs))
        return [line.rstrip() for line in capture.get().splitlines()]

    return lines
