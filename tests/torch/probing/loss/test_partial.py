"""Gradients of a part of the loss."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

PLACES = torch.linspace(0, 1, 64)[:, None]


class Derivative(nn.Module):
    """A function and its derivative, with a graph or without."""

    def __init__(self, *, graph):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
        self.graph = graph

    def forward(self, x):
        x = x.clone().requires_grad_()
        value = self.net(x)
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=self.graph, retain_graph=True)
        return value, slope


def of_slope(output, targets):
    value, slope = output
    return (slope - targets).square().mean() + value[0].square().mean()


def told(model, batch, loss):
    report = probe(model, batch, loss)
    return report.verdict.status, "gradient-partial" in [cause.code for cause in report.verdict.causes]


def test_a_derivative_without_a_graph_leaves_the_loss_where_it_is():
    assert told(Derivative(graph=False), (PLACES, 6 * torch.cos(6 * PLACES)), of_slope) == ("not-learning", True)


def test_a_derivative_with_its_graph_is_sound():
    assert told(Derivative(graph=True), (PLACES, 6 * torch.cos(6 * PLACES)), of_slope) == ("healthy", False)


class Attacked(nn.Module):
    """Trained on inputs that an attack has moved: its derivative is meant to be a constant."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x, labels):
        x = x.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(functional.cross_entropy(self.net(x), labels), x)
        return self.net(x + 0.3 * slope.sign())


def test_a_derivative_that_is_a_constant_on_purpose_is_no_fault_of_a_model_that_learns():
    labels = torch.arange(64) % 4
    assert told(Attacked(), ((torch.randn(64, 8), labels), labels), "cross-entropy") == ("healthy", False)


class ByHand(nn.Module):
    """A recurrence that is written by hand, whose state loses its graph before some of its steps."""

    def __init__(self, cut):
        super().__init__()
        self.gate, self.new, self.out = nn.Linear(24, 16), nn.Linear(24, 16), nn.Linear(16, 4)
        nn.init.constant_(self.gate.bias, 3.0)
        self.cut = cut

    def forward(self, x):
        state = x.new_zeros(len(x), 16)
        for step in range(x.shape[1]):
            state = state.detach() if step in self.cut else state
            both = torch.cat([x[:, step], state], -1)
            keep = self.gate(both).sigmoid()
            state = keep * state + (1 - keep) * torch.tanh(self.new(both))
        return self.out(state)


@pytest.mark.parametrize(("cut", "named"), [(range(12), True), ((4, 8), False), ((), False)])
def test_a_state_that_loses_its_graph_before_each_step_is_named(cut, named):
    labels = torch.arange(64) % 4
    steps = torch.randn(64, 12, 8) + 2 * functional.one_hot(labels, 8)[:, None]
    assert told(ByHand(cut), (steps, labels), "cross-entropy")[1] is named


class Exits(nn.Module):
    """One read-out for each layer, of which the loss takes the last."""

    def __init__(self):
        super().__init__()
        self.layers, self.out = nn.ModuleList(nn.Linear(8, 8) for _ in range(6)), nn.Linear(8, 4)

    def forward(self, x):
        outputs = []
        for layer in self.layers:
            x = x + torch.relu(layer(x))
            outputs.append(self.out(x))
        return outputs


def test_uses_that_the_loss_has_no_need_of_are_none():
    labels = torch.arange(64) % 4
    last = lambda outputs, targets: functional.cross_entropy(outputs[-1], targets)  # noqa: E731
    assert told(Exits(), (torch.randn(64, 8), labels), last) == ("healthy", False)
