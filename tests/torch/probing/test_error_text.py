"""What can't be probed, and the message about it."""

import collections
import re

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError, OptionError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Overwriting(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        y = torch.sigmoid(self.first(x))
        z = self.head(y)
        y.zero_()
        return z


@pytest.mark.parametrize(
    ("build", "inputs", "message"),
    [
        (lambda: nn.Sequential(nn.Linear(4, 3)), torch.randn(2, 5), r"0 \(Linear\) was given 2x5 and wants …x4"),
        (lambda: nn.Conv2d(3, 4, 3), torch.randn(2, 1, 8, 8), r"Conv2d \(Conv2d\) was given 2x1x8x8 and wants Nx3xHxW"),
        (nn.ReLU, torch.randn(2, 5), "ReLU has no parameters"),
        (
            lambda: nn.LazyLinear(3),
            torch.randn(2, 5),
            "has lazy modules that have no weights yet: call it on a batch once",
        ),
        (Overwriting, torch.randn(2, 4), "the gradient can't go back: RuntimeError: one of the variables"),
        (lambda: nn.Embedding(5, 3), torch.tensor([7]), "whole numbers below 5"),
        (lambda: nn.Linear(4, 3), torch.full((2, 4), torch.nan), "has inputs that are not finite, nan"),
    ],
)
def test_a_model_that_cannot_be_run_is_reported_in_one_line(build, inputs, message):
    with pytest.raises(GradcheckError, match=message) as caught:
        probe(build(), inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "loss='hinge' is unknown"),
        ({"mode": "test"}, "mode='test' is unknown"),
        ({"amp": "fp8"}, "amp='fp8' is unknown; did you mean 'fp16'"),
        ({"steps": -1}, "steps=-1 is not a whole number of at least 0"),
        ({"steps": 1, "optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"lr": 0.0}, "lr=0.0 is not a finite number above 0"),
        ({"loss": lambda output, targets: output}, "not one number: take its mean"),
        ({"loss": lambda output, targets: None}, "returned nothing: end it with return"),
        ({"loss": lambda output, targets: {"a": output.sum()}}, "returned a dict of 'a', not one number"),
        ({"loss": lambda output, targets: (output.sum(), {})}, "returned a tuple of 2, not one number"),
        ({"loss": lambda output, targets: output.sum() * 1j}, "returned a complex number"),
        ({"loss": lambda output, targets: output.missing}, "can't be computed: AttributeError"),
        ({"loss": lambda output, targets: output - targets.sum()}, r"no targets \(a batch of inputs and targets has"),
        ({"vanish_below": 1.0, "explode_above": 1.0}, "vanish_below=1 is not below"),
    ],
)
def test_an_impossible_option_is_reported_in_one_line(options, message):
    with pytest.raises(GradcheckError, match=message):
        probe(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), torch.randn(3, 4), **options)


def test_what_is_not_a_module_is_refused():
    with pytest.raises(GradcheckError, match=r"list is not a torch\.nn\.Module"):
        probe([1], torch.randn(3, 4))


def test_a_loss_that_is_not_a_number_has_no_gradient_and_says_so():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    report = probe(model, torch.randn(3, 4), lambda output, targets: output.sum() * torch.nan)
    assert report.verdict.status == "nonfinite"


def test_names_with_control_characters_are_shown_not_obeyed():
    model = nn.Sequential()
    model.add_module("a\x1b[31m\nb", nn.Linear(4, 8))
    model.add_module("end", nn.Linear(8, 2))
    report = probe(model, torch.randn(3, 4))
    assert report.layers[0].name == r"a\x1b[31m\nb"
    assert "\x1b" not in str(report)


def test_the_table_shows_the_end_of_a_long_name_and_every_number_whole(models):
    blocks = {f"block_with_a_name_that_says_much_{index}": nn.Linear(32, 32) for index in range(3)}
    encoder = nn.Sequential(collections.OrderedDict(blocks))
    model = nn.Sequential(collections.OrderedDict(encoder_of_the_whole_sequence=encoder, head=nn.Linear(32, 4)))
    shown = str(probe(model, models.rows()))
    rows = re.findall(r"^  (…\S*sequence\.block_with_a_name_that_says_much_(\d)) +(\S+)", shown, re.MULTILINE)
    assert [index for _, index, _ in rows] == ["0", "1", "2"]
    assert all(re.fullmatch(r"\d\.\de-\d\d", gradient) for _, _, gradient in rows)
    assert max(map(len, shown.splitlines())) <= 80


def test_a_model_of_one_layer_has_a_report():
    report = probe(nn.Linear(4, 2), torch.randn(3, 4))
    assert ([one.name for one in report.layers], report.model.readout) == (["Linear"], None)


def test_an_input_error_names_its_option():
    with pytest.raises(OptionError, match="batch holds no inputs"):
        probe(nn.Linear(4, 2), ((), None))
