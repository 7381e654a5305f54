"""Steps that hardly bring the loss down where a trial does at once."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS = torch.randn(48, 16, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(48) % 4


def outpaced(steps=40, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))
    report = probe(model, (INPUTS, CLASSES), steps=steps, **options)
    assert report.verdict.status == "healthy"
    return [cause for cause in report.verdict.causes if cause.code == "outpaced"]


def test_a_rate_that_hardly_moves_the_loss_is_held_against_a_trial_from_the_same_start():
    (cause,) = outpaced(lr=3e-3)
    assert cause.limit < 0.7 * 1.39 < cause.value
    assert "40 steps bring the loss of this batch from 1.39 to 1.38," in cause.text


def test_steps_that_bring_the_loss_down_are_not():
    assert not outpaced(optimizer="adam", lr=3e-3)


def test_a_loss_that_has_been_lower_on_the_way_is_not():
    class Moving(nn.Module):
        """A model whose numbers grow with each step that it is trained by."""

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.body, self.passes = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4)), 0

        def forward(self, x):
            self.passes += 1
            return self.body(x), self.passes

    def loss(output, targets):
        scores, passes = output
        return nn.functional.cross_entropy(scores, targets) + 0.012 * passes

    report = probe(Moving(), (INPUTS, CLASSES), loss, steps=60, optimizer="adam", lr=3e-3)
    assert "outpaced" not in [cause.code for cause in report.verdict.causes]


def test_fewer_steps_than_a_trial_has_are_not():
    assert not outpaced(steps=39, lr=3e-3)


def test_nor_are_any_without_a_trial():
    assert not outpaced(lr=3e-3, trial=False)
