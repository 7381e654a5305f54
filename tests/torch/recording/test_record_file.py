"""The file: whole records whatever happens, resumed runs, and what is refused."""

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


def test_a_file_that_is_not_resumed_begins_anew(file, runs):
    runs.train(runs.mlp(), file, steps=5)
    runs.train(runs.mlp(), file, steps=2)
    assert len(runs.records(file)) == 2


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
        ({"every": 0}, OptionError, "--every 0 is not a whole number of at least 1"),
        ({"start": -1}, OptionError, "--start -1 is not"),
        ({"updates": "yes"}, OptionError, "neither True nor False"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(file, options, error, words, runs):
    with pytest.raises(error, match=words):
        Recorder(runs.mlp(), file, **options)
    assert not file.exists()


def test_a_loss_of_several_numbers_is_an_error_that_says_what_to_give(file, runs):
    with (
        Recorder(runs.mlp(), file, every=1) as recorder,
        pytest.raises(GradcheckError, match=r"loss has 24 numbers; give its mean, loss\.mean\(\)"),
    ):
        recorder.step(torch.ones(24))


def test_what_is_no_model_or_has_nothing_to_train_is_refused(file):
    with pytest.raises(GradcheckError, match=r"dict is not a torch\.nn\.Module"):
        Recorder({}, file)
    with pytest.raises(GradcheckError, match="ReLU has no parameter that requires a gradient"):
        Recorder(nn.ReLU(), file)


def test_a_file_that_cannot_be_written_is_reported_at_the_start(tmp_path, runs):
    with pytest.raises(OutputError, match="can't be written: No such file"):
        Recorder(runs.mlp(), tmp_path / "nowhere" / "run.jsonl")
