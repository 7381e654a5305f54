import json
import re
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from gradcheck.errors import MissingExtraError
from gradcheck.pages.page import Axis, Chart, Column, HtmlPage, Line, Note, Table
from gradcheck.pages.writing import written

pytest.importorskip("jinja2")


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, and its words."""

    def __init__(self, text):
        super().__init__()
        self.found, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.words += text


def hostile_page(name):
    line = Line(name=name, x=(1.0, 2.0), y=(1.0, None))
    return HtmlPage(
        command="simulate", heading=name, label=name, tone="red", reasons=(name, name), warnings=(name,),
        charts=(Chart(title=name, about=name, x=Axis(label=name), y=Axis(label=name), lines=(line,)),),
        notes_title="Notes", notes=(Note(label=name, tone="red", heading=name, text=name, advice=(name,), code=name),),
        tables=(Table(name=name, title=name, columns=(Column(title=name, kind="text", cells=(name,)),)),),
        commands=(name,),
    )  # fmt: skip


def test_whatever_a_name_holds_it_makes_no_element(hostile):
    harmless, nasty = (Elements(written(hostile_page(name))) for name in ("a name", hostile))
    assert [tag for tag, _ in harmless.found] == [tag for tag, _ in nasty.found]
    assert [sorted(attributes) for _, attributes in harmless.found] == [sorted(one) for _, one in nasty.found]


def test_names_are_shown_with_their_control_characters_in_words(hostile):
    text = written(hostile_page(hostile))
    assert "\x1b" not in text
    assert "\u2028" not in text
    assert r"\x1b[31m" in Elements(text).words


def test_data_hold_what_a_name_is(hostile):
    data = json.loads(written(hostile_page(hostile)).partition('id="data">')[2].partition("</script>")[0])
    assert data["tables"][0]["columns"][0]["cells"][0].startswith("</script><script>")


def test_the_policy_allows_the_pages_own_scripts_and_nothing_else(html):
    page = Elements(html("verify"))
    policy = next(one["content"] for _, one in page.found if one.get("http-equiv") == "Content-Security-Policy")
    rules = {name: values for name, *values in (rule.split() for rule in policy.split(";"))}
    scripts = re.findall("<script>(.*?)</script>", html("verify"), re.DOTALL)
    hashes = [f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in scripts]
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == hashes
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & {value for values in rules.values() for value in values}


def test_a_page_refers_to_nothing_elsewhere(html):
    elements = Elements(html("verify"))
    assert not [one for one in elements.found if {"src", "href", "style", "onclick"} & set(one[1])]
    outside = html("verify").partition("<script>")[0]
    assert not re.search(r"https?://|@import|url\(", outside)


def test_a_page_without_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="pip install jinja2"):
        written(hostile_page("name"))
