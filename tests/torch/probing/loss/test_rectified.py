"""Logits that a ReLU gives."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS, LABELS = torch.randn(32, 8), torch.arange(32) % 4


def ending_in(*last):
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4), *last)


def found(model, loss=functional.cross_entropy, targets=LABELS):
    return [cause for cause in probe(model, (INPUTS, targets), loss).verdict.causes if cause.code == "logits-rectified"]


def test_logits_that_a_relu_gives_are_named_with_the_share_that_gets_no_gradient(said):
    model = ending_in(nn.ReLU())
    (cause,) = found(model)
    assert cause.value == pytest.approx(float((model(INPUTS) == 0).double().mean()))
    assert "leave out the last one" in said(probe(model, (INPUTS, LABELS), functional.cross_entropy))


def test_so_are_those_of_two_classes_and_of_a_loss_by_hand():
    labels = functional.one_hot(LABELS, 4).double()
    assert found(ending_in(nn.ReLU()), functional.binary_cross_entropy_with_logits, labels.float())
    assert found(ending_in(nn.ReLU()), lambda z, y: -(y * z.log_softmax(1)).sum(1).mean(), labels.float())


@pytest.mark.parametrize("last", [(), (nn.Softplus(),), (nn.LeakyReLU(),), (nn.ReLU(), nn.Linear(4, 4))],
                         ids=["logits", "softplus", "leaky", "a layer after it"])  # fmt: skip
def test_other_logits_are_not(last):
    assert not found(ending_in(*last))


def test_what_is_pooled_after_a_relu_is_none_as_in_squeezenet():
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    report = probe(model, (torch.randn(32, 2, 6, 6), LABELS), functional.cross_entropy)
    assert "logits-rectified" not in {cause.code for cause in report.verdict.causes}
