"""Logits that are far smaller than what the read-out gives."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402


class Tempered(nn.Module):
    """Scores times a factor, and numbers of another head that are a hundred thousand times as large."""

    def __init__(self, factor):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.scores, self.numbers = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 1)
        self.factor = factor

    def forward(self, x):
        body = self.body(x).tanh()
        scores = self.factor * self.scores(body)
        return scores if self.factor != 1 else (scores, 1e5 * self.numbers(body))


class Divided(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return x / self.width


@pytest.mark.parametrize(("factor", "named"), [(1 / 1000, True), (1 / 64, False), (1, False)])
def test_logits_that_a_factor_makes_tiny_are_named(factor, named):
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))

    def loss(output, targets):
        return nn.functional.cross_entropy(output if factor != 1 else output[0], targets)

    causes = probe(Tempered(factor), (x, torch.arange(64) % 4), loss).verdict.causes
    said = [cause.text for cause in causes if cause.code == "logits-shrunk"]
    assert bool(said) is named
    assert not named or "the logits are 1/1,000 of what the read-out gives" in said[0]


def test_one_over_the_width_is_meant_where_weights_are_drawn_with_a_deviation_of_1():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Linear(256, 4, bias=False), Divided(256))
    nn.init.normal_(model[2].weight)
    report = probe(model, (torch.randn(64, 8), torch.arange(64) % 4))
    assert "logits-shrunk" not in {cause.code for cause in report.verdict.causes}
