"""Numbers without a name, and with one that may mean something else."""

import math

import pytest

from gradcheck import GradcheckError, diagnose


@pytest.fixture
def diagnosed(tmp_path):
    """Lines ↦ the report on a file of them."""

    def read(lines, **options):
        (tmp_path / "run.txt").write_text("\n".join(lines) + "\n")
        return diagnose(tmp_path / "run.txt", **options)

    return read


def losses(report):
    return [(int(step), loss) for step, loss in zip(report.curves.loss.step, report.curves.loss.value, strict=True)]


def test_a_number_after_its_step_is_the_loss_where_there_is_nothing_else(diagnosed):
    report = diagnosed(["Epoch: 0", "243411:  -5.12", "243412:\t-5.13", "243413:  nan"])
    assert losses(report) == [(243411, -5.12), (243412, -5.13), (243413, None)]
    assert report.verdict.status == "nonfinite"
    assert [(one.quantity, one.name) for one in report.log.columns] == [("loss", "unnamed loss"), ("step", "step")]


def test_that_such_a_number_is_a_loss_is_told_to_be_a_guess_unless_it_is_asked_for(diagnosed):
    lines = [f"{step}:  {2 - step / 10:.1f}" for step in range(5)]
    guessed, asked = diagnosed(lines), diagnosed(lines, columns={"loss": "unnamed loss"})
    assert guessed.warnings[0].startswith("its numbers have no names")
    assert (guessed.warnings[1:], guessed.curves) == (asked.warnings, asked.curves)


def test_a_list_in_order_is_read_as_losses_where_they_are_asked_for_or_end_as_no_number(diagnosed):
    rising = [f"{step}:  {2 + step / 10:.1f}" for step in range(5)]
    assert len(losses(diagnosed(rising, columns={"loss": "unnamed loss"}))) == 5
    assert len(losses(diagnosed([*rising, "5:  2.3"]))) == 6
    assert len(losses(diagnosed([*rising, "5:  inf"]))) == 6


def test_a_guess_accuses_nobody_but_asks(diagnosed):
    rising = [f"{step}:  {2 + (-1) ** step * 0.05 + 0.05 * step:.3f}" for step in range(60)]
    with pytest.raises(GradcheckError, match="as losses they would be loss-rises from step") as error:
        diagnosed(rising)
    assert "say columns={'loss': 'unnamed loss'}" in str(error.value)
    assert diagnosed(rising, columns={"loss": "unnamed loss"}).verdict.status == "loss-rises"


def test_a_list_that_never_falls_is_told_how_it_is_read(diagnosed):
    with pytest.raises(GradcheckError, match="have no names, and never fall: if they are its loss, say"):
        diagnosed(["1:  1.125", "2:  1.250", "3:  2.375"])


def test_a_named_loss_is_read_instead(diagnosed):
    report = diagnosed([line for step in range(3) for line in (f"{step}:  {step}.5", f"step {step} loss {step}.25")])
    assert losses(report) == [(step, step + 0.25) for step in range(3)]


@pytest.mark.parametrize(
    "lines",
    [
        ["0:  0.91"],
        ["12:30  0.5", "12:31  0.6"],
        ["1: 0.9", "2: 0.8"],
        ["7:  3", "8:  4"],
        ["5:  0.9", "4:  0.8", "3:  0.7"],
        ["1:  0.9 accuracy", "2:  0.8 accuracy"],
        ["Contents", "1:  1.1", "2:  1.2", "3:  2.1", "4:  2.1"],
        [f"{row}:  {0.5 + 0.013 * row:.3f}" for row in range(40)],
        ["prices, the lowest first:", *(f"{row}:  {8 + 1.25 * row:.2f}" for row in range(3000))],
    ],
)
def test_other_lists_are_no_losses(lines, diagnosed):
    with pytest.raises(GradcheckError, match="neither a loss nor a gradient norm"):
        diagnosed(lines)


