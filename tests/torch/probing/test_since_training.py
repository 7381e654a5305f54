"""Reasons that are true of the moment and of what is measured: after steps, beside a guess, of small or raw inputs."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.diagnosis.causes import Cause  # noqa: E402
from gradcheck.diagnosis.sentences.codes import CODES  # noqa: E402
from gradcheck.torch import probe  # noqa: E402


class Last(nn.Module):
    """A read-out of an LSTM's last state."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.head = nn.LSTM(3, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def reason(report, code):
    return next(one for one in report.verdict.causes if one.code == code).text


def test_gates_that_training_has_saturated_are_not_blamed_on_inputs_of_a_usual_size():
    inputs = torch.randn(32, 20, 3, generator=torch.Generator().manual_seed(1))
    report = probe(Last(), (inputs, inputs[:, -1, :1]), steps=20, lr=50.0)
    assert reason(report, "gates-saturated").endswith("since training has made the weights large: take a smaller rate")


def test_gates_that_inputs_saturate_from_the_start_are_blamed_on_these_after_steps_too():
    inputs = 200 * torch.randn(32, 20, 3, generator=torch.Generator().manual_seed(1))
    for steps in (0, 3):
        report = probe(Last(), (inputs, inputs[:, -1, :1] / 200), steps=steps, lr=1e-3)
        assert "saturated by its inputs, whose root mean square is" in reason(report, "gates-saturated")


@pytest.mark.parametrize(
    ("loss", "said"), [(2.09, "hardly better than"), (2.19, "no better than"), (2.3, "no better than")]
)
@pytest.mark.parametrize("code", ["hardly-learnt", "still-guesses"])
def test_a_loss_below_what_a_guess_costs_is_hardly_better_than_it(loss, said, code):
    text = CODES[code].sentence(Cause(code, None, loss, 2.19, {"steps": 40}), None)
    assert said in text


class Mixed(nn.Module):
    """A model of a table of categories and one of numbers, as they are or behind a norm."""

    def __init__(self, norm):
        super().__init__()
        self.names = nn.Embedding(6, 8)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()
        self.net = nn.Sequential(nn.Linear(14, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, names, numbers):
        return self.net(torch.cat([self.names(names), self.norm(numbers)], 1))


@pytest.mark.parametrize("norm", [False, True])
def test_a_column_that_drowns_the_others_is_named_beside_embeddings_too(norm):
    torch.manual_seed(0)
    names, numbers = torch.randint(6, (128,)), torch.randn(128, 6)
    batch = (names, numbers * torch.tensor([1.0, 1, 1e5, 1, 1, 1])), numbers[:, :3].argmax(1)
    report = probe(Mixed(norm), batch)
    assert ("features-apart" in [one.code for one in report.verdict.causes[:2]]) == (not norm)
    assert "collapsed" not in report.verdict.status


def images(divisor):
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (32, 1, 12, 12)) / divisor
    return probe(
        nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 32), nn.ReLU(),
            nn.Linear(32, 10),
        ),
        (pixels, torch.arange(32) % 10), suggest=None,
    )  # fmt: skip


def test_pixels_that_are_divided_by_255_twice_are_named_and_no_other_weights_are_offered():
    report = images(255**2)
    assert report.verdict.causes[0].code == "inputs-small"
    assert report.verdict.reasons[0].startswith("the inputs' root mean square is 0.0022: scale them to about 1")
    assert not report.suggestions


def test_pixels_that_are_divided_by_255_once_are_not_small():
    assert "inputs-small" not in [one.code for one in images(255).verdict.causes]
