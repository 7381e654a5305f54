"""What a loss of the user's own makes of other outputs and targets."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.diagnosis.label import label_of  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

INPUTS = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
AIM = INPUTS[:, 0] * 2 - 1
LEVELS = torch.tensor([0.1, 0.5, 0.9])


def perceptron(outputs):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, outputs))


def codes(report):
    return [cause.code for cause in report.verdict.causes]


def pinball(output, targets):
    error = targets[:, None] - output
    return torch.maximum(LEVELS * error, (LEVELS - 1) * error).mean()


def log_cosh(output, targets):
    error = (output - targets[:, None]).abs()
    return (error + nn.functional.softplus(-2 * error) - math.log(2)).mean()


def root(output, targets):
    return (output - targets[:, None]).square().mean().sqrt()


def by_parts(output, targets):
    error = (output - targets[:, None]).abs()
    return torch.where(error < 1, error.square() / 2, error - 0.5).mean()


@pytest.mark.parametrize("loss", [pinball, log_cosh, root, by_parts])
def test_huge_targets_are_named_under_any_loss_that_is_one_of_differences(loss):
    report = probe(perceptron(3), (INPUTS, 250_000 + 80_000 * AIM), loss)
    assert (report.verdict.status, codes(report)[0]) == ("not-learning", "targets-huge")


@pytest.mark.parametrize("loss", [pinball, log_cosh, root, by_parts])
def test_targets_of_a_usual_size_are_not(loss):
    report = probe(perceptron(3), (INPUTS, AIM), loss)
    assert report.verdict.status == "healthy"
    assert "targets-huge" not in codes(report)


@pytest.mark.parametrize("loss", [by_parts, nn.functional.smooth_l1_loss])
def test_targets_that_a_single_number_meets_far_better_are_named_though_each_weight_changes_the_loss(loss):
    targets = (5000 + 1000 * AIM)[:, None].expand(64, 3) if loss is nn.functional.smooth_l1_loss else 5000 + 1000 * AIM
    report = probe(perceptron(3), (INPUTS, targets), loss)
    assert (report.verdict.status, codes(report)[0]) == ("not-learning", "targets-huge")


def test_huge_targets_leave_their_mark_on_steps_of_training_under_such_a_loss():
    batch = INPUTS, 250_000 + 80_000 * AIM
    report = probe(perceptron(3), batch, pinball, steps=25, optimizer="adam", lr=1e-3)
    assert report.verdict.status == "not-learning"
    assert "targets-huge" in codes(report)


def weighed(output, returns):
    return -(output.log_softmax(1)[:, 0] * returns).mean()


def poisson(output, counts):
    return (output.exp() - counts[:, None] * output).mean()


def of_logarithms(output, targets):
    return (output - targets.log1p()[:, None]).square().mean()


@pytest.mark.parametrize("loss", [weighed, poisson, of_logarithms])
def test_targets_that_weigh_something_or_are_scaled_within_the_loss_are_not_held_against_the_outputs(loss):
    report = probe(perceptron(3), (INPUTS, 300_000 + 1000 * AIM), loss)
    assert "targets-huge" not in codes(report)


def mixture(smallest, reduce=torch.mean, factor=1.0):
    def loss(output, targets):
        weights, means, widths = output.chunk(3, 1)
        widths = nn.functional.softplus(widths) * factor + smallest
        error = (targets[:, None] - means) / widths
        return -reduce(torch.logsumexp(weights.log_softmax(1) - error.square() / 2 - widths.log(), 1))

    return loss


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum])
def test_a_likelihood_that_starts_far_above_what_outputs_and_targets_explain_is_named(reduce):
    report = probe(perceptron(15), (INPUTS, AIM), mixture(0.0, reduce, 1e-3))
    assert report.verdict.status == "healthy"
    cause = next(one for one in report.verdict.causes if one.code == "loss-outsized")
    assert "divides by a small number, as a variance" in cause.text


def test_an_outsized_loss_leaves_a_doubt_and_no_probability_that_sgd_trains():
    report = probe(perceptron(15), (INPUTS, AIM), mixture(0.0, torch.mean, 1e-3), trial=False)
    assert label_of(report.verdict.status, codes(report))[0] == "healthy, but"
    assert "no probability of training is given" in " ".join(str(report).split())


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum])
def test_a_likelihood_that_starts_far_off_explodes_whether_it_is_a_mean_or_a_sum_over_the_examples(reduce):
    report = probe(perceptron(15), (INPUTS, AIM), mixture(0.0, reduce, 1e-5), trial=False)
    assert (report.verdict.status, codes(report)[0]) == ("exploding", "starts-far")


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum])
def test_a_likelihood_of_a_usual_size_leaves_none(reduce):
    assert "loss-outsized" not in codes(probe(perceptron(15), (INPUTS, AIM), mixture(1e-3, reduce)))


def summed_pixels(output, targets):
    return (output - targets[:, :1]).pow(4).sum() + output.square().sum()


def summed_by_example(output, targets):
    return (output - targets[:, :1]).pow(4).sum(1).mean() + 100 * output.square().sum(1).mean()


@pytest.mark.parametrize("loss", [summed_pixels, summed_by_example])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_sums_over_many_numbers_and_large_targets_explain_a_large_loss(loss, scale):
    report = probe(perceptron(784), (INPUTS, scale * AIM[:, None]), loss, trial=False)
    assert "loss-outsized" not in codes(report)
