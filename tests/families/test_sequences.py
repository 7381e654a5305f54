import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.data.datasets import FEATURES, Dataset, load_dataset
from gradcheck.errors import OptionError
from gradcheck.families.recurrent import cut
from gradcheck.spec import RecurrentSpec
from gradcheck.spec.data import DataSpec


def examples(features, steps=1):
    return Dataset(np.zeros((2, features)), None, steps)


def steps_of(dataset, *, steps=64, given=False, per_step=None):
    spec, same = cut(RecurrentSpec(steps=steps), dataset, "mine.npy", given=given, per_step=per_step)
    assert same is dataset
    return spec.steps


# ---- how many steps


def test_the_digits_go_in_one_number_at_a_time_unless_told_otherwise():
    assert steps_of(load_dataset(DataSpec())) == 64
    assert steps_of(load_dataset(DataSpec()), steps=8, given=True) == 8


def test_a_table_goes_in_one_number_at_a_time():
    assert steps_of(examples(30)) == 30


def test_a_file_with_an_axis_of_steps_is_cut_along_it():
    assert steps_of(examples(30, steps=10)) == 10


def test_the_axis_of_a_file_is_its_second_one(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((20, 5, 3)))
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).standard_normal((20, 4, 3, 2)))
    for name, steps, features in [("x.npy", 5, 3), ("x.npz", 4, 6)]:
        report = gradcheck.simulate(arch="rnn", width=8, data=tmp_path / name, batch_size=20)
        assert (report.config.steps, len(report.layers), report.layers[0].fan_in) == (steps, steps, features + 8)


def test_a_step_of_a_file_is_a_row_of_its_example(tmp_path):
    raw = np.random.default_rng(0).standard_normal((20, 5, 3))
    np.save(tmp_path / "x.npy", raw)
    dataset = load_dataset(DataSpec(data=str(tmp_path / "x.npy"), batch_size=20))
    standardised = (raw - raw.mean()) / raw.std()
    np.testing.assert_allclose(dataset.inputs.reshape(20, 5, 3), standardised, rtol=1e-14)


def test_what_is_asked_for_comes_before_the_axis_of_a_file():
    assert steps_of(examples(30, steps=10), steps=6, given=True) == 6


@given(st.integers(1, 200), st.integers(1, 40))
def test_the_steps_are_those_that_cut_evenly_and_no_others(features, steps):
    try:
        assert steps_of(examples(features), steps=steps, given=True) == steps
        cuts = True
    except OptionError:
        cuts = False
    assert cuts == (features % steps == 0)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_noise_is_drawn_for_any_number_of_steps_with_as_many_numbers_each(steps):
    spec, dataset = cut(RecurrentSpec(steps=steps), Dataset(None), "gaussian", given=True)
    assert (spec.steps, dataset.features) == (steps, steps * FEATURES)
    batch = dataset.batch(DataSpec(data="gaussian", batch_size=3), 0, "float64")
    assert batch.inputs.shape == (3, steps * FEATURES)


def test_noise_through_a_recurrence_is_drawn_anew_for_each_step():
    report = gradcheck.simulate(arch="gru", steps=7, width=8, data="gaussian", batch_size=16)
    assert (len(report.layers), report.layers[0].fan_in) == (7, FEATURES + 8)


# ---- given weights


def test_given_weights_say_how_many_numbers_a_step_has():
    assert steps_of(examples(64), per_step=8) == 8
    assert steps_of(examples(30, steps=10), per_step=3) == 10
    assert cut(RecurrentSpec(steps=5), Dataset(None), "gaussian", given=True, per_step=3)[1].features == 15


@pytest.mark.parametrize(("steps", "given"), [(64, False), (4, True)])
def test_steps_that_the_weights_do_not_take_are_refused(steps, given):
    with pytest.raises(OptionError, match="of 7 numbers each, as the weights take them, are not the 64 of mine"):
        steps_of(examples(64), steps=steps, given=given, per_step=7)


# ---- what can't be cut


@pytest.mark.parametrize(
    ("features", "allowed"),
    [
        (64, "1, 2, 4, 8, 16, 32, 64"),
        (13, "1, 13"),
        (60, "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"),
        (5040, "1, 2, 3, 4, 5, 6, ..., 1008, 1260, 1680, 2520, 5040"),
    ],
)
def test_a_number_of_steps_that_cuts_nothing_is_refused_with_those_that_do(features, allowed):
    with pytest.raises(OptionError) as caught:
        steps_of(examples(features), steps=11, given=True)
    problem = f"11 can't cut the {features} numbers of an example of mine.npy evenly; allowed: {allowed}"
    assert str(caught.value) == f"steps={problem}"


def test_more_steps_than_numbers_are_refused():
    with pytest.raises(OptionError, match="steps=128 can't cut the 64 numbers of an example of digits evenly"):
        gradcheck.simulate(arch="rnn", steps=128)
