"""What decided a probe's verdict, as data."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.diagnosis.sentences.codes import sentence  # noqa: E402
from gradcheck.probing.first_loss import FirstLoss  # noqa: E402
from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.reporting import _of_precision, _of_training  # noqa: E402
from gradcheck.torch.probing.training.history import History, Point  # noqa: E402
from gradcheck.torch.probing.underflow import Underflow  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def mlp(*end, first=8):
    return nn.Sequential(nn.Linear(first, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1), *end)


def causes_of(report):
    return {cause.code: cause for cause in report.verdict.causes}


@pytest.mark.parametrize(
    ("code", "loss"),
    [
        ("constant-loss", lambda output, _: (output * 0).sum()),
        ("output-shut", lambda output, _: torch.relu(-output.abs() - 1).sum()),
        ("output-saturated", lambda output, _: torch.tanh(output + 1e4).sum()),
        ("softmax-of-one", lambda output, _: torch.softmax(output, -1).log().sum()),
    ],
)
def test_what_shuts_the_loss_is_the_first_cause(code, loss):
    first = probe(mlp(), torch.randn(16, 8), loss).verdict.causes[0]
    assert first.code == code
    assert first.text.startswith("no gradient leaves the loss: ")


def test_parameters_without_a_gradient_are_counted(models):
    causes = causes_of(probe(models.Unused(), models.rows()))
    assert (causes["unused"].value, causes["detached"].value) == (2, 1)


def test_large_inputs_are_reported_with_their_size_and_limit():
    cause = causes_of(probe(mlp(), 1e4 * torch.ones(16, 8)))["large-inputs"]
    assert cause.to_dict() | {"text": ""} == {
        "code": "large-inputs", "layers": [1, 1], "value": pytest.approx(1e4), "limit": 3.0, "text": "",
        "passed": False,
    }  # fmt: skip


def test_weights_that_are_not_finite_name_their_layers():
    model = mlp()
    with torch.no_grad():
        model[2].weight[0, 0] = math.nan
    cause = causes_of(probe(model, torch.randn(16, 8)))["weights-nonfinite"]
    assert (cause.layers, cause.value) == ((2, 2), 1)


def test_a_history_says_since_when_the_model_is_ill_or_healthy():
    ill, healthy = (History(mlp(), one_batch=True) for _ in range(2))
    ill.last = healthy.last = FirstLoss(1.0)  # of classes that nobody knows
    ill.points = [Point(loss, 1, 1, 1, status) for loss, status in [(1.0, "healthy"), (2.0, "dead"), (3.0, "dead")]]
    ill.sick_from, ill.sick_layer = 1, "layer 3"
    healthy.points = [Point(loss, 1, 1, 1, status) for loss, status in [(1.0, "dead"), (0.5, "dead"), (0.2, "healthy")]]
    assert [(cause.code, cause.value) for cause in _of_training(ill)] == [("ill-since", 1), ("loss-course", 3.0)]
    assert (
        sentence(next(_of_training(ill)), None) == "ill from step 1 on, healthy before: first at layer 3"
    )  # after DEAD
    assert [(cause.code, cause.value) for cause in _of_training(healthy)] == [
        ("healthy-since", 2),
        ("loss-course", 0.2),
    ]
    courses = [sentence(list(_of_training(one))[1], None) for one in (ill, healthy)]
    assert ["by heart" in one for one in courses] == [False, True]  # a loss that rises has learnt nothing


def test_underflow_is_named_for_three_layers_and_counted_for_the_others():
    lost = [Underflow(f"layer {index}", 0.5) for index in range(5)]
    assert [cause.code for cause in _of_precision(lost, 1, "fp16")] == ["underflow"] * 3 + ["more-underflow"]
    assert [cause.code for cause in _of_precision([], 1, "bf16")] == ["no-underflow"]
    assert not list(_of_precision(lost, 1, None))


class Branched(nn.Module):
    """Two linear layers side by side, and what joins them."""

    def __init__(self, joined):
        super().__init__()
        self.branch, self.trunk, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.gate = nn.Parameter(torch.zeros(8))
        self.joined = joined

    def forward(self, x):
        branch, trunk = self.branch(x), self.trunk(x)
        return self.head(self.joined(trunk, branch, self.gate))


def causes_of_branched(joined):
    return causes_of(probe(Branched(joined), torch.randn(16, 8)))


def test_a_layer_whose_gradient_is_exactly_zero_without_having_faded_is_named():
    cause = causes_of_branched(lambda trunk, branch, _: trunk + 0 * branch)["layers-zero"]
    assert (cause.layers, cause.value) == ((1, 1), 1)
    assert cause.text == "branch gets a gradient of exactly zero, though the loss depends on it"


def test_a_parameter_whose_gradient_is_exactly_zero_is_named():
    cause = causes_of_branched(lambda trunk, branch, gate: trunk + branch + 0 * gate)["parameters-zero"]
    assert (cause.layers, cause.value) == (None, 1)
    assert cause.text == "gate gets a gradient of exactly zero on this batch"


def test_a_weight_that_starts_at_zero_is_named_as_opened():
    cause = causes_of_branched(lambda trunk, branch, gate: trunk + gate * branch)["opened"]
    assert (cause.layers, cause.value) == (None, 1)
    assert cause.text.startswith("gate starts at zero: measured with the values")


def test_the_operation_by_which_numbers_become_none_is_named():
    cause = causes_of_branched(lambda trunk, branch, _: branch + torch.log(-trunk.abs()))["operation-nonfinite"]
    assert cause.text.startswith("the operation log makes NaN of finite numbers after trunk")


def test_a_gradient_that_grows_where_norms_follow_counts_half():
    deep = [part for _ in range(40) for part in (nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU())]
    cause = causes_of(probe(nn.Sequential(*deep, nn.Linear(32, 3)), torch.randn(64, 32)))["norms-follow"]
    assert (cause.layers, cause.value) == (None, 2.0)
    assert cause.text.endswith("the limits are twice as wide")
