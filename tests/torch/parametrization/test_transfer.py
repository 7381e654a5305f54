"""`transfer` of a user's own model."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradcheck.torch  # noqa: E402
from gradcheck.errors import GradcheckError  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

WIDTHS = (32, 64, 128)


class Linear(nn.Module):
    """x ↦ c · W₂ W₁ x: one step of SGD at rate r on W₂ moves it by r · c² · |W₁ x|² times the gradient."""

    def __init__(self, width, scale=1.0):
        super().__init__()
        self.first, self.readout, self.scale = nn.Linear(8, width, bias=False), nn.Linear(width, 1, bias=False), scale
        nn.init.normal_(self.first.weight, std=8**-0.5)
        nn.init.zeros_(self.readout.weight)

    def forward(self, x):
        return self.scale * self.readout(self.first(x))


def sgd_on_the_readout(model):
    return torch.optim.SGD(model.readout.parameters(), lr=0.01)


def slope(report, layer, quantity, step=0):
    return next(one for one in report.layers if (one.layer, one.quantity) == (layer, quantity)).slopes[step]


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 8, generator=generator), torch.randn(16, 1, generator=generator)


@pytest.fixture(scope="module")
def growing(batch):
    return gradcheck.torch.transfer(Linear, WIDTHS, batch=batch, optimizer=sgd_on_the_readout, steps=2)


def test_a_readout_at_one_rate_moves_as_the_width_and_over_its_root_as_it_is(growing, batch):
    kept = gradcheck.torch.transfer(
        lambda width: Linear(width, width**-0.5), WIDTHS, batch=batch, optimizer=sgd_on_the_readout, steps=2
    )
    assert slope(growing, "readout", "update") == pytest.approx(1, abs=0.1)
    assert slope(kept, "Linear", "change") == pytest.approx(0, abs=0.1)
    assert growing.verdict.status == "grows"


def test_the_report_has_the_losses_and_what_was_asked(growing):
    assert [one.scale for one in growing.losses] == list(WIDTHS)
    assert growing.config["build"] == "Linear"
    assert growing.config["width"] == WIDTHS


def test_everything_of_the_process_is_as_before(batch):
    def build(width):
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(5)
        return Linear(width).float()

    before = torch.random.get_rng_state()
    gradcheck.torch.transfer(build, (4, 8), batch=batch, steps=1, seeds=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_default_dtype() == torch.float32


def test_a_batch_of_each_step_is_trained_on_and_the_first_is_looked_at(batch):
    drawn = []

    def draw():
        drawn.append(torch.randn(16, 8))
        return drawn[-1], batch[1]

    report = gradcheck.torch.transfer(Linear, (4, 8), batch=draw, optimizer="sgd", lr=0.01, steps=3, seeds=2)
    assert len(drawn) == 3  # each size and seed has the same ones
    assert report.losses[0].losses[0] > 0


def test_a_loss_that_isnt_finite_ends_a_training_that_diverges(batch):
    report = gradcheck.torch.transfer(Linear, (4, 8), batch=batch, optimizer="sgd", lr=1e30, steps=4, seeds=1)
    assert report.verdict.status == "diverges"
    assert report.losses[0].losses[-1] is None


def batches():
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(16, 8, generator=generator), torch.randn(16, 1, generator=generator)) for _ in range(3)]


@pytest.mark.parametrize("kind", [list, iter, lambda given: torch.utils.data.DataLoader(given, batch_size=None)])
def test_a_loader_gives_each_step_its_own_batch(kind):
    def report(batch):
        return gradcheck.torch.transfer(Linear, (4, 8), batch=batch, optimizer="sgd", lr=0.01, steps=3, seeds=2)

    following = iter(batches())
    assert report(kind(batches())).losses == report(lambda: next(following)).losses


def test_a_class_of_optimizers_is_called_with_the_parameters(batch):
    def losses(**options):
        return gradcheck.torch.transfer(Linear, (4, 8), batch=batch, steps=2, seeds=1, **options).losses

    by_name = losses(optimizer="sgd", lr=0.01)
    assert losses(optimizer=torch.optim.SGD, lr=0.01) == by_name
    assert losses(optimizer=partial(torch.optim.SGD, lr=0.01)) == by_name


class Rooted(nn.Module):
    """No module within: its width is in a parameter alone."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Parameter(torch.ones(8, width))

    def forward(self, x):
        return (x @ self.first).sum(-1, keepdim=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((Linear(4), (4, 8)), "build is Linear: give a function that returns the model of a width"),
        (((4, 8), Linear), "widths is a function: build comes first"),
        ((nn.Linear, (4, 8)), "build is called with the width alone, and that fails (missing a required argument"),
        ((lambda width: "x", (4, 8)), "build(4) returned str, which is no model: return one torch.nn.Module"),
        ((lambda width: nn.ReLU, (4, 8)), "build(4) returned the class ReLU"),
        ((lambda width: Linear(4), (4, 8)), "build returns the same model for 4 and 8: it has to use the number"),
        ((Rooted, (4, 8)), "no layer returns more at 8 than at 4, though weights do differ"),
        ((Linear, "4,8"), "widths='4,8' is not several numbers"),
    ],
)
def test_what_cant_be_compared_is_told(arguments, said, batch):
    with pytest.raises(GradcheckError) as caught:
        gradcheck.torch.transfer(*arguments, batch=batch)
    assert said in str(caught.value)


