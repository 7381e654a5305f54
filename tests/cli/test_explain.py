"""``gradcheck explain`` as its users meet it."""

import re
from functools import cache
from pathlib import Path

import pytest

from gradcheck import explain, topics
from gradcheck.explanations import NAMES, TOPICS
from gradcheck.explanations.text import as_text, topics_as_text
from gradcheck.render.page import Page

#: Lines of a small terminal.
SCREEN = 24


@cache
def page(name, width, encoding="utf-8"):
    return as_text(explain(name), Page(width, encoding))


# ---- the pages


def test_a_page_in_a_pipe_is_one_screen_of_plain_text(printed):
    for name in TOPICS:
        text = printed(f"explain {name}")
        assert text == page(name, 80), name
        assert text.startswith(f"{name}  "), name
        assert text.count("\n") <= SCREEN, name
        assert max(map(len, text.splitlines())) <= 80, name
        assert not re.search("…|\033", text), name


def test_nothing_but_the_commands_is_wider_than_the_terminal():
    for width in (40, 80):
        for name in TOPICS:
            topic = TOPICS[name]
            commands = [example.command for example in (*topic.examples, *topic.try_next)]
            lines = page(name, width).splitlines()
            assert all(len(line) <= width or line[8:] in commands for line in lines), (name, width)
            assert [line[8:] for line in lines if line[8:] in commands] == commands, (name, width)


def test_a_page_is_no_wider_than_one_reads():
    for name in TOPICS:
        assert max(map(len, page(name, 140).splitlines())) <= 100, name


def test_verdicts_have_their_colours_on_a_page():
    text = as_text(explain("vanishing"), Page(80, colours=True))
    assert "→ \033[36mvanishing\033[0m, span" in text
    assert text.count("→ \033[32mhealthy\033[0m") == 2


def test_a_page_without_such_characters_is_ascii_and_still_one_screen():
    for name in TOPICS:
        text = page(name, 80, "ascii")
        assert text.isascii(), name
        assert text.count("\n") <= SCREEN, name
        assert max(map(len, text.splitlines())) <= 80, name
        assert text.count("?") == "".join(map(str, TOPICS[name])).count("?"), name


def test_a_page_says_all_of_the_topic():
    for name in TOPICS:
        topic = TOPICS[name]
        said = " ".join(page(name, 140).split())
        shows = [example.shows for example in (*topic.examples, *topic.try_next)]
        for part in (topic.summary, topic.what, topic.why, *shows, *topic.references, *topic.related):
            assert " ".join(part.split()) in said, name
        assert all(" ".join(line.split()) in said for line in topic.formula), name


def test_json_is_strict_and_what_the_function_returns(printed, strictly):
    for name in TOPICS:
        text = printed(f"explain {name} --json")
        assert strictly(text) == explain(name).to_dict(), name
        assert text.isascii(), name


def test_a_page_on_a_terminal_is_as_wide_as_that_and_has_colours(terminal):
    ended = terminal("explain vanishing", columns=100)
    assert ended.returncode == 0
    assert ended.shown.startswith("\033[1;36mvanishing")
    plain = re.sub(r"\033\[[0-9;]*m", "", ended.shown)
    assert plain == page("vanishing", 100)


