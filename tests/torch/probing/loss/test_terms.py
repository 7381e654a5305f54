"""A loss that is a sum of terms."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
        self.actor, self.critic = nn.Linear(16, 4), nn.Linear(16, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.actor(h), self.critic(h)


INPUTS = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))


def policy(output):
    return output[0].log_softmax(1)[:, 0].mean()


def value(output, scale=1.0):
    return (scale * output[1]).square().mean()


def probed(loss):
    report = probe(Heads(), (INPUTS, torch.zeros(16)), lambda output, _: loss(output))
    return report.model.loss.terms, {cause.code: cause for cause in report.verdict.causes}


def by_hand(loss):
    torch.manual_seed(torch.initial_seed())
    model = Heads()
    (gradient,) = torch.autograd.grad(loss(model(INPUTS)), [model.trunk[2].weight])
    return float(gradient.norm())


def test_each_term_has_its_gradient_at_the_last_layer_that_all_share():
    terms, _ = probed(lambda output: -policy(output) + 0.5 * value(output))
    assert [term.name for term in terms] == ["term 1 (through actor)", "term 2 (through critic)"]
    expected = [by_hand(policy), by_hand(lambda output: 0.5 * value(output))]
    assert [term.gradient_norm for term in terms] == pytest.approx(expected, rel=1e-5)
    assert sum(term.share for term in terms) == pytest.approx(1)


def test_sums_in_sums_are_taken_apart_and_a_loss_of_one_term_has_none():
    terms, _ = probed(lambda output: 2 * (policy(output) + (value(output) - output[0].square().mean()) / 3))
    assert len(terms) == 3
    assert len(probed(lambda output: torch.stack([policy(output), value(output), value(output, 2)]).mean())[0]) == 3
    assert probed(value)[0] == ()
    assert probed(lambda output: value(output) + 1)[0] == ()


def test_a_sum_of_whole_tensors_is_no_sum_of_terms():
    assert probed(lambda output: (output[0] + output[1]).square().mean())[0] == ()
    assert probed(lambda output: (output[0] + output[1]).mean())[0] == ()


def test_a_term_that_drowns_another_is_named_with_the_factor():
    _, causes = probed(lambda output: policy(output) + value(output, 1e4))
    assert causes["term-drowned"].value > 1e4
    assert "term 2 (through critic) of the loss has" in causes["term-drowned"].text
    assert "term-drowned" not in probed(lambda output: policy(output) + value(output))[1]


def test_of_a_term_of_second_derivatives_the_relu_is_said_to_have_none():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    points = torch.linspace(-1, 1, 16)[:, None].requires_grad_()

    def loss(output, _):
        (slope,) = torch.autograd.grad(model(points).sum(), points, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), points, create_graph=True)
        return (second - 1).square().mean() + output.square().mean()

    report = probe(model, (points.detach(), points.detach()), loss)
    (said,) = (cause.text for cause in report.verdict.causes if cause.code == "term-zero")
    assert said.endswith(
        "(the derivative of a ReLU's slope is zero: take a smooth activation for a loss of derivatives)"
    )


def test_a_term_whose_gradient_is_exactly_zero_is_named():
    _, causes = probed(lambda output: policy(output) + (0 * output[1]).square().mean())
    assert causes["term-zero"].text.startswith("term 2 (through critic) of the 2 that the loss is a sum of")


def test_a_term_with_a_small_factor_is_meant_to_be_small():
    def entropy(output):
        return (output[0].log_softmax(1) * output[0].softmax(1)).sum(1).mean()

    def loss(factor):
        return lambda output: 1e3 * value(output) + policy(output) * 10 + factor * 1e3 * entropy((1e-4 * output[0],))

    assert "term-drowned" in probed(loss(1.0))[1]
    terms, causes = probed(loss(0.001))
    assert len(terms) == 3
    assert "term-drowned" not in causes


def divergence(output):
    return -0.5 * (1 + output[1] - output[0].square().mean(1, keepdim=True) - output[1].exp()).sum()


def test_a_term_that_is_itself_summed_entry_by_entry_is_one_term():
    terms, causes = probed(lambda output: 1e-4 * policy(output) + divergence(output))
    assert len(terms) == 2
    assert "term-drowned" not in causes  # its factor says that it is meant to be small


class Equation(nn.Module):
    """A network's values at a boundary, and its second derivatives within it."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, points):
        points = points.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.net(points).sum(), points, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), points, create_graph=True)
        return self.net(torch.zeros(2, 1)), second


