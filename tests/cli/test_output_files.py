"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

SMALL = "simulate --depth 5 --width 8"

FORMATS = ["text --no-suggest", "json", "csv"]

full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.mark.parametrize("form", FORMATS)
def test_output_takes_the_document_and_stdout_nothing(form, gradcheck, printed, tmp_path):
    ended = gradcheck(f"{SMALL} --format {form} --output out", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "out").read_text(encoding="utf-8") == printed(f"{SMALL} --format {form}")


def test_schema_has_an_output_too(gradcheck, printed, tmp_path):
    assert gradcheck("schema simulate -o schema.json", cwd=tmp_path).stdout == ""
    assert (tmp_path / "schema.json").read_text() == printed("schema simulate")


def test_text_in_a_file_has_neither_colours_nor_the_width_of_the_terminal(terminal, printed, tmp_path):
    ended = terminal(f"{SMALL} --no-suggest --output out", columns=50, cwd=tmp_path, FORCE_COLOR="1")
    assert (ended.returncode, ended.shown) == (0, "")
    assert (tmp_path / "out").read_text(encoding="utf-8") == printed(f"{SMALL} --no-suggest")


def test_quiet_with_output_writes_the_file(gradcheck, printed, tmp_path):
    assert gradcheck(f"{SMALL} --no-suggest --quiet --output out", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out").read_text(encoding="utf-8") == printed(f"{SMALL} --no-suggest")


def test_an_existing_file_is_replaced_and_keeps_its_rights(gradcheck, printed, tmp_path, contents):
    out = tmp_path / "out"
    out.write_text("old " * 100_000)
    out.chmod(0o640)
    assert gradcheck(f"{SMALL} --json --output out", cwd=tmp_path).returncode == 0
    assert contents(tmp_path) == {"out": printed(f"{SMALL} --json").encode()}
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_a_new_file_has_the_rights_that_the_shell_asks_for(gradcheck, tmp_path):
    before = os.umask(0o027)
    try:
        gradcheck(f"{SMALL} --json --output out", cwd=tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_link_stays_one_and_what_it_points_to_is_written(gradcheck, printed, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/out")
    assert gradcheck(f"{SMALL} --json --output link", cwd=tmp_path).returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "out").read_text() == printed(f"{SMALL} --json")


def test_the_installed_program_is_the_same_and_output_can_be_stdout(in_bash, printed):
    ended = in_bash(f"gradcheck {SMALL} --json --output /dev/stdout | cat")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == printed(f"{SMALL} --json")


@pytest.mark.parametrize("error", ["--depth 0", "--data missing.npy", "--fail-on fire"])
def test_an_error_leaves_an_existing_file_as_it_was(error, gradcheck, tmp_path, contents):
    (tmp_path / "out").write_text("precious")
    assert gradcheck(f"{SMALL} --json --output out {error}", cwd=tmp_path).returncode == 2
    assert contents(tmp_path) == {"out": b"precious"}


def test_a_file_that_breaks_off_leaves_the_old_one_and_no_other(in_bash, tmp_path, contents):
    (tmp_path / "out").write_text("precious")
    ended = in_bash(
        f"ulimit -f 1; gradcheck {SMALL} --json --output out", cwd=tmp_path
    )  # a block, and the document more
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("error: out: can't be written: file too large")
    assert contents(tmp_path) == {"out": b"precious"}


@full_disk
@pytest.mark.parametrize("option", ["--json --output", "--no-suggest --output", "--json --save-weights"])
def test_a_full_disk_is_one_line(option, gradcheck):
    ended = gradcheck(f"{SMALL} {option} /dev/full")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: /dev/full: can't be written: no space left on device\n"


@pytest.mark.parametrize("option", ["--output", "--save-weights"])
def test_a_missing_folder_is_one_line(option, gradcheck, tmp_path):
    ended = gradcheck(f"{SMALL} --json {option} missing/out", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: missing/out: can't be written: the folder missing doesn't exist; make it first\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--output", "--save-weights"])
def test_a_folder_in_place_of_a_file_is_one_line(option, gradcheck, tmp_path):
    (tmp_path / "folder").mkdir()
    ended = gradcheck(f"{SMALL} --json {option} folder", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: folder: can't be written: it is a folder; name a file in it\n"
    assert list(tmp_path.rglob("*")) == [tmp_path / "folder"]


@pytest.mark.parametrize("option", ["--output", "--save-weights"])
def test_a_folder_without_the_right_to_write_is_one_line(option, gradcheck, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    if os.access(tmp_path / "closed", os.W_OK):
        pytest.skip("root may write anywhere")
    ended = gradcheck(f"{SMALL} --json {option} closed/out", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("error: closed/out: can't be written: ")
    assert "permission" in ended.stderr


def test_what_can_not_be_written_is_said_before_any_work_is_done(gradcheck, tmp_path):
    ended = gradcheck("simulate --depth 1000000 --width 1000 --output missing/out", cwd=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("name", "form"), [("x.json", "json"), ("x.CSV", "csv"), ("x.md", "markdown"), ("x.txt", "text"), ("x", "text")]
)
def test_the_suffix_of_the_file_decides_the_format(name, form, gradcheck, printed, tmp_path):
    ended = gradcheck(f"{SMALL} --no-suggest --output {name}", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / name).read_text(encoding="utf-8") == printed(f"{SMALL} --no-suggest --format {form}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-o x.svg", "promises svg, which this command doesn't write"),
        ("-o x.jsonl", "promises jsonl, which this command doesn't write"),
        ("-o x.csv --json", "promises csv, but the format is json"),
        ("-o x.json --format text", "promises json, but the format is text"),
    ],
)
def test_a_suffix_that_promises_another_format_is_refused(line, words, gradcheck, tmp_path):
    ended = gradcheck(f"{SMALL} {line}", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert not list(tmp_path.iterdir())
