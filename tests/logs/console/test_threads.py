"""What stands in the threads of others: Markdown around it, several prints of one row, sentences between the rows."""

import math

import pytest

from gradcheck.logs.report import diagnose


@pytest.fixture
def series(series):
    """Lines ↦ their series."""
    return lambda *lines: series("\n".join(lines).encode())


def course(read):
    """The steps of a series that have a loss, each with it."""
    losses = read.values("loss")
    return {step: loss for step, loss in zip(read.steps.tolist(), losses.tolist(), strict=True) if loss == loss}


def test_the_bar_of_a_notebook_is_one_without_its_picture(series):
    bars = [f"Epoch 0:  {at}% {at}/100 [13:00<00:24,  2.11it/s, loss={3 - at / 50}, v_num=0]" for at in range(40, 60)]
    assert course(series(*bars)) == {float(at): pytest.approx(3 - at / 50) for at in range(40, 60)}
    before = [f"loss={3 - at / 50} (2.0), lr=0.01: : 9% {at}/100 [00:00<00:00, 98.3it/s]NaN found" for at in (4, 5, 6)]
    assert list(course(series(*before))) == [4, 5, 6]


def test_a_bar_whose_bracket_was_lost_ends_where_an_object_begins(series):
    lines = [
        f"  0%|   | {at}/900 [00:39<47:01:51, 13.03s/it{{'loss': 0.{at}, 'learning_rate': 5e-05}}" for at in (1, 2, 3)
    ]
    assert course(series(*lines)) == {1: 0.1, 2: 0.2, 3: 0.3}


def test_marks_of_code_are_no_part_of_the_rows(series):
    rows = [f"iteration: {at}000 loss: {5 - at} lr: 0.005" for at in range(1, 5)]
    assert list(course(series("`" + rows[0], *rows[1:-1], rows[-1] + "`"))) == [1000, 2000, 3000, 4000]


def test_a_table_without_bars_at_its_ends_is_read(series):
    names = "Step | Training Loss | reward | rewards / check_the_references_of_a_response_by_its_words / mean | kl"
    rows = [f"{row} | {-row / 10} | 13.4 | 1.5 | {'nan' if row < 3 else 'No Log'}" for row in range(1, 6)]
    read = series("the logs like:", "", names, "-- | -- | -- | -- | --", *rows)
    assert course(read) == {row: -row / 10 for row in range(1, 6)}
    assert read.run.nonfinite is None


def test_a_number_that_is_none_may_be_padded(series):
    lines = [f"epoch: [1/9], global_step: {at}, loss: {'nanxxx' if at > 2 else 0.5}, ips: 2.5" for at in range(1, 6)]
    lost = series(*lines).run.nonfinite
    assert (lost.first_step, lost.rows) == (3, 3)


def test_a_score_at_an_iteration_is_what_is_minimised(told, series):
    lines = [f"01:15:0{at} INFO Listener: Score at iteration {at} is {8 - at}.25" for at in range(6)]
    assert course(series(*lines)) == {at: 8.25 - at for at in range(6)}
    columns = told(*(line.replace(f"{8 - at}.25", "NaN") for at, line in enumerate(lines))).log.columns
    assert [one.name for one in columns if one.quantity == "loss"] == ["Score at iteration"]


def test_two_pairs_of_players_have_losses_by_their_letters(series):
    lines = [
        f"(epoch: 1, iters: {at}00) D_A: 0.2 G_A: 0.3 cycle_A: 4.7 D_B: 0.25 G_B: 0.5 idt_B: 2" for at in (1, 2, 3)
    ]
    assert list(course(series(*lines))) == [100, 200, 300]


def test_what_an_epoch_ends_with_is_no_row_of_its_steps(series):
    lines = ["EPOCH 5 done: loss 0.9 - lr 0.1"]
    lines += [f"epoch 6 - iter {at}/24 - loss 0.{at + 10}" for at in range(0, 24, 3)]
    lines += ["EPOCH 6 done: loss 0.9 - lr 0.1"]
    assert list(course(series(*lines))) == list(range(0, 24, 3))


def test_a_place_in_a_source_file_is_no_number_of_the_training(told, series):
    lines = [f"LOG (train:Eval():ctc-loss.cc:182) After {at} steps: loss = {9 - at}" for at in range(1, 6)]
    assert course(series(*lines)) == {at: 9.0 - at for at in range(1, 6)}


