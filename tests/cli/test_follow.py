"""``--follow``: a log that grows while it is watched."""

import json

import pytest

from gradcheck.cli import follow
from gradcheck.logs import lines


def rows(first, last, decades=lambda step: 0.0):
    return "".join(
        json.dumps({"step": step, "loss": 2 - step / 1e4, "grad_norm": 10 ** (decades(step) + (37 * step % 101) / 300)})
        + "\n"
        for step in range(first, last)
    )


#: Follows the log in a process, and looks at it more often than once a second.
FOLLOW = (
    "-c", "from gradcheck.cli import follow, main; follow.INTERVAL = 0.05; main()", "diagnose", "run.jsonl", "--follow",
)  # fmt: skip


@pytest.fixture
def meanwhile(monkeypatch):
    """What happens to the log that this process follows, one thing at each wait for more; at the next an interrupt."""

    def happens(*events):
        left = iter(events)

        def wait(seconds):
            try:
                event = next(left)
            except StopIteration:
                raise KeyboardInterrupt from None
            event()

        monkeypatch.setattr(lines.time, "sleep", wait)
        monkeypatch.setattr(follow, "INTERVAL", 0)

    return happens


@pytest.fixture
def growing(tmp_path):
    """A log to which more can be written."""
    path = tmp_path / "run.jsonl"
    path.write_text(rows(0, 100))

    def write(text):
        with path.open("a") as file:
            file.write(text)

    return write


def test_the_live_table_shows_what_is_written_meanwhile_and_an_interrupt_what_was_found(growing, tmp_path, on_terminal):
    events = [("100 rows", lambda: growing(rows(100, 140)))]
    ended = on_terminal(*FOLLOW, meanwhile=events, interrupt_at="140 rows", cwd=tmp_path)
    assert ended.returncode == 130
    assert "watching" in ended.shown
    assert "gradient norm" in ended.shown
    assert "Traceback" not in ended.shown
    report = ended.shown.rpartition("run.jsonl · JSON Lines, 140 rows")[2]
    assert "GRADIENTS OK" in report
    assert "watching" not in report


def test_the_live_table_is_on_stderr_and_the_document_alone_on_stdout(growing, tmp_path, terminal, meanwhile):
    meanwhile()
    ended = terminal("diagnose run.jsonl --follow --json", piped=True, cwd=tmp_path)
    assert ended.returncode == 130
    assert "watching" in ended.shown
    assert json.loads(ended.stdout)["log"]["rows"] == 100


def test_a_line_that_is_written_in_two_parts_is_one_line(growing, tmp_path, gradcheck, meanwhile):
    meanwhile(lambda: growing('{"step": 100, "grad_'), lambda: growing('norm": NaN}\n'))
    ended = gradcheck("diagnose run.jsonl --follow --fail-on nonfinite", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "NONFINITE" in ended.stdout


@pytest.mark.parametrize("line", ['{"step": 100, "grad_norm": NaN}', '{"step": 100, "loss": 1.5, "grad_norm": 2.5}'])
def test_an_interrupt_counts_a_last_line_that_has_no_end_yet(line, growing, tmp_path, gradcheck, meanwhile):
    meanwhile(lambda: growing(line))
    ended = gradcheck("diagnose run.jsonl --follow --json", cwd=tmp_path)
    assert ended.returncode == 130
    assert json.loads(ended.stdout)["log"]["rows"] == 101


def test_an_interrupt_counts_a_last_line_of_a_console_without_its_end(tmp_path, gradcheck, meanwhile):
    path = tmp_path / "run.log"
    path.write_text("".join(f"step {step}: loss {2 - step / 99}\n" for step in range(40)))

    def more():
        with path.open("a") as file:
            file.write("step 40: loss 1.5")

    meanwhile(more)
    ended = gradcheck("diagnose run.log --follow --json", cwd=tmp_path)
    assert ended.returncode == 130
    assert json.loads(ended.stdout)["log"]["rows"] == 41


def test_a_file_that_gives_way_to_a_folder_is_followed_no_further_but_judged(growing, tmp_path, gradcheck, meanwhile):
    def moved():
        (tmp_path / "run.jsonl").rename(tmp_path / "kept.jsonl")
        (tmp_path / "run.jsonl").mkdir()

    meanwhile(moved, lambda: None)
    ended = gradcheck("diagnose run.jsonl --follow --json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (130, "")
    assert json.loads(ended.stdout)["log"]["rows"] == 100


def test_with_fail_on_it_ends_as_soon_as_that_is_found(growing, tmp_path, gradcheck, meanwhile):
    meanwhile(lambda: growing(rows(100, 160, lambda step: (step - 100) / 10)), pytest.fail)
    ended = gradcheck("diagnose run.jsonl --follow --fail-on exploding --format jsonl", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert json.loads(ended.stdout.splitlines()[0])["kind"] == "exploding"


@pytest.mark.parametrize("how", ["replaced", "cut"])
def test_a_new_run_in_the_same_file_is_judged_for_itself(how, growing, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(follow, "INTERVAL", 0)
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

    report, interrupted = follow.followed(("run.jsonl", None, {}), False, enough)
    assert not interrupted
    assert capsys.readouterr().err == "run.jsonl was replaced or cut: a new run, judged from its own beginning\n"
    assert report.to_dict()["log"]["rows"] == 51
    assert [one["kind"] for one in report.to_dict()["findings"]] == ["nonfinite"]


def test_a_new_run_is_told_above_the_live_table(growing, tmp_path, terminal, meanwhile):
    meanwhile(lambda: (tmp_path / "run.jsonl").write_text(rows(0, 30)))
    ended = terminal("diagnose run.jsonl --follow", cwd=tmp_path)
    assert ended.returncode == 130
    assert "a new run" in ended.shown
    assert "JSON Lines, 30 rows" in ended.shown


def test_the_standard_input_is_followed_to_its_end(process):
    ended = process("diagnose - --follow --json", stdin=rows(0, 50))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["log"]["rows"] == 50


def test_a_named_pipe_is_followed_to_its_end(in_bash, growing, tmp_path):
    ended = in_bash("gradcheck diagnose --follow <(cat run.jsonl) --json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["log"]["rows"] == 100


def test_an_interrupt_off_a_terminal_gives_the_report_too(growing, tmp_path, gradcheck, meanwhile):
    meanwhile(lambda: growing("torn"))
    ended = gradcheck("diagnose run.jsonl --follow --json --fail-on exploding", cwd=tmp_path)
    assert ended.returncode == 130
    assert json.loads(ended.stdout)["log"]["rows"] == 100


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path, gradcheck, meanwhile):
    def write():
        (tmp_path / "run.jsonl").write_text(rows(0, 50) + '{"step": 50, "grad_norm": NaN}\n')

    (tmp_path / "runs.jsonl").touch()
    meanwhile(write, pytest.fail)
    ended = gradcheck("diagnose run.jsonl --follow --fail-on nonfinite", cwd=tmp_path)
    assert ended.returncode == 1
    said = "note: run.jsonl: no such file yet: waiting for it until Ctrl-C; did you mean 'runs.jsonl'?\n"
    assert ended.stderr == said


def test_a_file_in_a_folder_that_is_not_there_is_refused(tmp_path, gradcheck):
    ended = gradcheck("diagnose no/run.jsonl --follow", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "error: no/run.jsonl: can't be read: no such file or directory\n")


def test_an_interrupt_while_waiting_ends_with_130(tmp_path, gradcheck, meanwhile):
    meanwhile()
    assert gradcheck("diagnose run.jsonl --follow --quiet", cwd=tmp_path).returncode == 130
