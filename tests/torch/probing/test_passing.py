"""What a pass takes for the model's layers, and when it says that no gradient leaves the loss."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Drawn(nn.Module):
    """Weights that are drawn around what is trained, kept in lists that are never run."""

    def __init__(self):
        super().__init__()
        self.means = nn.ParameterList([torch.randn(64, 16) / 4, torch.randn(5, 64) / 8])

    def forward(self, x):
        first, last = (mean + 0.01 * torch.randn_like(mean) for mean in self.means)
        return functional.relu(x @ first.T) @ last.T


class TwoHeads(nn.Module):
    """The second head, which is run last, ends in a ReLU that is shut."""

    def __init__(self):
        super().__init__()
        self.body, self.one, self.other = nn.Linear(16, 32), nn.Linear(32, 5), nn.Linear(32, 1)
        nn.init.constant_(self.other.bias, -10.0)

    def forward(self, x):
        x = torch.tanh(self.body(x))
        return self.one(x), functional.relu(self.other(x))


class Tempered(nn.Module):
    """Two embeddings compared, times a temperature that is far too low, or as usual."""

    def __init__(self, log_scale):
        super().__init__()
        self.one, self.other = (nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)) for _ in range(2))
        self.log_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, x):
        one, other = (functional.normalize(net(x), dim=1) for net in (self.one, self.other))
        return self.log_scale.exp() * one @ other.T


def test_a_model_none_of_whose_parts_is_run_is_one_layer():
    report = probe(Drawn(), (torch.randn(32, 16), torch.arange(32) % 5))
    assert report.verdict.status == "healthy"
    assert [layer.name for layer in report.layers] == ["Drawn"]


def test_a_shut_head_beside_one_that_learns_does_not_mean_that_no_gradient_leaves_the_loss():
    def loss(output, targets):
        return functional.cross_entropy(output[0], targets[0]) + functional.mse_loss(output[1], targets[1])

    report = probe(TwoHeads(), (torch.randn(32, 16), (torch.arange(32) % 5, torch.rand(32, 1))), loss)
    assert next(cause.code for cause in report.verdict.causes) == "term-zero"
    assert "output-shut" not in [cause.code for cause in report.verdict.causes]


@pytest.mark.parametrize(("log_scale", "status"), [(-20.0, "vanishing"), (2.66, "healthy")])
def test_a_loss_that_hardly_depends_on_any_layer_is_vanishing_as_training_confirms(log_scale, status):
    verdict = probe(Tempered(log_scale), (torch.randn(32, 16), torch.arange(32)), "cross-entropy").verdict
    assert verdict.status == status
    assert ("trial-fails" in [cause.code for cause in verdict.causes]) == (status == "vanishing")


class Jacobian(nn.Module):
    """Returns its outputs, and the size of their Jacobian."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4))

    def forward(self, x):
        return self.net(x), torch.func.vmap(torch.func.jacrev(self.net))(x).square().mean()


class InnerStep(nn.Module):
    """Takes a step of its head on other examples before it answers, as in meta-learning."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(8, 32), nn.ReLU()), nn.Parameter(torch.randn(4, 32) / 6)

    def forward(self, x, y, asked):
        loss = nn.functional.cross_entropy(self.body(x) @ self.head.T, y)
        (step,) = torch.autograd.grad(loss, self.head, create_graph=True)
        return self.body(asked) @ (self.head - 0.1 * step).T


def test_layers_that_run_within_the_transforms_of_torch_func_are_measured():
    batch = torch.randn(32, 8), torch.arange(32) % 4
    report = probe(Jacobian(), batch, lambda output, y: nn.functional.cross_entropy(output[0], y) + output[1])
    assert (report.verdict.status, [layer.name for layer in report.layers]) == ("healthy", ["net.0"])


def test_the_derivative_of_a_loss_is_not_taken_for_a_loss():
    x, y = torch.randn(32, 8), torch.arange(32) % 4
    assert probe(InnerStep(), ((x, y, x), y)).verdict.status == "healthy"
