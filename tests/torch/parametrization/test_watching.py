"""What is seen of a model as it trains: against the same by hand."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch.parametrization.training import Training  # noqa: E402
from gradcheck.torch.parametrization.watching import Watch  # noqa: E402
from gradcheck.torch.probing.batches import Batches  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def watched(model, *passes):
    """What is seen of a model given one input after the other; what a function does between them is done."""
    watch = Watch(model)
    for one in passes:
        if callable(one):
            one()
        else:
            with watch.watching(len(one)):
                model(one)
    return watch


def moved(layer, by=0.1):
    """A function that adds something to a layer's weights."""

    def move():
        with torch.no_grad():
            layer.weight += by * torch.randn_like(layer.weight)

    return move


def rms(tensor):
    return pytest.approx(float(tensor.detach().square().mean().sqrt()), rel=1e-6)


def test_a_layers_update_is_what_its_own_weights_have_gained_on_its_present_input():
    model, x = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)), torch.randn(5, 8)
    before = [model[0].weight.detach().clone(), model[2].weight.detach().clone()]
    first, last = watched(model, x, moved(model[0]), moved(model[2]), x).passes
    hidden = model[:2](x)
    assert last["2"].update.rms == rms(hidden @ (model[2].weight - before[1]).T)
    assert last["2"].change.rms == rms(
        model(x) - model[2].bias - torch.tanh(x @ before[0].T + model[0].bias) @ before[1].T
    )
    assert first["2"].update.count == 0


def test_a_layer_whose_weights_stand_still_changes_with_its_input_and_has_no_update():
    model, x = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)), torch.randn(5, 8)
    _, last = watched(model, x, moved(model[0]), x).passes
    assert last["1"].change.rms > 0
    assert last["1"].update.rms == 0


def test_a_layer_that_is_used_twice_counts_with_both_of_its_outputs():
    layer, x = nn.Linear(8, 8), torch.randn(5, 8)
    (seen,) = watched(nn.Sequential(layer, layer), x).passes
    both = torch.cat([layer(x), layer(layer(x))]).detach()
    assert seen["0"].output.mean == pytest.approx(float(both.abs().mean()), rel=1e-6)
    assert list(seen) == ["0"]


def test_what_dropout_draws_within_a_layer_is_no_update():
    layer = nn.LSTM(8, 8, 2, dropout=0.5)
    before = torch.random.get_rng_state()
    x = torch.randn(3, 5, 8)
    _, last = watched(layer, x, x).passes
    assert last["LSTM"].update.rms == 0
    torch.random.set_rng_state(before)


class Asking(nn.Module):
    """One attention; a layer that is changed in place; a model that returns a mapping."""

    def __init__(self, width=16, heads=2):
        super().__init__()
        self.queries, self.keys, self.values, self.out = (nn.Linear(width, width) for _ in range(4))
        self.heads = heads

    def forward(self, x):
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.queries, self.keys, self.values)
        )
        read = functional.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(2)
        return {"logits": self.out(read), "read": read}


def test_scores_of_an_attention_are_seen_without_the_mean_of_what_each_token_may_see():
    model, x = Asking(), torch.randn(3, 6, 16)
    (seen,) = watched(model, x).passes
    query, key = (layer(x).unflatten(-1, (2, 8)).transpose(1, 2) for layer in (model.queries, model.keys))
    scores = (query @ key.mT / 8**0.5).detach()
    rows = [scores[:, :, row, : row + 1] for row in range(6)]
    centred = torch.cat([(one - one.mean(-1, keepdim=True)).flatten() for one in rows])
    assert seen["out scores"].output.rms == rms(centred)
    assert seen["out scores"].heads == 2


def test_queries_and_keys_are_told_from_what_reaches_the_output_otherwise():
    (seen,) = watched(Asking(), torch.randn(3, 6, 16)).passes
    assert [name for name, one in seen.items() if one.queries] == ["queries", "keys"]


def test_the_output_is_that_of_the_layer_that_returns_it():
    assert watched(Asking(), torch.randn(3, 6, 16)).output == "out"
    assert watched(nn.Sequential(nn.Linear(8, 4), nn.LogSoftmax(-1)), torch.randn(2, 8)).output == "1"


class Summing(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch = nn.Linear(8, 8)

    def forward(self, x):
        y = self.branch(x)
        y += x
        return y


def test_an_output_that_is_changed_in_place_after_its_layer_is_the_outer_modules_own():
    model, x = Summing(), torch.randn(5, 8)
    (seen,) = watched(model, x).passes
    assert seen["branch"].output.rms == rms(model.branch(x))
    assert seen["Summing"].output.rms == rms(model(x))


def test_a_model_its_gradients_and_its_hooks_are_as_before():
    model, batch = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)), torch.randn(6, 8)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    trained = Training(Batches(batch), None, 2, "train").run(model, torch.optim.Adam(model.parameters()), 0)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    assert not any(one._forward_hooks for one in model.modules())
    assert trained.losses[2] < trained.losses[0]
