"""An optimizer is put back into the very objects that held its memory."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch.probing.keeping import keep_optimizer, put_optimizer_back  # noqa: E402


class Careful(torch.optim.Optimizer):
    """Keeps float32 sums of bfloat16 parameters, numbers of its own, and a list."""

    def __init__(self, own):
        super().__init__(own, {"lr": 0.1})
        self.taken = 0

    def step(self):
        self.taken += 1
        for group in self.param_groups:
            group["seen"] = self.taken
            for one in group["params"]:
                state = self.state[one]
                state.setdefault("sum", torch.zeros(one.shape)).add_(1)
                state.setdefault("steps", []).append(self.taken)


def test_what_a_step_changes_adds_or_replaces_is_as_before_in_the_same_objects():
    parameter = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    optimizer = Careful([parameter])
    optimizer.step()
    group, total = optimizer.param_groups[0], optimizer.state[parameter]["sum"]
    kept = keep_optimizer(optimizer)
    optimizer.step()
    optimizer.state[parameter]["new"] = 3
    optimizer.state[parameter]["sum"] = torch.zeros(2)
    put_optimizer_back(optimizer, kept)
    assert optimizer.state[parameter] == {"sum": total, "steps": [1]}
    assert optimizer.state[parameter]["sum"] is total
    assert total.dtype == torch.float32
    assert total.tolist() == [1, 1]
    assert optimizer.param_groups[0] is group
    assert (optimizer.taken, group["seen"]) == (1, 1)
    assert group["params"][0] is parameter