@pytest.mark.parametrize(("source", "named"), [(1e3, True), (1.0, False)])
def test_a_boundary_s_small_factor_is_not_meant_beside_an_equation_s_residual(source, named):
    def loss(output, _):
        return 0.01 * (output[0] - 1).square().mean() + (output[1] - source).square().mean()

    report = probe(Equation(), (torch.linspace(-1, 1, 16)[:, None], None), loss)
    assert ("term-drowned" in {cause.code for cause in report.verdict.causes}) == named


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)), nn.Linear(2, 8)

    def forward(self, x):
        mean, logarithm = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + (logarithm / 2).exp() * torch.randn_like(mean)), mean, logarithm


def test_the_only_term_of_the_main_output_is_not_meant_to_be_small():
    def loss(factor):
        def both(output, _):
            reconstructed = (output[0] - INPUTS).square().mean()
            return reconstructed + factor * 0.5 * (output[1].square() + output[2].exp() - output[2] - 1).mean()

        return [cause.code for cause in probe(Coder(), (INPUTS, torch.zeros(16)), both).verdict.causes]

    assert "term-drowned" in loss(1e4)
    assert "term-drowned" not in loss(1.0)


class Posterior(nn.Module):
    """A variational autoencoder, whose encoder's last layer starts at zero: its divergence is 0, and least there."""

    def __init__(self):
        super().__init__()
        self.encoder, self.last = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(16, 8)
        self.decoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x):
        mean, log = self.last(self.encoder(x)).chunk(2, 1)
        return self.decoder(mean + torch.randn_like(mean) * (log / 2).exp()), mean, log


@pytest.mark.parametrize(("free", "named"), [(0.0, False), (0.5, True)])
def test_a_term_that_starts_where_it_is_least_trains_and_one_below_its_floor_does_not(free, named):
    def bound(output, targets):
        divergence = -0.5 * (1 + output[2] - output[1].square() - output[2].exp()).sum(1).mean()
        return nn.functional.mse_loss(output[0], targets) + (divergence.clamp(min=free) if free else divergence)

    model = Posterior()
    before = [one.clone() for one in model.parameters()]
    report = probe(model, (INPUTS, INPUTS), bound)
    assert report.verdict.status == "healthy"
    assert ("term-zero" in [cause.code for cause in report.verdict.causes]) is named
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize(
    ("term", "code"),
    [
        (lambda scores: torch.relu(-1 - scores.square()).mean(), "term-least"),
        (lambda scores: 0.5 * (-1 - scores.square()).clamp(min=0).sum(), "term-least"),
        (lambda scores: torch.relu(-1 - scores.square()), "term-least"),
        (lambda scores: -torch.relu(-1 - scores.square()).mean(), "term-zero"),
        (lambda scores: (0.1 * scores).clamp(max=-9).mean(), "term-zero"),
    ],
    ids=["relu", "clamp", "one number", "the most", "clamped above"],
)
def test_a_term_that_is_clamped_at_zero_and_is_there_is_least_and_leaves_no_doubt(term, code, said):
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    report = probe(
        model, (INPUTS[:1], torch.ones(1, 1)), lambda output, aim: (output - aim).square().mean() + term(output).sum()
    )
    found = {cause.code for cause in report.verdict.causes} & {"term-least", "term-zero"}
    assert found == {code}
    assert ("HEALTHY, BUT" in str(report)) == (code == "term-zero")


@pytest.mark.parametrize(("joined", "named"), [
    (lambda main, aside: main + aside.detach(), True), (lambda main, aside: 0.1 * aside.data - main, True),
    (lambda main, aside: main + aside - aside.detach(), False), (lambda main, _: main + 1, False),
])  # fmt: skip
def test_a_term_that_is_cut_off_is_named_unless_its_number_is_taken_off_again(joined, named):
    def loss(output, _):
        return joined(nn.functional.mse_loss(output, INPUTS), (output - 1).exp().mean())

    report = probe(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8)), (INPUTS, INPUTS), loss)
    said = [cause.text for cause in report.verdict.causes if cause.code == "term-zero"]
    assert [" cuts it off from the weights" in one for one in said] == [True] * named
