"""``probe --number-format``: the casts that PyTorch itself makes of the same tensors."""

import math

import pytest

import gradcheck
from gradcheck.errors import GradcheckError

torch = pytest.importorskip("torch")
nn = torch.nn

TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp8-e5m2": torch.float8_e5m2}


def tensors_of(model, x, y):
    """Of a model's first layer: input, weight, gradient at the output and at the weight, by PyTorch."""
    layer, kept = model[0], {}

    def keep(module, inputs, output):
        output.retain_grad()
        kept["z"] = output

    handle = layer.register_forward_hook(keep)
    nn.functional.cross_entropy(model(x), y).backward()
    handle.remove()
    found = {
        "activations": x, "weights": layer.weight.detach(), "gradients": kept["z"].grad,
        "weight_gradients": layer.weight.grad.clone(),
    }  # fmt: skip
    model.zero_grad()
    return found


def share_to_zero(tensor, dtype):
    return ((tensor.to(dtype).float() == 0) & (tensor != 0)).sum().item() / (tensor != 0).sum().item()


def share_subnormal(tensor, dtype):
    made = tensor.to(dtype).float().abs()
    return ((made > 0) & (made < torch.finfo(dtype).smallest_normal)).sum().item() / (tensor != 0).sum().item()


@pytest.fixture(scope="module")
def narrow():
    """A model whose gradients are small, its batch, and the report."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 20), nn.Sigmoid(), nn.Linear(20, 20), nn.Sigmoid(), nn.Linear(20, 4))
    with torch.no_grad():
        model[2].weight *= 1e-4
    batch = torch.randn(16, 12), torch.randint(4, (16,))
    report = gradcheck.torch.probe(model, batch, number_format=("fp16", "bf16", "fp8-e5m2"), lr=0.5, trial=False)
    return model, batch, report


def test_shares_are_those_of_pytorchs_own_casts(narrow):
    model, batch, report = narrow
    tensors = tensors_of(model, *batch)
    for one in report.number_formats.formats:
        for kind, tensor in tensors.items():
            shares = one.layers[0][kind]
            scaled = torch.ldexp(tensor, torch.tensor(shares.log2_scale))
            assert shares.to_zero == pytest.approx(share_to_zero(scaled, TYPES[one.format]), abs=1e-12), (one, kind)
            assert shares.subnormal == pytest.approx(share_subnormal(scaled, TYPES[one.format]), abs=1e-12)
            if one.scaling == "tensor":
                assert torch.finfo(TYPES[one.format]).max / 2 < float(scaled.abs().max()) or shares.log2_scale == 127


def test_updates_lost_are_those_that_sgd_on_bf16_weights_doesnt_make(narrow):
    model, batch, report = narrow
    tensors = tensors_of(model, *batch)
    before = tensors["weights"].bfloat16()
    after = (before.double() - 0.5 * tensors["weight_gradients"].double()).bfloat16()
    assert report.number_formats.updates[0].lost == pytest.approx((after == before).double().mean().item(), abs=1e-12)
    assert report.config.lr == 0.5


def test_it_agrees_with_amp_about_which_layers_underflow():
    torch.manual_seed(0)
    layers = [part for _ in range(14) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    batch = torch.randn(8, 16), torch.randint(4, (8,))
    report = gradcheck.torch.probe(
        nn.Sequential(*layers, nn.Linear(16, 4)), batch, amp="fp16", number_format="fp16", trial=False
    )
    loss = report.number_formats.formats[0]
    assert loss.loss_scale == report.model.precision.loss_scale
    ours = {layer.name: layer.gradients.to_zero for layer in loss.layers if layer.gradients.to_zero > 0.01}
    theirs = {one.layer: one.share for one in report.model.precision.underflow}
    both = ours.keys() & theirs.keys()
    assert len(both) >= len(ours.keys() | theirs.keys()) - 2  # at the edge, autocast rounds at each layer
    assert all(math.isclose(ours[name], theirs[name], abs_tol=0.2) for name in both)
    assert any(share > 0.9 for share in ours.values())


def test_convolutions_and_embeddings_are_cut_into_blocks_of_channels():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 40, 3), nn.ReLU(), nn.ConvTranspose2d(40, 8, 2), nn.Flatten(), nn.Linear(392, 4))
    report = gradcheck.torch.probe(model, torch.randn(2, 3, 8, 8), number_format="mxfp8", trial=False)
    assert [layer.name for layer in report.number_formats.formats[0].layers] == ["0", "2"]
    assert all(layer.weights and layer.gradients for layer in report.number_formats.formats[0].layers)
    tokens = nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 16), nn.Linear(16, 9))
    (first, *_) = gradcheck.torch.probe(
        tokens, torch.randint(9, (2, 5)), number_format="mxfp8", trial=False
    ).number_formats.formats[0].layers  # fmt: skip
    assert first.activations is None  # whole numbers aren't cast
    assert first.gradients is not None


def test_the_model_is_left_as_it_was_and_the_verdict_too(narrow):
    model, batch, report = narrow
    plain = gradcheck.torch.probe(model, batch, lr=0.5, trial=False)
    assert plain.verdict.status == report.verdict.status
    assert plain.layers == report.layers
    assert plain.config.number_format is None


def test_an_unknown_format_is_an_error(narrow):
    model, batch, _ = narrow
    with pytest.raises(GradcheckError, match=r"^number_format='int8' is unknown"):
        gradcheck.torch.probe(model, batch, number_format="int8")
