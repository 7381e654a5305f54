"""The text of a console as people paste it: cut, glued together, with the words of the program about its end."""

import math

import numpy as np
import pytest

from gradcheck.errors import InputError


@pytest.fixture
def series(series):
    """Lines ↦ their series."""
    return lambda *lines: series("\n".join(lines).encode())


def steps_and(column, read):
    """The steps of a series that have a number of a column, each with it."""
    values = read.values(column)
    return {step: value for step, value in zip(read.steps.tolist(), values.tolist(), strict=True) if value == value}


TRAINED = [f"iter {row}: loss {2.5 - row / 100:.3f}" for row in range(8)]


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (["FloatingPointError: the loss is infinite or NaN at iteration=12!", "terms = {'loss_a': tensor(nan)}"], 12),
        (["ERROR:trainer:Model diverged with loss = NaN.", "Traceback (most recent call last):"], 7),
        (["Loss is nan, stopping training"], 7),
        (["Loss went from 1.3 to nan, stopping"], 7),
        (["Monitored metric val_loss = nan is not finite. Best value was inf. Signaling Trainer to stop."], 7),
        (["Batch 5: Invalid loss, terminating training"], 7),
        (["TerminateOnNan: Output 'nan' contains NaN or Inf. Stop training"], 7),
        (["NaN or Inf found in loss: training stopped"], 7),
        (["RuntimeError: The total norm of order 2.0 for gradients is non-finite"], 7),
        (["INFO:tensorflow:Error reported to Coordinator: <class 'E'>, LossTensor is inf or nan. : Tensor"], 7),
        (["loss is nan,end training, reexecv program now."], 7),
        (["Loss exploded to nan at step 11!", "Exception: Loss Exploded"], 11),
        (["ERROR - Loss is nan. Please change the hyperparameters."], 7),
        (["FloatingPointError: Minimum loss scale reached (0.001)."], 7),
    ],
)
def test_a_program_that_says_it_ends_of_a_nan_is_believed_though_no_row_shows_it(words, step, told):
    verdict = told(*TRAINED, *words).verdict
    assert (verdict.status, verdict.first_step) == ("nonfinite", step)


@pytest.mark.parametrize(
    "words",
    [
        "RuntimeError: CUDA out of memory",
        "KeyboardInterrupt: stopped",
        "loss is finite",
        "EarlyStopping: val_loss improved from inf to 1.2, exit not needed",
        "Early stopping triggered: loss inf -> 1.2",
        "EarlyStopping(monitor='val_loss', best=inf) stopped: no better loss in 10 epochs",
        "early stopping: exit if the loss is nan",
        "stopping_threshold=None, divergence_threshold=inf, monitor=loss",
        "KL divergence: the loss weight is inf",
        "nan losses: 0, aborted steps: 0",
        "Training stopped without a nan loss",
        "ERROR - no nan loss found",
        "the loss ends at 1.5",
        "Training exited: clip_grad_norm inf, loss 1.23",
    ],
)
def test_other_last_words_are_no_finding(words, told):
    assert told(*TRAINED, words).verdict.status == "too-short"


def test_a_program_that_goes_on_after_such_words_is_not_held_to_them(told):
    again = [line.replace("iter ", "iter 1") for line in TRAINED]
    assert told(*TRAINED, "Loss is nan, stopping this epoch", *again).verdict.status == "too-short"


def test_overflows_without_a_step_of_their_own_are_counted_until_the_end(told):
    row = "| epoch 027 | loss 6.343 | num_updates {} | gnorm 0.39 | loss_scale {}"
    scales = [2.0**-power for power in range(1, 13)]
    report = told(
        row.format(100, 1), row.format(200, 1), *(f"overflow detected, setting loss scale to: {one}" for one in scales)
    )
    assert report.verdict.status == "nonfinite"
    assert report.findings[0].numbers["overflows"] == 12


def test_overflows_before_the_first_row_are_of_its_step(series):
    read = series("overflow detected, setting loss scale to: 64.0", "step 300: loss 2.1", "step 400: loss 2.0")
    assert (read.steps[0], read.steps[-1]) == (300, 400)


