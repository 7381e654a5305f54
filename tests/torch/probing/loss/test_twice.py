"""Probabilities that a loss takes for logits, whatever has made them."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS, LABELS = torch.randn(32, 8), torch.arange(32) % 5


class Made(nn.Module):
    """Logits, and what a function makes of them."""

    def __init__(self, function):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 5))
        self.function = function

    def forward(self, x):
        return self.function(self.net(x))


def by_hand(z):
    powers = (z - z.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


MADE = {
    "by hand": by_hand,
    "index": lambda z: z.softmax(1)[torch.arange(32)],
    "columns": lambda z: z.softmax(1)[:, [1, 0, 2, 4, 3]],
    "join": lambda z: torch.cat([z[:16].softmax(1), z[16:].softmax(1)]),
    "mask": lambda z: z.softmax(1).masked_fill(torch.zeros(5, dtype=torch.bool), 0),
    "mean of two": lambda z: (z.softmax(1) + z.tanh().softmax(1)) / 2,
}

OTHERS = {
    "logits": lambda z: z,
    "positive": functional.softplus,
    "unit vectors": lambda z: functional.normalize(z, dim=1).abs(),
}


def codes(function, loss=functional.cross_entropy):
    return {cause.code for cause in probe(Made(function), (INPUTS, LABELS), loss).verdict.causes}


@pytest.mark.parametrize("function", MADE.values(), ids=MADE)
def test_a_second_softmax_is_told_by_the_numbers_it_is_given(function):
    assert "softmax-twice" in codes(function)


@pytest.mark.parametrize("function", OTHERS.values(), ids=OTHERS)
def test_what_is_no_distribution_may_be_logits(function):
    assert "softmax-twice" not in codes(function)


@pytest.mark.parametrize("function", MADE.values(), ids=MADE)
def test_probabilities_whose_logarithm_is_taken_are_none(function):
    assert "softmax-twice" not in codes(
        function, lambda output, labels: functional.cross_entropy(output.clamp_min(1e-9).log(), labels)
    )


class Mixture(nn.Module):
    """Shares of some parts first, and what each part says of an example."""

    def __init__(self):
        super().__init__()
        self.body, self.shares, self.parts = nn.Linear(8, 16), nn.Linear(16, 5), nn.Linear(16, 25)

    def forward(self, x):
        body = self.body(x).tanh()
        return self.shares(body).softmax(1), self.parts(body).unflatten(1, (5, 5))


def of_joined_logarithms(output, targets):
    likelihoods = output[1].log_softmax(2)[torch.arange(32), :, targets]
    return -(output[0].log() + likelihoods).logsumexp(1).mean()


def of_weighted_logits(output, targets):
    return functional.cross_entropy(torch.einsum("bp,bpc->bc", *output), targets)


def of_weighted_sums(output, targets):
    return functional.cross_entropy((output[0][..., None] * output[1]).sum(1), targets)


@pytest.mark.parametrize("loss", [of_joined_logarithms, of_weighted_logits, of_weighted_sums])
def test_shares_of_a_mixture_that_the_loss_weighs_its_parts_by_are_no_logits(loss):
    causes = {cause.code for cause in probe(Mixture(), (INPUTS, LABELS), loss).verdict.causes}
    assert "softmax-twice" not in causes
