"""``--format html``: where it may go, and what it needs."""

import importlib.util

import pytest

pytest.importorskip("jinja2")


@pytest.fixture
def without_jinja2(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jinja2" else find(name))


def test_a_suffix_asks_for_html(gradcheck, tmp_path):
    ended = gradcheck("simulate --depth 3 --width 4 --output page.html", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_pipe_gets_the_page(gradcheck):
    ended = gradcheck("theory --depth 3 --format html")
    assert ended.stdout.startswith("<!doctype html>")
    assert ended.stdout.rstrip().endswith("</html>")


def test_a_comparison_is_written_as_a_page(gradcheck, tmp_path):
    ended = gradcheck("compare --depth 2,3 --width 4 --gain 1,2 --workers 1 --output page.html", cwd=tmp_path)
    assert ended.returncode == 0
    assert "3 of 4 healthy" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_terminal_is_told_to_name_a_file(on_terminal):
    ended = on_terminal("-m", "gradcheck", "simulate", "--depth", "3", "--format", "html", columns=200)
    assert ended.returncode == 2
    assert "name a file, as in --output report.html" in ended.shown


def test_a_missing_package_is_said_before_any_work(gradcheck, without_jinja2, monkeypatch):
    monkeypatch.setattr("gradcheck.simulate", None)
    ended = gradcheck("simulate --depth 3 --format html")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install jinja2" in ended.stderr


def test_without_the_package_every_other_format_is_as_before(gradcheck, without_jinja2):
    assert gradcheck("simulate --depth 3 --width 4 --format csv").returncode == 0


def test_a_baseline_has_no_page(gradcheck, tmp_path):
    ended = gradcheck("compare --baseline old.json --format html", cwd=tmp_path)
    assert ended.returncode == 2
    assert "allowed: text, json, markdown, github" in ended.stderr
