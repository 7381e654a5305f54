"""Lines of a console that tell of the training beside its rows, and rows that are written in unusual ways."""

import pytest

from gradcheck.errors import InputError

SKIPS = "[host] 2031-03-02 10:00:05 (trainer:600) WARNING: The grad norm is {}. Skipping updating the model."
ROW = "[host] 2031-03-02 10:00:00 (trainer:700) INFO: 1epoch:train:{}-{}batch: iter_time=0.1, loss_ctc={}, loss={}"


def row(number):
    return ROW.format(50 * number + 1, 50 * number + 50, 90 - number, 55.5 - number)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_step_that_is_skipped_is_an_event_of_the_row_after_it_and_no_row(value, told):
    lines = [line for at in range(30) for line in (row(at), *[SKIPS.format(value)] * (at in (3, 7)))]
    report = told(*lines)
    assert (report.log.rows, report.verdict.status) == (30, "healthy")
    (note,) = [one for one in report.findings if one.kind == "nonfinite"]
    assert (note.severity, note.first_step, note.last_step, note.numbers["skipped"]) == ("note", 250, 450, 2)
    assert note.message.startswith("the program skipped 2 steps")


def test_steps_that_are_nearly_all_skipped_at_last_are_a_fault(told):
    lines = [line for at in range(30) for line in (*[SKIPS.format("nan")] * (45 * (at > 20)), row(at))]
    report = told(*lines)
    assert (report.verdict.status, report.verdict.first_step) == ("nonfinite", 1100)
    assert "skipped 405 steps" in report.findings[0].message
    ends = told(*map(row, range(4)), *[SKIPS.format("nan")] * 40)
    assert (ends.verdict.status, ends.findings[0].numbers["skipped"]) == ("nonfinite", 40)


@pytest.mark.parametrize(
    "said", ["loss: nan, skipping", "loss: 2.5 grad_norm: inf (skipped)", "loss: 2.5 grad_norm: nan -> skipping step"]
)
def test_a_row_that_says_that_its_step_was_skipped_is_a_note(said, told):
    report = told(*(f"step {step} {said if step in (7, 19) else 'loss: 2.5 grad_norm: 0.4'}" for step in range(30)))
    (found,) = (one for one in report.findings if one.kind == "nonfinite")
    assert (found.severity, found.first_step, found.numbers["skipped"]) == ("note", 7, 2)
    assert report.curves.grad_norm.step[-1] == 29


@pytest.mark.parametrize(
    "said", ["skipped: 0, grad_norm: inf", "not skipped, grad_norm: inf", "grad_norm: inf skipped = 0"]
)
def test_a_row_that_does_not_say_so_is_an_error(said, told):
    report = told(*(f"step {step} loss: 2.5 {said if step == 7 else 'grad_norm: 0.4'}" for step in range(30)))
    assert report.findings[0].kind == "nonfinite"
    assert report.findings[0].severity == "error"


def test_rows_that_are_all_skipped_in_the_end_are_an_error(told):
    report = told(*(f"step {step} loss: 2.5 grad_norm: {'inf (skipped)' if step > 12 else 0.4}" for step in range(40)))
    assert (report.verdict.status, report.verdict.first_step) == ("nonfinite", 13)


def bar(epoch, step, loss):
    return f"Epoch {epoch}: {10 * step}%|█   | {step}/10 [00:01<00:43, 1.8it/s, loss={loss:.3f}]"


@pytest.mark.parametrize(
    ("end", "status", "severity"),
    [
        ("epoch {} | train loss: {}", "nonfinite", "error"),
        ("epoch {} | validation | loss: {}", "healthy", "note"),
    ],
)
def test_a_loss_that_is_no_number_only_where_the_epoch_ends_is_told(end, status, severity, told):
    lines = []
    for epoch in range(1, 5):
        lines += [bar(epoch, step, 2 - epoch / 5 - step / 40) for step in range(1, 11)]
        lines.append(end.format(epoch, "nan" if epoch > 2 else 1.5))
    report = told(*lines)
    assert (report.log.rows, report.verdict.status) == (40, status)
    (one,) = [one for one in report.findings if one.kind == "nonfinite"]
    assert (one.severity, one.first_step, one.last_step) == (severity, 21, 40)
    assert "is not a number in" in one.message
    assert "at epoch 3" in one.message
    assert ("beside those that are judged" in str(report)) == (status == "nonfinite")


