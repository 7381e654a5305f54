"""Draw what the commands print as the README's pictures: python benchmarks/picture.py."""

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from gradcheck import clip_demo, simulate
from gradcheck.diagnosis.text import as_text
from gradcheck.render.page import Page
from gradcheck.training.text import as_text as demo_as_text

FOLDER = Path(__file__).parent
TERMINAL = Page(88, colours=True)


def main() -> None:
    """Write the pictures."""
    draw("gradcheck simulate --depth 50", as_text(simulate(depth=50, suggest=True), TERMINAL), "simulate.svg")
    draw("gradcheck simulate --preset gpt3", as_text(simulate(preset="gpt3"), TERMINAL), "gpt3.svg")
    draw("gradcheck clip-demo", demo_as_text(clip_demo(), TERMINAL), "clip-demo.svg")


def draw(title: str, text: str, name: str) -> None:
    """Write an SVG; its fonts are the reader's own, nothing is loaded from elsewhere."""
    console = Console(record=True, width=TERMINAL.width, file=io.StringIO())
    console.print(Text.from_ansi(text.rstrip()), no_wrap=True, overflow="ignore", crop=False)
    own_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title=title, code_format=own_fonts, unique_id="gradcheck")
    svg = svg.replace("Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace")
    (FOLDER / name).write_text(svg.replace("<text ", '<text xml:space="preserve" ').replace("&#160;", " "))


if __name__ == "__main__":
    main()
