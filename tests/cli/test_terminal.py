"""Colour, width and characters follow the terminal and what the user has set."""

import re

import numpy as np
import pytest

LINE = "simulate --depth 12 --width 16 --no-suggest"

NETWORKS = [
    "--depth 12 --width 16 --activation relu --init he --gain 3 --seeds 3 --dtype float32",
    "--depth 14 --width 16 --activation relu --init he --gain 1e50",
    "--depth 6 --width 16 --activation step --norm batch --residual --residual-scale 0.25",
]

ESCAPE = "\x1b"


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def without_next_commands(text):
    """Return all lines but the last ones, which stay whole to be copied."""
    shown, _, following = text.rpartition("\n\n")
    assert all(line.startswith("  gradcheck ") for line in following.splitlines())
    return shown.splitlines()


def widest(text):
    return max(map(len, without_next_commands(text)))


def test_a_terminal_gets_colours(terminal):
    shown = terminal(LINE).shown
    assert "\x1b[36m" in shown  # the cyan of vanishing layers
    assert not re.search(r"\x1b(?!\[[0-9;]*m)", shown)


def test_colours_change_nothing_but_colours(terminal, printed):
    lines = plain(terminal(LINE).shown).splitlines()
    assert [line.rstrip() for line in lines] == printed(LINE).splitlines()


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}], ids=str
)
def test_a_terminal_gets_no_escape_sequence_if_the_user_says_so(variables, terminal, printed):
    assert terminal(LINE, **variables).shown == printed(LINE)


def test_an_empty_no_color_says_nothing(terminal):
    assert ESCAPE in terminal(LINE, NO_COLOR="").shown


def test_a_pipe_gets_no_colours(printed):
    assert ESCAPE not in printed(LINE)


def test_a_pipe_gets_colours_if_the_user_says_so(printed):
    assert ESCAPE in printed(LINE, FORCE_COLOR="1")


@pytest.mark.parametrize("variables", [{"FORCE_COLOR": ""}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}], ids=str)
def test_a_pipe_gets_no_colours_if_the_user_does_not_quite_say_so(variables, printed):
    assert printed(LINE, **variables) == printed(LINE)


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_a_machine_format_never_has_colours(form, terminal, printed):
    line = f"simulate --depth 3 --width 4 --format {form}"
    shown = terminal(line, FORCE_COLOR="1", columns=20).shown
    assert shown == printed(line)


def test_help_and_errors_have_no_colours(terminal):
    assert ESCAPE not in terminal("simulate --help", FORCE_COLOR="1").shown
    assert ESCAPE not in terminal("simulate --depth 0", FORCE_COLOR="1").shown


def test_suggestions_keep_to_the_columns_too(printed):
    assert widest(printed("simulate --depth 20 --width 32", COLUMNS="40")) <= 40


def test_columns_widen_the_text(printed):
    assert widest(printed(LINE, COLUMNS="140")) > 80


@pytest.mark.parametrize("columns", ["0", "-5", "wide"])
def test_columns_that_make_no_sense_are_passed_over(columns, printed):
    assert printed(LINE, COLUMNS=columns) == printed(LINE)


def test_a_terminal_as_narrow_as_a_letter_still_gets_a_text(printed):
    assert printed(LINE, COLUMNS="1").splitlines()[-2:] == printed(LINE).splitlines()[-2:]


@pytest.mark.parametrize("columns", [50, 110])
def test_the_width_of_the_terminal_is_obeyed(columns, terminal, printed):
    shown = terminal(LINE, columns=columns, NO_COLOR="1").shown
    assert shown == printed(LINE, COLUMNS=str(columns))
    assert widest(shown) <= columns


def test_columns_outweigh_the_width_of_the_terminal(terminal, printed):
    shown = terminal(LINE, columns=120, COLUMNS="50", NO_COLOR="1").shown
    assert shown == printed(LINE, COLUMNS="50")


def test_a_terminal_without_a_size_is_eighty_columns_wide(terminal, printed):
    assert terminal(LINE, columns=0, NO_COLOR="1").shown == printed(LINE, COLUMNS="80")


