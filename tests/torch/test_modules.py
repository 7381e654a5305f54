"""Walks through a model: what PyTorch's own yield, in their order."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch.modules import (  # noqa: E402
    all_buffers,
    all_modules,
    all_parameters,
    named_modules,
    named_parameters,
    walked,
)


def tangled():
    """Return a model with shared modules, tied weights, and parts that are None."""
    shared = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    model = nn.ModuleDict(
        {"deep": nn.Sequential(shared, nn.Sequential(nn.Sequential(nn.Linear(4, 4, bias=False)))), "again": shared}
    )
    model.head = nn.Linear(4, 4)
    model.head.weight = model.deep[0][0].weight
    model.register_module("nothing", None)
    model.register_parameter("scale", nn.Parameter(torch.ones(1)))
    model.register_buffer("count", torch.zeros(1))
    model.deep[1].add_module("sibling", model.head)
    return model


def test_modules_come_once_under_their_first_name_in_the_order_of_pytorch():
    model = tangled()
    assert list(named_modules(model)) == list(model.named_modules())
    assert list(all_modules(model)) == list(model.modules())


def test_parameters_and_buffers_come_once_under_their_first_name_in_the_order_of_pytorch():
    model = tangled()
    assert [(name, id(one)) for name, one in named_parameters(model)] == [
        (name, id(one)) for name, one in model.named_parameters()
    ]
    assert [*map(id, all_parameters(model))] == [*map(id, model.parameters())]
    assert [*map(id, all_buffers(model))] == [*map(id, model.buffers())]


def test_a_model_that_has_been_walked_once_is_walked_again_only_when_it_may_have_changed():
    model, more = tangled(), nn.Linear(4, 4)
    before = [*model.modules()], [*map(id, model.parameters())]
    with walked(model):
        model.add_module("more", more)
        assert ([*all_modules(model)], [*map(id, all_parameters(model))]) == before
        assert [one for _, one in named_modules(model)] == before[0]
        assert [id(one) for _, one in named_parameters(model)] == before[1]
        assert more.weight in {*all_parameters(more)}  # another model is walked as ever
    assert more in {*all_modules(model)}
    assert more.weight in {*all_parameters(model)}
