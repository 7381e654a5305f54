"""``--follow``: a log that grows while it is watched."""

import json
import os
import signal
import threading

import pytest

from gradcheck.cli.follow import followed


def rows(first, last, decades=lambda step: 0.0):
    return "".join(
        json.dumps({"step": step, "loss": 2 - step / 1e4, "grad_norm": 10 ** (decades(step) + (37 * step % 101) / 300)})
        + "\n"
        for step in range(first, last)
    )


FOLLOW = ("-m", "gradcheck", "diagnose", "run.jsonl", "--follow")


@pytest.fixture
def watching(start, tmp_path):
    """Options ↦ the process that follows the log, its streams as text."""
    return lambda *words: start(*FOLLOW, *words, encoding="utf-8", cwd=tmp_path)


@pytest.fixture
def growing(tmp_path):
    """A log to which more can be written."""
    path = tmp_path / "run.jsonl"
    path.write_text(rows(0, 100))

    def write(text):
        with path.open("a") as file:
            file.write(text)

    return write


def test_an_interrupt_ends_with_130_and_with_what_was_found(growing, tmp_path, on_terminal):
    ended = on_terminal(*FOLLOW, interrupt_at="watching", cwd=tmp_path)
    assert ended.returncode == 130
    assert "gradient norm" in ended.shown
    assert "Traceback" not in ended.shown
    report = ended.shown.rpartition("run.jsonl · JSON Lines, 100 rows")[2]
    assert "GRADIENTS OK" in report
    assert "watching" not in report


def test_the_live_table_is_on_stderr_and_the_document_alone_on_stdout(growing, tmp_path, on_terminal):
    ended = on_terminal(*FOLLOW, "--json", piped=True, interrupt_at="watching", cwd=tmp_path)
    assert ended.returncode == 130
    assert json.loads(ended.stdout)["log"]["rows"] == 100


def test_the_live_table_shows_what_is_written_meanwhile(growing, tmp_path, on_terminal):
    meanwhile = [("100 rows", lambda: growing(rows(100, 140)))]
    ended = on_terminal(*FOLLOW, meanwhile=meanwhile, interrupt_at="140 rows", cwd=tmp_path)
    assert ended.returncode == 130


def test_a_line_that_is_written_in_two_parts_is_one_line(growing, tmp_path, watching):
    with watching("--fail-on", "nonfinite") as process:
        growing('{"step": 100, "grad_')
        growing('norm": NaN}\n')
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert "NONFINITE" in out


def test_with_fail_on_it_ends_as_soon_as_that_is_found(growing, tmp_path, watching):
    with watching("--fail-on", "exploding", "--format", "jsonl") as process:
        growing(rows(100, 160, lambda step: (step - 100) / 10))
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert json.loads(out.splitlines()[0])["kind"] == "exploding"


@pytest.mark.parametrize("how", ["replaced", "cut"])
def test_a_new_run_in_the_same_file_is_judged_for_itself(how, growing, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    growing(rows(100, 160, lambda step: (step - 100) / 10))

    def enough(report):
        found = report.to_dict()
        if found["log"]["rows"] == 160:
            if how == "replaced":
                (tmp_path / "run.jsonl").unlink()
            (tmp_path / "run.jsonl").write_text(rows(0, 50))
        elif found["log"]["rows"] == 50:
            growing('{"step": 50, "grad_norm": NaN}\n')
        return found["verdict"]["status"] == "nonfinite"

    report, interrupted = followed(("run.jsonl", None, {}), False, enough)
    assert not interrupted
    assert capsys.readouterr().err == "run.jsonl was replaced or cut: a new run, judged from its own beginning\n"
    assert report.to_dict()["log"]["rows"] == 51
    assert [one["kind"] for one in report.to_dict()["findings"]] == ["nonfinite"]


def test_a_new_run_is_told_above_the_live_table(growing, tmp_path, on_terminal):
    meanwhile = [("100 rows", lambda: (tmp_path / "run.jsonl").write_text(rows(0, 30)))]
    ended = on_terminal(*FOLLOW, meanwhile=meanwhile, interrupt_at=" 30 rows", cwd=tmp_path)
    assert ended.returncode == 130
    assert "a new run" in ended.shown
    assert "JSON Lines, 30 rows" in ended.shown


def test_the_standard_input_is_followed_to_its_end(process):
    ended = process("diagnose - --follow --json", stdin=rows(0, 50))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["log"]["rows"] == 50


def test_an_interrupt_off_a_terminal_gives_the_report_too(growing, tmp_path, watching):
    with watching("--json", "--fail-on", "exploding") as process:
        growing("torn")
        threading.Timer(3.0, os.kill, (process.pid, signal.SIGINT)).start()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["log"]["rows"] == 100
