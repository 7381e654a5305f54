"""Which operation makes numbers that are not finite, forward or back."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.hooks import recording  # noqa: E402
from gradcheck.torch.probing.state import untouched  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Ends(nn.Module):
    """A function between two layers, or after both."""

    def __init__(self, between=lambda x: x, after=lambda x: x):
        super().__init__()
        self.one, self.two, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.between, self.after = between, after

    def forward(self, x):
        return self.after(self.head(torch.tanh(self.two(self.between(self.one(x))))))


def causes(model, loss=None, inputs=None, targets=None):
    report = probe(model, (torch.randn(16, 8) if inputs is None else inputs, targets), loss)
    return report.verdict.status, {cause.code: cause.text for cause in report.verdict.causes}


LOSSES = {
    "log": lambda output, _: (output - 100).log().mean(),
    "pow": lambda output, _: ((output - 100) ** 1.5).mean(),
    "sqrt": lambda output, _: torch.where(output.sum() > 1e9, output, (output - 100).sqrt()).mean(),
    "reciprocal": lambda output, _: output.mean() * (1 / torch.zeros(())),
    "exp": lambda output, _: (1000 + output).exp().mean(),
    "ctc_loss": lambda output, _: functional.ctc_loss(
        output.log_softmax(-1)[:4, None], torch.ones(1, 9, dtype=torch.long), torch.tensor([4]), torch.tensor([9])
    ),
}


@pytest.mark.parametrize("operation", LOSSES)
def test_what_is_not_finite_in_the_loss_alone_names_its_operation_and_no_layer(operation):
    status, said = causes(Ends(), LOSSES[operation])
    assert status == "nonfinite"
    assert said["loss-nonfinite"].startswith(f"the operation {operation} makes ")
    assert " in the loss, not in the network: every layer's output is finite" in said["loss-nonfinite"]
    assert not {"forward-nan", "forward-overflow", "becomes-nan"} & set(said)


def test_what_is_not_finite_between_two_layers_names_the_layer_before():
    _, said = causes(Ends(between=lambda x: (1000 * x).exp()))
    assert said["operation-nonfinite"].startswith("the operation exp makes infinity of finite numbers after one")
    assert said["forward-overflow"].startswith("two is the first")


def test_inputs_that_are_far_too_large_are_named_beside_it():
    _, said = causes(Ends(between=torch.exp), inputs=1e4 * torch.randn(16, 8))
    assert said["large-inputs"].startswith("the inputs' root mean square is")
    assert "large-inputs" not in causes(Ends(between=lambda x: (1000 * x).exp()))[1]


def test_a_mask_that_is_written_on_purpose_is_not_blamed():
    def masked(scores):
        scores = scores.masked_fill(torch.eye(16, 8, dtype=torch.bool), -math.inf) + torch.full(
            (16, 8), -math.inf
        ).triu(9)
        return scores.softmax(-1).sub(2).log()

    assert causes(Ends(between=masked))[1]["operation-nonfinite"].startswith("the operation log makes NaN")


def test_a_row_that_is_masked_throughout_is_named_by_its_softmax():
    _, said = causes(Ends(between=lambda x: x.masked_fill(x < math.inf, -math.inf).softmax(-1)))
    assert said["operation-nonfinite"].startswith("the operation softmax makes NaN of finite numbers after one")


def test_a_layer_that_overflows_by_its_own_weights_is_named_itself():
    model = Ends()
    nn.init.constant_(model.two.weight, 3e38)
    status, said = causes(model)
    assert (status, "operation-nonfinite" in said, said["forward-overflow"][:3]) == ("nonfinite", False, "two")


@pytest.mark.parametrize("loss", ["cross-entropy", functional.cross_entropy], ids=["by name", "own"])
def test_labels_that_are_all_ignored_are_named(loss):
    _, said = causes(Ends(), loss, targets=torch.full((16,), -100))
    assert said["labels-ignored"] == "the loss ignores all 16 targets: it is the mean of no example, 0/0"
    assert not {"loss-nonfinite", "forward-nan"} & set(said)


def root_at_zero(output, _):
    return output.square().mean() + (output - output.detach()).square().sum().sqrt()


def test_a_finite_loss_whose_gradient_is_not_names_the_node_and_its_place():
    status, said = causes(Ends(), root_at_zero)
    assert status == "nonfinite"
    assert "SqrtBackward0 makes it infinite in the loss, not in the network (a root's" in said["gradient-nonfinite"]
    assert "gradient-overflow" not in said


def test_a_gradient_that_is_lost_between_two_layers_names_the_layer_before():
    _, said = causes(Ends(between=lambda x: torch.where(x > 0, x.sqrt(), 0.0)))
    assert "SqrtBackward0 makes it NaN after one" in said["gradient-nonfinite"]


def test_a_sum_that_has_grown_too_large_is_the_layers_story():
    _, said = causes(Ends(between=lambda x: x * 1e30 * 1e30 + x))
    assert "operation-nonfinite" not in said
    assert said["forward-overflow"].startswith("two is the first")


def test_after_steps_what_is_not_finite_in_the_loss_is_first_ill_there():
    calls = []

    def loss(output, targets):
        calls.append(targets)
        return output.square().mean() if len(calls) == 1 else LOSSES["log"](output, targets)

    report = probe(Ends(), (torch.randn(16, 8), torch.zeros(16)), loss, steps=1)
    assert (report.verdict.status, report.model.training.first_layer) == ("nonfinite", "the loss")


class Seeing(TorchFunctionMode):
    """Notes the names of the functions that run."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        self.names.append(function.__name__)
        return function(*arguments, **(keywords or {}))


def test_a_watch_sees_the_models_functions_and_none_that_measure_it_or_keep_its_weights():
    model, inputs = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), torch.randn(2, 8)
    with untouched(model, lean=True), recording(model) as record:
        model(inputs)
        with Seeing() as seeing:
            model(inputs)
    assert len(record.calls) == 2
    assert seeing.names == ["linear", "relu"]
