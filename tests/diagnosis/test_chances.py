"""What a report says of training."""

from dataclasses import replace

import gradcheck
from gradcheck.diagnosis.chances import chance_of_training, said_of_training


def test_a_healthy_gradient_that_hardly_trains_is_no_contradiction():
    report = gradcheck.simulate(depth=1, width=8, batch_size=8, activation="elu", gain=1e-10, suggest=False)
    assert report.verdict.status == "healthy"
    assert chance_of_training(report.verdict) == (
        "the gradient is within the limits given, and yet plain SGD trains it with probability below 1 %: "
        "its outputs are far from 1"
    )
    assert " and yet " in str(report).replace("\n            ", " ")


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
