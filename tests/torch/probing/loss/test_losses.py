"""Which loss is taken, and outputs that a loss squashes a second time."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradcheck  # noqa: E402

INPUTS = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))

CLASSES = torch.arange(64) % 4


def model(*end):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4), *end)


class Functional(nn.Module):
    """The softmax is a function in forward, no module."""

    def __init__(self):
        super().__init__()
        self.body = model()

    def forward(self, inputs):
        return torch.softmax(self.body(inputs), dim=-1)


OF_THE_END = {"softmax-twice", "sigmoid-twice", "loss-of-probabilities"}


def codes(net, batch, loss=None):
    report = gradcheck.torch.probe(net, batch, loss)
    return {cause.code for cause in report.verdict.causes} & OF_THE_END


@pytest.mark.parametrize("loss", [None, "cross-entropy", nn.CrossEntropyLoss()], ids=["default", "name", "own"])
def test_a_softmax_before_cross_entropy_is_named_whoever_chose_the_loss(loss):
    for net in (model(nn.Softmax(-1)), Functional()):
        assert codes(net, (INPUTS, CLASSES), loss) == {"softmax-twice"}


class Ends(nn.Module):
    """Something is done to the probabilities before they are returned."""

    def __init__(self, function):
        super().__init__()
        self.body, self.function = model(nn.Softmax(-1)), function

    def forward(self, inputs):
        return self.function(self.body(inputs))


@pytest.mark.parametrize(
    "function",
    [
        lambda output: output.clamp(1e-7, 1 - 1e-7),
        lambda output: output.clamp(min=1e-7),
        lambda output: output.view(-1, 4),
        lambda output: output.reshape(8, 8, 4).flatten(0, 1),
        lambda output: output.unsqueeze(0).squeeze(0).clone(),
        lambda output: output + 1e-8,
    ],
    ids=["clamp", "clamp-min", "view", "reshape", "squeeze", "epsilon"],
)
def test_a_softmax_is_found_through_shapes_and_bounds(function):
    assert codes(Ends(function), (INPUTS, CLASSES)) == {"softmax-twice"}
    assert codes(Ends(function), INPUTS) == {"loss-of-probabilities"}  # cross-entropy isn't chosen for them


def test_a_second_softmax_with_a_logarithm_after_it_is_found():
    def by_hand(output, targets):
        return nn.functional.nll_loss(output.softmax(-1).log(), targets)

    assert codes(model(nn.Softmax(-1)), (INPUTS, CLASSES), by_hand) == {"softmax-twice"}
    assert codes(model(), (INPUTS, CLASSES), by_hand) == set()


def test_a_logarithm_of_bounded_probabilities_is_right():
    own = lambda output, targets: nn.functional.nll_loss(output.log(), targets)  # noqa: E731
    assert codes(Ends(lambda output: output.clamp(min=1e-7)), (INPUTS, CLASSES), own) == set()


def test_logits_and_logarithms_of_probabilities_are_right():
    assert codes(model(), (INPUTS, CLASSES)) == set()
    assert codes(model(nn.LogSoftmax(-1)), (INPUTS, CLASSES), nn.NLLLoss()) == set()
    assert (
        codes(model(nn.LogSoftmax(-1)), (INPUTS, CLASSES)) == set()
    )  # a second logarithm of a softmax changes nothing


def test_probabilities_with_a_loss_of_probabilities_are_right():
    own = lambda output, targets: nn.functional.nll_loss(output.log(), targets)  # noqa: E731
    assert codes(model(nn.Softmax(-1)), (INPUTS, CLASSES), own) == set()
    binary = (CLASSES > 1).float()[:, None].expand(-1, 4)
    assert codes(model(nn.Sigmoid()), (INPUTS, binary), nn.BCELoss()) == set()


def test_a_sigmoid_before_the_loss_of_logits_is_named():
    binary = (CLASSES > 1).float()[:, None].expand(-1, 4)
    assert codes(model(nn.Sigmoid()), (INPUTS, binary), nn.BCEWithLogitsLoss()) == {"sigmoid-twice"}
    assert codes(model(), (INPUTS, binary), nn.BCEWithLogitsLoss()) == set()


def test_where_probabilities_get_a_mean_square_by_default_that_is_said():
    for end, function in ((nn.Softmax(-1), "softmax"), (nn.Sigmoid(), "sigmoid")):
        report = gradcheck.torch.probe(model(end), INPUTS)
        assert report.config.loss == "mean-square"
        assert f"the output is a {function}, so that the loss is mean-square" in report.verdict.reasons[0]
    assert codes(model(nn.Softmax(-1)), INPUTS, "mean-square") == set()


@pytest.mark.parametrize("shape", [(64, 4), (16, 4, 4)], ids=["rows", "sequences"])
def test_targets_that_are_probabilities_get_their_cross_entropy_by_default(shape):
    inputs, probabilities = torch.randn(*shape[:-1], 8), torch.softmax(torch.randn(shape), dim=-1)
    report = gradcheck.torch.probe(model(), (inputs, probabilities))
    assert report.config.loss == "cross-entropy"
    logits = model()(inputs).flatten(0, -2)
    by_hand = -(probabilities.flatten(0, -2) * torch.log_softmax(logits, -1)).sum(-1).mean()
    assert report.output.loss == pytest.approx(by_hand.item(), rel=1e-6)
    twice = gradcheck.torch.probe(model(), (inputs, 2 * probabilities))
    assert twice.config.loss == "mean-square"


class Both(nn.Module):
    """Probabilities to look at, and logits for the loss."""

    def __init__(self, function):
        super().__init__()
        self.body, self.function = model(), function

    def forward(self, inputs):
        logits = self.body(inputs)
        return self.function(logits), logits


def test_probabilities_beside_the_logits_that_the_loss_takes_are_right():
    def of_classes(output, targets):
        return nn.functional.cross_entropy(output[1], targets)

    def of_switches(output, targets):
        return nn.functional.binary_cross_entropy_with_logits(output[1], targets)

    binary = (CLASSES > 1).float()[:, None].expand(-1, 4)
    assert codes(Both(lambda logits: logits.softmax(-1)), (INPUTS, CLASSES), of_classes) == set()
    assert codes(Both(torch.sigmoid), (INPUTS, binary), of_switches) == set()


def test_a_sharp_softmax_before_another_one_is_tried_and_named_where_it_does_not_learn(models):
    def ending(gain):
        torch.manual_seed(0)
        model = nn.Sequential(*models.mlp(depth=3), nn.Softmax(1))
        with torch.no_grad():
            model[-2].weight *= gain
        return gradcheck.torch.probe(model, (models.rows(), torch.randint(10, (64,))), "cross-entropy", trial=False)

    sharp, flat = ending(30.0), ending(0.1)
    (cause,) = (one for one in sharp.verdict.causes if one.code == "softmax-twice")
    assert (sharp.verdict.status, flat.verdict.status) == ("vanishing", "healthy")
    assert 0 < cause.value < cause.limit == 0.5


def test_classes_may_lie_in_the_last_axis_of_as_many_positions_as_there_are_targets():
    class Joint(nn.Module):
        """Scores of each pair of a frame and a word, as in a transducer."""

        def __init__(self):
            super().__init__()
            self.frames, self.words, self.scores = nn.Linear(4, 8), nn.Linear(4, 8), nn.Linear(8, 5)

        def forward(self, x):
            return self.scores(torch.tanh(self.frames(x)[:, :, None] + self.words(x[:, :3])[:, None]))

    x, classes = torch.randn(6, 7, 4), torch.randint(5, (6, 7, 3))
    model = Joint()
    expected = nn.functional.cross_entropy(model(x).flatten(0, 2), classes.flatten())
    assert gradcheck.torch.probe(model, (x, classes)).model.loss.first == pytest.approx(
        float(expected.detach()), rel=1e-5
    )


@pytest.mark.parametrize("kind", [tuple, dict])
def test_of_several_outputs_it_is_said_which_loss_of_the_models_own_is_taken(kind):
    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = model(nn.Sigmoid())

        def forward(self, inputs):
            outputs = {"picture": self.body(inputs), "cost": inputs.mean()}
            return outputs if kind is dict else tuple(outputs.values())

    report = gradcheck.torch.probe(Autoencoder(), INPUTS)
    (said,) = (cause.text for cause in report.verdict.causes if cause.code == "loss-of-probabilities")
    assert said.startswith(f"the model returns a {kind.__name__}, whose first tensor is a sigmoid")
    assert "alone, first in a tuple, or under 'loss'" in said
