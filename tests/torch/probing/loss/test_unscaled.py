"""A gradient that half precision rounds to zero where it leaves the loss."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402


def verdict(size, loss=functional.mse_loss, kind=torch.float16):
    """Return that on 40,000 numbers of a size."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 200)).to(kind)
    with torch.no_grad():
        model[2].weight.mul_(0.1 * size)
        model[2].bias.zero_()
    inputs, targets = torch.randn(200, 8).to(kind), size * torch.randn(200, 200).to(kind)
    return probe(model, (inputs, targets), loss).verdict


def codes(found):
    return [cause.code for cause in found.causes]


def in_single(output, targets):
    return functional.mse_loss(output.float(), targets.float())


def test_a_mean_over_so_many_that_each_share_is_zero_is_named():
    found = verdict(2e-4)
    (cause,) = [cause for cause in found.causes if cause.code == "rounds-to-zero"]
    assert cause.value > 0.9
    assert "% is zero in float16, and isn't in float32" in cause.text


def test_a_gradient_that_the_format_holds_is_not():
    assert "rounds-to-zero" not in codes(verdict(1.0))


def test_single_precision_has_none():
    assert "rounds-to-zero" not in codes(verdict(2e-4, kind=torch.float32))


def test_the_scale_that_a_probe_measures_with_does_not_overflow_half_precision():
    found = verdict(2e-4, in_single)
    assert found.status != "nonfinite"
    assert "gradient-overflow" not in codes(found)
