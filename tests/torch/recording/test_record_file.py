"""The file: whole records whatever happens, resumed runs, and what is refused."""

import gc
import os
import subprocess
import sys
import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradcheck  # noqa: E402
from gradcheck.errors import GradcheckError, OptionError, OutputError  # noqa: E402
from gradcheck.torch import Recorder  # noqa: E402


def test_a_record_is_on_disk_when_its_step_ends(file, runs):
    with Recorder(runs.mlp(), file, every=1) as recorder:
        recorder.step(0.5)
        assert runs.records(file)[0]["loss"] == 0.5


def test_an_exception_leaves_whole_records_and_a_closed_file(file, runs):
    recorder = Recorder(runs.mlp(), file, every=1)
    recorder.step(1.0)
    with pytest.raises(ZeroDivisionError), recorder:
        1 / 0  # noqa: B018
    assert file.read_bytes().endswith(b"\n")
    assert len(runs.records(file)) == 1
    recorder.step(2.0)  # closed: it does nothing
    assert len(runs.records(file)) == 1


def test_a_resumed_run_continues_after_its_last_step(file, runs):
    runs.train(runs.mlp(), file, steps=4, every=2)
    with file.open("ab") as stream:
        stream.write(b'{"step":4,"lo')  # torn
    runs.train(runs.mlp(), file, steps=4, every=2, resume=True)
    assert [record["step"] for record in runs.records(file)] == [0, 2, 4, 6]
    assert not gradcheck.diagnose(file).warnings


def test_a_resumed_run_can_go_back_to_a_checkpoint(file, runs):
    runs.train(runs.mlp(), file, steps=6)
    runs.train(runs.mlp(), file, steps=2, resume=True, start=3)
    assert [record["step"] for record in runs.records(file)] == [0, 1, 2, 3, 4, 5, 3, 4]
    assert gradcheck.diagnose(file).log.last_step == 4


def test_an_earlier_run_is_kept_under_the_next_free_number_and_that_is_said(file, runs):
    for steps in (5, 4, 3):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            runs.train(runs.mlp(), file, steps=steps)
        said = [str(one.message) for one in seen]
    assert [len(runs.records(file.with_name(f"run{number}.jsonl"))) for number in (".1", ".2", "")] == [5, 4, 3]
    assert len(said) == 1
    assert "run.jsonl holds an earlier run, which is kept as run.2.jsonl; overwrite=True" in said[0]


def test_an_earlier_run_is_written_over_on_request(file, runs):
    runs.train(runs.mlp(), file, steps=5)
    runs.train(runs.mlp(), file, steps=2, overwrite=True)
    assert len(runs.records(file)) == 2
    assert [one.name for one in file.parent.iterdir()] == ["run.jsonl"]


def test_two_recorders_on_one_file_are_refused_until_the_first_is_closed(file, runs):
    first = Recorder(runs.mlp(), file)
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputError, match="another recorder is writing it: close that one, or name another file"):
            Recorder(runs.mlp(), file, **options)
    first.close()
    Recorder(runs.mlp(), file).close()


def test_a_recorder_that_nothing_refers_to_any_more_lets_go_of_its_file(file, runs):
    recorder = Recorder(runs.mlp(), file, activations=True)
    del recorder
    gc.collect()
    Recorder(runs.mlp(), file).close()


def test_missing_folders_are_made(tmp_path, runs):
    runs.train(runs.mlp(), tmp_path / "a" / "b" / "run.jsonl")
    assert len(runs.records(tmp_path / "a" / "b" / "run.jsonl")) == 3


def test_a_forgotten_step_is_said_at_the_end(file, runs):
    model = runs.mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, file)
    for _ in range(3):
        runs.loss_of(model).backward()
        optimizer.step()
    with pytest.warns(RuntimeWarning, match=r"took 3 steps, but recorder\.step was never called"):
        recorder.close()
    with pytest.warns(RuntimeWarning, match=r"there are gradients, but recorder\.step was never called"):
        Recorder(model, file).close()


