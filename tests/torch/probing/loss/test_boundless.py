"""Losses without a least value."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.distributions import Normal  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Gaussian(nn.Module):
    """A mean and a deviation of each example."""

    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = (
            nn.Sequential(nn.Linear(8, 16), nn.Tanh()),
            nn.Linear(16, 2),
            nn.Linear(16, 2),
        )

    def forward(self, x):
        hidden = self.body(x)
        return self.mean(hidden), functional.softplus(self.spread(hidden)) + 0.01


def probed(loss, model=None):
    targets = torch.linspace(-2, 2, 16)[:, None]
    return probe(model or Gaussian(), (torch.randn(16, 8), targets), loss).verdict


def likelihood(output, targets):
    return Normal(*output).log_prob(targets).mean()


def divergence(output):
    return 0.5 * (output[0].square() + output[1] - 1 - output[1].log()).mean()


@pytest.mark.parametrize(
    "loss",
    [
        likelihood,
        lambda output, targets: -divergence(output),
        lambda output, targets: output[1].mean() - output[0].square().mean(),
    ],
    ids=["a likelihood", "minus a divergence", "minus a square"],
)
def test_a_term_with_the_wrong_sign_is_named(loss):
    verdict = probed(loss)
    assert (verdict.status, verdict.causes[0].code) == ("healthy", "loss-boundless")  # it may be meant
    assert "has no least value" in verdict.reasons[0]


def test_so_is_one_of_the_columns_of_a_single_output():
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
    verdict = probed(lambda o, y: Normal(o[:, :1], functional.softplus(o[:, 1:]) + 0.01).log_prob(y).mean(), model)
    assert verdict.causes[0].code == "loss-boundless"


@pytest.mark.parametrize(
    "loss",
    [
        lambda output, targets: -likelihood(output, targets),
        lambda output, targets: -likelihood(output, targets) + divergence(output),
        lambda output, targets: -output[0].mean(),
        lambda output, targets: -(Normal(*output).log_prob(targets) * targets).mean(),
        lambda output, targets: -(Normal(*output).log_prob(targets) * (targets - 2.1)).mean(),
        lambda output, targets: -functional.cosine_similarity(*output).mean(),
    ],
    ids=[
        "minus a likelihood",
        "with a divergence",
        "a critic",
        "returns of both signs",
        "negative returns",
        "a similarity",
    ],
)
def test_what_has_a_least_value_or_falls_evenly_is_not(loss):
    assert "loss-boundless" not in [cause.code for cause in probed(loss).causes]
