"""A model is put back as it was."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.state import untouched  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Busy(nn.Module):
    """Has a buffer of one number seen as many, one that grows, and freezes and adds parts in its forward."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.ones(1, 16).expand(8, 16))
        self.register_buffer("cache", torch.zeros(1))
        self.norm, self.first, self.head = nn.BatchNorm1d(16), nn.Linear(16, 16), nn.Linear(16, 10)

    def forward(self, x):
        self.cache = torch.zeros(len(self.cache) + 1)
        self.norm.bias.requires_grad_(False)
        self.lazy = nn.Linear(16, 16)
        return self.head(self.first(self.norm(x * self.mask)).sigmoid())


def test_what_a_forward_changes_replaces_or_adds_is_as_before():
    model, x = Busy().eval(), torch.randn(8, 16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    probe(model, x, steps=2)
    assert {name: value.shape for name, value in model.state_dict().items()} == {
        name: value.shape for name, value in before.items()
    }
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.norm.bias.requires_grad
    assert not any(one.training for one in model.modules())


def test_a_graph_that_is_held_over_a_probe_can_still_be_gone_back():
    model, x = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4)), torch.randn(8, 16)
    held = model(x).sum()
    probe(model, x)
    held.backward()
    assert model[0].weight.grad is not None


def test_an_error_inside_leaves_nothing_behind():
    model = nn.Linear(3, 3)
    before = model.weight.detach().clone()

    def interrupted():
        with untouched(model), torch.no_grad():
            model.weight.zero_()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(model.weight, before)


def test_copies_that_a_forward_pass_leaves_alone_are_let_go_and_what_it_changes_is_put_back():
    class Restless(nn.Sequential):
        def forward(self, x):
            with torch.no_grad():
                self[0].bias.add_(1)
            return super().forward(x)

    model, x = Restless(nn.Linear(4, 4), nn.Linear(4, 2)), torch.randn(3, 4)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    with untouched(model, lean=True), torch.no_grad():
        model(x)
        model[1].bias.zero_()  # after the pass: nobody has kept it
    after = model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"1.bias"}
    assert not model._forward_hooks


def test_a_loss_that_is_a_module_is_left_as_it_was_and_trained_where_the_optimizer_holds_it():
    class Centres(nn.Module):
        def __init__(self):
            super().__init__()
            self.centres, self.seen = nn.Parameter(torch.zeros(4)), torch.nn.Buffer(torch.zeros(()))

        def forward(self, output, targets):
            self.seen += 1
            return (output - self.centres).square().mean()

    model, loss = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4)), Centres()
    loss.centres.grad = torch.ones(4)
    kept, moved = loss.centres.grad, []

    class Watching(torch.optim.SGD):
        def step(self):
            super().step()
            moved.append(bool(loss.centres.detach().any()))

    def method(output, targets):
        return loss(output, targets)

    both = [*model.parameters(), *loss.parameters()]
    for one in (loss, method):
        probe(model, (torch.randn(8, 16), torch.ones(8, 4)), one, steps=2, optimizer=Watching(both, lr=0.1))
    assert all(moved)
    assert not loss.centres.detach().any()
    assert loss.centres.grad is kept
    assert float(loss.seen) == 0


class Later(nn.Sequential):
    """Changes a weight in its forward, but not the first time."""

    passes = 0

    def forward(self, x):
        self.passes += 1
        if self.passes > 1:
            with torch.no_grad():
                self[0].weight.mul_(1.5)
        return super().forward(x)


def test_what_only_a_later_forward_pass_changes_is_put_back():
    layers = [part for _ in range(6) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    model = Later(*layers, nn.Linear(16, 4))
    before = model[0].weight.detach().clone()
    probe(model, torch.randn(8, 16))  # it looks ill, and is tried
    assert model.passes > 1
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("of_parameter", [True, False])
def test_what_a_backward_hook_changes_is_put_back(of_parameter):
    model = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))
    before = model[2].bias.detach().clone()

    def change(*_):
        model[2].bias.data.add_(1)

    model[0].weight.register_hook(change) if of_parameter else model[0].register_full_backward_hook(change)
    probe(model, torch.randn(8, 16))
    assert torch.equal(model[2].bias, before)


def test_a_gradient_that_forward_empties_in_place_is_as_before():
    class Emptying(nn.Linear):
        def forward(self, x):
            if self.weight.grad is not None:
                self.weight.grad.zero_()
            return super().forward(x)

    model = nn.Sequential(Emptying(16, 16), nn.Tanh(), nn.Linear(16, 4))
    model[0].weight.grad = kept = torch.ones(16, 16)
    probe(model, torch.randn(8, 16), steps=2)
    assert model[0].weight.grad is kept
    assert bool(kept.all())


def test_random_numbers_of_all_kinds_are_seeded_and_their_states_put_back():
    class Drawing(nn.Sequential):
        def forward(self, x):
            return super().forward(x) * (1 + random.random() + np.random.rand() + torch.rand(()))  # noqa: NPY002

    model, x = Drawing(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4)), torch.randn(8, 16)
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = probe(model, x).to_dict()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    random.random(), np.random.rand()  # noqa: NPY002
    assert probe(model, x).to_dict() == first


class BreaksOff(nn.Module):
    """Has weights that it has no use for, and raises an error in a pass in which they are other ones."""

    def __init__(self):
        super().__init__()
        self.used, self.spare = nn.Linear(4, 3), nn.Linear(4, 3)
        self.first, self.broken = self.spare.weight.detach().clone(), 0

    def forward(self, x):
        if not torch.equal(self.spare.weight, self.first):
            self.broken += 1
            raise ValueError
        return self.used(x)


def test_weights_that_are_moved_to_see_what_depends_on_them_are_put_back_where_the_pass_is_broken_off():
    model = BreaksOff()
    probe(model, (torch.randn(8, 4), torch.arange(8) % 3))
    assert model.broken
    assert torch.equal(model.spare.weight, model.first)
