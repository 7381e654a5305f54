import csv
import io
import json

import pytest

from gradcheck.render.documents import json_line
from gradcheck.spec.grid import Grid
from gradcheck.sweep import formats
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.ranking import grouped

GRID = Grid({"depth": [2, 3], "data": ["digits", 'a|b,"c".npy'], "residual": [False, True]})


def row(index, options):
    return {
        "index": index, "options": options, "status": "vanishing", "trainable": False, "score": 0.1 + index / 1000,
        "flags": ["ok", "vanishing"], "gradient_span": 1 / 3 + index, "mean_local_gain": 0.1,
        "effective_rank_last": 2.0, "log10_gradient": [-1e-9, None], "error": None,
    }  # fmt: skip


def finished(grid, rows):
    made = Comparison(grid, {"seeds": 1, "seed": 0}, lambda done: iter(rows[len(done) :]))
    assert len(list(made)) == len(rows)
    return made


@pytest.fixture
def comparison():
    rows = [row(index, options) for index, options in enumerate(GRID)]
    rows[2] |= dict.fromkeys(("status", "trainable", "score", "flags", "gradient_span", "mean_local_gain"))
    rows[2] |= {"effective_rank_last": None, "log10_gradient": None, "error": "it *can't* be | built"}
    return finished(GRID, rows)


def records(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_is_one_line_of_json_with_full_precision(comparison):
    for one in comparison:
        line = json_line(one)
        assert line.endswith("}\n")
        assert line.count("\n") == 1
        assert json.loads(line, parse_constant=pytest.fail) == one


def test_a_number_that_is_not_finite_is_never_written():
    with pytest.raises(ValueError, match="JSON"):
        json_line({"score": float("nan")})


def test_json_has_the_best_rows(comparison):
    for top in (None, 1, 3, 99):
        document = json.loads(formats.as_json(comparison, top), parse_constant=pytest.fail)
        assert document == comparison.to_dict() | {"rows": comparison.rows[:top]}, top


def test_json_has_the_groups_beside_the_rows(comparison):
    document = json.loads(formats.as_json(comparison, None, "depth"))
    assert document["groups"] == grouped(comparison.rows, "depth")
    assert document["rows"] == comparison.rows


def test_csv_round_trips(comparison):
    found = records(formats.as_csv(comparison))
    assert len(found) == 8
    for place, (record, one) in enumerate(zip(found, comparison.rows, strict=True), start=1):
        assert (record["place"], record["index"]) == (str(place), str(one["index"]))
        assert record["data"] == one["options"]["data"]
        assert record["gradient_span"] == ("" if one["gradient_span"] is None else repr(one["gradient_span"]))
        assert record["flags"] == " ".join(one["flags"] or [])
        assert record["error"] == (one["error"] or "")
        assert "log10_gradient" not in record


def test_csv_of_groups_has_a_line_for_each(comparison):
    found = records(formats.as_csv(comparison, None, "data"))
    assert [record["value"] for record in found] == ["digits", 'a|b,"c".npy']
    assert [float(record["worst_span"]) for record in found] == [1 / 3 + 6, 1 / 3 + 7]


def cells(line):
    """A Markdown line's cells; an escaped bar is none of its borders."""
    return [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")]


def test_markdown_is_a_table_with_a_cell_for_each_column(comparison):
    header, rule, *lines = formats.as_markdown(comparison).splitlines()
    assert cells(header) == ["place", "verdict", "trains", "span", "gain", "rank", "options"]
    assert set(cells(rule)) == {"---"}
    assert [len(cells(line)) for line in lines] == [7] * 8
    assert [cells(line)[1] for line in lines] == ["vanishing"] * 7 + ["error"]
    assert r"can't\*" in lines[-1]


def test_markdown_says_of_each_row_what_differs(comparison):
    lines = [cells(line) for line in formats.as_markdown(comparison).splitlines()[2:]]
    assert lines[0][-1] == 'depth=3 residual=True data=a|b,"c".npy'
    assert [line[-1] for line in lines[1:3]] == ["data=digits", "residual=False"]


def test_a_file_s_name_breaks_no_line_of_markdown():
    for group_by in (None, "data"):
        for name in ("a\nb.npy", "a\033[2Jb.npy", "a\rb.npy"):
            grid = Grid({"data": ["digits", name]})
            text = formats.as_markdown(finished(grid, [row(*one) for one in enumerate(grid)]), None, group_by)
            assert "\033" not in text, (name, group_by)
            assert len(text.splitlines()) == 4, (name, group_by)


def test_markdown_of_groups_has_a_line_for_each_and_no_none(comparison):
    _, _, *lines = formats.as_markdown(comparison, None, "residual").splitlines()
    assert [cells(line)[1] for line in lines] == ["False", "True"]
    grid = Grid({"depth": 2})
    failed = row(0, {"depth": 2}) | dict.fromkeys(("status", "score", "gradient_span")) | {"error": "no"}
    assert "None" not in formats.as_markdown(finished(grid, [failed]), None, "depth")


@pytest.mark.parametrize("top", [1, 3])
def test_top_shortens_csv_and_markdown(comparison, top):
    assert len(records(formats.as_csv(comparison, top))) == top
    assert len(formats.as_markdown(comparison, top).splitlines()) == top + 2
