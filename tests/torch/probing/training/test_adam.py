"""Adam for trials: one kernel for all, and half precision."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch.probing.training.adam import Adam  # noqa: E402


def after_steps(parameters, gradients, *, fused, steps=2):
    """Return the parameters after some steps against the same gradients."""
    made = [nn.Parameter(one.clone()) for one in parameters]
    optimizer = Adam(made, 1e-3, fused=fused)
    for _ in range(steps):
        for one, gradient in zip(made, gradients, strict=True):
            one.grad = gradient
        optimizer.step()
    return optimizer, [one.detach() for one in made]


@pytest.mark.parametrize(
    "gradient",
    [
        torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).t(),
        torch.full((1,), -0.5).expand(4, 6),
        torch.arange(48.0).reshape(4, 12)[:, ::2] - 20,
        None,
    ],
    ids=["transposed", "expanded", "with gaps", "none"],
)
def test_a_fused_step_goes_against_each_entry_of_a_gradient_whatever_its_strides_are(gradient):
    weights = [torch.arange(24.0).reshape(4, 6)]
    optimizer, fused = after_steps(weights, [gradient], fused=True)
    _, plain = after_steps(weights, [gradient], fused=False)
    assert optimizer.fused
    torch.testing.assert_close(fused, plain)
    assert torch.equal(fused[0], weights[0]) == (gradient is None)


@pytest.mark.parametrize(
    "weight",
    [
        torch.arange(24.0).reshape(6, 4).t(),
        torch.arange(96.0).reshape(2, 3, 4, 4).to(memory_format=torch.channels_last),
        torch.arange(4.0) * (1 + 1j),
    ],
    ids=["transposed", "channels last", "complex"],
)
def test_weights_that_no_kernel_takes_as_they_are_get_plain_steps(weight):
    gradient = (torch.arange(weight.numel()) - 5).reshape(weight.shape).to(weight)
    optimizer, fused = after_steps([weight], [gradient], fused=True)
    _, plain = after_steps([weight], [gradient], fused=False)
    assert not optimizer.fused
    torch.testing.assert_close(fused, plain, rtol=0, atol=0)


def test_weights_in_half_precision_take_fused_steps_in_single_precision():
    weights, gradients = [torch.linspace(-1, 1, 8)], [torch.linspace(1, 2, 8) * 1e-6]
    _, single = after_steps(weights, gradients, fused=False)
    _, half = after_steps([weights[0].half()], [gradients[0].half()], fused=True)
    torch.testing.assert_close(half[0].float(), single[0], rtol=1e-3, atol=1e-3)
    assert not torch.equal(half[0], weights[0].half())
