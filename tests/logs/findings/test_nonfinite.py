"""The story of a number that isn't finite."""

import math

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.finding import NOTE
from gradcheck.logs.findings.sentences import sentence
from gradcheck.logs.report import diagnose

NAN, INF = float("nan"), float("inf")


def rows(count=200, every=10, **columns):
    """Rows of a healthy run, some columns as functions of the row; None leaves the number out."""
    noise = np.exp(0.05 * np.random.default_rng(0).standard_normal(count))
    for row in range(count):
        usual = {"step": row * every, "loss": 2 - row / 300, "grad_norm": float(noise[row])}
        yield {
            name: value
            for name, value in (usual | {key: of(row) for key, of in columns.items()}).items()
            if value is not None
        }


def growing(row):
    return (1.0 if row < 121 else 1.35 ** (row - 120)) if row < 130 else NAN


def test_what_grew_before_is_told_with_its_rows_and_the_last_finite_value(found):
    (one,) = found(list(rows(grad_norm=growing)))
    assert one.numbers["growth_rows"] == pytest.approx(9, abs=1)
    assert 10 ** one.numbers["log10_growth"] == pytest.approx(1.35**9, rel=0.2)
    assert (one.numbers["last_finite_step"], one.numbers["last_norm"]) == (1290, pytest.approx(1.35**9))
    assert "grew-before" in one.signs
    assert advice_on(one.kind, one.signs)[0].startswith("it exploded first")


def test_a_single_fault_that_nothing_announced_asks_for_its_batch(found):
    (one,) = found(list(rows(loss=lambda row: NAN if row == 90 else 1.5 - row / 300)))
    assert {"steady-before", "one-row", "batch-alone"} <= set(one.signs)
    assert "pass the batch by itself" in advice_on(one.kind, one.signs)[0]


def test_a_fault_that_began_between_two_rows_asks_for_every_step(found):
    (one,) = found(list(rows(loss=lambda row: NAN if row >= 90 else 1.5 - row / 300)))
    assert "every=1" in advice_on(one.kind, one.signs)[0]


def test_a_loss_of_zero_beside_it_is_a_nan_that_the_trainer_hides(found):
    hidden = {
        "loss": lambda row: 0.0 if row >= 130 else 1.5 - row / 300,
        "grad_norm": lambda row: NAN if row >= 130 else 1.0,
    }
    (one,) = found(list(rows(**hidden)))
    assert one.kind == "nonfinite"
    assert "loss-zero" in one.signs
    assert "logging_nan_inf_filter" in " ".join(advice_on(one.kind, one.signs))


def test_the_first_of_such_losses_may_be_a_mean_with_sound_steps_in_it(found):
    hidden = {
        "loss": lambda row: 0.0 if row > 130 else 0.4 if row == 130 else 1.5 - row / 300,
        "grad_norm": lambda row: NAN if row >= 130 else 1.0,
    }
    (one,) = found(list(rows(**hidden)))
    assert "loss-zero" in one.signs


def test_a_loss_that_is_left_out_beside_it_is_no_gap(found):
    absent = {
        "loss": lambda row: None if row >= 130 else 1.5 - row / 300,
        "grad_norm": lambda row: NAN if row >= 130 else 1.0,
    }
    (one,) = found(list(rows(**absent)))
    assert "loss-missing" in one.signs
    assert "left out" in sentence(one)


def test_each_quantity_is_counted_by_itself(found):
    (one, *_) = found(
        list(
            rows(
                loss=lambda row: NAN if row == 7 else 1.0 - row / 999,
                grad_norm=lambda row: {7: NAN, 8: INF}.get(row, 1.0),
            )
        )
    )
    assert sentence(one).startswith(
        "the loss is not a number at step 70, in this row only; the gradient from step 70, in 2 rows"
    )


def test_an_infinite_update_of_a_finite_gradient_is_the_optimizer_s(found):
    layers = {"update_ratio/a": lambda row: INF if row >= 60 else 1e-3, "grad_norm/a": lambda row: 1.0}
    (one,) = found(list(rows(**layers)))
    assert "update-alone" in one.signs
    assert "eps" in advice_on(one.kind, one.signs)[0]


def test_a_loss_scale_at_its_minimum_is_no_passing_overflow(found):
    scale = {
        "loss_scale": lambda row: 65536.0 * 0.5 ** max(0, row - 180),
        "grad_norm": lambda row: INF if row == 181 else 1.0,
    }
    (one,) = found(list(rows(**scale)))
    assert (one.kind, one.weight) == ("nonfinite", "error")
    assert "scale-at-minimum" in one.signs


def test_the_largest_float_is_what_a_store_writes_for_infinity(found):
    (one, *_) = found(list(rows(grad_norm=lambda row: 1.7976931348623157e308 if row == 60 else 1.0)))
    assert sentence(one).startswith("the gradient is infinite at step 600")


@pytest.mark.parametrize(("steps", "is_found"), [(5, False), (20, True)])
def test_steps_that_are_skipped_to_the_end_while_the_scale_falls_have_no_scale_that_fits(steps, is_found, found):
    begin = 100 - steps
    records = [{"step": step, "loss": 3 - step / 50} for step in range(begin)]
    records += [
        {"step": step, "overflow": 1, "loss_scale": 2.0 ** max(0, 16 - step + begin)} for step in range(begin, 100)
    ]
    kinds = [(one.kind, one.first_step) for one in found(records)]
    assert kinds == ([("nonfinite", begin)] if is_found else [])


