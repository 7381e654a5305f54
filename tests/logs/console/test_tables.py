"""Tables in the text of a console: below which name a number stands."""

import pytest


@pytest.fixture
def course(series):
    """Lines ↦ the steps that have a loss, each with it."""

    def read(*lines):
        found = series("\n".join(lines).encode())
        return dict(zip(found.steps.tolist(), found.values("loss").tolist(), strict=True))

    return read


def test_the_rows_of_a_data_frame_have_a_number_before_the_first_column(course):
    lines = [f"{at:<4d} {10 * at:4d}  {3 - at / 10:.3f}      1.250" for at in range(9)]
    assert course("     step   loss  grad_norm", *lines) == {10 * at: pytest.approx(3 - at / 10) for at in range(9)}


def test_a_number_after_the_last_column_moves_no_other(course):
    lines = [f"{10 * at}  {3 - at / 10:.3f}  1.250  7" for at in range(9)]
    assert course("step  loss  grad_norm", *lines) == {10 * at: pytest.approx(3 - at / 10) for at in range(9)}


def test_cells_that_are_blank_are_known_by_where_the_others_begin(course):
    head = "epoch       iteration   main/loss   validation/main/loss  elapsed_time"
    lines = [f"{0:<12d}{100 * at:<12d}{9 - at:<12d}{'':22s}{12.5 * at}" for at in range(1, 9)]
    assert course(head, *lines) == {100 * at: 9 - at for at in range(1, 9)}


def test_a_table_of_errors_by_steps_is_one_of_losses(told):
    lines = [f"{100 * at:7d}  {30 - at:.2e}    {20 - at:.2e}   1.0e-03" for at in range(9)]
    report = told("# step      rmse_val    rmse_trn         lr", *lines)
    assert report.log.columns[0].name == "rmse_trn"
    assert report.curves.loss.value[0] == 20


def test_a_line_of_errors_by_steps_is_one_of_losses_too(told):
    lines = [
        f"DEEPMD INFO    batch {100 * at:7d}: {data}: rmse = {30 - at + more:.2e}, lr = 1.00e-03"
        for at in range(1, 9)
        for data, more in (("trn", 0), ("val", 5))
    ]
    report = told(*lines)
    assert report.curves.loss.value == tuple(30.0 - at for at in range(1, 9))


def test_a_header_that_stands_again_has_the_same_names(told):
    rule = "+-------+--------+--------------+"
    head = rule, "| Epoch |  time  |     Loss     |", rule
    report = told(*(line for at in range(9) for line in (*head, f"|   {at}   | 10.5 | [{9 - at}.5, 1.0] |")))
    assert (report.log.rows, report.log.columns[0].name) == (9, "Loss")


def test_a_table_with_a_total_by_batches_is_one_of_losses(told):
    lines = [f"    0/29  {at:3d}/100  1.5  2.5  {9 - at / 4}   120  0.5" for at in range(9)]
    report = told("   Epoch   Batch   box   conf   total  nTargets   time", *lines)
    assert report.log.columns[0].name == "total"


def test_a_table_without_a_loss_gives_its_step_to_no_table_that_has_its_own(course):
    def table(step, *more):
        lines = [("rollout/", ""), ("   ep_len_mean", 20 + step), ("time/", ""), ("   iterations", step)]
        lines += [("   total_timesteps", 256 * step), *more]
        return ["-" * 40, *(f"| {name:20s} | {value!s:10s} |" for name, value in lines), "-" * 40]

    losses = {256 * step: 50.0 - step for step in range(2, 12)}
    rows = [table(step, ("train/", ""), ("   loss", losses[256 * step])) for step in range(2, 12)]
    assert course(*table(1), *(line for lines in rows for line in lines)) == losses


def test_a_counter_above_a_column_of_numbers_is_the_step(told):
    head = "average  since         example        example        current        current  current"
    names = "loss     last          counter         weight          label        predict features"
    rows = [
        f"{0.5 - n / 100:.6f} {0.5 - n / 80:.6f} {50 * n:12d} {50.0 * n:12.1f} {1:14d} {1:14d} {21:8d}"
        for n in range(1, 31)
    ]
    log = told(head, names, *rows).log
    assert (log.rows, log.first_step, log.last_step) == (30, 50, 1500)
