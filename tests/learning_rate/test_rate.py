"""``gradcheck.rate`` on networks that the engine draws."""

import json
import math

import jsonschema
import numpy as np
import pytest

import gradcheck
from gradcheck.learning_rate.cells import next_command
from gradcheck.learning_rate.rate import RateSearch
from gradcheck.learning_rate.rules import BY_UPDATES, COMMON
from gradcheck.spec.names import RATED_OPTIMIZERS

SMALL = {"depth": 3, "width": 16, "activation": "tanh", "init": "lecun", "batch_size": 32}

REPORTS = {
    **{optimizer: {**SMALL, "optimizer": optimizer, "updates": 25} for optimizer in RATED_OPTIMIZERS},
    "seeds": {**SMALL, "seeds": 2, "updates": 8},
    "gru": {"arch": "gru", "steps": 4, "width": 8, "updates": 6, "lr": 3.0},
    "no labels": {**SMALL, "data": "gaussian", "updates": 6},
    "vanishing": None,
    "not finite": {**SMALL, "gain": 1e200, "activation": "relu"},
    "five updates": {**SMALL, "updates": 5},
}


@pytest.fixture(scope="module", params=REPORTS)
def made(request, without_rate):
    options = REPORTS[request.param]
    return request.param, gradcheck.rate(**options) if options else without_rate[1]


def test_every_report_is_what_its_schema_says(made):
    document = json.loads(json.dumps(made[1].to_dict(), allow_nan=False))
    jsonschema.Draft202012Validator(gradcheck.json_schema("rate")).validate(document)


def test_networks_that_do_not_train_get_no_rate_and_others_do(made):
    name, report = made
    assert (report.answer is None) == (name in ("vanishing", "not finite"))
    assert (report.verdict.status == "no-rate") == (report.answer is None)


def test_the_counts_are_those_of_the_searches_and_the_runs_and_of_batches_that_are_looked_at_untrained(made):
    name, report = made
    assert report.forward_passes == sum(len(one.rates) for one in report.draws)
    taken = sum(len(one.losses) for one in report.runs) + sum(one.shorter_updates for one in report.draws)
    untrained = {"seeds": 16, "vanishing": report.config.updates}.get(name, 0)  # where runs hardly fall
    assert report.backward_passes == len(report.draws) + taken + untrained


def test_every_optimizer_has_a_rule_of_its_own():
    assert set(BY_UPDATES) == set(COMMON) == set(RATED_OPTIMIZERS)


def test_a_seed_gives_the_same_report_and_another_one_another():
    first, again, other = (gradcheck.rate(**SMALL, updates=5, seed=seed).to_dict() for seed in (1, 1, 2))
    assert first == again
    assert first["runs"] != other["runs"]


def test_each_seed_is_a_draw_and_the_band_holds_all():
    both = gradcheck.rate(**SMALL, updates=8, seeds=2)
    alone = [gradcheck.rate(**SMALL, updates=8, seed=seed) for seed in (0, 1)]
    assert [one.best_rate for one in both.draws] == [one.answer.best_rate for one in alone]
    assert both.answer.low == pytest.approx(min(one.answer.low for one in alone))
    assert both.answer.high >= max(one.answer.best_rate for one in alone)


@pytest.mark.parametrize("optimizer", RATED_OPTIMIZERS)
def test_the_best_rate_trains_and_one_far_above_the_ceiling_does_not(optimizer):
    options = {**SMALL, "optimizer": optimizer, "updates": 25}
    answer = gradcheck.rate(**options).answer

    def loss_after(rate):
        descent = RateSearch.from_options(options).descent(0)
        losses = []
        for _ in range(60):
            losses.append(descent.look())
            descent.step(rate)
        return float(np.mean(losses[-10:]))

    best, beyond = loss_after(answer.best_rate), loss_after(8 * answer.ceiling)
    assert best < 1.2 < math.log(10)
    assert not beyond < 2 * best


def test_a_network_that_does_not_train_is_told_the_rate_after_its_cure(without_rate):
    options, ill = without_rate
    healed = gradcheck.rate(**{**options, **ill.cure.changes})
    assert healed.answer.best_rate == ill.cure.best_rate
    assert next_command(ill).startswith("gradcheck rate --updates 6 --depth 30")
    assert any("it trains: the best rate of SGD is about" in reason for reason in ill.verdict.reasons)


def test_small_networks_have_long_runs_unless_they_are_told_otherwise():
    assert RateSearch.from_options(SMALL).updates == 100
    assert RateSearch.from_options({"width": 2048}).updates == 8
    assert RateSearch.from_options({"width": 2048, "updates": 30}).updates == 30


def test_a_file_s_weights_stay_as_they_are(tmp_path):
    file = tmp_path / "weights.npz"
    gradcheck.simulate(depth=2, width=4, save_weights=file)
    before = file.read_bytes()
    report = gradcheck.rate(weights=file, updates=5)
    assert report.config.weights == str(file)
    assert file.read_bytes() == before


def test_a_tick_comes_with_each_run():
    ticks = []
    report = gradcheck.rate(**SMALL, updates=20, tick=lambda: ticks.append(None))
    assert report.draws[0].shorter_updates == 0
    assert len(ticks) == len(report.runs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"arch": "transformer"},
            "allowed: mlp, rnn, lstm, gru; of a transformer, or any model of your own in PyTorch: gradcheck probe",
        ),
        ({"optimizer": "adan"}, "did you mean 'adam'"),
        ({"updates": 0}, "updates=0 is"),
        ({"lr": 0}, "lr=0 is"),
        ({"weight_decay": -1}, "weight_decay=-1 is"),
        ({"layers": "dense"}, "has no option 'layers'"),
    ],
)
def test_what_can_not_be_searched_is_said(options, said):
    with pytest.raises(gradcheck.GradcheckError) as caught:
        gradcheck.rate(**options)
    assert said in str(caught.value)