def test_a_dumb_terminal_has_a_width_too(terminal, printed):
    assert terminal(LINE, columns=50, TERM="dumb").shown == printed(LINE, COLUMNS="50")


def test_columns_set_the_width_of_a_dumb_terminal(terminal, printed):
    assert terminal(LINE, TERM="dumb", COLUMNS="50").shown == printed(LINE, COLUMNS="50")


@pytest.mark.parametrize("network", NETWORKS)
def test_text_is_ascii_where_nothing_else_can_be_shown(network, printed):
    text = printed(f"simulate --no-suggest {network}", LANG="C", PYTHONIOENCODING="ascii")
    assert text.isascii()
    assert "?" not in text


def test_suggestions_and_all_layers_are_ascii_too(printed):
    text = printed("simulate --depth 14 --width 8 --all-layers", LANG="C", PYTHONIOENCODING="ascii")
    assert text.isascii()
    assert "?" not in text


@pytest.mark.parametrize("encoding", ["latin-1", "cp437"])
def test_an_encoding_without_every_block_gets_ascii(encoding, printed):
    assert printed(LINE, PYTHONIOENCODING=encoding) == printed(LINE, PYTHONIOENCODING="ascii")


def test_the_c_locale_alone_is_readable(process, printed):
    text = process(LINE, LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").stdout
    assert text == printed(LINE, PYTHONIOENCODING="ascii")


def test_ascii_takes_no_more_room_than_blocks(printed):
    blocks, ascii_only = (printed(LINE, PYTHONIOENCODING=name).splitlines() for name in ("utf-8", "ascii"))
    for one, other in zip(blocks, ascii_only, strict=True):
        assert len(other) <= len(one) + 2 * one.count("…") + one.count("±")


def test_json_is_ascii_whatever_the_terminal(printed):
    line = "simulate --depth 3 --width 4 --format json"
    assert printed(line, LANG="C", PYTHONIOENCODING="ascii") == printed(line)
    assert printed(line).isascii()


@pytest.fixture
def data_named(tmp_path, gradcheck):
    """A name ↦ the document of a run on a data file that is called so."""

    def run(name, form="text", **variables):
        np.save(tmp_path / name, np.random.default_rng(0).standard_normal((20, 6)))
        line = f"simulate --no-suggest --depth 2 --width 4 --batch-size 9 --format {form} --data"
        ended = gradcheck(line, name, cwd=tmp_path, **variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    return run


def test_control_characters_of_a_name_are_shown_and_not_obeyed(data_named):
    for name in ("\x1b[31mred\x07.npy", "two\nlines\r.npy", "left\u202eright.npy"):
        for form in ("text", "markdown"):
            document = data_named(name, form)
            assert not [character for character in document if not character.isprintable() and character != "\n"], (
                form,
                name,
            )
            assert ".npy, batch 9" in document.splitlines()[0], (form, name)


def test_json_has_the_name_as_it_is(data_named, strictly):
    name = "\x1b[31mtwo\nlines\u202e.npy"
    assert strictly(data_named(name, "json"))["config"]["data"] == name


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_name_that_is_not_unicode_does_no_harm(form, data_named):
    assert ".npy" in data_named(b"\xff.npy".decode(errors="surrogateescape"), form)


def test_a_name_is_no_markup(data_named):
    assert "[bold]*a*.npy" in data_named("[bold]*a*.npy").splitlines()[0]
    assert r"\[bold\]\*a\|b\*.npy" in data_named("[bold]*a|b*.npy", "markdown").splitlines()[0]


def test_a_name_beyond_ascii_does_no_harm_in_ascii(data_named):
    assert data_named("daten_für_größe.npy", PYTHONIOENCODING="ascii", LANG="C.UTF-8").isascii()
    assert "daten_für_größe.npy" in data_named("daten_für_größe.npy")


def test_a_name_with_spaces_is_quoted_in_the_next_command(data_named):
    assert "--data 'two words.npy'" in data_named("two words.npy").rpartition("\n\n")[2]
