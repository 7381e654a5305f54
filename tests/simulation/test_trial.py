"""A trial trains the network for real, beside the score, and changes nothing else."""

import numpy as np
import pytest

import gradcheck
from gradcheck import GradcheckError
from gradcheck.simulation.trial import EXAMPLES, PATIENCE, RATES, STEPS

LEARNS = {"depth": 3, "width": 16, "activation": "tanh"}
DOESNT = {"depth": 20, "width": 8}


@pytest.fixture
def noise(tmp_path):
    """Labels that have nothing to do with the inputs."""
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", x=generator.standard_normal((400, 4)), y=generator.permutation(400) % 2)
    return tmp_path / "noise.npz"


@pytest.fixture(scope="module")
def learnt():
    return gradcheck.simulate(**LEARNS, trial=True)


@pytest.fixture(scope="module")
def failed():
    return gradcheck.simulate(**DOESNT, trial=True)


def test_a_network_that_learns_stops_at_the_first_rate_at_which_it_does(learnt):
    trial = learnt.trial
    assert (trial.learns, [one.status for one in trial.rates]) == (True, ["learned"])
    assert trial.last <= trial.goal == pytest.approx(0.7 * min(trial.first, trial.constant))
    assert trial.steps == len(trial.rates[0].losses) < STEPS


def test_a_network_that_doesnt_learn_is_tried_at_every_rate(failed):
    trial = failed.trial
    assert (trial.learns, tuple(one.rate for one in trial.rates)) == (False, RATES)
    assert trial.last > trial.goal


def test_the_same_seed_gives_the_same_losses_and_another_one_others(learnt):
    assert gradcheck.simulate(**LEARNS, trial=True).trial == learnt.trial
    assert gradcheck.simulate(**LEARNS, trial=True, seed=1).trial.rates[0].losses != learnt.trial.rates[0].losses


def test_the_rates_at_which_it_fails_are_named_from_the_smallest_on(failed):
    rates = " ".join(str(failed).split()).partition("any rate of ")[2].partition(":")[0].split(", ")
    assert len(rates) > 1
    assert rates == sorted(rates, key=float)


def test_nothing_else_of_the_report_depends_on_it(failed):
    without = gradcheck.simulate(**DOESNT)
    assert (without.verdict, without.layers) == (failed.verdict, failed.layers)
    assert "trial" not in without


def test_where_the_time_is_over_first_it_says_nothing():
    report = gradcheck.simulate(**DOESNT, trial=True, trial_seconds=1e-9)
    assert (report.trial.learns, report.trial.rates[-1].status) == (None, "unfinished")
    assert "its 1e-09 s were over before it learnt" in " ".join(str(report).split())


def test_the_text_says_what_came_of_it_and_that_it_counts_more_where_the_score_is_wrong(learnt):
    text = " ".join(str(gradcheck.simulate(arch="lstm", width=32, steps=16, trial=True, seed=1)).split())
    assert "trained for real, it" in text
    assert f"trained for real, it learns: {learnt.trial.steps} steps of SGD (rate 0.03)" in " ".join(
        str(learnt).split()
    )


def test_batches_of_one_are_judged_by_groups_for_five_of_them_are_soon_lucky(noise, monkeypatch):
    monkeypatch.setattr("gradcheck.simulation.trial.RATES", RATES[:1])
    trial = gradcheck.simulate(depth=2, width=8, batch_size=1, activation="tanh", data=noise, trial=True).trial
    assert trial.learns is False
    assert trial.steps in (PATIENCE * EXAMPLES, STEPS * EXAMPLES)


def test_what_learns_with_large_batches_learns_with_batches_of_one():
    assert gradcheck.simulate(**LEARNS, batch_size=1, trial=True).trial.learns


def test_each_rate_is_a_line_of_the_figure_below_the_gradient(failed):
    pytest.importorskip("matplotlib")
    below = failed.plot().figure.axes[1]
    courses = {one.get_label(): one.get_ydata() for one in below.lines}
    first = failed.trial.rates[0]
    np.testing.assert_allclose(courses[f"rate 0.03: {first.status}"], first.losses, rtol=1e-12)
    assert f"learns below {failed.trial.goal:.3g}" in courses
    assert len(courses) == len(RATES) + 1


def test_a_loss_that_leaves_the_range_of_floats_has_diverged():
    report = gradcheck.simulate(depth=12, width=16, activation="linear", init="normal", weight_std=3.0, trial=True)
    assert {one.status for one in report.trial.rates} == {"diverged"}
    assert report.trial.learns is False


@pytest.mark.parametrize(
    ("options", "problem"), [({"data": "gaussian"}, "needs labels"), ({"arch": "transformer"}, "goes with arch mlp")]
)
def test_what_has_nothing_to_learn_or_no_stored_weights_is_an_error_before_any_work(options, problem):
    with pytest.raises(GradcheckError, match=problem) as caught:
        gradcheck.simulate(**options, trial=True)
    assert caught.value.typed().startswith("--trial ")


def test_its_losses_are_on_the_page_for_a_browser(learnt):
    pytest.importorskip("jinja2")
    assert "rate 0.03: learned" in learnt.to_html()


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_a_time_limit_that_is_none_is_an_error(seconds):
    with pytest.raises(GradcheckError, match="time in seconds"):
        gradcheck.simulate(**LEARNS, trial_seconds=seconds)
