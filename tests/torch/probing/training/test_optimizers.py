"""Who takes the steps of training, and how: each option against the same steps taken by hand."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture
def task(models):
    """A model and its batch."""
    return models.mlp(depth=2), (models.rows(), torch.randint(10, (64,)))


def trained(model, batch, optimizer, steps, before_step=lambda number: None):
    """Return the losses of steps that are taken by hand."""
    losses = []
    for number in range(steps + 1):
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        before_step(number)
        optimizer.step()
    return pytest.approx(losses, rel=1e-4)


def test_options_go_to_the_named_optimizer(task):
    report = probe(*task, steps=3, optimizer="adam", lr=0.01, optimizer_options={"eps": 0.5, "betas": (0.5, 0.9)})
    optimizer = torch.optim.Adam(task[0].parameters(), lr=0.01, eps=0.5, betas=(0.5, 0.9))
    assert report.model.training.losses == trained(*task, optimizer, 3)
    assert report.config["optimizer_options"]["eps"] == 0.5


def test_an_option_outweighs_the_one_that_the_name_stands_for(task):
    report = probe(*task, steps=3, optimizer="momentum", lr=0.1, optimizer_options={"momentum": 0.5})
    assert report.model.training.losses == trained(
        *task, torch.optim.SGD(task[0].parameters(), lr=0.1, momentum=0.5), 3
    )


def test_options_go_to_an_own_function(task):
    def make(parameters, decay=0.0):
        return torch.optim.SGD(parameters, lr=0.1, weight_decay=decay)

    report = probe(*task, steps=3, optimizer=make, optimizer_options={"decay": 0.3})
    assert report.model.training.losses == trained(
        *task, torch.optim.SGD(task[0].parameters(), lr=0.1, weight_decay=0.3), 3
    )


def test_the_rate_rises_linearly_over_the_warm_up(task):
    report = probe(*task, steps=6, lr=0.4, warmup=4)
    optimizer = torch.optim.SGD(task[0].parameters(), lr=0.4)

    def warm(number):
        optimizer.param_groups[0]["lr"] = 0.4 * min(1, (number + 1) / 4)

    assert report.model.training.losses == trained(*task, optimizer, 6, warm)


@pytest.mark.parametrize(
    ("rule", "by_hand"),
    [
        ("value:0.001", lambda weights: nn.utils.clip_grad_value_(weights, 0.001)),
        ("norm:0.01", lambda weights: [nn.utils.clip_grad_norm_([one], 0.01) for one in weights]),
        ("global-norm:0.02", lambda weights: nn.utils.clip_grad_norm_(weights, 0.02)),
    ],
)
def test_the_gradient_is_clipped_before_each_step(rule, by_hand, task):
    report = probe(*task, steps=4, lr=1.0, clip=rule)
    weights = list(task[0].parameters())
    losses = trained(*task, torch.optim.SGD(weights, lr=1.0), 4, lambda number: by_hand(weights))
    assert report.model.training.losses == losses
    assert report.config["clip"] == rule


def test_the_rates_of_an_own_optimizer_are_put_back_after_a_warm_up(task):
    optimizer = torch.optim.SGD(task[0].parameters(), lr=0.25)
    probe(*task, steps=2, optimizer=optimizer, warmup=10)
    assert optimizer.param_groups[0]["lr"] == 0.25


class Rateless(torch.optim.Optimizer):
    """Has a rate that is none of its groups' options."""

    def __init__(self, parameters, rate=0.05):
        super().__init__(parameters, {})
        self.rate = rate

    @torch.no_grad()
    def step(self):
        for one in self.param_groups[0]["params"]:
            one.sub_(one.grad, alpha=self.rate)


def test_an_optimizer_whose_groups_have_no_rate_takes_its_steps(task):
    report = probe(*task, steps=3, optimizer=Rateless, suggest=True)
    assert report.model.training.losses == trained(*task, Rateless(task[0].parameters()), 3)


def test_an_optimizer_without_a_rate_that_moves_nothing_is_no_rate_of_zero(task, said):
    report = probe(*task, steps=2, optimizer=lambda own: Rateless(own, 0.0))
    assert report.verdict.status == "not-learning"
    assert "the learning rate is 0" not in said(report)


