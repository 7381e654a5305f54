"""``gradcheck compare`` as its users meet it."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from gradcheck.spec.grid import PARSERS
from gradcheck.sweep.ranking import grouped, ranked

PATIENCE = 60  # seconds after which a process counts as hung

SMALL = "--width 8 --batch-size 8 --seeds 1 --workers 1"

#: Two varied options; one row is healthy, some vanish, some can't be built.
MIXED = f"--depth 2,12 --init he,normal --activation sigmoid {SMALL}"

GRID = f"--depth 2,6 --activation sigmoid,tanh,relu --norm none,layer {SMALL}"


@pytest.fixture(scope="module")
def printed(compare, measured_once):
    """Options ↦ the document, when the command ends well and says nothing else. Run once for all."""

    @cache
    def document(line):
        with measured_once():
            ended = compare(line)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    return document


@pytest.fixture(scope="module")
def rows(printed):
    """Options ↦ the rows of the JSON document."""
    return lambda line: json.loads(printed(f"{line} --json"), parse_constant=pytest.fail)["rows"]


def table(markdown):
    """The cells of a Markdown table, as records."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines()]
    assert {len(line) for line in lines} == {len(lines[0])}
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_a_repeated_option_adds_its_values(rows):
    repeated = rows(f"--depth 2 --depth 6 --activation sigmoid --activation tanh,relu {SMALL}")
    assert repeated == rows(f"--depth 2,6 --activation sigmoid,tanh,relu {SMALL}")


# ---- formats


@pytest.mark.parametrize("line", [GRID, MIXED, GRID.replace("--seeds 1", "--seeds 2")])
def test_json_lines_are_the_rows_of_json_in_another_order(line, printed, rows):
    lines = [json.loads(one, parse_constant=pytest.fail) for one in printed(f"{line} --format jsonl").splitlines()]
    assert sorted(lines, key=lambda row: row["index"]) == sorted(rows(line), key=lambda row: row["index"])
    assert ranked(lines) == rows(line)


@pytest.mark.parametrize("line", [GRID, MIXED])
def test_csv_has_a_line_for_each_row_and_a_column_for_each_option(line, printed, rows):
    records = list(csv.DictReader(io.StringIO(printed(f"{line} --format csv"))))
    assert [int(record["index"]) for record in records] == [row["index"] for row in rows(line)]
    assert [int(record["place"]) for record in records] == list(range(1, len(records) + 1))
    for record, row in zip(records, rows(line), strict=True):
        assert {name: record[name] for name in row["options"]} == {k: str(v) for k, v in row["options"].items()}
        for name in ("score", "gradient_span", "mean_local_gain", "effective_rank_last"):
            assert (float(record[name]) if record[name] else None) == row[name]
        assert (record["status"], record["error"]) == (row["status"] or "", row["error"] or "")
        assert None not in record.values()


@pytest.mark.parametrize("line", [GRID, MIXED])
def test_markdown_has_a_line_for_each_row(line, printed, rows):
    records = table(printed(f"{line} --format markdown"))
    assert [record["verdict"] for record in records] == [row["status"] or "error" for row in rows(line)]
    for record, row in zip(records, rows(line), strict=True):
        if row["error"] is None:
            assert float(record["span"]) == pytest.approx(row["gradient_span"], rel=0.06)
            assert float(record["gain"]) == pytest.approx(row["mean_local_gain"], rel=0.06)


@pytest.mark.parametrize("line", [GRID, MIXED])
def test_text_has_a_line_for_each_row_in_the_same_order(line, printed, rows):
    found = re.findall(r"^ +\d+  (\w+)", printed(line), re.MULTILINE)
    assert found == [row["status"] or "error" for row in rows(line)]


def test_the_command_at_the_end_runs_the_best_network(printed, rows, gradcheck):
    *_, last = printed(GRID).splitlines()
    program, *words = last.split()
    assert (program, words[0]) == ("gradcheck", "simulate")
    verdict = json.loads(gradcheck(shlex.join(words), "--json").stdout)["verdict"]
    assert verdict["score"] == rows(GRID)[0]["score"]


@pytest.mark.parametrize("line", [GRID, MIXED])
def test_json_says_what_was_run(line, printed):
    document = json.loads(printed(f"{line} --json"))
    assert (document["command"], document["schema_version"]) == ("compare", 1)
    assert document["config"]["grid"]["width"] == [8]
    assert document["config"]["seeds"] == 1


def test_two_workers_in_other_processes_print_what_one_prints_here_and_run_no_file_of_the_current_folder(
    printed, in_bash, tmp_path
):
    for name in ("types", "socket"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run')")
    ended = in_bash(f"gradcheck compare {GRID.replace('--workers 1', '--workers 2')} --json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", printed(f"{GRID} --json"))


def test_a_pipe_gets_neither_colour_nor_progress(printed):
    assert "\033" not in printed(GRID) + printed(MIXED)


@pytest.mark.parametrize("name", ["text", "json", "jsonl", "csv", "markdown"])
def test_output_holds_what_stdout_would(name, printed, tmp_path, compare):
    ended = compare(f"{MIXED} --format {name}", "--output", tmp_path / "out")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "out").read_text() == printed(f"{MIXED} --format {name}")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_quiet_prints_nothing_but_the_exit_code(compare):
    ended = compare(f"{MIXED} --quiet --fail-on any")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


