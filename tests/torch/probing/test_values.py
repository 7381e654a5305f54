"""Whether a loss is zero at best, by the graph that made it, and how large the inputs are."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.values import is_never_negative  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

LABELS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


def focal(x):
    chance = x.sigmoid()
    error = functional.binary_cross_entropy_with_logits(x, LABELS, reduction="none")
    return (torch.where(LABELS > 0, (1 - chance) ** 2, chance**2) * error).sum() / LABELS.sum()


ZERO_AT_BEST = {
    "focal loss": focal,
    "cross-entropy by hand": lambda x: -(LABELS * x.log_softmax(-1)).sum(1).mean(),
    "pairs": lambda x: -functional.logsigmoid(x).mean(),
    "squares less logarithms": lambda x: (x.pow(2) - x.log_softmax(-1)).mean(),
    "a product with itself": lambda x: (x * x).mean(),
    "relative distances": lambda x: ((x - LABELS).norm(dim=-1) / (LABELS + 1).norm(dim=-1)).mean(),
    "the larger of two": lambda x: torch.maximum(x.abs(), x.pow(2)).amax(0).sum(),
    "a logarithm of distances": lambda x: torch.cdist(x, LABELS).log1p().mean(),
    "margins": lambda x: (1 - x).clamp(min=0).mean(),
    "what is left below a limit": lambda x: (1 - x).clamp(0, 1).sum(),
    "triplets": lambda x: functional.triplet_margin_loss(x, x.roll(1, 0), x.roll(2, 0)),
    "masked squares": lambda x: (LABELS * x**2).sum() / LABELS.sum(),
}
MAY_BE_NEGATIVE = {
    "a policy's": lambda x: -((LABELS - 0.5) * x.log_softmax(-1)).sum(1).mean(),
    "a critic's": lambda x: x[:, 0].mean() - x[:, 1].mean(),
    "a likelihood of numbers": lambda x: 0.5 * (x**2).mean() - x.mean(),
    "clamped below zero": lambda x: x.clamp(min=-1).mean(),
    "clamped from above": lambda x: x.clamp(max=1).mean(),
    "less a number": lambda x: (x**2).mean() - 1,
    "negative squares": lambda x: (-2 * x**2).mean(),
    "the smaller one of a square and numbers": lambda x: torch.minimum(x**2, LABELS - 0.5).mean(),
    "numbers once more": lambda x: x.expand(2, 3, 2).mean(),
    "the mean beside the variance": lambda x: torch.var_mean(x)[1],
    "the larger half": lambda x: x.amax(-1).mean(),
    "a choice beside numbers": lambda x: torch.where(LABELS > 0, x**2, -torch.ones(3, 2)).mean(),
}


@pytest.mark.parametrize("loss", ZERO_AT_BEST.values(), ids=ZERO_AT_BEST)
def test_a_loss_that_is_zero_at_best_is_known_by_its_graph(loss):
    assert is_never_negative(loss(torch.randn(3, 2, requires_grad=True)).grad_fn)


@pytest.mark.parametrize("loss", MAY_BE_NEGATIVE.values(), ids=MAY_BE_NEGATIVE)
def test_of_other_losses_nothing_is_claimed(loss):
    assert not is_never_negative(loss(torch.randn(3, 2, requires_grad=True)).grad_fn)


def test_a_sum_of_thousands_of_terms_is_known_too():
    x = torch.randn(3, requires_grad=True)
    total = x.pow(2).mean()
    for number in range(3000):
        total = total + (x - number).abs().mean()
    assert is_never_negative(total.grad_fn)


def test_a_graph_with_more_ways_than_one_could_walk_is_read_once():
    x = torch.rand(3, requires_grad=True)
    product = x.abs()
    for _ in range(200):
        product = (product + x.abs()) * (product + x.pow(2))
    assert is_never_negative(product.mean().grad_fn)


def test_inputs_that_the_model_scales_itself_are_not_large():
    class Patches(nn.Module):
        """Normalises each series, and cuts it into patches that overlap."""

        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Linear(16, 32), nn.Linear(32, 1)

        def forward(self, x):
            x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
            return self.head(self.embed(x.unfold(1, 16, 8)).tanh().mean(1))

    for model, large in ((Patches(), False), (nn.Sequential(nn.Linear(96, 32), nn.Tanh(), nn.Linear(32, 1)), True)):
        causes = probe(model, (50 * torch.randn(32, 96), torch.randn(32, 1))).verdict.causes
        assert any(cause.code in ("inputs-explode", "large-inputs", "inputs-large") for cause in causes) == large


@pytest.mark.parametrize(("std", "named"), [(1.0, False), (100.0, True)])
def test_an_embedding_that_is_far_too_large_counts_as_large_inputs(std, named):
    words = torch.randint(50, (16, 12))
    layers = nn.Embedding(50, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 50)
    nn.init.normal_(layers[0].weight, std=std)
    causes = probe(nn.Sequential(*layers), (words, words.roll(1, 1))).verdict.causes
    assert any(cause.code in ("inputs-explode", "inputs-large") for cause in causes) == named