class Closing(torch.optim.SGD):
    """Asks for the loss itself."""

    def step(self, closure):
        return closure()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adam", "optimizer_options": {"epz": 1}}, "'epz' is none of adam; did you mean 'eps'. allowed"),
        ({"optimizer": "adam", "optimizer_options": {"lr": 1}}, "lr has an option of its own"),
        ({"optimizer": "adam", "optimizer_options": {"eps": -1}}, "eps=-1 is refused by Adam: Invalid epsilon value"),
        ({"optimizer": lambda own: torch.optim.SGD(own), "optimizer_options": {"eps": 1}}, "'eps' is none of <lambda>"),
        ({"optimizer": Closing}, "Closing asks for the loss several times a step"),
        ({"optimizer": "adam", "optimizer_options": {"betas": (0.9,)}}, "is refused by Adam: tuple index out of range"),
        ({"optimizer_options": ["eps=1"]}, "is no mapping of names to values"),
        ({"optimizer": lambda own: 1 / 0}, "optimizer failed: <lambda> of the parameters: ZeroDivisionError"),
        ({"clip": "global-norm"}, "global-norm has no threshold; type global-norm:1"),
        ({"clip": "agc:0.1"}, "agc is a rule of clip-demo; here they are value, norm, global-norm"),
        ({"clip": "norm:-1"}, "norm:-1 has no finite threshold above 0"),
        ({"optimizer": Rateless, "warmup": 3}, "finds no rate to raise: Rateless has groups without an lr"),
        ({"warmup": -3}, "warmup=-3 is not a whole number of at least 0"),
        ({"optimizer": "lbfgs"}, "optimizer='lbfgs' is unknown"),
    ],
)
def test_what_can_t_be_is_refused(options, message, task):
    with pytest.raises(GradcheckError, match=message):
        probe(*task, steps=1, **options)


def test_options_for_an_optimizer_that_is_made_already_are_refused(task):
    optimizer = torch.optim.SGD(task[0].parameters(), lr=0.1)
    with pytest.raises(GradcheckError, match="SGD is made already: give them where you make it"):
        probe(*task, steps=1, optimizer=optimizer, optimizer_options={"momentum": 0.9})


def test_an_option_that_json_has_no_form_for_is_written_as_it_shows(task):
    report = probe(*task, steps=1, optimizer=lambda own, kind: torch.optim.SGD(own), optimizer_options={"kind": object})
    assert report.config.to_dict()["optimizer_options"] == {"kind": "<class 'object'>"}


def half(model):
    return model.half(), (torch.randn(16, 8).half(), torch.arange(16) % 4)


@pytest.mark.parametrize(
    ("options", "named"),
    [({}, True), ({"eps": 0}, True), ({"eps": 1e-4}, False), ({"fused": True}, False)],
    ids=["1e-8", "0", "1e-4", "fused"],
)
def test_an_eps_that_half_precision_weights_lose_is_named(options, named):
    model, batch = half(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)))
    report = probe(model, batch, steps=3, optimizer="adam", lr=1e-3, optimizer_options=options)
    assert ("eps-lost" in [cause.code for cause in report.verdict.causes]) is named
    assert (report.verdict.status == "nonfinite") is named


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_an_eps_of_zero_is_named_in_any_precision_where_a_gradient_is_zero(optimizer, said):
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    batch = torch.randn(16, 8) * (torch.arange(8) > 0), torch.arange(16) % 4  # a column of zeros
    report = probe(model, batch, steps=3, optimizer=optimizer, lr=1e-3, optimizer_options={"eps": 0})
    assert report.verdict.status == "nonfinite"
    assert "the optimizer's eps is 0, and a gradient of zero gives 0/0" in said(report)


def undefined(output, targets):
    """Its gradient is NaN: a root's slope at zero, times zero."""
    return nn.functional.cross_entropy(output, targets) + (output * 0).sum().sqrt()


@pytest.mark.parametrize(("loss", "rate"), [(undefined, 1e-3), ("cross-entropy", 1e6)], ids=["loss", "rate"])
def test_an_eps_is_not_blamed_for_what_the_loss_or_the_rate_has_spoiled(loss, rate):
    model, batch = half(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)))
    report = probe(model, batch, loss, steps=3, optimizer="adam", lr=rate)
    assert report.verdict.status == "nonfinite"
    assert "eps-lost" not in [cause.code for cause in report.verdict.causes]
