"""Gradients that are rounding and nothing else."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Experts(nn.Module):
    """Each example goes to its best experts, weighted by the router's probabilities or by these made to sum to 1."""

    def __init__(self, chosen, normalised):
        super().__init__()
        self.router = nn.Linear(16, 4)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for _ in range(4)])
        self.chosen, self.normalised = chosen, normalised

    def forward(self, x):
        shares, experts = self.router(x).softmax(-1).topk(self.chosen)
        if self.normalised:
            shares = shares / shares.sum(-1, keepdim=True)
        results = torch.stack([expert(x) for expert in self.experts], 1)
        picked = results.gather(1, experts[..., None].expand(-1, -1, 16))
        return x + (shares[..., None] * picked).sum(1)


def found(chosen, normalised):
    model = nn.Sequential(nn.Linear(8, 16), Experts(chosen, normalised), Experts(chosen, normalised), nn.Linear(16, 4))
    report = probe(model, torch.randn(32, 8))
    rounding = [cause.text for cause in report.verdict.causes if cause.code == "rounding"]
    return report.verdict.status, rounding


def test_a_router_whose_one_share_is_always_one_learns_nothing():
    status, (said,) = found(1, True)
    assert status == "no-gradient"
    assert said.startswith("the gradient of 1.router and 2.router is rounding and nothing else")


@pytest.mark.parametrize(("chosen", "normalised"), [(1, False), (2, True)])
def test_a_router_that_can_learn_is_not_accused(chosen, normalised):
    assert found(chosen, normalised)[1] == []
