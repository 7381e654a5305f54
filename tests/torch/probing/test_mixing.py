"""Examples that a model mixes up."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Ends(nn.Module):
    """A recurrent module whose two last states are put side by side as a function says."""

    def __init__(self, beside):
        super().__init__()
        self.rnn, self.head, self.beside = nn.GRU(4, 8, batch_first=True, bidirectional=True), nn.Linear(16, 3), beside

    def forward(self, x):
        return self.head(self.beside(self.rnn(x)[1], len(x)))


class Steps(nn.Module):
    """An encoder of (steps, examples, features), which it is given as a function says."""

    def __init__(self, turned, back):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head, self.turned, self.back = nn.Linear(8, 3), turned, back

    def forward(self, x):
        return self.head(self.back(self.encoder(self.turned(x))).mean(1))


class Pooled(nn.Module):
    """A mean over an axis."""

    def __init__(self, axis):
        super().__init__()
        self.first, self.head, self.axis = nn.Linear(4, 8), nn.Linear(8, 3), axis

    def forward(self, x):
        return self.head(self.first(x).mean(self.axis, keepdim=True).expand(16, 10, 8)[:, 0])


def looked_at(model, inputs=None):
    inputs = torch.randn(16, 10, 4) if inputs is None else inputs
    return probe(model, (inputs, torch.arange(16) % 3)).verdict


def mixed(verdict):
    return [cause for cause in verdict.causes if cause.code == "examples-mixed"]


def test_last_states_that_are_viewed_and_not_transposed_are_named():
    verdict = looked_at(Ends(lambda states, examples: states.view(examples, -1)))
    assert "examples-mixed" in [cause.code for cause in verdict.causes]
    assert "a view or reshape of 2x16x8 to 16x16 doesn't move an axis" in verdict.reasons[0]


def test_last_states_that_are_transposed_are_not():
    assert not mixed(looked_at(Ends(lambda states, examples: states.transpose(0, 1).reshape(examples, -1))))


def test_examples_that_are_taken_for_steps_by_a_view_are_named():
    inputs = torch.randn(16, 10, 8)
    model = Steps(lambda x: x.view(10, 16, 8), lambda x: x.view(16, 10, 8))
    assert "take transpose() or permute()" in mixed(looked_at(model, inputs))[0].text
    model = Steps(lambda x: x.transpose(0, 1), lambda x: x.transpose(0, 1))
    assert not mixed(looked_at(model, inputs))


def test_a_mean_over_the_examples_is_named_and_one_over_the_steps_is_not():
    verdict = looked_at(Pooled(0))
    assert (verdict.status, verdict.causes[0].code) == ("not-learning", "examples-mixed")
    assert "all 16 examples have the same output, and each of them changes it" in verdict.reasons[0]
    assert not mixed(looked_at(Pooled(1)))


def test_a_read_out_of_zeros_gives_all_examples_the_same_and_mixes_nothing():
    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 8), nn.Tanh(), nn.Linear(8, 3))
    nn.init.zeros_(model[-1].weight)
    assert not mixed(looked_at(model))


def test_the_modes_of_all_modules_stay():
    model = Ends(lambda states, examples: states.view(examples, -1))
    model.rnn.eval()
    looked_at(model)
    assert (model.training, model.head.training, model.rnn.training) == (True, True, False)
