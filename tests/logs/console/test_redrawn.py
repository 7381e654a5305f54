"""Progress bars: those that are drawn anew below a line that was written, and those that show a loss beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.logs.console.console import Console
from gradcheck.logs.lines import Problems
from gradcheck.logs.report import diagnose

CLEARED = "\r" + 60 * " " + "\r"


def bar(at, total=80, before="", after=""):
    """Return a bar as tqdm draws it over the one before."""
    return f"\r{before}{100 * at // total:3d}%|####      | {at}/{total} [00:01<00:02, 30.25it/s{after}]"


def written(at, loss, stale, total=80):
    """Return a row that is written above a bar: the one before it was last drawn some steps ago."""
    return f"{bar(stale, total)}{CLEARED}{{'loss': '{loss}', 'epoch': '{at / 40:.3g}'}}\n{bar(at, total)}"


def read(text):
    """Return epoch, step and loss of each row; nan of what it hasn't."""
    rows = []
    for layout, values in Console(Problems()).rows(iter(text.encode().splitlines(keepends=True))):
        names = [column.quantity for column in layout.columns]
        for at in range(0, len(values), len(names)):
            row = dict(zip(names, values[at : at + len(names)], strict=True))
            rows.append(tuple(row.get(name, float("nan")) for name in ("epoch", "step", "loss")))
    return rows


def steps_of(text):
    return [step for _, step, _ in read(text)]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 8)), min_size=1, max_size=30))
def test_a_row_above_a_bar_has_the_step_of_the_bar_that_is_drawn_anew_below_it(rows):
    at, text, steps = 0, "", []
    for further, behind in rows:
        at += further
        steps.append(at)
        text += written(at, 2.5, max(at - behind, 0), total=400)
    assert steps_of(text) == steps


def test_a_bar_of_another_length_is_not_the_one_that_was_cleared():
    other = f"{bar(7)}{CLEARED}{{'loss': '2.5', 'epoch': '0.1'}}\n{bar(2, total=9)}"
    assert steps_of(other) == [7]


def test_a_bar_that_goes_on_is_not_drawn_anew_for_a_line_that_did_not_clear_it():
    assert steps_of(f"{bar(7)}\n{{'loss': '2.5', 'epoch': '0.1'}}\n{bar(9)}") == [7]


def test_a_row_below_a_cleared_bar_at_the_end_of_a_log_has_the_step_above_it():
    assert steps_of(f"{bar(7)}{CLEARED}{{'loss': '2.5', 'epoch': '0.1'}}\n") == [7]


def test_what_is_written_at_once_above_a_bar_is_read_in_its_order():
    lines = "".join(f"{{'loss': '{loss}', 'epoch': '0.1'}}\n" for loss in (2.5, 2.25))
    assert [loss for *_, loss in read(f"{bar(7)}{CLEARED}{lines}{bar(8)}")] == [2.5, 2.25]


def test_a_bar_that_ended_before_the_first_row_says_nothing_of_steps(told):
    rows = [f"{{'loss': '{2.5 - row / 50:.4g}', 'epoch': '{row / 40:.3g}'}}" for row in range(1, 31)]
    log = told(bar(800, 800, "Tokenizing: ").strip(), *rows).log
    assert (log.first_step, log.last_step) == (1, 30)


def drawn(losses, with_validation):
    """Return the bars of epochs as Lightning draws them: each step first with the loss of the step before.

    After an epoch comes the bar of a validation; the next epoch's bar, set back, shows what the last one showed.
    """
    text, beside, shown = "", "", ""
    for epoch, row in enumerate(losses):
        name = f"Epoch {epoch}: "
        text += bar(0, len(row), name, shown)
        for at, loss in enumerate(row, start=1):
            text += bar(at, len(row), name, shown)
            shown = f", v_num=0, train_loss={loss}{beside}"
            text += bar(at, len(row), name, shown)
        if with_validation:
            text += "\n" + "".join(bar(at, 2, "Validation DataLoader 0: ") for at in range(3)) + "\x1b[A\n"
            beside = ", val_loss=1.25"
            shown = f", v_num=0, train_loss={row[-1]}{beside}"
            text += bar(len(row), len(row), name, shown) + bar(0, len(row), name, shown)
    return text


LOSSES = st.integers(3, 12).flatmap(
    lambda length: st.lists(
        st.lists(st.sampled_from(["2.5", "1.25", "0.75", "nan", "3e+7"]), min_size=length, max_size=length),
        min_size=1,
        max_size=4,
    )
)


@given(LOSSES, st.booleans())
def test_of_a_bar_that_is_drawn_twice_at_one_place_the_last_loss_counts_in_every_epoch(losses, with_validation):
    found = {(epoch, step): loss for epoch, step, loss in read(drawn(losses, with_validation)) if step}
    wanted = {(epoch, at): loss for epoch, row in enumerate(losses) for at, loss in enumerate(row, start=1)}
    assert {place: _text(loss) for place, loss in found.items()} == {
        place: _text(float(loss)) for place, loss in wanted.items()
    }


def _text(number):
    """Return a number that can be compared, be it a NaN, which a row holds as an infinity of its own."""
    return "not finite" if number != number or number in (float("inf"), float("-inf")) else str(number)


