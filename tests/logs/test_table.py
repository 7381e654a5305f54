"""A log of any length in bounded memory: what is kept of it, and in which order."""

import json

import numpy as np
import pytest

from gradcheck.logs import runs, table


def log(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def rows(steps, norm=1.0):
    return [{"step": step, "loss": 1.0, "grad_norm": norm} for step in steps]


@pytest.fixture
def small(monkeypatch):
    """A table that keeps few rows."""
    monkeypatch.setattr(runs, "MOST_ROWS", 128)
    monkeypatch.setattr(table, "BLOCK_ROWS", 64)


def test_a_short_log_is_kept_row_by_row(series):
    read = series(log(rows(range(1000))))
    assert (read.table.stride, read.table.rows, len(read.steps)) == (1, 1000, 1000)
    np.testing.assert_array_equal(read.samples, read.peaks)


def test_a_long_log_is_kept_within_bounds_from_end_to_end(small, series):
    read = series(log(rows(range(10_000))))
    assert read.table.rows == 10_000
    assert 128 <= len(read.steps) <= 256 + 1
    assert read.table.stride >= 32
    assert read.steps[0] == 0
    assert read.steps[-1] >= 10_000 - 2 * read.table.stride


def test_the_highest_gradient_of_a_long_log_is_kept_as_a_peak(small, series):
    content = rows(range(10_000))
    content[7777]["grad_norm"] = 99.0
    read = series(log(content))
    assert read.norm.peak.max() == pytest.approx(np.log10(99.0))
    at = int(read.norm.peak.argmax())
    assert abs(read.steps[at] - 7777) <= read.table.stride


def test_columns_that_stand_in_few_rows_are_kept_too(small, series):
    content = rows(range(5000))
    for row in content[3::10]:
        row["grad_norm/fc1"] = 0.5
    assert (series(log(content)).layers_with("grad_norm")[1] == 0.5).mean() > 0.9


def test_the_first_number_that_is_not_finite_is_exact_in_a_long_log(small, series):
    content = rows(range(10_000))
    content[4321]["loss"] = content[4567]["loss"] = float("nan")
    found = series(log(content)).table.nonfinite
    assert (found.first_step, found.last_step, found.rows) == (4321, 4567, 2)


def test_of_a_resumed_run_the_later_rows_count(series):
    read = series(log([*rows(range(100), 1.0), *rows(range(60, 120), 2.0)]))
    assert read.table.steps_back == 1
    assert read.steps.tolist() == [*range(61), *range(60, 120)]
    assert read.norms[-60:].tolist() == [2.0] * 60


def test_what_a_resumed_run_does_anew_is_forgotten(series):
    before = rows(range(100))
    before[80]["loss"] = float("inf")
    assert series(log([*before, *rows(range(60, 120))])).table.nonfinite is None
    assert series(log([*before, *rows(range(90, 120))])).table.nonfinite.first_step == 80


def test_steps_that_begin_again_with_each_epoch_are_one_course(small, series):
    content = [{"epoch": epoch, "step": step, "loss": 1.0} for epoch in range(20) for step in range(50)]
    read = series(log(content))
    assert read.table.steps_back == 0
    assert read.steps.tolist() == list(range(0, 1000, read.table.stride))


def test_a_resumed_run_with_epochs_is_a_resumed_run(series):
    content = [{"epoch": step / 50, "step": step, "loss": 1.0} for step in [*range(100), *range(60, 120)]]
    assert series(log(content)).table.steps_back == 1


def test_a_log_out_of_order_is_put_in_order(series):
    steps = np.random.default_rng(0).permutation(500)
    read = series(log(rows(steps.tolist())))
    assert read.table.out_of_order
    assert read.steps.tolist() == list(range(500))


def test_equal_steps_are_no_step_back(series):
    read = series(log(rows([1, 1, 2, 2, 3])))
    assert (read.table.steps_back, len(read.steps)) == (0, 5)


def test_new_columns_late_in_a_log_are_taken_in(series):
    content = [*rows(range(50)), *({"step": n, f"grad_norm/fc{n % 40}": 2.0} for n in range(50, 200))]
    read = series(log(content))
    assert len(read.layers) == 40
    assert read.table.rows == 200


def test_looking_before_the_end_changes_nothing(read):
    whole = read(log(rows(range(300))))
    whole.table.kept()
    once = whole.table.kept()
    np.testing.assert_array_equal(once[0][:, 0], range(300))
