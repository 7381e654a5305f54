"""What is saturated between the read-out and the loss."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

INPUTS = torch.randn(32, 8, generator=torch.Generator().manual_seed(1))

CLASSES = torch.arange(32) % 4


def mlp(*end, gain=1.0, classes=4):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, classes), *end)
    with torch.no_grad():
        model[4].weight.mul_(gain)
        model[4].bias.zero_()
    return model


def found(model, loss, targets=CLASSES):
    report = probe(model, (INPUTS, targets), loss)
    return report.verdict.status, {cause.code: cause for cause in report.verdict.causes}.get("output-flat")


def squares(output, targets):
    return functional.mse_loss(output, functional.one_hot(targets, output.shape[1]).float())


SATURATED = {
    "softmax before cross-entropy": (nn.Softmax(-1), "cross-entropy", "softmax"),
    "softmax and squares": (nn.Softmax(-1), squares, "softmax"),
    "sigmoid and squares": (nn.Sigmoid(), squares, "sigmoid"),
    "tanh and squares": (nn.Tanh(), squares, "tanh"),
}


@pytest.mark.parametrize("name", SATURATED)
def test_a_saturated_output_keeps_the_gradient_from_the_whole_network(name):
    end, loss, function = SATURATED[name]
    status, cause = found(mlp(end, gain=300.0), loss)
    assert (status, cause.value > 0.5) == ("vanishing", True)
    assert f"a {function} after the read-out is saturated" in cause.text
    assert found(mlp(end), loss) == ("healthy", None)


def test_a_saturated_output_that_is_right_has_lost_nothing():
    torch.manual_seed(0)
    model = mlp(nn.Softmax(-1), gain=300.0)
    with torch.no_grad():
        answers = model(INPUTS).argmax(1)
    assert found(model, "cross-entropy", answers)[1] is None
    assert found(model, squares, answers)[1] is None


def test_a_loss_of_derivatives_of_a_saturated_output_is_looked_at_without_an_error():
    def loss(output, targets):
        (slope,) = torch.autograd.grad(output.sum(), points, create_graph=True)
        return slope.square().mean()

    points = INPUTS.clone().requires_grad_()
    model = mlp(nn.Tanh(), gain=300.0)
    assert probe(model, (INPUTS, CLASSES), lambda output, targets: loss(model(points), targets)).verdict.status


def critic(loss, bias):
    """A critic that is sure: of a generator's output it says that it is made, or is deceived."""
    judge = nn.Linear(4, 1).requires_grad_(False)
    return lambda output, _: loss(torch.sigmoid(judge(output) + bias))


def against(loss, bias):
    return found(mlp(), critic(loss, bias))


def test_a_generator_against_a_sure_critic_gets_no_gradient():
    status, cause = against(lambda real: torch.log(1 - real + 1e-12).mean(), -30.0)
    assert (status, cause.code) == ("vanishing", "output-flat")


@pytest.mark.parametrize(
    ("loss", "bias"),
    [
        (lambda real: torch.log(1 - real + 1e-12).mean(), 0.0),
        (lambda real: -torch.log(real).mean(), -30.0),
        (lambda real: -torch.log(real).mean(), 12.0),
        (lambda real: functional.binary_cross_entropy(real, torch.ones_like(real)), -30.0),
    ],
    ids=["in balance", "a loss that doesn't saturate", "the critic is deceived", "by name"],
)
def test_a_critic_that_tells_the_way_is_not_accused(loss, bias):
    assert against(loss, bias)[1] is None


def test_a_loss_of_derivatives_by_the_inputs_is_probed():
    model, x = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)), torch.rand(16, 1)

    def equation(output, target):
        place = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(place).sum(), place, create_graph=True)
        return (slope - target).square().mean()

    assert probe(model, (x, torch.ones(16, 1)), equation, steps=2).model.training.losses
