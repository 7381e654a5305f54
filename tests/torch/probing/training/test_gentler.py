"""Other steps that keep a model healthy which those taken make ill, and that nothing of the model is left changed."""

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture
def task(models):
    """A model and its batch."""
    return models.mlp(depth=3), (models.rows(), torch.randint(10, (64,)))


def test_a_smaller_rate_that_was_tried_is_named_and_keeps_the_model_healthy(task):
    report = probe(*task, steps=10, lr=30.0, suggest=True)
    assert report.verdict.status != "healthy"
    rate = next(one for one in report.suggestions if "lr" in one.changes)
    again = probe(*task, steps=10, lr=float(rate.changes["lr"]))
    assert again.verdict.status == rate.status == "healthy"
    assert again.model.training.first_batch_loss == rate.loss < again.model.training.losses[0]


def test_those_that_end_lowest_come_first(task):
    losses = [one.loss for one in probe(*task, steps=10, lr=3.0, optimizer="adam", suggest=True).suggestions]
    assert losses == sorted(losses)


def test_the_code_of_a_smaller_rate_does_what_was_tried(task):
    suggestions = probe(*task, steps=10, lr=30.0, suggest=True).suggestions
    rate = next(one for one in suggestions if "lr" in one.changes)
    optimizer = torch.optim.SGD(task[0].parameters(), lr=30.0)
    exec(rate.command, {"optimizer": optimizer, "model": task[0], "torch": torch})
    assert optimizer.param_groups[0]["lr"] == pytest.approx(float(rate.changes["lr"]))


def test_a_warm_up_by_its_code_is_the_one_that_is_tried():
    from gradcheck.torch.probing.training.gentler import WARM_UP

    optimizer, rates = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), []
    names = {"optimizer": optimizer, "torch": torch}
    making, _, stepping = WARM_UP.format(steps=4).split("\n")
    exec(making, names)
    for _ in range(6):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        exec(stepping, names)
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_a_larger_rate_is_named_where_the_loss_stays(task):
    report = probe(*task, steps=20, lr=1e-5, suggest=True)
    assert report.verdict.status == "not-learning"
    assert report.suggestions
    assert all(float(one.changes["lr"]) > 1e-5 for one in report.suggestions)


def test_larger_rates_are_tried_as_long_as_they_lead_further(task):
    best, *others = probe(*task, steps=20, lr=1e-6, suggest=True).suggestions
    assert float(best.changes["lr"]) > 2e-3  # the largest that is tried anyhow is 1000 times the given one
    assert best.loss < min(one.loss for one in others)


def test_smaller_rates_are_tried_until_one_keeps_the_model_healthy(task):
    (rate,) = probe(*task, steps=10, lr=1000.0, suggest=True).suggestions
    assert 0 < float(rate.changes["lr"]) < 5  # the smallest that is tried anyhow is 1/100 of the given one


def test_steps_that_end_healthy_have_none(task):
    assert probe(*task, steps=5, lr=0.05, suggest=True).suggestions == ()


def test_nothing_is_tried_unasked(task):
    assert probe(*task, steps=10, lr=30.0).suggestions is None


def test_the_batches_are_the_same_for_each_try(models):
    drawn = []

    def batch():
        drawn.append(models.batch())
        return drawn[-1]

    report = probe(models.mlp(depth=3), batch, steps=8, lr=30.0, suggest=True)
    assert report.suggestions
    assert len(drawn) == 9


def test_everything_is_as_it_was_after_steps_and_tries(models):
    model = nn.Sequential(nn.Linear(32, 16), nn.BatchNorm1d(16), nn.Dropout(), nn.ReLU(), nn.Linear(16, 10)).eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=3.0)
    rows, classes = models.rows(), torch.randint(10, (64,))
    nn.functional.cross_entropy(model(rows), classes).backward()
    optimizer.step()

    def state():
        gradients = [None if one.grad is None else one.grad.clone() for one in model.parameters()]
        modes = [module.training for module in model.modules()]
        return copy.deepcopy((model.state_dict(), gradients, modes, optimizer.state_dict(), torch.get_rng_state()))

    before = state()
    report = probe(model, (rows, classes), steps=12, optimizer=optimizer, warmup=4, clip="norm:100", suggest=True)
    assert report.verdict.status != "healthy"
    torch.testing.assert_close(state(), before, rtol=0, atol=0, equal_nan=True)