def test_steps_go_on_where_each_epoch_has_one_row_at_its_last_place(series):
    lines = [line for epoch in range(1, 5) for line in (f"Epoch {epoch}/4", f"50/50 - 3s - loss: {3 - epoch / 2}")]
    assert steps_and("loss", series(*lines)) == {50: 2.5, 100: 2.0, 150: 1.5, 200: 1.0}


def test_epochs_are_the_steps_beside_a_bar_that_is_always_full(series):
    lines = [
        line
        for epoch in (7, 8, 9)
        for line in (f"--- epoch {epoch} ---", "[train]: 100%|####| 5/5 [00:01<00:00,  3.5it/s]",
                     f"train/loss : {4 - epoch / 4}", f"train/ctc : {epoch / 4}")
    ]  # fmt: skip
    assert steps_and("loss", series(*lines)) == {7: 2.25, 8: 2.0, 9: 1.75}


def test_a_row_before_the_first_bar_is_as_far_from_the_next_as_the_others_are(series):
    bars = [f" 24%|##  | {step}/900 [01:00<02:00,  4.5s/it]" for step in (40, 50, 60)]
    rows = [f"{{'loss': {loss}, 'learning_rate': 0.1}}" for loss in (2.0, 1.9, 1.8, 1.7)]
    lines = [rows[0], *(line for pair in zip(bars, rows[1:], strict=True) for line in pair)]
    assert steps_and("loss", series(*lines)) == {30: 2.0, 40: 1.9, 50: 1.8, 60: 1.7}


def test_bars_that_were_glued_together_are_taken_apart(series):
    bars = "".join(f"steps: {at}%|#   | {at}/100 [00:05<10:00,  5.3s/it, avr_loss={3 - at / 10}]" for at in range(1, 6))
    assert steps_and("loss", series(bars)) == {at: pytest.approx(3 - at / 10) for at in range(1, 6)}


def test_a_first_line_whose_beginning_was_cut_off_is_of_the_same_rows(series):
    rows = [
        f"2024-01-0{row} - det - INFO - Epoch [1][{50 * row}/900] lr: 0.1, loss: {3 - row / 10}" for row in (1, 2, 3)
    ]
    assert list(steps_and("loss", series(rows[0].partition("INFO - ")[2], *rows[1:]))) == [50, 100, 150]


def test_rows_below_the_heading_of_a_validation_are_not_of_the_training(series):
    train = [f"batch: {at}/308, iter: {at}, loss: {1 - at / 1000}, aux_loss: 800.0" for at in range(0, 300, 20)]
    valid = [f"batch: {at}/99, iter: {at}, loss: 0.05" for at in (0, 20, 40)]
    read = series(*train, "Validation at epoch 5", *valid)
    assert list(steps_and("loss", read)) == list(range(0, 300, 20))


def test_a_validation_named_between_bars_is_no_row_of_the_training(series):
    rows = [
        line
        for epoch in (1, 2)
        for line in (f"| epoch {epoch} | loss {4 - epoch} | nll_loss 2.2 | num_updates {100 * epoch} | gnorm 0.6",
                     f"| epoch {epoch} | valid on 'valid' subset | loss 9.3 | nll_loss 8.1 | num_updates {100 * epoch}")
    ]  # fmt: skip
    read = series(*rows)
    assert steps_and("loss", read) == {100: 3.0, 200: 2.0}
    assert read.norms.tolist() == [0.6, 0.6]


def test_a_loss_and_a_norm_on_lines_of_their_own_are_one_row_though_each_counts_in_its_way(series):
    lines = [
        line
        for row in range(1, 6)
        for line in (
            f"Train Epoch: 4 [{40 * row}/900 (5%)]  Loss: {1 / row:.3f}",
            f"grad_norm: {row}.5 iteration: {row}",
        )
    ]
    read = series(*lines)
    assert steps_and("loss", read) == {40 * row: pytest.approx(1 / row, abs=1e-3) for row in range(1, 6)}
    assert steps_and("grad_norm", read) == {40 * row: row + 0.5 for row in range(1, 6)}


