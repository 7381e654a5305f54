"""How people write steps, tables and lists down, whichever program wrote them."""

import pytest

from gradcheck import GradcheckError


def losses(report):
    return [(int(step), loss) for step, loss in zip(report.curves.loss.step, report.curves.loss.value, strict=True)]


FALLING = [(step, round(3 - step / 200, 3)) for step in range(0, 300, 10)]


@pytest.mark.parametrize(
    "line",
    [
        "{0} | loss {1} | lr 3e-4 | 13597.20ms",
        "  {0}  45.12 ms run,   1.20 ms python,  {1} loss, 0.0098 LR",
        "[{0}] training_loss = {1}",
        "({0}) loss: {1}",
        "{0}: loss {1}",
        "{0}: {1}, {1} avg loss, 0.001 rate",
        "{0}\tloss={1}",
        "> {0} loss {1}",
    ],
)
def test_a_number_at_the_beginning_of_a_line_is_its_step(line, told):
    assert losses(told(*(line.format(*row) for row in FALLING))) == FALLING


@pytest.mark.parametrize("line", ["{0} {1} Loss={2} Time=0.04", "{0}|{1}|Loss: {2}"])
def test_of_two_numbers_at_the_beginning_the_first_is_the_epoch(line, told):
    rows = [line.format(7 + at // 10, at % 10 + 1, 3 - at / 20) for at in range(20)]
    assert losses(told(*rows)) == [(at + 1, 3 - at / 20) for at in range(20)]


@pytest.mark.parametrize(
    "line",
    ["{rank} loss {loss}", "64 loss {loss}", "12:30:1{rank} loss {loss}", "03 Mar loss {loss}", "20260301 loss {loss}"],
)
def test_a_number_that_does_not_rise_is_no_step_and_all_rows_count(line, told):
    report = told(*(line.format(rank=at % 4, loss=3 - at / 20) for at in range(20)))
    assert report.log.rows == 20
    assert [loss for _, loss in losses(report)] == [3 - at / 20 for at in range(20)]


def test_a_step_that_has_a_name_counts_where_another_number_begins_the_line(told):
    assert losses(told(*(f"3 step {step} loss {loss}" for step, loss in FALLING))) == FALLING


def test_a_total_and_parts_with_a_number_in_their_names_are_one_row(told):
    lines = [
        (f"Iteration {step} / 1000", f"  Content 1 loss: {loss}", "  Style 1 loss: 0.5", f"  Total loss: {loss + 1}")
        for step, loss in FALLING
    ]
    report = told(*(one for block in lines for one in block))
    assert losses(report) == [(step, loss + 1) for step, loss in FALLING]


def test_a_header_may_have_two_lines(told):
    rows = [f"|  1 | {max(1, step)} | 00:00:01 | 9.38% | {loss} | 0.0100 |" for step, loss in FALLING]
    report = told(
        "|====================================================================|",
        "| Epoch | Iteration | Time Elapsed | Mini-batch | Mini-batch | Base Learning |",
        "|       |           |  (hh:mm:ss)  |  Accuracy  |    Loss    |     Rate      |",
        "|====================================================================|",
        *rows,
    )
    assert losses(report) == [(max(1, step), loss) for step, loss in FALLING]


def test_a_table_that_a_terminal_drew_is_read(told):
    rows = [f"│ {step} │ {loss} │ 1.5 │" for step, loss in FALLING]
    report = told(
        "┏━━━━┳━━━━━┳━━━━━━┓", "┃ Step ┃ Loss ┃ Grad norm ┃", "┡━━━━╇━━━━━╇━━━━━━┩", *rows, "└────┴─────┴──────┘"
    )
    assert losses(report) == FALLING
    assert set(report.curves.grad_norm.value) == {1.5}


def test_names_below_which_there_are_as_many_numbers_are_parted_by_single_blanks(told):
    rows = [f"   1   {step}   {loss}   0.7   0.3" for step, loss in FALLING]
    assert losses(told("# Epoch batch   loss   loss_f   loss_e", *rows)) == FALLING


def test_losses_in_brackets_are_their_sum(told):
    rows = [f"{step}   [{loss:.2e}, 1.00e+00]   [{loss:.2e}, 0.00e+00]   []" for step, loss in FALLING]
    report = told("Step      Train loss     Test loss     Test metric", *rows)
    assert losses(report) == [(step, float(f"{loss:.2e}") + 1) for step, loss in FALLING]
    report = told(*(f"step {step} losses: [{loss}, 1.0], lr: [0.1, 0.1]" for step, loss in FALLING))
    assert losses(report) == [(step, loss + 1) for step, loss in FALLING]


def test_a_dictionary_of_tensors_over_several_lines_is_a_row(told):
    lines = [
        (
            "{'gradient_norm': array(1.5, dtype=float32),",
            f" 'loss': array({loss}, dtype=float32),",
            f" 'step': {step}}}",
        )
        for step, loss in FALLING
    ]
    report = told(*(one for block in lines for one in block))
    assert losses(report) == FALLING
    assert set(report.curves.grad_norm.value) == {1.5}


def test_what_a_tensor_says_of_itself_is_no_number_of_the_line(told):
    rows = [f"loss tensor({loss}, device='cuda:0', grad_fn=<NllLossBackward0>) norm 1.5" for _, loss in FALLING]
    assert [loss for _, loss in losses(told(*rows))] == [loss for _, loss in FALLING]


def test_an_epoch_before_a_point_is_a_whole_one(told):
    assert losses(told(*(f"Epoch {at}. Loss: {3 - at / 20}" for at in range(20)))) == [
        (at, 3 - at / 20) for at in range(20)
    ]


def test_the_ends_of_times_are_no_places(told):
    line = "Train: 1/80 (  1%) [{:4d}/3712 (  1%)] Loss: {} Time cost: 00:01/1:02:03 [00:01/80:02:03]"
    assert losses(told(*(line.format(step, loss) for step, loss in FALLING))) == FALLING


def test_a_perplexity_stands_for_a_loss_in_a_line_that_says_nothing_else(told):
    report = told(*(f"E=0 B={at} s/sec=812.32 ppl={20 - at / 2}" for at in range(20)))
    assert report.log.rows == 20
    assert report.curves.loss.value[0] == pytest.approx(2.9957, abs=1e-4)


def test_a_logger_with_a_hyphen_before_test_is_no_validation(told):
    report = told(*(f"INFO:mi-test:loss_gen=3.1, loss_mel={loss}" for _, loss in FALLING))
    assert report.log.rows == len(FALLING)


def test_an_error_is_judged_as_a_guess_where_there_is_no_loss(told):
    report = told(*(f"iterations: {step}, training error: {loss}" for step, loss in FALLING))
    assert losses(report) == FALLING
    assert "--column loss='training error'" in report.warnings[0]


def test_an_error_accuses_nobody_but_asks(told):
    with pytest.raises(GradcheckError, match="it has no loss but 'training error'; as losses they would be not-learn"):
        told(*(f"iterations: {step}, training error: 0.25" for step, _ in FALLING))


def test_players_may_differ_by_one_letter(told):
    values = [0.6 + 0.05 * (at % 3) for at in range(30)]
    report = told(*(f"[Iter {at}] [VD loss: {one}] [VG loss: {2 - one}]" for at, one in enumerate(values)))
    assert report.verdict.status == "healthy"


def test_errors_of_two_players_are_their_losses(told):
    report = told(*(f"step {step} errD {loss} errG {4 - loss}" for step, loss in FALLING))
    assert report.verdict.status == "healthy"
    assert {column.name for column in report.log.columns} >= {"errG", "errD"}


def test_a_number_and_its_step_may_stand_in_an_object_beside_its_name(read):
    line = '{{"name": "loss", "data": {{"epoch": 0.1, "step": {}, "value": {}, "timestamp": "2026-09-26"}}}}\n'
    log = read("".join(line.format(*row) for row in FALLING).encode(), "training_logs.jsonl")
    assert log.rows_found == len(FALLING)


def test_the_number_of_updates_is_the_step_beside_an_epoch(told):
    report = told(*(f"epoch: {at} | nupdates: {step} | loss: {loss}" for at, (step, loss) in enumerate(FALLING)))
    assert losses(report) == FALLING


@pytest.mark.parametrize("said", ["avg. loss [{0}-{1}]: {2}", "loss ({0}:{1}) = {2}", "loss [{0} - {1}] {2}"])
def test_a_range_of_steps_between_a_loss_and_its_name_is_not_the_loss(said, told):
    bar = " 10%|#  | {at}/4000 [00:06<00:22, 156.81it/s, init loss: 713.1627, {said}]"
    rows = [(200 * at + 250, said.format(200 * at + 1, 200 * at + 200, 9.5 - at / 10)) for at in range(15)]
    found = losses(told(*(bar.format(at=at, said=one) for at, one in rows)))
    assert found == [(200 * at + 250, 9.5 - at / 10) for at in range(15)]


def test_of_words_before_a_place_among_others_the_last_says_what_it_is_of(told):
    text = [f"Finished training it {64 * at}/9600 of epoch 0, 12.30 ms/it, loss {3 - at / 40}" for at in range(1, 30)]
    assert losses(told(*text)) == [(64 * at, 3 - at / 40) for at in range(1, 30)]


def test_a_term_may_be_called_a_loss_by_a_letter(told):
    text = [f"[epoch:  0, iter:  {step:,}, lr:(2.000e-04,)] l_pix: {loss}" for step, loss in FALLING]
    assert losses(told(*text)) == FALLING
    beside = "l_g_gan: 0.5 l_d_real: 0.7 l_d_fake: 0.6"
    log = told(*(f"[epoch:  0, iter:  {step:,}] l_g_pix: {loss} {beside}" for step, loss in FALLING)).log
    names = [one.name for one in log.columns if one.quantity == "loss"]
    assert names == ["l_g_pix + l_g_gan", "l_d_real + l_d_fake"]
