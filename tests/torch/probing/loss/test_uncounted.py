"""Labels that count for nothing."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

INPUTS = torch.randn(48, 8, generator=torch.Generator().manual_seed(0))
YES = (INPUTS[:, :1] > 0.5).float()


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 16))

    def forward(self, one, other):
        return self.encoder(one), self.encoder(other)


def perceptron(units=1):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, units))


def found(model, inputs, targets, loss):
    causes = probe(model, (inputs, targets), loss).verdict.causes
    return [cause for cause in causes if cause.code == "labels-uncounted"]


def weighed(weight):
    weight = torch.tensor([weight])
    return lambda output, targets: functional.binary_cross_entropy_with_logits(output, targets, pos_weight=weight)


def cosines(output, targets):
    return functional.cosine_embedding_loss(*output, targets)


def margins(output, targets):
    """Pairs that differ are pushed apart up to a margin, beyond which they all are at the start."""
    apart = (output[0] - output[1]).square().sum(1)
    return (targets * apart + (1 - targets) * functional.relu(0.01 - apart)).mean()


def test_a_class_whose_weight_is_zero_is_named():
    (cause,) = found(perceptron(), INPUTS, YES, weighed(0.0))
    assert cause.value == pytest.approx(float(YES.mean()))
    assert "targets of 1 count for nothing" in cause.text
    assert "only where the target is 0," in cause.text
    assert not found(perceptron(), INPUTS, YES, weighed(3.0))


def test_labels_of_0_and_1_are_named_where_the_loss_takes_minus_1_and_1():
    inputs, same = (INPUTS, INPUTS.flip(0)), YES[:, 0]
    assert found(Pairs(), inputs, same, cosines)
    assert not found(Pairs(), inputs, 2 * same - 1, cosines)


def test_a_hinge_that_is_satisfied_at_the_start_counts():
    assert not found(Pairs(), (INPUTS, INPUTS.flip(0)), YES[:, 0], margins)


def test_one_of_several_classes_may_be_left_out_on_purpose():
    weight = torch.tensor([0.0, 1.0, 1.0])

    def loss(output, targets):
        return functional.cross_entropy(output, targets, weight=weight)

    assert not found(perceptron(3), INPUTS, torch.arange(48) % 3, loss)
    assert found(perceptron(3), INPUTS, torch.arange(48) % 2, loss)


def test_labels_that_stand_for_not_counted_are_left_out_on_purpose():
    def loss(output, targets):
        kept = targets != -1
        return (output - targets)[kept].square().mean()

    assert not found(perceptron(), INPUTS, 2 * YES - 1, loss)


def test_a_mask_of_what_is_compared_with_other_numbers_is_meant():
    aims, seen = INPUTS.sum(1, keepdim=True).sigmoid(), (INPUTS[:, :1] > 0).float()

    def loss(output, targets):
        return ((output - aims).square() * targets).sum() / targets.sum()

    assert not found(perceptron(), INPUTS, seen, loss)
