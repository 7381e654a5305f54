"""Lines of a console within JSON, behind what a container writes, and whole runs as Python prints them."""

import json

import pytest

from gradcheck import GradcheckError

ROWS = [f"step={10 * at} loss={3 - at / 10:.4f} grad_norm={5000 if at == 33 else 1 + at % 3 / 10}" for at in range(40)]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda row: {"log": f"{row}\n", "stream": "stdout", "time": "2031-05-01T10:00:00.1Z"},
        lambda row: {"level": "info", "ts": 1234.5, "msg": row},
        lambda row: {"timestamp": "2031", "fields": {"message": row}, "target": "train"},
    ],
)
def test_the_text_within_objects_is_read_as_a_console(wrapped, told):
    report = told(*(json.dumps(wrapped(row)) for row in ROWS))
    assert (report.verdict.status, report.verdict.first_step) == ("spikes", 330)
    assert (report.log.format, report.log.rows) == ("console output in JSON", 40)


def test_objects_with_numbers_and_a_text_are_their_numbers(told):
    report = told(*(json.dumps({"msg": "step=7 loss=9.5", "step": at, "loss": 0.5}) for at in range(30)))
    assert (report.log.format, report.log.rows) == ("JSON Lines", 30)


def test_objects_without_a_number_or_text_are_refused_by_their_names(told):
    with pytest.raises(GradcheckError, match="its columns are level, ts"):
        told(*(json.dumps({"level": "info", "ts": at}) for at in range(30)))


def test_what_the_runtime_of_a_container_writes_before_a_line_is_no_part_of_it(told):
    report = told(*(f"2031-05-01T10:00:{at + 10}.123456789Z stdout F {row}" for at, row in enumerate(ROWS)))
    assert (report.verdict.status, report.verdict.first_step) == ("spikes", 330)


def test_a_history_that_is_printed_is_read_as_a_run(told):
    losses = [round(2 - at / 20, 3) for at in range(24)] + [float("nan")] * 6
    report = told("training done", str({"loss": losses, "accuracy": [0.5] * 30, "val_loss": losses}))
    assert (report.log.rows, report.verdict.status, report.verdict.first_step) == (30, "nonfinite", 25)


def test_a_row_with_a_list_in_it_is_no_history(told):
    report = told(*(f"{{'loss': {3 - at / 10}, 'lrs': [0.1, 0.2], 'epoch': {at}}}" for at in range(20)))
    assert report.log.rows == 20
