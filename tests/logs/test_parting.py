"""Two logs side by side."""

import numpy as np
import pytest

from gradcheck import diagnose


def rows(count=200, seed=0, noise=0.1, every=1, **columns):
    """Rows of a healthy run, some columns as functions of the step and the usual number."""
    draw = np.random.default_rng(seed)
    for step in range(0, count * every, every):
        usual = {
            "lr": 1e-3,
            "loss": 2 * np.exp(-step / every / 100) + 0.5 + 0.1 * noise * draw.standard_normal(),
            "grad_norm": np.exp(noise * draw.standard_normal()),
        }
        numbers = usual | {name: of(step, usual[name]) for name, of in columns.items()}
        yield {"step": step} | {name: float(value) for name, value in numbers.items()}


def held(one, other):
    return diagnose(list(one), against=list(other)).against


def test_equal_logs_part_nowhere():
    found = held(rows(), rows())
    assert (found.steps, found.first_step, found.quantity, found.norm_factor) == (200, None, None, None)
    assert "no parting" in found.message


def test_runs_of_other_seeds_part_nowhere():
    assert held(rows(seed=1), rows(seed=2)).first_step is None


def test_equal_runs_part_at_the_first_step_that_differs_and_the_cause_comes_first():
    later = {"lr": lambda step, usual: usual * (2 if step >= 120 else 1),
             "loss": lambda step, usual: usual * (1.5 if step >= 121 else 1)}  # fmt: skip
    found = held(rows(**later), rows())
    assert (found.first_step, found.quantity, found.here, found.there) == (120, "lr", 2e-3, 1e-3)
    assert "at step 120, in the learning rate first: 0.002000 here" in found.message


def test_runs_of_other_seeds_part_where_one_of_them_explodes():
    norm = {"grad_norm": lambda step, usual: usual * 10 ** (max(0, step - 150) / 5)}
    found = held(rows(seed=1, **norm), rows(seed=2))
    assert found.quantity == "grad_norm"
    assert 150 <= found.first_step <= 155


def test_they_part_where_one_is_not_finite():
    broken = {"loss": lambda step, usual: np.nan if step >= 90 else usual}
    found = held(rows(**broken), rows())
    assert (found.first_step, found.quantity, found.here) == (90, "loss", None)
    assert "not finite here" in found.message


@pytest.mark.parametrize(
    ("factor", "said"),
    [(8, "8 workers"), (1 / 4, "there are 4 times those here"), (2**0.5, "√2"), (1.01, "no parting")],
)
def test_a_constant_factor_of_the_norms_is_named(factor, said):
    scaled = {"grad_norm": lambda step, usual: factor * usual}
    found = held(rows(**scaled), rows())
    assert found.first_step is None
    assert found.norm_factor == (None if factor == 1.01 else pytest.approx(factor))
    assert said in found.message


def test_only_steps_that_both_have_are_compared():
    found = held(rows(count=100, every=2), rows(count=100, every=3))
    assert found.steps == 34
    few = held(rows(count=2), rows())
    assert (few.steps, few.first_step) == (2, None)
    assert "too few" in few.message
