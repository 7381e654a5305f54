"""A layer's weights as they act."""

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.layers import is_finite, is_zero  # noqa: E402

pytestmark = [pytest.mark.usefixtures("seeded"), pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")]


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def half_pruned(layer):
    return prune.random_unstructured(layer, "weight", 0.5)


def doubled(layer):
    parametrize.register_parametrization(layer, "weight", Doubled())


def old_spectral_norm(layer):
    nn.utils.spectral_norm(layer)


@pytest.mark.parametrize(
    "change",
    [doubled, half_pruned, nn.utils.weight_norm, parametrizations.weight_norm, parametrizations.spectral_norm,
     parametrizations.orthogonal, old_spectral_norm],
)  # fmt: skip
def test_a_weight_that_is_computed_gives_the_numbers_of_one_that_is_the_same(change):
    model = nn.Sequential(*(part for _ in range(3) for part in (nn.Linear(12, 12), nn.Tanh())), nn.Linear(12, 3))
    for layer in model[::2]:
        change(layer)
    batch = torch.randn(20, 12), torch.arange(20) % 3
    computed = probe(model, batch, mode="eval")
    plain = nn.Sequential(*(part for _ in range(3) for part in (nn.Linear(12, 12), nn.Tanh())), nn.Linear(12, 3))
    model.eval()
    model(batch[0])
    with torch.no_grad():
        for layer, other in zip(plain[::2], model[::2], strict=True):
            layer.weight.copy_(other.weight)
            layer.bias.copy_(other.bias)
    of_weights = {"weight_gradient_norm", "log10_weight_gradient_norm"}  # that of what is trained
    for one, other in zip(computed.layers, probe(plain, batch, mode="eval").layers, strict=True):
        for name, value in other.items():
            assert (
                one[name] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value)
                or name in of_weights
            ), name


def test_measuring_a_spectral_norm_does_not_change_it():
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 6)), nn.Tanh(), nn.Linear(6, 2))
    before = copy.deepcopy(model.state_dict())
    probe(model, torch.randn(8, 6))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("entry", [1.0, float("nan"), float("inf")])
def test_a_tensor_is_zero_only_if_its_last_entry_is_too(entry):
    tensor = torch.zeros(3, 2)
    assert all(map(is_zero, (tensor, tensor[0, 0], tensor.to_sparse(), tensor[:0])))
    tensor[2, 1] = entry
    assert not any(map(is_zero, (tensor, tensor[2, 1], tensor.to_sparse(), tensor.T)))


def test_numbers_whose_sum_overflows_are_finite_all_the_same():
    large = torch.full((4,), 60000.0, dtype=torch.float16)
    assert is_finite(large)
    assert is_finite(torch.ones(2, dtype=torch.complex64))
    assert not is_finite(torch.tensor([float("inf"), -float("inf"), 0.0]))
    assert not is_finite(torch.tensor([0.0, float("nan")]))