def test_epochs_whose_bar_gains_a_validation_loss_are_all_judged_in_one_course(tmp_path):
    path = tmp_path / "run.log"
    losses = [[f"{2.5 - 0.02 * (20 * epoch + row):.2f}" for row in range(20)] for epoch in range(3)]
    path.write_text(drawn(losses, with_validation=True))
    log = diagnose(path).log
    assert (log.first_step, log.last_step) == (1, 60)


def test_rows_written_below_the_bar_of_a_validation_are_of_the_validation():
    training = "".join(f"step {at}: loss {2.5 - at / 100}\n" for at in range(8))
    text = training + bar(5, 5, "Validation DataLoader 0: ") + "\nstep 8: loss 9.5 in 3 s\n"
    kinds = {layout.kind for layout, _ in Console(Problems()).rows(iter(text.encode().splitlines(keepends=True)))}
    assert len(kinds) == 2


def test_a_loss_that_is_called_that_of_the_training_is_so_below_the_heading_of_a_validation(told):
    rows = [f"step {at}: train_loss {2.5 - at / 50:.3f}" for at in range(30)]
    assert told(*rows[:10], "Running validation ...", *rows[10:]).log.rows == 30


def test_the_bars_of_rich_say_the_step_within_the_epoch(told):
    rows = [
        f"Epoch {epoch}/2  ━━━━━╸━━━━━━ {at}/20 0:00:01 • 0:00:04 9.82it/s v_num: 0_1 train_loss: {9 - at / 8 - epoch}"
        for epoch in range(3)
        for at in range(1, 21)
    ]
    report = told(*rows)
    assert (report.log.first_step, report.log.last_step) == (1, 60)
    assert report.log.columns[0].name == "train_loss"


def test_bars_of_rich_that_have_ended_and_are_drawn_once_more_are_no_new_epochs(told):
    """A display that keeps the bar of each epoch draws them all at each refresh."""

    def task(epoch, at):
        stroke = "━" * (at // 5)
        loss = f"{3 / epoch - at / 200:.4f}"
        return f"Epoch {epoch}/3 \x1b[91m{stroke}\x1b[0m \x1b[32m{at:3d}/100\x1b[0m 0:00:01 loss: {loss}"

    lines = []
    for epoch in (1, 2, 3):
        for at in range(5, 101, 5):
            up = "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (epoch - 1)
            lines.append(up + "\n".join([*(task(before, 100) for before in range(1, epoch)), task(epoch, at)]))
    report = told(*lines)
    assert (report.log.rows, report.log.last_step) == (60, 300)


def test_a_table_whose_rows_end_with_a_bar_has_its_steps(told):
    rows = [
        f"      {epoch}/3     0G     {9 - at / 8 - epoch:.4f}      16      32: {12 * at}% ━━━─── {at}/8 1.4it/s 0.6s"
        for epoch in (1, 2, 3)
        for at in range(8)
    ]
    log = told("      Epoch    GPU_mem       loss  Instances       Size", *rows).log
    assert (log.rows, log.first_step, log.last_step) == (24, 0, 23)


def test_the_bar_of_an_epoch_says_how_long_it_is_though_few_of_its_steps_are_drawn(told):
    rows = [
        line
        for epoch, places in ((1, (1, 54, 72)), (2, (1, 28, 99)), (3, (1, 60, 90)))
        for line in (
            f"Epoch {epoch}/3",
            *(f"{at:3d}/100 ━━━━━━━━━━━━━━ 0s 1ms/step - loss: {3 - at / 99}" for at in places),
        )
    ]
    assert told(*rows).log.last_step == 290


def test_a_loss_of_the_step_before_is_no_part_of_the_loss(told):
    rows = [
        bar(at, 40, "Training: ", f", loss={2.5 - at / 40:.3g}, prev_loss={'nan' if at < 2 else 2.5}")
        for at in range(40)
    ]
    assert "nonfinite" not in {one.kind for one in told("".join(rows)).findings}


def test_a_bar_that_moves_seldom_has_all_of_its_losses_where_no_epoch_tells_steps_apart():
    text = "".join(bar(at, after=f", loss={2.5 - (at + more) / 100:.3f}") for at in (10, 20, 30) for more in range(4))
    assert len(read(text)) == 12


def test_the_last_bar_of_an_epoch_of_keras_that_is_drawn_again_with_a_validation_is_read_once(told):
    def epoch(number):
        at_end = f"accuracy: 0.5 - loss: {3 / number:.4f}"
        within = "\r".join(
            f"{at}/50 ━━━━ {50 - at}s 0.3s/step - accuracy: 0.5 - loss: 2.0{at:02d}" for at in range(1, 50)
        )
        again = f"50/50 ━━━━ 15s 0.3s/step - {at_end} - val_accuracy: 0.5 - val_loss: 2.4"
        return f"Epoch {number}/24\n{within}\r50/50 ━━━━ 0s 0.3s/step - {at_end}{8 * chr(8)}\r{again}"

    report = told(*map(epoch, range(1, 25)))
    assert (report.log.rows, report.log.last_step) == (24, 24)


@pytest.mark.parametrize("length", [100, 300])
def test_of_many_rows_none_is_there_twice_where_bars_are_drawn_again(length):
    losses = [[f"{2.5 - 0.001 * (length * epoch + row):.3f}" for row in range(length)] for epoch in range(3)]
    steps = [(epoch, step) for epoch, step, _ in read(drawn(losses, with_validation=True))]
    assert steps == [(epoch, step) for epoch in range(3) for step in range(1, length + 1)]
