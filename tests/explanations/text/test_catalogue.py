from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import catalogue
from gradcheck.explanations.text.catalogue import LEFT_OUT, as_text
from gradcheck.render.page import Page

KINDS = ("presets", "activations", "inits", "norms")
WIDTHS = (60, 80, 100, 140)


@cache
def entries(kind):
    return catalogue(kind)


@cache
def text_of(kind, width=80, **how):
    return as_text(entries(kind), Page(width, **how))


#: The columns that stand beside one another at each width; a source that has no room beside them stands below.
COLUMNS = {
    ("presets", 60): ["name", "parameters", "blocks", "width", "heads"],
    ("presets", 80): ["name", "parameters", "blocks", "width", "heads", "activation", "norm"],
    ("presets", 100): ["name", "parameters", "blocks", "width", "heads", "activation", "norm", "init"],
    ("presets", 140): ["name", "parameters", "blocks", "width", "heads", "activation", "norm", "init", "source"],
    ("activations", 60): ["name", "steepest", "kinks"],
    ("inits", 60): ["name", "law", "std of 512x512", "weightless"],
    ("inits", 80): ["name", "law", "std of 512x512", "weightless"],
    ("inits", 100): ["name", "law", "std of 512x512", "weightless", "source"],
    ("inits", 140): ["name", "law", "std of 512x512", "weightless", "source"],
    **{("activations", width): ["name", "steepest", "kinks", "source"] for width in WIDTHS[1:]},
    **{("norms", width): ["name", "source"] for width in WIDTHS},
}


@pytest.fixture(scope="session")
def table_of():
    """Text ↦ its table: the cells of each row by heading, parts of a folded cell joined."""

    def table(text):
        head, *lines = text.split("\n\n")[0].splitlines()
        headings = [part for part in head.split("  ") if part]
        edges = [0, *(_left_edge(head, headings[index], lines) for index in range(1, len(headings))), None]
        rows = []
        for line in lines:
            cells = [line[start:end].strip() for start, end in pairwise(edges)]
            if cells[0]:
                rows.append(cells)
            else:
                rows[-1] = [f"{one} {more}".strip() for one, more in zip(rows[-1], cells, strict=True)]
        return [dict(zip(map(str.strip, headings), row, strict=True)) for row in rows]

    return table


def _left_edge(head, heading, lines):
    """Where a column begins: behind the last blank column before its heading, whatever its side."""
    end = head.index(heading.strip()) + len(heading.strip())
    blank = [place for place in range(end) if all(line[place : place + 1] in ("", " ") for line in (head, *lines))]
    return next(place for place in reversed(blank) if place < head.index(heading.strip())) + 1


def shown(entry, heading):
    """Whether and how a heading's fact of an entry is told."""
    name = heading.replace(" ", "_")
    return entry[name if name in entry else f"model_{name}"]


def test_the_columns_are_those_that_there_is_room_for(table_of):
    for kind, width in COLUMNS:
        rows = table_of(text_of(kind, width))
        assert list(rows[0]) == COLUMNS[kind, width], (kind, width)


def test_every_entry_has_its_row_in_order(table_of):
    for kind, width in COLUMNS:
        rows = table_of(text_of(kind, width))
        assert [row["name"] for row in rows] == [entry["name"] for entry in entries(kind)], (kind, width)


def test_every_source_is_told_in_full_beside_its_name_or_below(table_of):
    for kind, width in COLUMNS:
        text = text_of(kind, width)
        table, below = table_of(text), " ".join(text.partition("\n\n")[2].split())
        for entry, row in zip(entries(kind), table, strict=True):
            if "source" in row:
                assert row["source"] == entry["source"], (kind, width)
            else:
                names = ", ".join(one["name"] for one in entries(kind) if one["source"] == entry["source"])
                assert f"{names}: {entry['source']}" in below, (kind, width)


def test_words_and_counts_stand_in_the_table_as_they_are(table_of):
    for width in WIDTHS:
        rows = table_of(text_of("presets", width))
        for entry, row in zip(entries("presets"), rows, strict=True):
            for heading in set(row) - {"parameters", "source"}:
                assert row[heading] == str(shown(entry, heading)), width


def test_large_counts_are_told_in_millions_and_billions(table_of):
    rows = {row["name"]: row["parameters"] for row in table_of(text_of("presets"))}
    assert (rows["gpt2"], rows["gpt2-xl"], rows["gpt3"], rows["vit-b"]) == ("124M", "1.56B", "175B", "86.6M")


def test_switches_are_told_in_words_numbers_in_two_digits_and_nothing_by_a_dash(table_of):
    inits = {row["name"]: row for row in table_of(text_of("inits"))}
    assert (inits["he"]["std of 512x512"], inits["he"]["weightless"]) == ("0.062", "yes")
    assert (inits["uniform"]["std of 512x512"], inits["uniform"]["weightless"]) == ("-", "no")
    activations = {row["name"]: row for row in table_of(text_of("activations"))}
    assert (activations["hard_tanh"]["kinks"], activations["tanh"]["kinks"]) == ("-1, 1", "-")
    assert activations["swiglu"]["steepest"] == "-"


def test_what_only_the_json_tells_is_left_out(table_of):
    for width in WIDTHS:
        (first, *_) = table_of(text_of("presets", width))
        assert not {name.replace("_", " ") for name in LEFT_OUT} & set(first), width
        assert set(LEFT_OUT) <= {name for kind in ("presets", "inits") for name in entries(kind)[0]}, width


@given(st.sampled_from(KINDS), st.integers(40, 200))
def test_nothing_is_wider_than_the_terminal_and_nothing_is_cut(kind, width):
    text = text_of(kind, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = text.split()
    for entry in entries(kind):
        assert entry["name"] in words
        assert set(entry["source"].split()) <= set(words)


def test_no_line_ends_in_blanks_and_the_last_one_ends():
    for kind in KINDS:
        text = text_of(kind, 100)
        assert text.endswith("\n"), kind
        assert all(line == line.rstrip() for line in text.split("\n")), kind


def test_a_terminal_without_such_characters_gets_ascii():
    for kind in KINDS:
        assert text_of(kind, encoding="ascii").isascii(), kind


def test_colour_only_where_the_terminal_has_it():
    for kind in KINDS:
        assert "\033[" in text_of(kind, colours=True), kind
        assert "\033" not in text_of(kind), kind


def test_a_name_or_a_source_is_no_markup():
    text = as_text([{"name": "[red]x", "source": "a [/b] :smile: c"}])
    assert text == "name    source\n[red]x  a [/b] :smile: c\n"
