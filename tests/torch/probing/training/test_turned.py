"""A gradient that is turned round on its way back, so that the loss rises on purpose."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402


class Turned(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        return -3 * gradient


def by_hook(x):
    copy = 1 * x
    copy.register_hook(lambda gradient: -3 * gradient)
    return copy


TURNS = {"function": Turned.apply, "hook": by_hook, "detach": lambda x: 4 * x.detach() - 3 * x}


class Adapting(nn.Module):
    """Labels, and the domain that their features aren't to show."""

    def __init__(self, turn):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.labels, self.turn = nn.Linear(32, 5), turn
        self.domain = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x):
        hidden = self.features(x)
        return self.labels(hidden), self.domain(self.turn(hidden))


def trained(turn, **options):
    torch.manual_seed(0)
    x = torch.randn(64, 20)
    x[32:] += 1
    domain = (torch.arange(64) >= 32).long()

    def loss(outputs, labels):
        return functional.cross_entropy(outputs[0], labels) + functional.cross_entropy(outputs[1], domain)

    torch.manual_seed(0)
    return probe(Adapting(turn), (x, x[:, :5].argmax(1)), loss, **options)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_a_loss_that_rises_by_a_reversed_gradient_does_not_explode(turn, said):
    report = trained(turn, steps=60, optimizer="adam", lr=0.03)
    assert report.verdict.status == "healthy"
    assert "points the other way than the loss's own slope" in said(report)


def test_a_loss_that_rises_against_its_own_gradient_is_ill(said):
    report = trained(lambda x: x, steps=60, optimizer=lambda held: torch.optim.SGD(held, lr=0.01, maximize=True))
    assert report.verdict.status in ("exploding", "not-learning")
    assert "the other way" not in said(report)