def test_a_batch_cost_is_a_loss(diagnosed):
    report = diagnosed([f"iter {step} batch cost {2.5 - step / 10}" for step in range(3)])
    assert losses(report) == [(0, 2.5), (1, 2.4), (2, 2.3)]


@pytest.mark.parametrize("beside", ["reader_cost: 0.01", "ips: 93.2", "eta: 1200"])
def test_a_batch_cost_beside_another_time_is_a_time(beside, diagnosed):
    with pytest.raises(GradcheckError, match="neither a loss nor a gradient norm"):
        diagnosed([f"iter {step} batch_cost: 0.3{step}, {beside}" for step in range(3)])


def test_a_batch_cost_beside_a_loss_is_a_time(diagnosed):
    report = diagnosed([f"iter {step} loss: {step}.5, batch_cost: 0.3" for step in range(3)])
    assert losses(report) == [(0, 0.5), (1, 1.5), (2, 2.5)]


@pytest.mark.parametrize(("name", "hint"), [("grad", "say --column grad_norm=grad"), ("grad_std", None), ("ms", None)])
def test_a_gradient_that_may_be_a_norm_is_named(name, hint, diagnosed):
    lines = [f"step {step} loss={2 - step / 50:.2f} {name}={1 + step / 50:.2f}" for step in range(30)]
    (warning,) = diagnosed(lines).warnings
    assert warning.endswith(f"if {name!r} is the norm, {hint}" if hint else "from step 0 on")
    if hint:
        read = diagnosed(lines, columns={"grad_norm": name})
        assert math.isclose(read.curves.grad_norm.value[0], 1.0)


@pytest.mark.parametrize(("name", "hint"), [("L", "if 'L' is the loss, say --column loss=L"), ("k", None)])
def test_a_letter_that_may_be_the_loss_is_named_where_a_log_has_none(name, hint, diagnosed):
    lines = [f"step {step} · {name} {2 - step / 50:.2f} · gnorm {1 + step / 50:.2f}" for step in range(30)]
    found = diagnosed(lines).warnings
    assert [one.endswith(hint or "") for one in found] == ([True] if hint else [])
    if hint:
        assert losses(diagnosed(lines, columns={"loss": name}))[0] == (0, 2.0)


def test_a_factor_in_source_code_has_no_name(diagnosed):
    code = ["loss = loss + 0.5 * penalty", "x = self.grad_norm(x) * (1 + scale)", "loss -= 0.1", "loss / 2.0"]
    with pytest.raises(GradcheckError, match="neither a loss nor a gradient norm"):
        diagnosed(code)
    report = diagnosed([*code, *(f"step **{step}** | **Loss:** *{step}.5*" for step in range(3))])
    assert losses(report) == [(0, 0.5), (1, 1.5), (2, 2.5)]


def test_a_number_after_the_word_of_its_step_is_the_loss_where_there_is_nothing_else(diagnosed):
    assert losses(diagnosed(["iter 0: 9.5", "iter 1: 9.25", "iter 2: nan"])) == [(0, 9.5), (1, 9.25), (2, None)]
    named = [f"step {at} loss {9 - at}.5" for at in range(3)]
    assert losses(diagnosed([*named, "epoch 0: 0.75", "epoch 1: 0.5"])) == [(0, 9.5), (1, 8.5), (2, 7.5)]


def test_of_two_numbers_after_their_step_the_first_counts(diagnosed):
    assert losses(diagnosed(["0: inf  nan", "10: nan\tnan", "20: nan\tnan"])) == [(0, None), (10, None), (20, None)]


def test_tensors_that_are_printed_alone_are_losses_where_there_is_nothing_else(diagnosed):
    report = diagnosed(["tensor(3.2207, device='cuda:0')", *["tensor(nan, device='cuda:0')"] * 3])
    assert losses(report) == [(1, 3.2207), (2, None), (3, None), (4, None)]
    assert report.verdict.status == "nonfinite"
