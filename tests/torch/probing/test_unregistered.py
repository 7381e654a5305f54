"""Parameters that a model keeps where PyTorch doesn't see them."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Kept(nn.Module):
    """Layers, kept as a function says."""

    def __init__(self, keep, used=True):
        super().__init__()
        self.layers = keep([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.head, self.used = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)), used

    def forward(self, x):
        for one in (self.layers.values() if isinstance(self.layers, dict) else self.layers) if self.used else ():
            x = torch.tanh(one(x) if isinstance(one, nn.Module) else x @ one)
        return self.head(x)


def names(model):
    causes = [cause for cause in probe(model, torch.randn(16, 8)).verdict.causes if cause.code == "unregistered"]
    return causes[0].text.partition(" are used")[0] if causes else ""


def tensors(layers):
    return [one.weight.detach().clone().requires_grad_() for one in layers]


def test_layers_in_a_list_or_a_dict_and_tensors_that_are_no_parameters_are_named():
    assert names(Kept(list)) == "layers[0].weight, layers[0].bias, layers[1].weight and 1 more"
    assert names(Kept(lambda layers: dict(zip("ab", layers, strict=True)))).startswith("layers['a'].weight")
    assert names(Kept(tensors)) == "layers[0], layers[1]"


def test_what_pytorch_sees_what_is_not_used_and_what_is_frozen_is_not():
    assert names(Kept(nn.ModuleList)) == ""
    assert names(Kept(list, used=False)) == ""
    assert names(Kept(lambda layers: [one.requires_grad_(False) for one in layers])) == ""


def test_a_model_all_of_whose_layers_are_in_a_list_is_refused_with_the_cure():
    model = Kept(list)
    model.head = nn.Identity()
    with pytest.raises(GradcheckError, match=r"keeps some in layers: make it an nn\.ModuleList"):
        probe(model, torch.randn(4, 8))


def test_layers_that_forward_makes_are_named_by_their_shapes():
    class Anew(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))

        def forward(self, x):
            return self.head(torch.tanh(nn.Linear(8, 6)(x)))

    assert sorted(names(Anew()).removeprefix("parameters of ").split(", ")) == ["6", "6x8"]
