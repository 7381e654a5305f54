"""What the graph says of queries and keys: they reach the loss through a softmax only."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Attending(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.weights = weights
        self.query, self.key, self.value, self.head = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, x):
        return self.head(self.weights(self.query(x) @ self.key(x).mT / 4) @ self.value(x))


class Sparse(torch.autograd.Function):
    """Weights over scores by a function of the user's own."""

    @staticmethod
    def forward(ctx, scores):
        return scores.relu()

    @staticmethod
    def backward(ctx, delta):
        return delta


MySparsemax = type("MySparsemax", (Sparse,), {})


@pytest.mark.parametrize("weights", [lambda s: torch.softmax(s, -1), MySparsemax.apply])
def test_queries_and_keys_are_known_by_any_softmax_over_scores(weights):
    report = probe(Attending(weights), (torch.randn(8, 6, 16), torch.randn(8, 6, 16)), "mean-square")
    kinds = {one.name: one.kind for one in report.layers}
    assert kinds == {"query": "linear over positions of scores", "key": "linear over positions of scores",
                     "value": "linear over positions"}  # fmt: skip


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_fused_attention_with_and_without_dropout_has_queries_and_keys(dropout):
    class Fused(Attending):
        def forward(self, x):
            return self.head(
                functional.scaled_dot_product_attention(
                    self.query(x)[:, None], self.key(x)[:, None], self.value(x)[:, None], dropout_p=dropout
                )[:, 0]
            )

    report = probe(Fused(None), (torch.randn(8, 6, 16), torch.randn(8, 6, 16)), "mean-square")
    assert [one.kind.endswith("of scores") for one in report.layers] == [True, True, False]