def test_a_placeholder_that_is_never_a_number_is_not_told(told):
    lines = [
        line
        for epoch in range(25)
        for line in (f"epoch {epoch} loss: {3 - epoch / 9:.3f}", f"epoch {epoch} | validation | loss: nan")
    ]
    assert told(*lines).findings == ()


def test_where_several_rows_share_a_step_the_last_finite_one_may_be_of_the_same_step(told):
    lines = []
    for step in range(100, 500, 100):
        lines.append(f"{step // 6}%|█   | {step}/600 [00:01<00:43, 1.8it/s]")
        for again in range(5):
            value = "nan" if step > 300 or (step == 300 and again > 2) else f"{2 - step / 600 - again / 50:.3f}"
            lines.append(f"{{'loss': {value}, 'grad_norm': {value}}}")
    (one,) = [one for one in told(*lines).findings if one.kind == "nonfinite"]
    assert (one.first_step, one.numbers["last_finite_step"], one.numbers["last_loss"]) == (300, 300, 1.46)
    assert "at about step 300" in one.message
    assert "no more exact" in one.message


@pytest.mark.parametrize("loss", ["avg loss", "avg"])
def test_a_name_may_stand_after_its_number(loss, told):
    line = " {}: {:.6f}, {:.6f} {}, 0.001000 rate, 3.7 seconds, {} images, 12.5 hours left"
    report = told(
        "Loaded: 0.1 seconds", *(line.format(at, 520.5 - at, 530.5 - at, loss, 64 * at) for at in range(1, 25))
    )
    assert (report.log.rows, report.log.first_step, report.log.last_step) == (24, 1, 24)
    assert report.curves.loss.value[:2] == (529.5, 528.5)


def test_a_time_before_a_number_is_no_step(told):
    report = told(*(f"12:30:1{at}, 1.5 loss, 0.2 acc" for at in range(4)))
    assert (report.log.rows, report.log.last_step) == (4, 4)


def test_numbers_in_bold_are_numbers_in_a_table_of_markdown(told):
    rows = [f"| {step} | **{3 - step / 10:.2f}** | *{1.5:.2f}* | ~~0.1~~ |" for step in range(1, 8)]
    report = told("| step | **loss** | grad norm | lr |", "|---|---|---|---|", *rows)
    assert (report.log.rows, report.log.last_step) == (7, 7)
    assert report.curves.grad_norm.value == (1.5,) * 7


def test_what_is_maximised_is_judged_by_its_negative(told):
    line = "16:17:{:02} INFO [train.py:102] Process {}/3161({:.6f}%) global average objf: {:.6f} over 640 frames"
    report = told(*(line.format(at, 100 * at, at / 31.61, -(2.5 * 0.9**at)) for at in range(24)))
    assert (report.verdict.status, report.log.first_step, report.log.last_step) == ("healthy", 0, 2300)
    assert ("loss", "−(global average objf)") in [(one.quantity, one.name) for one in report.log.columns]
    assert report.curves.loss.value[:2] == (2.5, 2.25)
    worse = told(*(line.format(at, 100 * at, at / 31.61, -(2.5 * 1.9**at)) for at in range(24)))
    assert worse.verdict.status == "exploding"


def test_an_object_is_no_objective(told):
    with pytest.raises(InputError):
        told(
            "loss, 12:",
            *(f"Region 8 Avg IOU: 0.{at}, Class: 0.5, Obj: 0.01, No Obj: 0.005, object 3 of 9" for at in range(1, 6)),
        )


def test_another_line_that_is_glued_to_a_loss_is_no_unit_of_it(told):
    lines = [
        f"{at}/234 [.....] - ETA: 33:37 - loss: {44 - at}.5{'Batch 3: Invalid loss, ending' * (at == 3)}"
        for at in range(1, 6)
    ]
    assert told(*lines).log.rows == 5


