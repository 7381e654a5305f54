"""Steps that hardly bring the loss down where a trial does at once."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS = torch.randn(48, 16, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(48) % 4


class Fading(torch.optim.SGD):
    """Steps of which each is a fifth smaller than the one before."""

    taken = 0

    def step(self, closure=None):
        for one in self.param_groups[0]["params"]:
            one.grad *= 0.8**self.taken
        self.taken += 1
        return super().step(closure)


def fading(parameters):
    return Fading(parameters, lr=0.03)


def outpaced(steps=40, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))
    report = probe(model, (INPUTS, CLASSES), steps=steps, **options)
    assert report.verdict.status == "healthy"
    return [cause for cause in report.verdict.causes if cause.code == "outpaced"]


def test_steps_that_soon_move_the_loss_no_more_are_held_against_a_trial_from_the_same_start():
    (cause,) = outpaced(optimizer=fading)
    assert cause.limit < 0.7 * 1.39 < cause.value
    assert "40 steps bring the loss of this batch from 1.39 to 1.38," in cause.text


def test_steps_that_bring_the_loss_down_are_not():
    assert not outpaced(optimizer="adam", lr=3e-3)


@pytest.mark.parametrize("options", [{"lr": 1e-2}, {"optimizer": "adam", "lr": 1e-5}], ids=["sgd", "adam"])
def test_a_small_rate_at_which_the_loss_falls_steadily_is_not(options):
    assert not outpaced(**options)


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
    assert not outpaced(steps=39, optimizer=fading)


def test_nor_are_any_without_a_trial():
    assert not outpaced(optimizer=fading, trial=False)