@pytest.mark.parametrize("name", ["text", "jsonl"])
def test_a_full_disk_is_one_line(name, gradcheck):
    with Path("/dev/full").open("w") as full:
        ended = gradcheck(f"compare {MIXED}", "--format", name, stdout=full)
    assert ended.returncode == 2
    assert ended.stderr == "error: stdout: can't be written: no space left on device\n"


def test_a_reader_that_takes_one_line_ends_it_silently():
    line = f"{sys.executable} -m gradcheck compare {GRID} | head -1"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, encoding="utf-8", timeout=PATIENCE
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 1


# ---- what is shown


def test_sort_ranks_by_it(rows, printed):
    for order in ("score", "span", "gain", "rank", "grid"):
        found = rows(f"{GRID} --sort {order}")
        assert found == ranked(rows(GRID), order), order
    places = csv.DictReader(io.StringIO(printed(f"{GRID} --format csv --sort {order}")))
    assert [int(record["index"]) for record in places] == [row["index"] for row in found]


def test_top_shows_the_best(rows, printed):
    assert rows(f"{GRID} --top 3") == rows(GRID)[:3]
    assert len(printed(f"{GRID} --top 3 --format csv").splitlines()) == 4
    assert len(table(printed(f"{GRID} --top 3 --format markdown"))) == 3
    text = printed(f"{GRID} --top 3")
    assert len(re.findall(r"^ +\d+  (healthy|vanishing|collapsed)", text, re.MULTILINE)) == 3
    assert "3 of 12 shown; --top 12 shows all" in text


def test_text_shows_twenty_rows_unless_asked_for_more(printed):
    line = f"--depth 2:7 --activation tanh,relu,selu,gelu {SMALL}"
    assert "20 of 24 shown; --top 24 shows all" in printed(line)
    assert "shown" not in printed(f"{line} --top 24")


@pytest.mark.parametrize("option", ["activation", "norm", "depth"])
def test_group_by_has_one_line_for_each_value(option, rows, printed):
    line = f"{GRID} --group-by {option}"
    expected = grouped(rows(GRID), option)
    assert json.loads(printed(f"{line} --json"))["groups"] == expected
    records = list(csv.DictReader(io.StringIO(printed(f"{line} --format csv"))))
    assert [record["value"] for record in records] == [str(group["value"]) for group in expected]
    assert [float(record["worst_span"]) for record in records] == [group["worst_span"] for group in expected]
    assert len(table(printed(f"{line} --format markdown"))) == len(expected)
    for group in expected:
        assert re.search(rf"^  {group['value']} +{group['rows']} +{group['healthy']} ", printed(line), re.MULTILINE)


def test_recurrences_are_compared_side_by_side(printed, rows, gradcheck):
    line = f"--arch rnn,lstm,gru --steps 8,16 {SMALL}"
    found = rows(line)
    options = {(row["options"]["arch"], row["options"]["steps"]) for row in found}
    assert options == {(arch, steps) for arch in ("rnn", "lstm", "gru") for steps in (8, 16)}
    assert {row["error"] for row in found} == {None}
    assert {len(row["log10_gradient"]) for row in found} == {8, 16}
    text = printed(line)
    assert re.findall(r"^ +\d+  (\w+)", text, re.MULTILINE) == [row["status"] for row in found]
    assert "arch \\ steps" in text
    program, *words = text.splitlines()[-1].split()
    assert program == "gradcheck"
    verdict = json.loads(gradcheck(shlex.join(words), "--json").stdout)["verdict"]
    assert verdict["score"] == found[0]["score"]


def test_group_by_takes_the_option_as_it_is_typed(printed):
    line = "--depth 2 --width 8 --residual yes --residual-scale 0.5,1 --workers 1 --seeds 1"
    assert "residual-scale" in printed(f"{line} --group-by residual-scale")


def test_two_varied_options_are_a_heat_map_whose_letters_carry_it(printed, rows):
    line = f"--depth 2,12 --activation sigmoid,tanh {SMALL}"
    found = {(row["options"]["depth"], row["options"]["activation"]): row for row in rows(line)}
    lines = printed(line).splitlines()
    [header] = [index for index, one in enumerate(lines) if "depth \\ activation" in one]
    assert lines[header].split()[3:] == ["sigmoid", "tanh"]
    for text, depth in zip(lines[header + 1 : header + 3], (2, 12), strict=True):
        value, *cells = text.split()
        expected = [found[depth, name]["status"][0].upper() for name in ("sigmoid", "tanh")]
        assert (value, cells[::2]) == (str(depth), expected)
    assert "V vanishing" in printed(line)