def test_a_number_that_is_not_available_is_none_and_its_name_ends_there(series):
    read = series(*(f"iter: {row} total_grad_norm: N/A total_loss: {9 - row} (8.5) loss_x: 0.1" for row in range(5)))
    assert steps_and("loss", read) == {row: 9.0 - row for row in range(5)}


def test_the_time_of_a_batch_is_neither_a_loss_nor_a_step(series):
    lines = [f"iter: {row}, 'loss': '{'nan' if row else 24.0}', batch_cost: 1.2 sec" for row in range(4)]
    lost = series(*lines).run.nonfinite
    assert (lost.first_step, lost.rows) == (1, 3)
    batches = [f"{row}epoch:train: iter_time=6.8e-04, loss={9 - row}, grad_norm=5.0" for row in range(1, 5)]
    assert steps_and("loss", series(*batches)) == {row: 9.0 - row for row in range(1, 5)}


def test_a_unit_is_no_name_of_the_number_after_it(series):
    lines = [
        f"Ep. 1 : Up. {row}000 : Sen. {row}65,843 : Cost {9 - row} : Time 3{9 - row}.5s : 3007.8 words/s"
        for row in range(1, 6)
    ]
    assert steps_and("loss", series(*lines)) == {1000 * row: 9.0 - row for row in range(1, 6)}


def test_a_place_written_as_a_fraction_is_a_step(series):
    lines = [f'{{"loss": {3 - row}, "grad_norm": 0.5, "global_step/max_steps": "{row}/547"}}' for row in (1, 2, 3)]
    assert steps_and("loss", series(*lines)) == {1: 2.0, 2: 1.0, 3: 0.0}


def test_the_tables_of_sums_of_losses_and_of_boxes_are_read(series):
    header = "E    #      LOSS TOK   LOSS NER   SCORE"
    sums = [f"  0   {200 * row}   {row * 100}.0   {41 if not row else 5000 + 10 * row}.0   0.5" for row in range(8)]
    assert list(steps_and("loss", series(header, "---  ----  ----  ----  ----", *sums))) == list(range(0, 1600, 200))
    boxes = ["  Epoch   gpu_mem    box    obj    cls   labels  img_size"]
    boxes += [
        f"  {row}/9   2.6G   0.1   0.2   {0.3 if row < 3 else 'nan'}   4   416: 100%|##| 7/7 [00:15<00:00, 2.2s/it]"
        for row in range(1, 5)
    ]
    assert series(*boxes).run.nonfinite.rows == 2


def test_one_jump_after_the_first_row_of_a_short_log_is_no_growth(told):
    jump = [f"step {row}: loss {41.0 if not row else 5000 + 600 * row}" for row in range(8)]
    growth = [f"step {row}: loss {2 * 3**row}" for row in range(8)]
    assert told(*jump).verdict.status == "too-short"
    assert told(*growth).verdict.status == "exploding"


def test_steps_that_are_known_from_the_beginning_stay_as_they_are(series):
    read = series(*TRAINED)
    assert read.steps.tolist() == list(range(8))
    assert not math.isnan(np.sum(read.values("loss")))


def test_a_nan_in_the_last_row_is_not_called_one_that_passes(told):
    last, passing = told(*TRAINED, "iter 8: loss nan"), told(*TRAINED[:4], "iter 4: loss nan", *TRAINED[5:])
    assert "in the last row" in last.findings[0].message
    assert "in this row only" in passing.findings[0].message


def test_the_last_words_after_bars_are_not_taken_for_words_before_them(told):
    bars = [f"Average Loss: {9 - at}.5:  {at}%|█  | {at}/100 [00:21<03:15, 21.75s/epoch]" for at in range(1, 7)]
    verdict = told(*bars, "Traceback (most recent call last):", "ValueError: Loss is nan. Please change it.").verdict
    assert (verdict.status, verdict.first_step) == ("nonfinite", 6)


def test_a_program_that_ends_of_a_nan_before_its_first_row_has_its_last_words_in_the_error(told):
    with pytest.raises(InputError, match="its last words are \"TerminateOnNan: Output 'nan' contains NaN"):
        told("INFO: run starting with max_epochs=3", "TerminateOnNan: Output 'nan' contains NaN or Inf. Stop training")
