"""A loss that is where it is least: the model is judged by another gradient, and nothing is trained."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS, LABELS = torch.randn(32, 8), torch.arange(32) % 4


def net(end=4):
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, end))


def far_apart(scale=1e3):
    """Return a model whose classes are told apart to the last digit."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    with torch.no_grad():
        model[2].bias.copy_(scale * torch.eye(4)[0])
    return model


SOLVED = {
    "cross-entropy": (far_apart, functional.cross_entropy),
    "margin": (far_apart, functional.multi_margin_loss),
    "hinge": (net, lambda output, _: torch.relu(output[:16] - output[16:] - 100).mean()),
}


@pytest.mark.parametrize("steps", [0, 25])
@pytest.mark.parametrize(("build", "loss"), SOLVED.values(), ids=SOLVED)
def test_a_batch_that_is_solved_leaves_nothing_to_learn_and_is_no_death(build, loss, steps, said):
    report = probe(build(), (INPUTS, torch.zeros(32, dtype=torch.long)), loss, steps=steps)
    assert report.verdict.status == "healthy"
    assert "there is nothing to learn on this batch" in said(report)
    assert "HEALTHY, BUT" in str(report)
    assert all(layer.gradient_rms > 0 for layer in report.layers)


@pytest.mark.parametrize(("model", "loss"), [
    (net(), lambda output, _: (0 * output).sum()),
    (net(), lambda output, _: 1 + (0 * output).square().sum()),
    (net(1), lambda output, _: functional.cross_entropy(output, torch.zeros(32, dtype=torch.long))),
], ids=["times zero", "at one", "a single class"])  # fmt: skip
def test_a_loss_that_no_answer_changes_is_still_dead(model, loss):
    report = probe(model, (INPUTS, LABELS), loss)
    assert report.verdict.status == "dead"
    assert "solved" not in {cause.code for cause in report.verdict.causes}


def test_two_clusters_that_a_solved_loss_holds_apart_have_not_collapsed():
    clusters = torch.cat([torch.randn(20, 8) + 5, torch.randn(10, 8) - 50])

    def triplet(output, _):
        return functional.triplet_margin_loss(output[:10], output[10:20], output[20:], margin=0.1)

    report = probe(net(), (clusters, torch.zeros(30)), triplet)
    assert report.verdict.status == "healthy"
    assert "rank" not in {cause.code for cause in report.verdict.causes}


def test_a_model_that_is_dead_is_so_on_a_batch_that_is_solved():
    model = net()
    with torch.no_grad():
        model[0].bias.fill_(-1e3)
    report = probe(model, (INPUTS, LABELS), SOLVED["hinge"][1])
    assert report.verdict.status == "dead"


def test_no_step_is_taken_along_the_gradient_that_stands_in():
    model, seen = net(), []
    model[0].register_forward_pre_hook(lambda module, _: seen.append(module.weight.detach().clone()))
    probe(model, (INPUTS, LABELS), SOLVED["hinge"][1], steps=3, trial=False)
    assert all(torch.equal(seen[0], one) for one in seen)


class Towers(nn.Module):
    """Unit vectors of two inputs each, of one encoder or of one for each."""

    def __init__(self, encoders):
        super().__init__()
        self.towers = nn.ModuleList(net() for _ in range(encoders))

    def forward(self, one, other):
        return self.towers[0](one), self.towers[-1](other)


@pytest.mark.parametrize("encoders", [1, 2])
def test_pairs_that_lie_apart_by_more_than_a_margin_are_solved(encoders, said):
    report = probe(Towers(encoders), ((INPUTS, INPUTS.flip(0)), None), lambda pair, _: (
        functional.relu(1e-6 - (pair[0] - pair[1]).norm(dim=1)).mean()
    ))  # fmt: skip
    assert report.verdict.status == "healthy"
    assert "there is nothing to learn on this batch" in said(report)


def test_a_head_without_a_gradient_beside_others_is_not_taken_for_one_that_tells_no_examples_apart(said):
    report = probe(Towers(2), ((INPUTS, INPUTS), LABELS), lambda pair, labels: (
        functional.cross_entropy(pair[0], labels) + pair[1][labels < 0].sum()
    ))  # fmt: skip
    assert "what tells the examples apart" not in said(report)
