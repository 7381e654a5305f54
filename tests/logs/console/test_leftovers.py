"""Text in which there is little to judge: overflows alone, prose, headers of two-word names, bars drawn twice."""

import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log


def overflows(*scales):
    return [f"Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to {scale}" for scale in scales]


@pytest.mark.parametrize(
    ("scales", "status"),
    [
        ([2.0**power for power in range(15, 9, -1)], "too-short"),  # searched for
        ([2.0**power for power in range(15, 4, -1)], "nonfinite"),
        (["1.6e-322", "8e-323", "4e-323", "2e-323", "0.0"], "nonfinite"),
    ],
)
def test_overflows_alone_are_a_log_and_fatal_where_no_scale_fits(scales, status, told):
    report = told("training went well until here, then this:", *overflows(*scales))
    assert (report.verdict.status, report.log.rows_found) == (status, len(scales))
    assert report.warnings == ("it has no loss and no gradient norm, only overflows",)


def test_overflows_at_a_scale_of_one_are_not_searching(told):
    lines = [
        f" 0%|▋   | {step}/900 [00:40<02:40, 2.5it/s]OVERFLOW! Skipping step. Attempted loss scale: 1, reducing to 1"
        for step in range(98, 104)
    ]
    verdict = told(*lines).verdict
    assert (verdict.status, verdict.first_step) == ("nonfinite", 98)


@pytest.mark.parametrize(
    "lines",
    [
        ["I trained the vocoder, but there is something that I can't explain:", "it stops, and says nothing"],
        ["We trained for 3 epochs on 8 cards", "after 2 days the loss was gone, we began again"],
    ],
)
def test_prose_is_refused_as_what_it_is(lines, told):
    with pytest.raises(InputError) as error:
        told(*lines)
    assert "none of its lines has a number by such a name" in str(error.value)


def test_a_column_that_is_asked_for_where_no_number_has_a_name_is_refused_with_that_reason(tmp_path):
    path = tmp_path / "run.txt"
    path.write_text("".join(f"{row} {4 - row / 10:.3f}\n" for row in range(9)))
    with pytest.raises(InputError, match=r"has no column '1' for loss; none of its numbers has a name$"):
        read_log(path, columns={"loss": "1"})


def test_names_of_lines_that_say_neither_loss_nor_norm_are_listed_too(tmp_path):
    path = tmp_path / "run.txt"
    path.write_text("".join(f"[{row}/300] L={4 - row / 10:.3f} acc=0.{row}\n" for row in range(10, 19)))
    with pytest.raises(InputError, match=r"has neither a loss nor a gradient norm \(its columns are L, acc\)"):
        read_log(path)
    assert len(read_log(path, columns={"loss": "L"}).table.kept()[0]) == 9


def test_names_that_are_parted_from_their_numbers_are_listed(told):
    with pytest.raises(InputError, match="its columns are accuracy, speed, step"):
        told("we trained for 3 steps and then 4", *(f"accuracy: 0.{row}, speed: 12, step: {row}" for row in range(4)))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("epoch train loss valid loss accuracy time", "train_loss"),
        ("epoch trn loss val loss accuracy time", "trn_loss"),
        ("epoch train_loss valid_loss accuracy time", "train_loss"),
        ("epoch trn_loss val_loss accuracy time", "trn_loss"),
    ],
)
def test_a_header_of_names_of_two_words_has_the_columns_that_its_rows_have(head, name, told):
    report = told(head, *(f"{row} {2 - row / 10:.3f} 9.000 0.{row} 01:0{row}" for row in range(4)))
    assert ("loss", name) in [(one.quantity, one.name) for one in report.log.columns]
    assert report.log.rows == 4
    assert report.curves.loss.value == (2.0, 1.9, 1.8, 1.7)


def test_a_bar_that_is_drawn_twice_is_one_row_at_its_step(told):
    lines = [
        f"Epoch 4: {step}%|█▏   | {step}/79 [00:01<00:43, 1.8it/s, loss={2 + (step + again) / 10:.1f}, v_num=1]"
        for step in range(1, 9)
        for again in range(2)
    ]
    log = told(*lines).log
    assert (log.rows, log.first_step, log.last_step) == (8, 1, 8)


def test_a_step_that_only_the_error_names_is_not_called_that_of_a_bar(told):
    error = "FloatingPointError: Loss became infinite or NaN at iteration=2137!"
    columns = told(error, "terms = {'loss_a': tensor(nan), 'loss_b': tensor(1.5)}").log.columns
    assert ("step", "the program's last words") in [(one.quantity, one.name) for one in columns]


@pytest.mark.parametrize(
    "line",
    [
        "Cost after iteration {step}: {loss}",
        "Training loss (of one batch) at step {step}: {loss}",
        "loss in step {step}/900 = {loss}",
        "Loss at step {step} is {loss}",
    ],
)
def test_a_loss_may_be_named_before_its_step(line, told):
    report = told(*(line.format(step=100 * at, loss=0.7 - 0.1 * at) for at in range(6)))
    assert (report.log.first_step, report.log.last_step, report.log.rows) == (0, 500, 6)
    assert report.curves.loss.value == pytest.approx([0.7 - 0.1 * at for at in range(6)])


def test_prose_with_as_many_commas_in_both_lines_is_no_table(told):
    lines = [
        "It went well for hours, then this:",
        "I saw it again, and again",
        *overflows(*(2.0**-at for at in range(9))),
    ]
    assert told(*lines).verdict.status == "nonfinite"
