"""``gradcheck list`` as its users meet it."""

import pytest

from gradcheck import catalogue
from gradcheck.explanations.text.catalogue import as_text
from gradcheck.render.page import Page

KINDS = ("presets", "activations", "inits", "norms")
WIDTHS = (60, 80, 100, 140)

every_kind = pytest.mark.parametrize("kind", KINDS)


def test_a_list_fits_the_terminal_and_nothing_of_it_is_cut(printed):
    for width in WIDTHS:
        for kind in KINDS:
            text = printed(f"list {kind}", COLUMNS=str(width))
            assert text == as_text(catalogue(kind), Page(width)), (kind, width)
            assert max(map(len, text.splitlines())) <= width, (kind, width)
            assert "…" not in text, (kind, width)


def test_a_list_in_a_pipe_is_80_columns_of_plain_text(printed):
    assert printed("list presets") == printed("list presets", COLUMNS="80")
    assert "\033" not in printed("list presets")


def test_a_list_on_a_terminal_is_as_wide_as_that_and_has_colours(terminal):
    ended = terminal("list inits", columns=100)
    assert ended.returncode == 0
    assert "\033[1mxavier_uniform" in ended.shown
    assert "source" in ended.shown.splitlines()[0]


def test_json_is_strict_and_what_the_function_returns(printed, strictly):
    for kind in KINDS:
        text = printed(f"list {kind} --json")
        assert strictly(text) == catalogue(kind), kind
        assert text.endswith("]\n"), kind
        assert text.count("\n") > len(catalogue(kind)), kind  # laid out for a reader


def test_the_list_of_nothing_in_particular_is_that_of_the_presets(printed):
    assert printed("list") == printed("list presets")
    assert printed("list --json") == printed("list presets --json")


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_list_goes_to_a_file_instead_as_a_plain_page(options, gradcheck, printed, tmp_path):
    ended = gradcheck(f"list activations {options} --output list.txt", cwd=tmp_path, COLUMNS="140", FORCE_COLOR="1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "list.txt").read_text() == printed(f"list activations {options}".strip(), COLUMNS="80")


def test_a_list_without_such_characters_is_ascii(printed):
    assert printed("list presets", LANG="C", PYTHONIOENCODING="ascii").isascii()


@pytest.mark.parametrize(("kind", "meant"), [("preset", "did you mean 'presets'? "), ("optimisers", "")])
def test_an_unknown_kind_is_one_line_with_those_that_there_are(kind, meant, gradcheck):
    ended = gradcheck(f"list {kind}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: list {kind!r} is unknown; {meant}allowed: presets, activations, inits, norms\n"


@pytest.mark.parametrize("line", ["list presets inits", "list --colour", "list presets --output no/such/folder.txt"])
def test_anything_else_that_is_wrong_is_one_line_too(line, gradcheck, tmp_path):
    ended = gradcheck(line, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("error: ")


def test_the_help_names_every_kind(printed):
    assert f"{' '.join(KINDS)}." in " ".join(printed("list --help").split())
