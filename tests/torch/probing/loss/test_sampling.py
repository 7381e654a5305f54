"""Draws by sample(), where rsample() would pass a gradient on."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.distributions import Normal  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Coder(nn.Module):
    """An encoder, a draw, and a decoder."""

    def __init__(self, draw):
        super().__init__()
        self.encoder, self.decoder, self.draw = nn.Linear(8, 4), nn.Linear(2, 8), draw

    def forward(self, x):
        mean, spread = self.encoder(x).chunk(2, 1)
        law = Normal(mean, spread.exp())
        code = getattr(law, self.draw)()
        return self.decoder(code), law, code


def loss(output, targets):
    _, law, _ = output
    return (output[0] - targets).square().mean() + 1e-3 * (law.mean.square() + law.stddev - law.stddev.log()).mean()


def causes(draw, loss=loss):
    x = torch.randn(16, 8)
    return {cause.code: cause.text for cause in probe(Coder(draw), (x, x), loss).verdict.causes}


def test_a_draw_that_passes_no_gradient_on_is_named():
    said = causes("sample")["sampled"]
    assert said.startswith("decoder is given a draw by sample(), which passes no gradient on to encoder")


def test_a_draw_that_passes_it_on_is_not():
    assert "sampled" not in causes("rsample")


def test_a_draw_whose_probability_is_part_of_the_loss_needs_no_other_gradient():
    def scored(output, targets):
        _, law, code = output
        reward = -(output[0] - targets).square().mean(1, keepdim=True)
        return loss(output, targets) - (law.log_prob(code) * reward.detach()).mean()

    assert "sampled" not in causes("sample", scored)


def test_sample_and_log_prob_are_put_back():
    before = Normal.sample, Normal.log_prob
    causes("sample")
    assert (Normal.sample, Normal.log_prob) == before