def test_no_color_leaves_no_escape_sequence(terminal):
    assert "\033" not in terminal("explain vanishing", NO_COLOR="1").shown


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_page_goes_to_a_file_instead_as_a_plain_one(options, gradcheck, printed, tmp_path):
    line = f"explain dead {options}".strip()
    ended = gradcheck(f"{line} --output dead.txt", cwd=tmp_path, COLUMNS="140", FORCE_COLOR="1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "dead.txt").read_text(encoding="utf-8") == printed(line)


def test_another_name_shows_the_same_page(printed):
    for alias in ("ok", "overflow", "initialization", "relu", "leaky_relu", "Batch_Norm"):
        assert printed(f"explain {alias}") == page(alias, 80), alias


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial/1-see-it-vanish.md"])
def test_a_document_counts_the_pages(document):
    written = (Path(__file__).parents[2] / document).read_text(encoding="utf-8")
    assert f" {len(TOPICS)} pages of one screen each" in written


# ---- the list


def test_without_a_topic_all_are_listed_with_one_line_each(printed):
    *lines, empty, last = printed("explain").splitlines()
    assert [line.split()[0] for line in lines] == list(TOPICS)
    assert all(line.endswith(TOPICS[line.split()[0]].summary) for line in lines)
    assert (empty, last) == ("", "gradcheck explain TOPIC")
    assert max(map(len, lines)) <= 80
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [40, 140])
def test_the_list_fits_the_terminal(width, printed):
    text = printed("explain", COLUMNS=str(width))
    assert text == topics_as_text(topics(), Page(width))
    assert max(map(len, text.splitlines())) <= width


def test_the_list_as_json_is_what_the_function_returns(printed, strictly):
    assert strictly(printed("explain --json")) == topics()


def test_the_help_names_every_topic(printed):
    assert f"{''.join(TOPICS)};nothing" in "".join(printed("explain --help").split())  # lines break at hyphens too


# ---- the commands on the pages


@pytest.mark.parametrize(("name", "varied"), [("activations", "activation"), ("ranking", "init")])
def test_the_comparison_on_a_page_ranks_as_the_page_says(name, varied, printed, strictly):
    (example,) = (one for one in TOPICS[name].examples if one.command.startswith("gradcheck compare"))
    rows = strictly(printed(f"{example.command.removeprefix('gradcheck ')} --workers 1 --json"))["rows"]
    assert example.shows == "ranked: " + ", ".join(row["options"][varied] for row in rows)


def test_the_check_for_ci_on_a_page_passes_and_fails_once_the_network_changes(gradcheck):
    (line,) = (one.command for one in TOPICS["healthy"].try_next if "--fail-on" in one.command)
    words = line.removeprefix("gradcheck ") + " --quiet"
    assert gradcheck(words).returncode == 0
    assert gradcheck(f"{words} --gain 3").returncode == 1


@pytest.mark.parametrize("name", ["remarks", "roles", "frameworks"])
def test_a_probe_on_a_page_finds_what_the_page_says(name, printed, strictly):
    pytest.importorskip("torch")
    for example in (*TOPICS[name].examples, *TOPICS[name].try_next):
        report = strictly(printed(f"{example.arguments} --json", cwd=Path(__file__).parents[2] / "examples"))
        assert report["verdict"]["status"] == example.verdict
        span = f"span {report['summary']['gradient_span']:.1f}"
        assert example.figures in {"", span, *(cause["code"] for cause in report["verdict"]["causes"])}


def test_the_topics_that_a_page_leads_to_can_be_typed(printed):
    for name in TOPICS["vanishing"].related:
        assert printed(f"explain {name}"), name


# ---- what is wrong is one line


def test_an_unknown_topic_is_one_line_with_the_nearest_names(gradcheck):
    for said, hint in [
        ("vanishingg", "did you mean vanishing? gradcheck explain lists all"),
        ("normalise", "did you mean normalisation"),
        ("qwxyz", "gradcheck explain lists all"),
        ("''", "gradcheck explain lists all"),
    ]:
        ended = gradcheck(f"explain {said}")
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), said
        quoted = said if said == "''" else f"'{said}'"
        assert ended.stderr.startswith(f"error: topic {quoted} is unknown; {hint}"), said


@pytest.mark.parametrize("line", ["explain dead ok", "explain --colour", "explain dead -o no/such/folder.txt"])
def test_anything_else_that_is_wrong_is_one_line_too(line, gradcheck, tmp_path):
    ended = gradcheck(line, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("error: ")


def test_no_alias_is_longer_than_one_word():
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in NAMES)