def test_a_sentence_that_has_a_number_by_chance_is_no_row(told):
    rows = [f"step {row}: loss {3 - row / 10}" for row in range(6)]
    words = "when I use the larger images both the loss of G and that of D are nan."
    assert told(*rows[:3], words, *rows[3:]).verdict.status == "too-short"


def test_a_name_begins_with_its_sentence_and_ends_before_its_verb(told):
    lines = [
        f"[Iteration {at}] Throughput is 414.25 records/second. Loss is {3 - at / 10}. Rate is 0.1." for at in (1, 2, 3)
    ]
    assert ("loss", "Loss") in [(one.quantity, one.name) for one in told(*lines).log.columns]


def test_a_validation_that_is_shortened_stays_one(series):
    lines = [f"Epoch {at}/9. Train. Loss: {9 - at}.5. Val. Loss: {at}.25. Valid. Loss: 7.0" for at in range(1, 5)]
    assert list(course(series(*lines)).values()) == [8.5, 7.5, 6.5, 5.5]
    lines = [f"Epoch {at}/9. Val. Loss: {at}.25. Train. Loss: {9 - at}.5" for at in range(1, 5)]
    assert list(course(series(*lines)).values()) == [8.5, 7.5, 6.5, 5.5]


def test_the_entropy_of_a_policy_is_a_part_of_its_loss(told):
    lines = [
        f"step:{at} - actor/entropy_loss:0.44 - actor/pg_loss:-0.0{at} - actor/grad_norm:9.8" for at in range(1, 5)
    ]
    report = told(*lines)
    assert report.curves.loss.value == pytest.approx([0.44 - at / 100 for at in range(1, 5)])


def test_a_perplexity_is_the_exponential_of_the_loss(told):
    lines = [f"Epoch[1] Batch [{at}50]  Speed: 185.0 tokens/sec  perplexity={20 - at}.5" for at in range(1, 6)]
    lines += ["Epoch[1] Batch [600]  Speed: 185.0 tokens/sec  perplexity=**nan**", "Validation-perplexity=8.7"]
    report = told(*lines)
    assert report.curves.loss.value[:5] == pytest.approx([math.log(20.5 - at) for at in range(1, 6)])
    assert (report.verdict.status, report.verdict.first_step) == ("nonfinite", 600)
    assert ("loss", "ln(perplexity)") in [(one.quantity, one.name) for one in report.log.columns]


def test_a_perplexity_beside_a_loss_is_not_read(series):
    lines = [f"Step {at}; ppl: {90 - at}.5; xent: {4 - at / 10}" for at in range(1, 6)]
    assert course(series(*lines)) == {at: 4 - at / 10 for at in range(1, 6)}


def test_the_step_of_rows_that_mostly_have_none_is_not_the_programs_last_words(told):
    rows = [f"{{'loss': 1.{row}, 'grad_norm': 7.5}}" + "   <-- odd (step 4)" * (row == 3) for row in range(6)]
    assert "the program's last words" not in [one.name for one in told(*rows).log.columns]


def test_of_two_prints_of_each_row_the_one_with_the_norm_is_read(told):
    lines = [
        line
        for row in range(1, 5)
        for line in (
            f"INFO - callbacks - {{'loss': 0.0000, 'epoch': 0.0{row}}}",
            f"{{'loss': 0.0, 'grad_norm': nan, 'epoch': 0.0{row}}}",
        )
    ]
    assert told(*lines[:-1]).verdict.status == "nonfinite"


def test_a_header_may_be_a_comment_and_a_loss_asked_for_stand_below_it(tmp_path):
    lines = ["#  step      rmse_val    rmse_trn         lr", "# what is not there is nan"]
    lines += [f"    {at}00      nan    {9 - at}.0e-01    1.0e-03" for at in range(5)]
    path = tmp_path / "lcurve.out"
    path.write_text("\n".join(lines))
    curve = diagnose(path, columns={"loss": "rmse_trn"}).curves.loss
    assert (curve.step, curve.value) == ((0, 100, 200, 300, 400), (0.9, 0.8, 0.7, 0.6, 0.5))


def test_names_of_the_step_in_chinese_are_known(series):
    lines = [f"训练次数：{at}00, Loss：1.{9 - at}" for at in range(1, 5)]
    lines.insert(2, "整体测试集上的Loss: 262.62046909332275")
    assert course(series(*lines)) == {100: 1.8, 200: 1.7, 300: 1.6, 400: 1.5}
