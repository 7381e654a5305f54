"""Draw what `gradcheck simulate` prints as the README's picture: python benchmarks/picture.py."""

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from gradcheck import simulate
from gradcheck.render.terminal import Terminal
from gradcheck.render.text import as_text

TARGET = Path(__file__).with_name("simulate.svg")
WIDTH = 88


def main() -> None:
    """Write the SVG; its fonts are the reader's own, nothing is loaded from elsewhere."""
    report = simulate(depth=50, suggest=True)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    text = as_text(report, Terminal(WIDTH, "utf-8", "standard"))
    console.print(Text.from_ansi(text.rstrip()), no_wrap=True, overflow="ignore", crop=False)
    own_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="gradcheck simulate --depth 50", code_format=own_fonts, unique_id="gradcheck")
    svg = svg.replace("Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace")
    TARGET.write_text(svg.replace("<text ", '<text xml:space="preserve" ').replace("&#160;", " "))


if __name__ == "__main__":
    main()
