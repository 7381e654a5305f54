"""What diagnose says of runs that were recorded."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradcheck  # noqa: E402
from gradcheck.torch import Recorder  # noqa: E402


def test_a_healthy_run_has_no_finding(file, runs):
    runs.train(runs.mlp(depth=3, width=32), file, steps=150, lr=0.02, activations=True)
    report = gradcheck.diagnose(file)
    assert report.verdict.status == "healthy"
    assert not report.findings


def test_a_run_whose_gradients_vanish_is_found_with_its_first_layer(file, runs):
    runs.train(runs.deep(nn.Sigmoid, 1.0), file, steps=60, lr=0.05)
    report = gradcheck.diagnose(file)
    assert report.verdict.status == "vanishing"
    assert report.verdict.layer == "0.weight"


def test_a_run_whose_gradients_are_below_float32_s_squares_still_vanishes(file, runs):
    runs.train(runs.deep(nn.Sigmoid, 0.4, depth=40), file, steps=60, lr=0.05)
    first = runs.records(file)[0]["layers"]["grad_norm"][0]
    assert 0 < first < 1e-25
    assert gradcheck.diagnose(file).verdict.status == "vanishing"


def test_a_plateau_whose_last_layers_learn_what_they_can_alone_is_still_vanishing(file, runs):
    """Twelve ReLU layers as nn.Linear draws them; only the last bias finds something: how frequent the labels are."""
    model = runs.mlp(depth=13, width=64)
    runs.train(model, file, steps=200, lr=0.5)
    norms = [
        dict(zip(runs.lines(file)[0]["layers"], one["layers"]["grad_norm"], strict=True)) for one in runs.records(file)
    ]
    assert norms[0]["0.weight"] < 1e-3 * norms[0]["24.weight"]
    assert norms[-1]["0.weight"] > 1e-3 * norms[-1]["24.weight"]
    assert gradcheck.diagnose(file).verdict.status == "vanishing"


def test_a_run_with_a_huge_learning_rate_explodes(file, runs):
    model = runs.mlp(depth=3, width=32, activation=nn.Identity)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with Recorder(model, file, every=1) as recorder:
        for step in range(120):
            if step == 60:
                optimizer.param_groups[0]["lr"] = 3.0
            optimizer.zero_grad()
            loss = (model(runs.INPUTS) - 1).square().mean()
            loss.backward()
            optimizer.step()
            recorder.step(loss)
    report = gradcheck.diagnose(file)
    assert report.verdict.status in ("exploding", "nonfinite")
    assert 60 <= report.verdict.first_step <= 75


def test_clipping_that_is_always_at_work_is_found(file, runs):
    runs.train(runs.mlp(), file, steps=120, clip=1e-4)
    assert "always-clipped" in {finding.kind for finding in gradcheck.diagnose(file).findings}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_relus_that_a_far_too_high_rate_kills_are_found_dead(file, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    inputs, targets = torch.randn(64, 20), 3 * torch.randn(64, 1) - 10
    optimizer = torch.optim.SGD(model.parameters(), lr=3.0)
    with Recorder(model, file, every=1, activations=True) as recorder:
        for _ in range(120):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)  # or it would explode first
            optimizer.step()
            recorder.step(loss)
    report = gradcheck.diagnose(file)
    assert report.verdict.status == "dead"
    assert (report.findings[0].kind, report.findings[0].layer) == ("dead", "2.weight")


def loop(model, file, zeroed, micro_batches=1, steps=30):
    """Train with or without setting gradients to zero, in one of the ways that people do it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with Recorder(model, file, every=1) as recorder:
        for _ in range(steps):
            if zeroed == "to zeros":
                optimizer.zero_grad(set_to_none=False)
            for _ in range(micro_batches):
                loss = (model(torch.randn(16, 20)) - 1).square().mean()
                if zeroed == "before backward" and micro_batches == 1:
                    optimizer.zero_grad()
                loss.backward()
            optimizer.step()
            if zeroed == "after the step":
                optimizer.zero_grad()
            recorder.step(loss)


@pytest.mark.parametrize(
    ("zeroed", "micro_batches"),
    [("to zeros", 1), ("before backward", 1), ("after the step", 1), ("after the step", 4), ("to zeros", 4)],
)
def test_gradients_that_are_set_to_zero_in_any_way_leave_nothing(zeroed, micro_batches, file, runs):
    torch.manual_seed(0)
    loop(nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 1)), file, zeroed, micro_batches)
    assert all("grad_left" not in record for record in runs.records(file))
    assert "not-zeroed" not in {one.kind for one in gradcheck.diagnose(file).findings}


@pytest.mark.parametrize("micro_batches", [1, 4])
def test_gradients_that_are_never_set_to_zero_are_found(micro_batches, file, runs):
    torch.manual_seed(0)
    loop(nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 1)), file, "never", micro_batches)
    assert [record.get("grad_left", 0) > 0 for record in runs.records(file)] == [False] + [True] * 29
    (found,) = (one for one in gradcheck.diagnose(file).findings if one.kind == "not-zeroed")
    assert found.numbers["share"] == pytest.approx(29 / 30)
    assert "zero_grad" in found.advice[0]


def test_the_hooks_that_look_for_them_serve_each_step_where_all_are_recorded(file):
    model = nn.Linear(20, 1)
    with Recorder(model, file, every=1) as recorder:
        before = [*model.weight._backward_hooks]
        recorder.step(1.0)
        assert [*model.weight._backward_hooks] == before
    assert not any(parameter._backward_hooks for parameter in model.parameters())


def test_the_hooks_that_look_for_them_are_gone_after_the_step(file):
    model = nn.Linear(20, 1)
    with Recorder(model, file, every=2):
        assert any(parameter._backward_hooks for parameter in model.parameters())
    assert not any(parameter._backward_hooks for parameter in model.parameters())
