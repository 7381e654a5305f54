"""An optimizer's update: where it leads is where the optimizer itself goes at that rate."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch import optim as O  # noqa: E402, N812

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import rate  # noqa: E402
from gradcheck.torch.learning_rate.update import Update  # noqa: E402

RATES = (0.03, 0.3, 0.003, 0.1)


def groups(own):
    """Two groups, whose rates and weight decay differ."""
    first, *others = own
    return O.AdamW([{"params": [first]}, {"params": others, "lr": 1e-2, "weight_decay": 0.0}])


OPTIMIZERS = {
    "SGD": lambda own: O.SGD(own, lr=0.1, weight_decay=0.1),
    "Nesterov": lambda own: O.SGD(own, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda own: O.Adam(own, amsgrad=True, weight_decay=0.1),
    "AdamW, foreach": lambda own: O.AdamW(own, weight_decay=0.5, foreach=True),
    "AdamW, fused": lambda own: O.AdamW(own, fused=True),
    "Adagrad": lambda own: O.Adagrad(own, lr_decay=0.1),
    "RMSprop": lambda own: O.RMSprop(own, momentum=0.9, centered=True),
    "NAdam": lambda own: O.NAdam(own),
    "Adafactor": lambda own: O.Adafactor(own, weight_decay=0.1),
    "Muon": lambda own: O.Muon(own),
    "groups": groups,
}


def weights():
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(6, 4, generator=generator, dtype=torch.float64)) for _ in range(2)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_line_leads_where_the_optimizer_goes_at_each_rate(name):
    own, by_hand = weights(), weights()
    update, optimizer = Update(OPTIMIZERS[name](own)), OPTIMIZERS[name](by_hand)
    usual = [group["lr"] for group in optimizer.param_groups]
    for number, at in enumerate(RATES):
        gradients = [torch.cos(one.detach() + number) for one in by_hand]
        update.make(gradients, seed=0)
        if number % 2:
            update.go(7 * at)  # what was looked at before leaves no trace
        update.stay(at)
        for one, gradient in zip(by_hand, gradients, strict=True):
            one.grad = gradient
        for group, own_rate in zip(optimizer.param_groups, usual, strict=True):
            group["lr"] = at * own_rate / usual[0]
        optimizer.step()
        for one, other in zip(own, by_hand, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_an_update_far_below_the_parameters_last_digit_is_kept():
    own = [nn.Parameter(torch.full((4,), 1000.0))]
    update = Update(O.SGD(own, lr=1e-6))
    update.make([torch.full((4,), 1e-3)], seed=0)  # a step of 1e-9 is no change of a float32
    update.go(1e4)
    torch.testing.assert_close(own[0].detach(), torch.full((4,), 990.0))


def test_a_rate_that_a_scheduler_has_set_to_zero_is_the_one_that_it_began_with():
    optimizer = O.SGD(weights(), lr=0.3)
    O.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    assert Update(optimizer).rates.usual == (0.3,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (O.LBFGS, "LBFGS asks for the loss several times a step"),
        (O.Rprop, "Rprop takes a rate for its first step alone"),
        (lambda own: O.SGD(own, lr=0.0), "SGD has the rate 0: give it one above 0"),
    ],
)
def test_optimizers_without_a_line_are_refused(make, message, models):
    with pytest.raises(GradcheckError, match=message):
        rate(models.mlp(depth=1), models.rows(), None, make)
