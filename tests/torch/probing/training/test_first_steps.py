"""Some steps of training, and what they show."""

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def test_steps_of_training_leave_a_healthy_model_healthy(models):
    report = probe(models.mlp(depth=4), (models.rows(), torch.randint(10, (64,))), steps=20, lr=0.05)
    training = report.model.training
    assert (report.verdict.status, training.sick_from_step) == ("healthy", None)
    assert len(training.losses) == len(training.statuses) == 21
    assert training.losses[-1] < training.losses[0]


def test_steps_are_those_of_the_optimizer(models):
    model, batch = models.mlp(depth=2), (models.rows(), torch.randint(10, (64,)))
    report = probe(model, batch, steps=3, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01))
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.01), []
    for _ in range(4):
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert report.model.training.losses == pytest.approx(losses, rel=1e-4)


def test_an_own_optimizer_is_left_without_state(models):
    model = models.mlp(depth=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    probe(model, models.rows(), steps=2, optimizer=optimizer)
    assert optimizer.state_dict()["state"] == {}


def test_an_own_optimizer_that_has_taken_steps_is_left_with_its_state(models):
    model = models.mlp(depth=2)
    optimizer = torch.optim.Adam(model.parameters())
    model(models.rows()).sum().backward()
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    probe(model, models.rows(), steps=2, optimizer=optimizer)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, state in before["state"].items():
        assert all(torch.equal(after["state"][number][name], value) for name, value in state.items())


def test_a_rate_that_is_too_high_is_named_with_its_step_and_layer(models, said):
    report = probe(models.mlp(depth=6), (models.rows(), torch.randint(10, (64,))), steps=30, lr=30.0)
    training = report.model.training
    assert report.verdict.status in ("exploding", "nonfinite", "dead", "collapsed")
    assert training.statuses[0] == "healthy"
    assert training.sick_from_step in (1, 2, 3)
    assert f"from step {training.sick_from_step} on, healthy before: first at {training.first_layer}" in said(report)


def test_a_relu_recurrence_is_healthy_at_the_start_and_explodes(models):
    report = probe(models.StepByStep("relu", 1.1), models.sequence(), steps=40, lr=2.0)
    assert report.model.training.statuses[0] == "healthy"
    assert report.verdict.status == "nonfinite"
    assert report.model.training.losses[-1] is None
    assert report.model.training.first_layer == "cell"


def test_a_deep_transformer_with_norms_after_its_branches_becomes_ill_in_its_first_steps(models):
    report = probe(models.Transformer(pre=False, blocks=18), models.tokens(), steps=10, optimizer="adam", lr=0.01)
    training = report.model.training
    assert training.statuses[0] == "healthy"
    assert report.verdict.status in ("vanishing", "collapsed")
    assert training.sick_from_step <= 5
    assert training.first_layer.startswith("encoder.layers.")


def test_a_function_gives_a_new_batch_for_each_step(models):
    taken = []

    def batch():
        taken.append(len(taken))
        return models.batch()

    probe(models.mlp(depth=2), batch, steps=3)
    assert taken == [0, 1, 2, 3]
