"""How large reports for a browser are, how fast they open, and whether everybody can use them, see README.md.

Run it as ``python benchmarks/pages.py [PAGE.html ...] [--runs 5]``; without pages it writes one of each command first.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from speed import positive, print_table

#: Chromium draws without a sandbox, a graphics card or a network of its own.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

#: Milliseconds from the request until all charts are drawn: the page's script has ended.
DRAWN = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"

MARKS = "document.querySelectorAll('.plot svg :is(path, circle, rect, image, line, text)').length"


def main() -> None:
    """Print a line for each page."""
    options = parser().parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("pages.py: needs Chromium, which the system brings")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        pages = options.pages or write_pages(Path(folder))
        print_table(
            ["page", "kB", "best, s", "median, s", "charts", "marks", "said", "violations"],
            [measured(browser, path, options.runs) for path in pages],
        )
        browser.close()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="size, time and accessibility of reports for a browser")
    parser.add_argument("pages", type=Path, nargs="*", metavar="PAGE.html", help="(one of each command)")
    parser.add_argument("--runs", type=positive, default=5, metavar="N", help="times each is opened (5)")
    return parser


def measured(browser: Any, path: Path, runs: int) -> list[str]:  # noqa: ANN401
    """Return the row of a page: each time it is opened in a window of its own, without a network."""
    from axe_playwright_python.sync_playwright import Axe

    seconds: list[float] = []
    said: list[str] = []
    for run in range(runs):
        context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.resolve().as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        seconds.append(page.evaluate(DRAWN) / 1e3)
        if run < runs - 1:
            context.close()
    charts, marks = page.locator(".plot svg").count(), page.evaluate(MARKS)
    violations = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations += [one["id"] for one in Axe().run(page).response["violations"]]
    context.close()
    times = [f"{min(seconds):.2f}", f"{median(seconds):.2f}"]
    size = f"{path.stat().st_size / 1e3:,.0f}"
    return [path.stem, size, *times, str(charts), f"{marks:,}", str(len(said)), ", ".join(violations) or "none"]


def write_pages(folder: Path) -> Iterator[Path]:
    """Write a page of each command and of large ones, and yield each."""
    import gradcheck

    sweep = gradcheck.compare({"depth": [2, 4, 8, 16], "gain": [0.5, 1.0, 1.5, 2.0]}, seeds=1)
    list(sweep)
    reports = {
        "simulate": lambda: gradcheck.simulate(depth=50),
        "simulate-200": lambda: gradcheck.simulate(depth=200, seeds=5),
        "gpt2": lambda: gradcheck.simulate(preset="gpt2", suggest=False),
        "theory": lambda: gradcheck.theory(activation="tanh", init="lecun", phase_diagram=True),
        "compare": lambda: sweep,
        "clip-demo": lambda: gradcheck.clip_demo(epochs=10),
        "diagnose": lambda: gradcheck.diagnose(write_log(folder / "long.jsonl", steps=10_000, layers=24)),
        "diagnose-200": lambda: gradcheck.diagnose(write_log(folder / "wide.jsonl", steps=600, layers=200)),
        "verify": lambda: gradcheck.verify(),
    }
    for name, make in reports.items():
        path = folder / f"{name}.html"
        make().to_html(path)
        yield path


def write_log(path: Path, steps: int, layers: int) -> Path:
    """Write the log of a run that explodes in its last part."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for step in range(steps):
            norm = math.exp(0.2 * draw.gauss(0, 1)) * 10 ** max(0, 8 * (step / steps - 0.85) / 0.15)
            norms = {f"grad_norm/layer{layer}": norm * 10 ** (-layer / layers) for layer in range(layers)}
            file.write(json.dumps({"step": step, "loss": 0.4 + 2 * math.exp(-6 * step / steps), **norms}) + "\n")
    return path


if __name__ == "__main__":
    main()
