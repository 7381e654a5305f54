"""Nothing that is to be trained gets a gradient: the loss has no graph, or all is frozen."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

INPUTS = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))

CLASSES = torch.arange(16) % 4


def net(*end):
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4), *end)


def without_gradient(output, targets):
    with torch.no_grad():
        return functional.cross_entropy(output, targets)


def copied(output, targets):
    return torch.tensor(functional.cross_entropy(output, targets).item(), requires_grad=True)


CUT = {
    ".item()": lambda output, targets: functional.cross_entropy(output, targets).item(),
    "float()": lambda output, targets: float(functional.cross_entropy(output, targets)),
    "detach()": lambda output, targets: functional.cross_entropy(output.detach(), targets),
    ".data": lambda output, targets: functional.cross_entropy(output.data, targets),
    "no_grad()": without_gradient,
    "argmax": lambda output, targets: 1 - (output.argmax(1) == targets).float().mean(),
    "its copy": copied,
    "round": lambda output, targets: (output.detach().round() - targets[:, None]).square().mean(),
}


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@pytest.mark.parametrize("word", CUT)
def test_a_loss_without_a_graph_is_found_with_its_place_and_the_function_that_cut_it_off(word, said):
    report = probe(net(), (INPUTS, CLASSES), CUT[word])
    assert (report.verdict.status, report.verdict.score) == ("no-gradient", 0.0)
    assert report.verdict.causes[0].code == "loss-cut"
    assert ("detach()" if word == "round" else word) in report.verdict.reasons[0]
    assert {layer.flag for layer in report.layers} == {"ok"}
    assert "never receive" not in said(report)


def test_steps_of_such_a_loss_are_no_gradient_too():
    report = probe(net(), (INPUTS, CLASSES), CUT["detach()"], steps=2)
    assert report.model.training.statuses == ("no-gradient",) * 3
    assert report.model.training.first_layer == "the loss"


def test_a_model_that_is_wholly_frozen_trains_nothing(said):
    report = probe(net().requires_grad_(False), (INPUTS, CLASSES))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("no-gradient", "nothing-trained")
    assert "all 6 parameters are frozen" in said(report)
    tokens = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 4)).requires_grad_(False)
    assert probe(tokens, torch.randint(9, (6,))).verdict.status == "no-gradient"


def test_a_trained_head_that_the_loss_does_not_use_is_outside_of_it():
    model = net()
    model.requires_grad_(False)
    model.spare = nn.Linear(4, 2)
    model.forward = lambda x: nn.Sequential.forward(model[:5], x)
    report = probe(model, (INPUTS, CLASSES))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("no-gradient", "outside-loss")
    model.forward = lambda x: nn.Sequential.forward(model, x)
    assert probe(model, INPUTS).verdict.status == "healthy"


class Chooses(nn.Module):
    """Layers before and after a function."""

    def __init__(self, function):
        super().__init__()
        self.before, self.after, self.function = (
            nn.Linear(8, 16),
            nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 4)),
            function,
        )

    def forward(self, x):
        return self.after(self.function(self.before(x)))


@pytest.mark.parametrize(("function", "name"), [
    (lambda z: functional.one_hot(z.argmax(1), 16).float(), "argmax"), (lambda z: (z > 0).float(), "gt"),
])  # fmt: skip
def test_layers_behind_a_choice_get_no_gradient_and_the_function_is_named(function, name):
    report = probe(Chooses(function), (INPUTS, CLASSES))
    assert (report.verdict.status, report.model.lost) == ("no-gradient", ("before",))
    assert f"goes through {name}, which has no derivative" in report.verdict.reasons[0]
    assert (
        probe(Chooses(lambda z: functional.gumbel_softmax(z, hard=True)), (INPUTS, CLASSES)).verdict.status == "healthy"
    )


def test_an_output_that_is_a_choice_has_no_graph():
    model = net()
    model.forward = lambda x: functional.one_hot(nn.Sequential.forward(model, x).argmax(1), 4).float()
    report = probe(model, (INPUTS, CLASSES))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("no-gradient", "output-cut")
    assert "argmax in forward has no derivative" in report.verdict.reasons[0]


class OwnLoss(nn.Module):
    """A model that returns a loss which its output is cut off from."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return (self.body(x).detach() - x[:, :4]).square().mean()


@pytest.mark.parametrize("options", [{}, {"suggest": None}, {"steps": 2}])
def test_weights_that_start_at_zero_before_a_loss_without_a_graph_are_no_gradient_as_others_are(options):
    body = net()
    nn.init.zeros_(body[-1].weight)
    report = probe(OwnLoss(body), INPUTS, **options)
    assert (report.verdict.status, report.model.lost) == ("no-gradient", ("body.0", "body.2", "body.4"))
