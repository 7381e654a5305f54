"""What a report says of training."""

from dataclasses import replace

import gradcheck
from gradcheck.base.record import Frozen
from gradcheck.diagnosis.chances import chance_of_training, said_of_training


def test_a_healthy_gradient_that_hardly_trains_is_no_contradiction():
    report = gradcheck.simulate(depth=1, width=8, batch_size=8, activation="elu", gain=1e-10, suggest=False)
    assert report.verdict.status == "healthy"
    assert chance_of_training(report.verdict) == (
        "the gradient is within the limits, and yet plain SGD trains it with probability below 1 %: "
        "its outputs are far from 1"
    )
    assert " and yet " in str(report).replace("\n            ", " ")


def test_only_limits_that_were_given_are_called_so():
    report = gradcheck.simulate(depth=4, width=8, activation="tanh", init="lecun", suggest=False)
    unlikely = replace(report, verdict=replace(report.verdict, status="healthy", score=0.35, trainable=False))
    (said,) = said_of_training(unlikely)
    assert said == (
        "the gradient is within the limits, and yet plain SGD trains it with probability 35 %: so few networks with "
        "such numbers trained"
    )
    (limited,) = said_of_training(replace(unlikely, config=Frozen({**report.config, "max_span": 9.0})))
    assert limited == (
        "the gradient is within the limits given, and yet plain SGD trains it with probability 35 %: it may not be "
        "healthy by the usual limits"
    )


def test_a_model_that_is_ill_is_given_no_high_probability_to_train():
    report = gradcheck.simulate(depth=4, width=8, activation="tanh", init="lecun", suggest=False)
    for command, status, shown in (
        ("probe", "exploding", False), ("probe", "healthy", True), ("simulate", "exploding", True),
    ):  # fmt: skip
        said = replace(report, command=command, verdict=replace(report.verdict, status=status, score=0.95))
        assert any("95 %" in one for one in said_of_training(said)) == shown
    low = replace(
        report, command="probe", verdict=replace(report.verdict, status="exploding", score=0.1, trainable=False)
    )
    assert "plain SGD trains it with probability 10 %" in said_of_training(low)


def test_a_model_that_failed_a_trial_is_given_the_share_of_such_models_and_no_probability_of_its_own():
    report = gradcheck.simulate(depth=4, width=8, activation="tanh", init="lecun", suggest=False)
    fails = replace(report.verdict.causes[0], code="trial-fails")
    verdict = replace(report.verdict, status="not-learning", score=0.15, trainable=False)
    probed = replace(report, command="probe", verdict=verdict)
    assert "of models that fail such a trial 15 % train all the same" in said_of_training(
        replace(probed, verdict=replace(verdict, causes=(fails,)))
    )
    assert not list(said_of_training(probed))
    assert "plain SGD trains it with probability 3 %" in said_of_training(
        replace(probed, verdict=replace(verdict, causes=(fails,), score=0.031))
    )
