"""What decided a probe's verdict, as data."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.precision import Underflow  # noqa: E402
from gradcheck.torch.probing.reporting import _of_precision, _of_training  # noqa: E402
from gradcheck.torch.probing.training import History  # noqa: E402

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
    assert causes_of(probe(models.Unused(), models.rows()))["unused"].value == 4


def test_large_inputs_are_reported_with_their_size_and_limit():
    cause = causes_of(probe(mlp(), 1e4 * torch.ones(16, 8)))["large-inputs"]
    assert cause.to_dict() | {"text": ""} == {
        "code": "large-inputs", "layers": [1, 1], "value": pytest.approx(1e4), "limit": 3.0, "text": "",
    }  # fmt: skip


def test_weights_that_are_not_finite_name_their_layers():
    model = mlp()
    with torch.no_grad():
        model[2].weight[0, 0] = math.nan
    cause = causes_of(probe(model, torch.randn(16, 8)))["weights-nonfinite"]
    assert (cause.layers, cause.value) == ((2, 2), 1)


def test_a_history_says_since_when_the_model_is_ill_or_healthy():
    ill = History([1.0, 2.0, 3.0], ["healthy", "dead", "dead"], 1, "layer 3")
    healthy = History([1.0, 0.5, 0.2], ["dead", "dead", "healthy"])
    assert [(cause.code, cause.value) for cause in _of_training(ill)] == [("ill-since", 1), ("loss-course", 3.0)]
    assert [(cause.code, cause.value) for cause in _of_training(healthy)] == [("healthy-since", 2), ("loss-course", 0.2)]


def test_underflow_is_named_for_three_layers_and_counted_for_the_others():
    lost = [Underflow(f"layer {index}", 0.5) for index in range(5)]
    assert [cause.code for cause in _of_precision(lost, 1, "fp16")] == ["underflow"] * 3 + ["more-underflow"]
    assert [cause.code for cause in _of_precision([], 1, "bf16")] == ["no-underflow"]
    assert not list(_of_precision(lost, 1, None))