def test_an_error_in_two_words_is_no_row(told):
    report = told(
        "Runtime Error: FloatingPointError: Loss became NaN at iteration=16!", "terms = {'loss_a': nan, 'loss_b': 0.5}"
    )
    assert (report.verdict.status, report.log.rows_found) == ("nonfinite", 1)
    assert told(*(f"train error: 0.{at}, loss: 2.{at}" for at in range(1, 6))).log.rows == 5


def test_what_follows_the_slash_may_be_the_step_of_an_epoch(told):
    line = "2031-11-30 17:25:{:02} DEBUG TRAIN Batch {}/{} loss {:.6f} loss_att {:.6f} lr 0.00002 rank 0"
    lines = [line.format(at, at // 12, 100 * (at % 12), 150 * 0.9**at, 80.5) for at in range(24)]
    report = told(*lines)
    assert (report.log.rows, report.log.first_step) == (24, 0)
    assert report.runs == ()
    assert list(report.curves.loss.step[:13]) == [*range(0, 1200, 100), 1200]


def test_quartiles_of_a_norm_are_no_layer(told):
    lines = [
        line
        for at in range(24)
        for line in (
            f"WARNING [optim.py:487] Clipping_scale=2.0, grad-norm quartiles 1.1e+0{at % 3} 1.2e+04 1.3e+04 1.4e+04",
            f"INFO [train.py:1034] Epoch 1, batch {50 * at}, loss[loss={3 - at / 20:.3f}, simple_loss=1.2, over 49]",
        )
    ]
    report = told(*lines)
    assert [(one.quantity, one.name) for one in report.log.columns] == [("loss", "loss"), ("step", "batch")]
    assert report.log.rows == 24


@pytest.mark.parametrize("head", ["[WARNING] (Step: {})", "2031-08-07 10:00:00,123 (trainer:510) INFO: (Steps: {})"])
def test_lines_with_one_number_of_the_same_step_are_one_row(head, told):
    names = {"train_adversarial_loss": 1.5, "train_gen_loss": 4.25, "train_dis_loss": 0.5}
    lines = []
    for step in range(200, 5200, 200):
        lines += [f"{head.format(step)} {name} = {value + step / 1e4:.4f}." for name, value in names.items()]
        lines.append(f"[train]:   5%|███▍      | {step + 1}/4000000 [47:51<511:38:08,  2.06it/s]")
    report = told(*lines)
    assert (report.log.rows, report.log.first_step, report.log.last_step) == (25, 200, 5000)
    assert {one.name for one in report.log.columns if one.quantity == "loss"} == {"train_gen_loss", "train_dis_loss"}


def test_a_loss_after_its_step_in_brackets_is_a_row_by_itself(told):
    report = told(*(f"(Step: {step}) loss: {3 - step / 10}" for step in range(9)))
    assert (report.log.rows, report.log.last_step) == (9, 8)
    assert told(*(f"(trainer:{at}) INFO: loss: {3 - at / 10}" for at in range(9))).log.rows == 9


@pytest.mark.parametrize(
    ("line", "severities"),
    [
        (lambda at: f"running loss: {'nan' if at < 2 else 2.5 - at / 20}", []),  # a mean of no rows
        (lambda at: f"previous loss: {'inf' if at == 0 else 2.5 - at / 20}, patience 3", []),
        (lambda at: f"aux_loss: {'nan' if at % 5 else 2.5 - at / 20}", []),  # a part, of nothing
        (lambda at: f"summary {at} mean loss: {'nan' if at == 9 else 2.5 - at / 20}", ["note"]),
        (lambda at: f"epoch {at} mean loss: {'nan' if at == 9 else 2.5 - at / 20}", ["note"]),
        (lambda at: f"epoch {at} mean loss: {'nan' if at > 9 else 2.5 - at / 20}", ["error"]),
    ],
)
def test_a_loss_of_other_lines_is_a_fault_only_if_it_stays_no_number(line, severities, told):
    rows = (f"step {at}, lr 0.1, train loss {3 - at / 10:.2f}" for at in range(24))
    report = told(*(one for at, row in enumerate(rows) for one in (row, line(at))))
    assert [one.severity for one in report.findings] == severities
