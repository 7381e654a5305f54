"""Whether a loss is zero at best, by the graph that made it."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

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
    "masked squares": lambda x: (LABELS * x**2).sum() / LABELS.sum(),
}
MAY_BE_NEGATIVE = {
    "a policy's": lambda x: -((LABELS - 0.5) * x.log_softmax(-1)).sum(1).mean(),
    "a critic's": lambda x: x[:, 0].mean() - x[:, 1].mean(),
    "a likelihood of numbers": lambda x: 0.5 * (x**2).mean() - x.mean(),
    "less a number": lambda x: (x**2).mean() - 1,
    "negative squares": lambda x: (-2 * x**2).mean(),
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
