"""Which layers of several models are compared, and as what."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch.parametrization.laying_out import Network, lay_out  # noqa: E402
from gradcheck.torch.parametrization.training import Training  # noqa: E402
from gradcheck.torch.probing.batches import Batches  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def records(build, sizes, axis="width", batch=None):
    training = Training(Batches(torch.randn(4, 8) if batch is None else batch), None, 1, "train")
    models = [(size, build(size)) for size in sizes]
    seen = [
        Network(size, 0, training.run(model, torch.optim.SGD(model.parameters(), lr=0.1), 0)) for size, model in models
    ]
    return list(lay_out(seen, axis, 1))


def perceptron(depth, width=6):
    hidden = [part for _ in range(depth - 1) for part in (nn.ReLU(), nn.Linear(width, width))]
    return nn.Sequential(nn.Linear(8, width), *hidden, nn.Linear(width, 3))


def test_an_output_is_what_is_as_large_at_every_width():
    found = records(lambda width: nn.Sequential(nn.Linear(8, width), nn.Linear(width, 3)), (4, 6))
    assert {one.layer: one.kind for one in found} == {"0": "hidden", "1": "output"}


@pytest.mark.parametrize(("heads", "kind"), [(lambda width: 2, "scores"), (lambda width: width // 4, "output")])
def test_scores_of_wider_heads_are_scores_and_those_of_more_heads_are_no_wider(heads, kind):
    def build(width):
        layer = nn.TransformerEncoderLayer(width, heads(width), width, batch_first=True)
        return nn.Sequential(nn.Linear(8, width), layer)

    found = records(build, (8, 16), batch=torch.randn(2, 5, 8))
    assert {one.layer: one.kind for one in found}["1.self_attn scores"] == kind


def test_of_layers_whose_names_differ_in_their_numbers_the_last_ones_are_compared():
    layers = dict.fromkeys(one.layer for one in records(perceptron, (2, 4), "depth"))
    assert list(layers) == ["* (last)", "output"]


def test_in_depth_a_single_layers_update_is_not_judged():
    assert not any(one.update for one in records(perceptron, (2, 4), "depth"))
    assert any(one.update for one in records(lambda width: perceptron(2, width), (4, 6)))


def test_what_comes_after_a_loss_that_isnt_finite_is_infinite():
    def build(width):
        model = nn.Sequential(nn.Linear(8, width), nn.Linear(width, 3))
        nn.init.constant_(model[1].weight, float("inf"))
        return model

    assert records(build, (4, 6))[-1].size.rms == float("inf")


def test_models_that_are_alike_are_told():
    with pytest.raises(GradcheckError, match="use the number that it is called with as the width"):
        records(lambda width: perceptron(2), (4, 6))