def test_in_depth_too_a_build_has_to_use_its_number(batch):
    with pytest.raises(GradcheckError, match="same model for 2 and 4: it has to use the number that"):
        gradcheck.torch.transfer(lambda depth: Linear(4), depths=(2, 4), batch=batch, seeds=1)


def test_a_function_of_parameters_is_told_that_it_is_given_the_model(batch):
    with pytest.raises(GradcheckError, match="is called with the model: give it lambda model: SGD"):
        gradcheck.torch.transfer(Linear, (4, 8), batch=batch, optimizer=lambda given: torch.optim.SGD(given, lr=0.1))


def test_a_loss_that_is_not_a_number_before_any_step_is_not_said_of_the_outputs(batch):
    with pytest.raises(GradcheckError, match="the loss is nan before any step, and every output is finite"):
        gradcheck.torch.transfer(Linear, (4, 8), batch=batch, loss=lambda output, targets: output.sum() * float("nan"))


def test_a_loss_of_no_parameter_is_called_that(batch):
    with pytest.raises(GradcheckError, match="the loss doesn't depend on any parameter"):
        gradcheck.torch.transfer(Linear, (4, 8), batch=batch, loss=lambda output, targets: 3.0)


def test_an_optimizer_beside_the_model_is_checked_as_one_that_is_given(batch):
    def build(width):
        return Linear(width), torch.optim.SGD(Linear(width).parameters(), lr=0.1)

    with pytest.raises(GradcheckError, match="holds no parameter of this model"):
        gradcheck.torch.transfer(build, (4, 8), batch=batch)


def test_an_optimizer_may_have_no_rate_or_a_tensor_s(batch):
    class Fixed(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})

        def step(self):
            for one in self.param_groups[0]["params"]:
                one.data -= 0.01 * one.grad

    def report(optimizer):
        return gradcheck.torch.transfer(Linear, (4, 8), batch=batch, optimizer=optimizer, steps=1, seeds=1)

    def adam(model):
        return torch.optim.Adam(model.parameters(), lr=torch.tensor(0.5))

    assert report(lambda model: Fixed(model.parameters())).config["lr"] is None
    assert report(adam).config["lr"] == 0.5


def test_a_size_that_is_zero_in_some_networks_has_no_power(batch):
    def build(width):
        model = Linear(width)
        model.first.weight.data *= width > 4
        return model

    report = gradcheck.torch.transfer(build, (4, 8, 16), batch=batch, optimizer="sgd", steps=2, seeds=2)
    assert slope(report, "first", "start") is None
    assert report.verdict.status == "unclear"
    assert "no power of the width follows" in "".join(report.verdict.reasons)
    assert "zero in some" in str(report)


def test_a_build_that_turns_gradients_off_does_not_leave_them_off():
    def build(width):
        torch.set_grad_enabled(False)
        return Linear(width)

    gradcheck.torch.transfer(build, (4, 8), batch=(torch.randn(4, 8), torch.randn(4, 1)), steps=1, seeds=1)
    assert torch.is_grad_enabled()
