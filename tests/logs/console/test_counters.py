"""Which numbers of a console are steps and losses, where a line has several that might be."""

import pytest


@pytest.fixture
def course(series):
    """Lines ↦ the steps that have a loss, each with it."""

    def read(*lines):
        found = series("\n".join(lines).encode())
        losses = found.values("loss")
        return {step: loss for step, loss in zip(found.steps.tolist(), losses.tolist(), strict=True) if loss == loss}

    return read


def test_rows_of_one_step_are_told_apart_by_their_iterations(course):
    lines = [f"iter {at} step {at // 4}: loss {9 - at / 4}, iter time: 1106.53ms" for at in range(8, 20)]
    assert course(*lines) == {at: 9 - at / 4 for at in range(8, 20)}


def test_of_iterations_and_steps_that_go_together_the_steps_count(course):
    assert list(course(*(f"iter {4 * at} step {at}: loss 0.{at}" for at in range(1, 9)))) == list(range(1, 9))


def test_a_step_may_stand_in_brackets_between_a_loss_and_its_number(course):
    lines = [f"train_batch_loss[ {10 * at} ]:  {3 - at / 8}" for at in range(1, 9)]
    assert course(*lines) == {10 * at: 3 - at / 8 for at in range(1, 9)}


def test_epoch_and_step_may_share_a_name_of_two_halves(course):
    lines = [f"eta: 0:46:32  epoch/iter: {at // 4}/{2990 + 10 * at}  total_loss: {50 - at}" for at in range(8)]
    assert course(*lines) == {2990 + 10 * at: 50 - at for at in range(8)}


def test_a_date_before_a_time_is_no_step(told):
    lines = [f"[0601 09:0{at}:21 @monitor.py:467] total_cost: {5 - at / 2}" for at in range(9)]
    assert told(*lines).log.rows == 9


def test_the_step_behind_what_a_logger_begins_a_line_with_is_that_of_the_loss(told):
    lines = [
        f"I1201 10:11:12.{at} 140 metrics.py:44] [{50 * at}] {name} = {value}"
        for at in range(1, 9)
        for name, value in (("training_loss", 3 - at / 8), ("l2_grads", 1.5))
    ]
    log = told(*lines).log
    assert (log.rows, log.first_step, log.last_step) == (8, 50, 400)
    assert {(one.quantity, one.name) for one in log.columns} >= {("loss", "training_loss"), ("grad_norm", "l2_grads")}


def test_a_single_step_says_more_than_the_mean_of_several(told):
    lines = [f"Training Iteration: {at}  average_loss : 2.{at}  step_loss : 3.{at}" for at in range(1, 9)]
    assert told(*lines).log.columns[0].name == "step_loss"


def test_a_total_stands_for_a_loss_where_there_is_no_other(told):
    lines = [f"step {at}, lr=0.02 policy=3.{at} mse=0.1 reg=0.2 total={5 - at / 8} (1234 pos/s)" for at in range(1, 9)]
    assert told(*lines).log.columns[0].name == "total"
    assert told(*(f"step {at} loss 0.{at} total 5.5" for at in range(1, 9))).log.columns[0].name == "loss"


def test_a_whole_number_of_something_is_no_sum_of_losses(told):
    lines = [f"step {at} rmse {9 - at / 8} total 50" for at in range(1, 9)]
    assert told(*lines).log.columns[0].name == "rmse"


def test_the_picture_of_a_bar_makes_no_other_kind_of_row(told):
    lines = [f"| Progress [{'#' * at:20s}][{5 * at}.5%] | LR 0.1 | Loss {9 - at / 8} |" for at in range(20)]
    assert told(*lines).log.rows == 20


def test_of_as_many_rows_those_with_a_whole_loss_count(told):
    lines = [
        f"Training average {name}loss at step {at}: {1 + at / 8}"
        for at in range(9)
        for name in ("positive_sample_", "negative_sample_", "")
    ]
    assert told(*lines).log.columns[0].name == "Training average loss"


def test_a_number_before_a_place_is_the_epoch(told):
    lines = [f"[{at // 4}: {at % 4}/4] train loss: {9 - at / 4} accuracy: 0.5" for at in range(20)]
    assert (told(*lines).log.rows, told(*lines).curves.loss.value[0]) == (20, 9.0)


def test_the_step_in_brackets_behind_what_a_logger_writes_is_that_of_a_row_of_several_numbers(course):
    lines = [
        f"I0625 10:00:0{at}.1 14 train.py:300] [{50 * at}] | gnorm 1.25 lr 0.1 | loss {9 - at}.5" for at in range(1, 8)
    ]
    assert course(*lines) == {50 * at: 9.5 - at for at in range(1, 8)}


def test_a_single_number_before_a_bar_is_of_this_bar(course):
    bars = [
        f"Average Loss = {9 - at / 4}:  {at}%|█  | {250 * at}/10000 [00:01<00:09, 1000.1it/s]" for at in range(1, 9)
    ]
    assert course("\r".join(bars)) == {250 * at: 9 - at / 4 for at in range(1, 9)}


def test_the_picture_of_a_bar_may_stand_between_strokes(told):
    lines = [
        f"dla |{'#' * at:20s}| train: [1][{at}/20]|Tot: 0:00:10 |loss {9 - at / 4} |hm_loss 1.5" for at in range(20)
    ]
    assert told(*lines).log.rows == 20


def test_terms_of_two_players_are_their_losses(told):
    lines = [
        f"(epoch: 1, iters: {at}00) G_GAN: 0.7 G_GAN_Feat: 9.5 G_VGG: 8.25 D_real: 0.5 D_fake: 0.25" for at in (1, 2, 3)
    ]
    assert {one.name for one in told(*lines).log.columns if one.quantity == "loss"} == {
        "G_GAN + G_GAN_Feat + G_VGG", "D_real + D_fake",
    }  # fmt: skip


def test_steps_that_are_rounded_to_thousands_tell_no_rows_apart(told):
    steps = ["200", "400", "600", "800", *["1K"] * 5, *["2K"] * 5]
    report = told(*(f"step:{step} smpl:2K ep:3 loss:{9 - at / 4} grdn:1.5" for at, step in enumerate(steps)))
    assert (report.log.rows, report.log.last_step) == (14, 14)
    assert report.curves.loss.value[:5] == (9, 8.75, 8.5, 8.25, 8)


def test_an_i_is_an_iteration(course):
    assert list(course(*(f"E: 1 | I: {at}00 | Loss(cur/avg): {9 - at}.5/9.5" for at in range(1, 5)))) == [
        100,
        200,
        300,
        400,
    ]


def test_rows_with_norms_say_more_than_those_of_the_batches_that_are_accumulated(told):
    lines = [
        line
        for at in range(24)
        for line in (
            *(f"  micro {one}/4 loss {9 - at / 4}" for one in range(1, 5)),
            f"step {at} | loss {9 - at / 4} | gnorm 1.5",
        )
    ]
    assert (told(*lines).log.rows, told(*lines[:50]).log.rows) == (24, 40)


@pytest.mark.parametrize("clock", ["4:05", "12:34", "1:02:03"])
def test_the_time_that_is_left_is_no_epoch_and_no_step(clock, course):
    line = f" {{at}}/100 ━━━━━━━━━━━━━━━━━━━━ {clock} 2s/step - accuracy: 0.5 - loss: {{loss}}"
    rows = "\r".join(line.format(at=at, loss=9 - at / 8) for at in range(1, 60))
    assert course("Epoch 1/3", rows) == {at: 9 - at / 8 for at in range(1, 60)}
