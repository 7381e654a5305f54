import json
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck
from gradcheck.errors import GradcheckError, InputError, OutputError
from gradcheck.sweep.journal import Journal

OPTIONS = {"grid": {"depth": (2, 3)}, "seeds": 1}

GRID = {"depth": [2, 3, 4, 5], "width": 8, "batch_size": 8}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.jsonl"


def row(index):
    return {"index": index, "options": {"depth": index + 2}, "score": 0.1 + index}


def written(path, *indices):
    with Journal(path, OPTIONS) as journal:
        for index in indices:
            journal.append(row(index))
    return path.read_bytes()


def kept(path, options=OPTIONS):
    with Journal(path, options) as journal:
        return journal.finished


def swept(path, **more):
    return list(gradcheck.compare(GRID, **{"seeds": 1, "journal": path, **more}))


# ---- the file


def test_rows_come_back_as_they_went_in(path):
    written(path, 0, 1)
    assert kept(path) == [row(0), row(1)]


def test_a_row_is_in_the_file_at_once(path):
    with Journal(path, OPTIONS) as journal:
        journal.append(row(0))
        assert json.loads(path.read_bytes().splitlines()[-1]) == row(0)


def test_the_first_line_says_what_the_rows_belong_to(path):
    header, *_ = written(path, 0).splitlines()
    assert json.loads(header) == {
        "gradcheck_journal": 1,
        "gradcheck_version": gradcheck.__version__,
        "options": {"grid": {"depth": [2, 3]}, "seeds": 1},
    }


def test_rows_are_appended_behind_those_that_are_there(path):
    first = written(path, 0)
    assert written(path, 1).startswith(first)
    assert kept(path) == [row(0), row(1)]


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_torn_last_line_is_cut_off(path, cut):
    whole = written(path, 0, 1)
    path.write_bytes(whole[:-cut])
    assert kept(path) == [row(0)]
    assert written(path, 1) == whole


@pytest.mark.parametrize("length", [0, 1, 30])
def test_an_empty_file_and_a_torn_header_start_afresh(path, length):
    whole = written(path, 0)
    path.write_bytes(whole[:length])
    assert kept(path) == []
    assert written(path, 0) == whole


