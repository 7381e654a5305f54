"""Half precision, where gradients underflow."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def test_half_precision_says_where_the_gradient_underflows(models, said):
    model, batch = models.mlp(nn.Sigmoid, 16, init="xavier"), (models.rows(), torch.randint(10, (64,)))
    report = probe(model, batch, amp="fp16")
    assert report.model.precision.loss_scale == 65536
    lost = {one["layer"]: one["share"] for one in report.model.precision.underflow}
    assert lost["0"] > 0.5
    assert "22" not in lost
    assert "underflows in fp16 at a loss scale of 65,536" in said(report)


def test_half_precision_measures_the_gradient_unscaled(models, said):
    model, batch = models.mlp(depth=4), (models.rows(), torch.randint(10, (64,)))
    full, half = probe(model, batch), probe(model, batch, amp="fp16")
    brain = probe(model, batch, amp="bf16")
    for one, other, third in zip(full.layers, half.layers, brain.layers, strict=True):
        assert other.gradient_rms == pytest.approx(one.gradient_rms, rel=0.02)
        assert third.gradient_rms == pytest.approx(one.gradient_rms, rel=0.1)
    assert "no layer's gradient underflows in bf16" in said(brain)
