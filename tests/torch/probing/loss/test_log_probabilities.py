"""Log-probabilities that a loss takes for those of its classes, and that are others."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS = torch.randn(32, 8, generator=torch.Generator().manual_seed(1))


class Tagger(nn.Module):
    """Answers for each of six positions, or (positions, examples) as CTC takes them, by a function of the scores."""

    def __init__(self, end, turned=False):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.end, self.turned = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 24)), end, turned

    def forward(self, x):
        scores = self.body(x).view(len(x), 6, 4)
        return self.end(scores.transpose(0, 1) if self.turned else scores)


TAGS = torch.arange(192).reshape(32, 6) % 4


@pytest.mark.parametrize(("axis", "named"), [(1, "axis 1, of 6"), (0, "32 examples"), (2, "")])
def test_log_probabilities_over_another_axis_than_the_classes_are_named(axis, named):
    def loss(output, targets):
        return functional.nll_loss(output.flatten(0, 1), targets.flatten())

    causes = probe(Tagger(nn.LogSoftmax(axis)), (INPUTS, TAGS), loss, trial=False).verdict.causes
    said = [cause.text for cause in causes if cause.code in ("softmax-over-batch", "nll-not-log")]
    assert (len(said), named in " ".join(said)) == (1 if named else 0, True)


@pytest.mark.parametrize(("end", "named"), [
    (nn.Softmax(2), "ctc_loss is given probabilities"), (nn.Identity(), "ctc_loss is given scores"),
    (nn.LogSoftmax(2), ""),
])  # fmt: skip
def test_ctc_loss_takes_log_probabilities(end, named):
    lengths, labels = torch.full((32,), 6), 1 + TAGS[:, :2] % 3

    def loss(output, targets):
        return functional.ctc_loss(output, targets, lengths, torch.full((32,), 2))

    causes = probe(Tagger(end, turned=True), (INPUTS, labels), loss, trial=False).verdict.causes
    said = [cause.text for cause in causes if cause.code == "nll-not-log"]
    assert (len(said), named in " ".join(said)) == (1 if named else 0, True)
