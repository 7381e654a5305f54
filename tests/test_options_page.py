"""The reference of all options is what the table makes of them."""

from pathlib import Path
from runpy import run_path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_reference_of_the_options_is_up_to_date():
    written = (DOCS / "options.md").read_text(encoding="utf-8")
    assert written == run_path(str(DOCS / "make_options.py"))["reference"](), "run: python docs/make_options.py"
