"""What `build` and the optimizer may be."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch.parametrization.building import build_model, check_sizes  # noqa: E402


def built(build, optimizer=None):
    return build_model(build, 4, "width", optimizer, 0.1)


def linear(width):
    return nn.Linear(3, width)


def test_a_model_comes_with_its_own_optimizer_or_with_adam():
    own = built(lambda width: ((model := linear(width)), torch.optim.SGD(model.parameters(), lr=3.0)))[1]
    assert (type(own), own.param_groups[0]["lr"]) == (torch.optim.SGD, 3.0)
    assert isinstance(built(linear)[1], torch.optim.Adam)


def test_a_function_makes_the_optimizer_of_the_model():
    made = built(linear, lambda model: torch.optim.SGD([{"params": [model.weight], "lr": 7.0}], lr=1.0))[1]
    assert made.param_groups[0]["lr"] == 7.0


@pytest.mark.parametrize(
    ("build", "optimizer", "said"),
    [
        (lambda width: None, None, r"build\(4\) returned nothing: end it with return"),
        (lambda width: linear(width).wrong, None, r"build\(4\) failed: AttributeError"),
        (lambda width: (linear(width), "adam"), None, "returned Linear and str, not a model and its optimizer"),
        (lambda width: ((m := linear(width)), torch.optim.SGD(m.parameters())), "sgd", "is what build\\(4\\) returns"),
        (linear, torch.optim.SGD(linear(2).parameters()), "each size has its own: give a function"),
        (linear, lambda model: torch.optim.Adam(model), "give it lambda model: SGD"),
        (linear, lambda model: model, "returned Linear, not a torch.optim.Optimizer"),
    ],
)
def test_what_cant_be_trained_is_said_in_a_line(build, optimizer, said):
    with pytest.raises(GradcheckError, match=said):
        built(build, optimizer)


@pytest.mark.parametrize(
    ("widths", "depths", "said"),
    [
        (None, None, "give one of them"),
        ((1, 2), (1, 2), "give one of them"),
        ((64, 64), None, "is one width: two at least"),
        (64, None, "64 is not several numbers"),
        (None, (1, 0), "depths"),
    ],
)
def test_sizes_are_two_at_least_of_one_kind(widths, depths, said):
    with pytest.raises(GradcheckError, match=said):
        check_sizes(widths, depths)


def test_sizes_are_sorted_whatever_holds_them():
    assert check_sizes(None, range(3, 0, -1)) == ("depth", (1, 2, 3))