@pytest.mark.parametrize(("trained", "is_found"), [(0, False), (5, True)])
def test_a_search_that_begins_the_log_may_end_at_a_usual_scale(trained, is_found, found):
    before = [{"step": step, "loss": 2.0, "loss_scale": 65536.0} for step in range(trained)]
    scales = [65536.0 / 2**halved for halved in range(9)]  # down to 256
    records = [{"step": trained + at, "overflow": 1, "loss_scale": scale} for at, scale in enumerate(scales)]
    assert any(one.kind == "nonfinite" for one in found(before + records)) is is_found


def test_overflows_while_a_scale_is_searched_for_are_none(found):
    records = [{"step": step, "overflow": 1, "loss_scale": 2.0 ** (16 - step)} for step in range(10)]
    assert found(records + [{"step": step, "loss": 3 - step / 50} for step in range(10, 100)]) == []


SAVED = [
    "Saving model checkpoint to ./out/checkpoint-{}",
    "saved checkpoint at step {}",
    "saving checkpoint at iteration {}",
    "INFO Saving checkpoint at {} iterations",
    "Epoch 3, global step {}: saving model to 'epoch=3-step={}.ckpt' as top 3",
    "Model and weights saved to best.pt: checkpoint",
]


@pytest.mark.parametrize("line", SAVED)
def test_the_last_checkpoint_from_before_is_named_where_the_log_says_that_one_was_saved(line, tmp_path):
    printed = []
    for step in range(10, 610, 10):
        loss = 2 - step / 1000 if step < 560 else "nan"
        printed.append(f"step {step} loss: {loss} grad_norm: {1.6 ** max(0, (step - 520) / 10):.3f}")
        printed += [line.format(step, step)] if step % 100 == 0 else []
    (tmp_path / "run.log").write_text("\n".join(printed))
    finding = diagnose(tmp_path / "run.log").findings[0]
    assert (finding.kind, finding.numbers["checkpoint"]) == ("nonfinite", 500)
    assert "the last checkpoint from before is that of step 500" in finding.message


def searched(halvings, *, begin=0, first=65536.0, healthy=40, **columns):
    """Rows of a run whose loss scale is halved so often, each time after a gradient that isn't finite."""
    for step in range(begin + halvings + healthy):
        overflows = begin <= step < begin + halvings
        scale = first * 0.5 ** min(max(0, step - begin), halvings)
        norm = {"grad_norm": INF if overflows else 1 + 0.1 * (step % 3), "grad_norm/a": INF if overflows else 1.0}
        yield {"step": step, "loss": 3 - step / 50, "loss_scale": scale} | norm | columns


@pytest.mark.parametrize(("begin", "halvings", "first"), [(0, 4, 65536.0), (0, 14, 2.0**32), (20, 3, 65536.0)])
def test_steps_that_a_loss_scale_skips_until_it_fits_are_a_note(begin, halvings, first, found):
    (one,) = found(list(searched(halvings, begin=begin, first=first)))
    assert (one.kind, one.weight) == ("nonfinite", NOTE)


@pytest.mark.parametrize(("begin", "halvings"), [(0, 9), (20, 3)])
def test_a_row_may_have_the_scale_of_the_step_to_come(begin, halvings, found):
    rows = list(searched(halvings, begin=begin))
    after = [row["loss_scale"] for row in rows[1:]] + [rows[-1]["loss_scale"]]
    (one,) = found([row | {"loss_scale": scale} for row, scale in zip(rows, after, strict=True)])
    assert (one.kind, one.weight) == ("nonfinite", NOTE)


@pytest.mark.parametrize(
    ("halvings", "first", "weight"), [(3, 65536.0, NOTE), (12, 2.0**32, NOTE), (9, 65536.0, "error")]
)
def test_a_search_for_a_loss_scale_may_go_on_in_the_last_row_but_not_for_ever(halvings, first, weight, found):
    steps = list(searched(halvings, begin=30, first=first, healthy=0))
    assert [one.weight for one in found(steps) if one.kind == "nonfinite"] == [weight]


@pytest.mark.parametrize("columns", [{"loss": INF}, {"loss_scale": 65536.0}, {"weight_norm/a": INF}])
def test_what_no_fall_of_the_loss_scale_explains_is_an_error(columns, found):
    rows = [row | (columns if math.isinf(row["grad_norm"]) else {}) for row in searched(4)]
    assert [one.weight for one in found(rows) if one.kind == "nonfinite"] == ["error"]


def with_nan(places, rows=200):
    values = [float("nan") if row in places else 2 - row / 200 + 0.01 * (row % 3) for row in range(rows)]
    return [{"step": row, "loss": value} for row, value in enumerate(values)]


@pytest.mark.parametrize("places", [(90,), (40, 90, 140)])
def test_a_single_row_among_finite_ones_is_a_bad_batch_and_no_explosion(places):
    (found,) = diagnose(with_nan(places)).findings
    assert found.advice[0].startswith("bad data in that batch")
    assert found.message.count(f"all {199 - places[-1]} rows after it are finite") == 1


@pytest.mark.parametrize("places", [(90, 91), (198,), range(0, 200, 10)])
def test_rows_that_are_neighbours_the_last_ones_or_many_are_no_single_batches(places):
    (found,) = diagnose(with_nan(places)).findings
    assert "sound_after" not in found.numbers