FOREIGN = {
    "text": (b"hello\nworld\n", "line 1 is not JSON"),
    "unfinished text": (b"hello", "isn't a gradcheck journal"),
    "unfinished header of others": (b'{"gradcheck_journal": 2, "', "isn't a gradcheck journal"),
    "a row": (b'{"index": 0}\n', "line 1 isn't a journal's header"),
    "a list": (b"[1, 2]\n", "line 1 isn't a journal's header"),
    "a report": (b'{"layers": []}\n', "isn't a gradcheck journal"),
    "not UTF-8": (b"\xff\xfe\n", "line 1 is not JSON"),
    "empty lines": (b"\n\n", "line 1 is not JSON"),
    "too deep": (b"[" * 200_000 + b"\n", "line 1"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_file_is_refused_and_left_alone(path, what):
    content, words = FOREIGN[what]
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as refused:
        Journal(path, OPTIONS)
    assert str(refused.value).startswith(f"{path}: ")
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["\0\0\0", "[1]", '{"options": {}}', "no"])
def test_a_damaged_row_is_named_by_its_line(path, damage):
    content = written(path, 0) + damage.encode() + b"\n"
    path.write_bytes(content)
    with pytest.raises(InputError, match="line 3"):
        kept(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("start", ["notes", '{"gradcheck_journal": 1, "options": {}}', '{"layers": []}'])
def test_a_file_that_is_refused_keeps_its_unfinished_last_line(path, start):
    path.write_text(f"{start}\nand no newline at the end")
    with pytest.raises(InputError):
        Journal(path, OPTIONS)
    assert path.read_text() == f"{start}\nand no newline at the end"


def test_a_journal_of_other_options_is_refused_with_the_option_that_differs(path):
    content = written(path, 0)
    with pytest.raises(InputError, match=r"seeds: 1 there, 4 here"):
        kept(path, OPTIONS | {"seeds": 4})
    assert path.read_bytes() == content


def test_the_option_of_the_grid_that_differs_is_named_and_no_other(path):
    with Journal(path, {"grid": {"init": ("he",), "depth": (2, 3)}, "seeds": 1}):
        pass
    with pytest.raises(InputError, match="depth: ") as refused:
        Journal(path, {"grid": {"init": ("he",), "depth": (2, 4)}, "seeds": 1})
    assert "init" not in str(refused.value)


@pytest.mark.parametrize("change", [{"gradcheck_version": "0.0.1"}, {"gradcheck_journal": 0}])
def test_a_journal_of_another_version_is_refused(path, change):
    header, *rest = written(path, 0).splitlines(keepends=True)
    path.write_bytes(json.dumps(json.loads(header) | change).encode() + b"\n" + b"".join(rest))
    with pytest.raises(InputError, match="another version"):
        kept(path)


def test_a_journal_that_another_sweep_writes_is_refused(path):
    pytest.importorskip("fcntl")
    with Journal(path, OPTIONS), pytest.raises(OutputError, match="another sweep"):
        Journal(path, OPTIONS)
    assert kept(path) == []


def test_the_lock_of_another_process_holds(path):
    pytest.importorskip("fcntl")
    script = "import sys; from gradcheck.sweep.journal import Journal; Journal(sys.argv[1], {'seeds': 1})"
    with Journal(path, {"seeds": 1}):
        ended = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "another sweep" in ended.stderr


def test_a_folder_and_a_missing_folder_are_named(tmp_path):
    for bad in (tmp_path, tmp_path / "nowhere" / "rows.jsonl"):
        with pytest.raises(OutputError, match="can't be written") as refused:
            Journal(bad, OPTIONS)
        assert str(bad) in str(refused.value)


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null", "/dev/zero"])
def test_a_device_is_no_place_for_a_journal(device):
    """In a process of its own, for some of them can be read for ever."""
    pytest.importorskip("resource")
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
        "from pathlib import Path; from gradcheck.errors import GradcheckError\n"
        "from gradcheck.sweep.journal import Journal\n"
        "try: Journal(Path(sys.argv[1]), {})\n"
        "except GradcheckError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", script, device], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{device}: ")


def test_a_full_disk_is_told_when_a_row_is_written(path, monkeypatch):
    with Journal(path, OPTIONS) as journal, Path("/dev/full").open("wb", buffering=0) as full:
        own = journal.file
        monkeypatch.setattr(journal, "file", full)
        with pytest.raises(OutputError, match="no space left on device"):
            journal.append(row(0))
        monkeypatch.setattr(journal, "file", own)


# ---- the sweep that goes on


def test_a_journal_has_each_row_once_and_they_are_the_sweep_s(path):
    found = swept(path)
    assert kept_rows(path) == found
    assert [one["index"] for one in found] == [0, 1, 2, 3]


def kept_rows(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()[1:]]


def test_only_what_is_missing_is_measured(path, measured):
    complete = swept(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1], lines[3], lines[4][:40]]))
    measured.clear()
    again = swept(path)
    assert measured == [1, 3]
    assert sorted(again, key=lambda one: one["index"]) == complete
    assert sorted(path.read_bytes().splitlines()) == sorted(b"".join(lines).splitlines())


def test_a_finished_journal_gives_its_rows_without_any_work(path, measured):
    complete = swept(path)
    measured.clear()
    assert swept(path) == complete
    assert measured == []


def test_error_rows_are_kept_too(path, measured):
    bad = {"init": ["normal", "he"], "depth": 2, "width": 8}
    first = list(gradcheck.compare(bad, seeds=1, journal=path))
    assert first[0]["error"]
    measured.clear()
    assert list(gradcheck.compare(bad, seeds=1, journal=path)) == first
    assert measured == []


def test_the_order_of_ranking_is_no_other_sweep(path, measured):
    swept(path)
    measured.clear()
    swept(path, sort="span")
    assert measured == []


@pytest.mark.parametrize(
    ("change", "word"), [({"seed": 1}, "seed"), ({"seeds": 2}, "seeds"), ({"max_span": 1.0}, "max_span")]
)
def test_a_sweep_of_other_options_names_them(path, change, word):
    swept(path)
    with pytest.raises(GradcheckError, match=f"{word}: "):
        swept(path, **change)


def test_a_finished_sweep_lets_go_of_its_journal(path):
    comparison = gradcheck.compare(GRID, seeds=1, journal=path)
    complete = list(comparison)
    assert list(gradcheck.compare(GRID, seeds=1, journal=path)) == complete == list(comparison)
