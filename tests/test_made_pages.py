"""The pages of docs/ whose source is the code: JSON field by field, the pages of explain, documents from elsewhere."""

import re
from pathlib import Path
from runpy import run_path

import pytest

import gradcheck
from gradcheck.diagnosis.schema import REPORTS
from gradcheck.explanations import TOPICS

DOCS = Path(__file__).parents[1] / "docs"
MADE = run_path(str(DOCS / "make_pages.py"))


@pytest.fixture(scope="module")
def pages():
    """A page's name ↦ its text."""
    return dict(MADE["pages"]())


def fields_of(schema):
    """Every named field of a schema, wherever it is."""
    for name, value in schema.items():
        if name == "properties":
            yield from value
        if isinstance(value, dict):
            yield from fields_of(value)
        if isinstance(value, list):
            yield from (field for one in value if isinstance(one, dict) for field in fields_of(one))


@pytest.mark.parametrize("command", REPORTS)
def test_every_field_of_the_json_has_a_row(command, pages):
    shown = set(re.findall(r"^\| `([^`]+)` \|", pages[f"json/{command}.md"], flags=re.MULTILINE))
    assert shown == set(fields_of(gradcheck.json_schema(command)))


def test_a_row_has_type_bounds_and_meaning(pages):
    page = pages["json/simulate.md"]
    assert "\n| `index` | integer ≥ 1 |" in page
    assert (
        "\n| `activation_rms` | number or null | root mean square of the layer's outputs over batch and units |" in page
    )


def test_every_page_of_explain_has_its_own_with_all_its_commands(pages):
    for name, topic in TOPICS.items():
        page = pages[f"explain/{name}.md"]
        assert page.startswith(f"# {name}\n")
        for example in (*topic.examples, *topic.try_next):
            assert f"- `{example.command}`" in page


def test_markdown_leaves_prose_as_it_is():
    assert MADE["plain"]("a_b * [c] <d> 1|2") == r"a\_b \* \[c\] \<d\> 1\|2"


def test_links_of_a_moved_document_lead_to_its_new_neighbours(pages):
    made = (DOCS / "generated").resolve()
    for page in MADE["ELSEWHERE"].values():
        for target in re.findall(r"\]\(([^)#:]+)\)", pages[page]):
            path = (made / page).parent.joinpath(target).resolve()
            assert path.is_file() or path.relative_to(made).as_posix() in pages, f"{page}: {target}"


def test_what_is_written_twice_stays_untouched(tmp_path):
    MADE["write"](tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    MADE["write"](tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")} == before
    assert len(before) == len(TOPICS) + len(REPORTS) + len(MADE["ELSEWHERE"]) + 2
