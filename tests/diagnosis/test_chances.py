"""What a report says of training."""

import gradcheck
from gradcheck.diagnosis.chances import chance_of_training


def test_a_healthy_gradient_that_hardly_trains_is_no_contradiction():
    report = gradcheck.simulate(depth=1, width=8, batch_size=8, activation="elu", gain=1e-10, suggest=False)
    assert report.verdict.status == "healthy"
    assert chance_of_training(report.verdict) == (
        "the gradient is within the limits given, and yet plain SGD trains it with probability below 1 %: "
        "its outputs are far from 1"
    )
    assert " and yet " in str(report).replace("\n            ", " ")
