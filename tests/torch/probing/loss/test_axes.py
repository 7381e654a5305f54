"""Where a read-out's classes lie when a loss chooses among them."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Tokens(nn.Module):
    """Logits of shape (examples, steps, classes)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))

    def forward(self, x):
        return self.body(x)


@pytest.mark.parametrize(
    ("moved", "named"),
    [
        (lambda output: output.view(8, 4, 6), True),
        (lambda output: output.transpose(1, 2).reshape(-1, 4), True),
        (lambda output: output.reshape(4, -1).t(), True),
        (lambda output: output.transpose(1, 2), False),
        (lambda output: output.permute(2, 0, 1).reshape(4, -1).t(), False),
        (lambda output: output.flatten(0, 1), False),
    ],
    ids=["view", "flat after a transpose", "flat before it", "transpose", "there and back", "flat"],
)
def test_a_view_that_cuts_the_classes_up_before_the_loss_is_named(moved, named):
    def loss(output, targets):
        logits = moved(output)
        return functional.cross_entropy(logits, targets if logits.dim() == 3 else targets.flatten())

    batch = torch.randn(8, 6, 8), torch.arange(48).reshape(8, 6) % 4
    report = probe(Tokens(), batch, loss)
    assert ("axes-viewed" in [cause.code for cause in report.verdict.causes]) is named
    assert report.verdict.status == "healthy"


@pytest.mark.parametrize(("moved", "named"), [
    (lambda output: output.reshape(4, -1).T, True), (lambda output: output.reshape(-1, 4), False),
    (lambda output: output.permute(2, 0, 1).reshape(4, -1).T, False),
], ids=["classes first", "classes last", "permuted"])  # fmt: skip
def test_classes_that_a_view_puts_first_before_it_is_transposed_are_named(moved, named):
    batch = torch.randn(8, 6, 8), torch.arange(48).reshape(8, 6) % 4
    report = probe(Tokens(), batch, lambda output, targets: functional.cross_entropy(moved(output), targets.flatten()))
    assert ("axes-viewed" in [cause.code for cause in report.verdict.causes]) is named


def test_channels_that_a_view_cuts_up_are_named():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    batch = torch.randn(4, 3, 6, 6), torch.arange(144).reshape(4, 6, 6) % 4

    def flat(output, targets):
        return functional.cross_entropy(output.reshape(-1, 4), targets.flatten())

    assert "axes-viewed" in [cause.code for cause in probe(model, batch, flat).verdict.causes]
    assert "axes-viewed" not in [cause.code for cause in probe(model, batch, functional.cross_entropy).verdict.causes]


class Pairs(nn.Module):
    """Products of all pairs of an example's two embeddings."""

    def __init__(self):
        super().__init__()
        self.one, self.other = (nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8)) for _ in range(2))

    def forward(self, x):
        return self.one(x) @ self.other(x + 0.1).t()


def test_a_matrix_of_pairs_may_be_chosen_in_along_both_axes():
    def loss(output, targets):
        columns = functional.nll_loss(output.log_softmax(0).t(), targets)
        return functional.cross_entropy(output, targets) + functional.cross_entropy(output.t(), targets) + columns

    report = probe(Pairs(), (torch.randn(32, 8), torch.arange(32)), loss)
    assert report.verdict.status == "healthy"
    assert {"axes-viewed", "softmax-over-batch"}.isdisjoint(cause.code for cause in report.verdict.causes)
