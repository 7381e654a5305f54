"""The updates at rate 1 are PyTorch's, step by step."""

import numpy as np
import pytest

from gradcheck.learning_rate.optimizers import OPTIMIZERS


def steps_of_torch(torch, name, weight_decay, theta, gradients, rates):
    """θ after each step of PyTorch's optimizer, whose rate may change at each."""
    parameter = torch.nn.Parameter(torch.tensor(theta))
    kinds = {
        "sgd": (torch.optim.SGD, {}), "momentum": (torch.optim.SGD, {"momentum": 0.9}),
        "adam": (torch.optim.Adam, {}), "adamw": (torch.optim.AdamW, {}),
    }  # fmt: skip
    kind, more = kinds[name]
    optimizer = kind([parameter], lr=1.0, weight_decay=weight_decay, **more)
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        yield parameter.detach().numpy().copy()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_along_the_update_is_that_of_pytorch(name, weight_decay):
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(1)
    theta, gradients, rates = generator.standard_normal((3, 2)), generator.standard_normal((4, 3, 2)), (0.1, 0.02, 1, 3)
    update, ours = OPTIMIZERS[name](weight_decay), [theta]
    for gradient, rate in zip(gradients, rates, strict=True):
        ours.append(ours[-1] + rate * update([gradient], [ours[-1]])[0])
    theirs = list(steps_of_torch(torch, name, weight_decay, theta, gradients, rates))
    assert np.allclose(ours[1:], theirs, rtol=1e-12, atol=1e-12)
