"""A user's model as a descent: the same losses as the engine's, and as PyTorch's own passes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.data.datasets import Batch  # noqa: E402
from gradcheck.families import trainable  # noqa: E402
from gradcheck.learning_rate.network_descent import NetworkDescent  # noqa: E402
from gradcheck.learning_rate.optimizers import OPTIMIZERS  # noqa: E402
from gradcheck.simulation.experiment import Experiment  # noqa: E402
from gradcheck.torch.learning_rate.descent import ModelDescent  # noqa: E402
from gradcheck.torch.learning_rate.update import Update  # noqa: E402
from gradcheck.torch.probing.batches import Batches  # noqa: E402
from gradcheck.torch.probing.loss.losses import choose_loss  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def descent_of(model, batch, optimizer=torch.optim.SGD, loss=None):
    return ModelDescent(model, Batches(batch), loss, Update(optimizer(model.parameters(), lr=0.1)))


def test_losses_and_steps_are_the_engine_s():
    experiment = Experiment.from_options({"depth": 2, "width": 8, "activation": "tanh"}, stored="they are trained")
    dataset = experiment.dataset
    network = trainable(experiment.network, experiment.stored_network("arch", "stored"), dataset.features, np.float64)
    x, y = np.asarray(dataset.inputs[:20], np.float64), dataset.labels[:20]
    linears = [nn.Linear(*array[0].shape).double() for _, array in network.maps]
    for linear, (_, (matrix, *bias)) in zip(linears, network.maps, strict=True):
        linear.weight.data = torch.tensor(matrix.T.copy())
        linear.bias.data = torch.tensor(bias[0]) if bias and bias[0] is not None else linear.bias.data.zero_()
    model = nn.Sequential(*[part for one in linears for part in (one, nn.Tanh())][:-1])
    batch = Batch(inputs=x, labels=y)
    engine = NetworkDescent(network, lambda: OPTIMIZERS["adam"](0.0), lambda: iter([batch] * 3))
    ours = descent_of(model, (torch.tensor(x), torch.tensor(y)), torch.optim.Adam)
    for at in (0.01, 0.1, 0.03):
        assert ours.look() == pytest.approx(engine.look(), rel=1e-9)
        assert ours.along(3 * at) == pytest.approx(engine.along(3 * at), rel=1e-6)
        ours.step(at)
        engine.step(at)


def test_a_run_after_a_restart_is_the_same_run():
    model = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 4))
    batches = iter([(torch.randn(8, 16), torch.randint(4, (8,))) for _ in range(3)])
    descent = descent_of(model, lambda: next(batches), torch.optim.Adam)

    def run():
        losses = []
        for _ in range(3):
            losses.append(descent.look())
            descent.step(0.1)
        return losses, [one.clone() for one in model.state_dict().values()]

    losses, state = run()
    descent.restart()
    again, as_before = run()
    assert again == losses
    assert all(map(torch.equal, as_before, state))


def test_along_one_update_dropout_has_the_same_masks():
    model = nn.Sequential(nn.Linear(16, 64), nn.Dropout(0.5), nn.Linear(64, 4))
    descent = descent_of(model, (torch.randn(8, 16), torch.randint(4, (8,))))
    loss = descent.look()
    assert descent.along(0.0) == loss == descent.along(0.0)
    assert descent.noise == 0
    descent.step(0.0)
    assert descent.look() != loss


def test_running_statistics_have_seen_each_batch_once_however_often_it_is_passed():
    model, x = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)), torch.randn(32, 16)
    seen = nn.BatchNorm1d(8)
    descent = descent_of(model, (x, torch.randint(4, (32,))))
    for _ in range(3):
        seen(model[0](x))
        descent.look()
        for at in (0.1, 1e30):
            descent.along(at)
        descent.step(0.1)
    torch.testing.assert_close(model[1].running_var, seen.running_var)
    assert int(model[1].num_batches_tracked) == 3


def test_a_forward_that_needs_a_graph_has_one():
    class Slope(nn.Linear):
        def forward(self, x):
            x = x.detach().requires_grad_()
            y = super().forward(x).tanh().sum()
            return torch.autograd.grad(y, x, create_graph=True)[0]

    descent = descent_of(Slope(4, 4), (torch.randn(8, 4), torch.randn(8, 4)))
    loss = descent.look()
    assert descent.along(0.0) == pytest.approx(loss)


def test_a_model_that_refuses_what_isn_t_finite_has_no_loss_there():
    class Checking(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            if not torch.isfinite(y).all():
                raise ValueError("not finite")
            return y

    descent = descent_of(Checking(4, 4), (torch.randn(8, 4), torch.randn(8, 4)))
    loss = descent.look()
    assert descent.along(1e38) == float("inf")
    assert descent.along(0.0) == pytest.approx(loss)


def test_the_loss_of_a_constant_answer_is_the_labels_entropy():
    y = torch.tensor([0, 0, 0, 1])
    descent = descent_of(nn.Linear(3, 2), (torch.randn(4, 3), y))
    descent.look()
    assert descent.constant == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


@pytest.mark.parametrize(
    ("targets", "loss", "constant"),
    [
        (torch.tensor([[0], [2]]), "mean-square", 1.0),
        (torch.tensor([[False], [True]]), "mean-square", 0.25),
        (torch.tensor([[0j], [2j]]), "mean-square", 1.0),
    ],
    ids=["whole", "yes or no", "complex"],
)
def test_the_loss_of_a_constant_answer_is_known_of_targets_of_any_type(targets, loss, constant):
    model = nn.Linear(3, 1, dtype=torch.cfloat if targets.is_complex() else torch.float)
    descent = descent_of(model, (torch.randn(2, 3, dtype=model.weight.dtype), targets), loss=loss)
    descent._answers = {0: targets}
    descent.loss = choose_loss(loss, torch.zeros(2, 1), targets)
    assert descent.constant == pytest.approx(constant)


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_the_loss_of_a_constant_answer_is_known_of_a_function_that_is_a_usual_loss(kind):
    labels = kind == "labels"
    y = torch.tensor([0, 0, 0, 1]) if labels else torch.tensor([[0.0], [0.0], [2.0], [2.0]])
    function = nn.functional.cross_entropy if labels else nn.functional.mse_loss
    descent = descent_of(nn.Linear(3, 2 if labels else 1), (torch.randn(4, 3), y), loss=lambda z, t: function(z, t))
    descent.look()
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) if labels else 1.0
    assert descent.constant == pytest.approx(expected)


def test_a_gradient_is_lost_where_most_matrices_have_a_far_smaller_share_than_at_first():
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)), nn.Linear(4, 2))
    descent = descent_of(model, (torch.randn(8, 4), torch.arange(8) % 2), loss="cross-entropy")
    descent.look()
    assert not descent.fades()
    descent.step(0.0)
    descent.look()
    assert not descent.fades()
    with torch.no_grad():
        model[-1].weight.mul_(1e-4)  # what the layers before it get
    descent.look()
    assert descent.fades()


def test_sequences_of_several_lengths_have_labels_and_numbers_in_no_common_place():
    labels = descent_of(nn.Linear(4, 2), (torch.randn(2, 4), torch.tensor([0, 1])))
    labels.look()
    labels._answers = {0: torch.tensor([[0, 0, 0]]), 1: torch.tensor([[1]])}
    assert labels.constant == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    numbers = descent_of(nn.Linear(4, 4), (torch.randn(2, 4), torch.randn(2, 4)))
    numbers.look()
    numbers._answers = {0: torch.ones(1, 3), 1: torch.ones(1, 4)}
    assert np.isnan(numbers.constant)