@pytest.mark.parametrize("line", [f"--depth 2,12 {SMALL}", GRID, f"{MIXED} --group-by init"])
def test_one_or_three_varied_options_and_groups_are_no_heat_map(line, printed):
    assert " \\ " not in printed(line)


# ---- exit codes


def test_the_exit_code_is_what_was_asked_for(compare):
    for line, code in [
        ("--depth 12 --fail-on vanishing", 1),
        ("--depth 2,12 --fail-on vanishing", 1),
        ("--depth 2,12 --fail-on exploding", 0),
        ("--depth 2,12 --fail-on exploding --fail-on vanishing", 1),
        ("--depth 2 --fail-on any", 0),
        ("--depth 2,12 --fail-on any", 1),
        ("--depth 2 --init normal --fail-on any", 2),
        ("--depth 2 --init normal --fail-on vanishing", 2),
        ("--depth 2,12 --any-healthy", 0),
        ("--depth 12 --any-healthy", 1),
        ("--depth 2 --init normal --any-healthy", 2),
        ("--depth 12 --top 1 --fail-on vanishing --format csv", 1),
        ("--depth 12 --fail-on vanishing --format jsonl", 1),
    ]:
        ended = compare(f"{line} {SMALL}")
        assert ended.returncode == code, line
        assert (ended.stderr == "") is (code < 2), line  # no network at all: what was typed is wrong
        assert bool(ended.stdout) is (code < 2), line


# ---- bad input

BAD = {
    "--depth": ("", "''"),
    "--depth 10:5:1": "reversed",
    "--depth 5:": "range",
    "--gain 1:2:0": "step",
    "--activation relu,sigmid": "did you mean 'sigmoid'",
    "--init xaver": "did you mean 'xavier'",
    "--data digts,gaussian": "did you mean 'digits'",
    "--depth 2:9 --max-rows 7": "8 rows",
    "--depth 1:1000 --width 1:1000": "1,000,000 rows",
    "--depth 1:1000000": "100,000",
    "--workers 0": "--workers",
    "--workers -3": "--workers",
    "--workers 2 --scheduler tcp://127.0.0.1:1": "--workers",
    "--group-by norm": "--group-by norm",
    "--group-by dpth": "--group-by dpth",
    "--sort scor": "did you mean 'score'",
    "--format jsn": "did you mean 'json",
    "--format csv --json": "--json",
    "--fail-on vanish": "did you mean 'vanishing'",
    "--fail-on regression": "--baseline",
    "new.json": "--baseline",
    "--top 0": "--top",
    "--seeds 0": "--seeds",
    "--max-rows 0": "--max-rows",
    "--max-span -1": "--max-span",
    "--journal nowhere/rows.jsonl": "nowhere/rows.jsonl",
    "--journal .": "journal",
    "--output nowhere/out": "nowhere/out",
    "--output .": "folder",
    "--dpth 3": "--dpth",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_that_says_what_would_be_right(line, tmp_path, compare):
    words = BAD[line]
    ended = compare(line, *([words[0]] if isinstance(words, tuple) else []), cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    [said] = ended.stderr.splitlines()
    assert said.startswith("error: ")
    assert (words if isinstance(words, str) else words[1]) in said
    assert list(tmp_path.iterdir()) == []


def test_a_journal_of_other_options_is_one_line(tmp_path, compare):
    assert compare(MIXED, "--journal", tmp_path / "rows.jsonl").returncode == 0
    before = (tmp_path / "rows.jsonl").read_bytes()
    ended = compare(MIXED, "--seed", 1, "--journal", tmp_path / "rows.jsonl")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "seed: 0 there, 1 here" in ended.stderr
    assert (tmp_path / "rows.jsonl").read_bytes() == before


def test_every_network_option_can_be_varied(compare):
    said = compare("--help").stdout
    assert [name for name in PARSERS if f"--{name.replace('_', '-')} " not in said] == []


def test_a_file_s_name_is_shown_rather_than_obeyed(compare):
    for view in ("text", "json", "jsonl", "csv", "markdown"):
        for name in ("[/a].npy", "a\nb.npy", "a\033[2Jb.npy", "a\udcffb.npy"):
            ended = compare(f"--depth 2,3 {SMALL} --format {view}", "--data", f"digits,{name}")
            assert (ended.returncode, ended.stderr) == (0, ""), (name, view)
            if view != "csv":
                assert "\033" not in ended.stdout, (name, view)


def test_a_format_of_baselines_is_refused_before_any_work(compare):
    ended = compare("--depth 2 --width 8 --batch-size 8 --seeds 1 --workers 1 --format github")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--format github is of two reports, with --baseline OLD.json; " in ended.stderr
    assert "of a sweep allowed: text, json, jsonl, csv, markdown, html\n" in ended.stderr