def test_a_forgotten_step_is_said_when_the_program_ends(file):
    script = f"""
import torch, gradcheck
model = torch.nn.Linear(2, 1)
recorder = gradcheck.torch.Recorder(model, {str(file)!r})
model(torch.ones(3, 2)).sum().backward()
torch.optim.SGD(model.parameters(), lr=0.1).step()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "the optimizer took 1 step, but recorder.step was never called" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_warnings_are_errors_training_goes_on(file, runs, capsys):
    runs.train(runs.mlp(), file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs.train(runs.mlp(), file)
    assert capsys.readouterr().err.startswith("warning: ")
    assert len(runs.records(file)) == 3


def test_a_file_that_is_not_there_can_be_resumed(file, runs):
    runs.train(runs.mlp(), file, steps=2, resume=True)
    assert [record["step"] for record in runs.records(file)] == [0, 1]


def test_a_torn_tail_is_no_obstacle_to_a_diagnosis(file, runs):
    runs.train(runs.mlp(), file, steps=40)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    report = gradcheck.diagnose(file)
    assert report.log.rows == 39
    assert len(report.warnings) == 1


def test_a_record_is_small(file, runs):
    runs.train(runs.mlp(depth=20, width=16), file, steps=3)
    numbers = 3 * 42
    assert all(len(line) < 15 * numbers + 200 for line in file.read_bytes().splitlines())


def test_a_disk_that_is_full_ends_the_recording_with_a_warning_and_not_the_run(file, monkeypatch, runs):
    with Recorder(runs.mlp(), file, every=1) as recorder:
        recorder._log._stream.close()
        recorder._log._stream = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
        with pytest.warns(RuntimeWarning, match="No space left on device; gradcheck records no more"):
            recorder.step(1.0)
        recorder.step(1.0)
        assert recorder.number == 2


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"every": 0}, OptionError, "every=0 is not a whole number of at least 1"),
        ({"start": -1}, OptionError, "start=-1 is not"),
        ({"updates": "yes"}, OptionError, "neither True nor False"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(file, options, error, words, runs):
    with pytest.raises(error, match=words):
        Recorder(runs.mlp(), file, **options)
    assert not file.exists()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (torch.ones(24), r"loss has 24 numbers; give its mean, loss\.mean\(\)"),
        ("x", "loss is 'x', not a number; give a float or a tensor"),
        ([1.0], r"loss is \[1\.0\], not a number"),
        (torch.ones((), dtype=torch.complex64), "not a number"),
    ],
)
def test_a_loss_that_is_not_one_number_is_an_error_that_says_what_to_give(file, runs, loss, words):
    with Recorder(runs.mlp(), file, every=1) as recorder, pytest.raises(GradcheckError, match=words):
        recorder.step(loss)


def test_what_is_no_model_or_has_nothing_to_train_is_refused(file):
    with pytest.raises(GradcheckError, match=r"dict is not a torch\.nn\.Module"):
        Recorder({}, file)
    with pytest.raises(GradcheckError, match="ReLU has no parameter that requires a gradient"):
        Recorder(nn.ReLU(), file)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "taken/run.jsonl", ""])
def test_a_file_that_cannot_be_written_is_reported_at_the_start(tmp_path, monkeypatch, runs, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="can't be written: "):
        Recorder(runs.mlp(), name)


def test_to_begin_anew_and_to_continue_exclude_each_other(file, runs):
    with pytest.raises(OptionError, match="choose one of them"):
        Recorder(runs.mlp(), file, resume=True, overwrite=True)


def test_a_run_without_a_step_leaves_no_file(file, runs):
    Recorder(runs.mlp(), file).close()
    assert not file.exists()
    runs.train(runs.mlp(), file)
    before = file.read_bytes()
    Recorder(runs.mlp(), file, resume=True).close()
    assert file.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork")  # of JAX, where another test has loaded it
def test_a_process_that_is_forked_writes_nothing(file, runs):
    with Recorder(runs.mlp(), file, every=1) as recorder:
        recorder.step(1.0)
        child = os.fork()
        if not child:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                recorder.step(2.0)
                recorder.step(2.0)
            recorder.close()
            os._exit(len(said))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        recorder.step(3.0)
    assert [record["loss"] for record in runs.records(file)] == [1.0, 3.0]


def test_a_misspelt_option_names_the_right_one(file, runs):
    with pytest.raises(GradcheckError, match=r"Recorder\(\) has no option 'evry'; did you mean 'every'\?"):
        Recorder(runs.mlp(), file, evry=2)
    assert not file.exists()
