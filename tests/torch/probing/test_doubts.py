"""A healthy gradient isn't all: outputs that hardly differ, and a loss that starts far off."""

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Scaled(nn.Module):
    """A module whose output is multiplied by a number, and to whose input another is added."""

    def __init__(self, module, factor=1.0, offset=0.0):
        super().__init__()
        self.module, self.factor, self.offset = module, factor, offset

    def forward(self, x):
        return self.factor * self.module(x + self.offset)


def perceptron(outputs=10, end=None):
    layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)]
    return nn.Sequential(*layers, *([end] if end else []))


def classes(scale=1.0, shift=0.0):
    return scale * torch.randn(32, 20) + shift, torch.arange(32) % 10


def codes(report):
    return [cause.code for cause in report.verdict.causes]


@pytest.mark.parametrize(
    ("scale", "shift"), [(1e-3, -2.0), (1e-2, 5.0)], ids=["divided by 255 twice", "mean not subtracted"]
)
def test_inputs_that_hardly_differ_beside_their_mean_collapse_the_outputs(scale, shift):
    report = probe(perceptron(), classes(scale, shift))
    assert report.verdict.status == "collapsed"
    assert codes(report)[0] == "outputs-near"
    assert codes(report)[-2:] == ["trial-fails", "first-loss"]
    assert "subtract the inputs' mean" in report.verdict.reasons[0]


def test_cosines_that_are_divided_by_too_much_vanish():
    class Cosines(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.names = perceptron(32), nn.Parameter(torch.randn(10, 32))

        def forward(self, x):
            return nn.functional.normalize(self.body(x), dim=1) @ nn.functional.normalize(self.names, dim=1).T

    report = probe(Scaled(Cosines(), 0.01), classes())
    assert (report.verdict.status, codes(report)[0]) == ("vanishing", "loss-floor")


def test_outputs_that_lie_close_together_are_no_fault_of_a_model_that_learns():
    model = perceptron()
    with torch.no_grad():
        model[-1].weight.mul_(0.01)
    report = probe(model, classes())
    assert report.model.trial.learns
    assert report.verdict.status == "healthy"
    assert "outputs-near" not in codes(report)


def test_embeddings_of_which_the_loss_makes_unit_vectors_may_be_small():
    names = torch.randn(10, 10)

    def margin(output, y):
        cosines = nn.functional.normalize(output, dim=1) @ nn.functional.normalize(names, dim=1).T
        return nn.functional.cross_entropy(30 * (cosines - 0.4 * nn.functional.one_hot(y, 10)), y)

    report = probe(Scaled(perceptron(), 1e-4), classes(), margin)
    assert (report.verdict.status, report.model.trial) == ("healthy", None)


@pytest.mark.parametrize("factor", [1e4, 1e5])
def test_logits_that_are_divided_by_too_little_explode(factor):
    report = probe(Scaled(perceptron(), factor), classes())
    assert report.verdict.status == "exploding"
    assert report.verdict.score < 0.5
    assert "starts-far" in codes(report)


class Prototypes(nn.Module):
    """Squared distances to the mean of each class's examples."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding = embedding

    def forward(self, shown, asked):
        means = self.embedding(shown).unflatten(0, (-1, 5)).mean(0)
        return -(self.embedding(asked)[:, None] - means).square().sum(-1)


def episode():
    """Ten examples of each of five classes, half of them to be told."""
    centres = 0.1 * torch.randn(5, 64)
    return tuple(centres.repeat(5, 1) + torch.randn(25, 64) for _ in range(2)), torch.arange(25) % 5


@pytest.mark.parametrize("last", [nn.BatchNorm1d(4096), nn.LayerNorm(4096)])
def test_distances_that_are_large_as_they_have_many_numbers_are_tried(last, said):
    report = probe(Prototypes(nn.Sequential(nn.Linear(64, 4096), last)), episode())
    assert report.model.loss.first > 100 * report.model.loss.constant_answer
    assert (report.verdict.status, codes(report)[0]) == ("healthy", "readout-large")
    assert report.model.trial.learns
    assert "outputs of 4,096 numbers each" in said(report)


def test_distances_of_large_outputs_explode_untried():
    embedding = nn.Linear(64, 256)
    nn.init.normal_(embedding.weight, 0, 10.0)
    report = probe(Prototypes(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), embedding)), episode())
    assert (report.verdict.status, codes(report)[0], report.model.trial) == ("exploding", "starts-far", None)


@pytest.mark.parametrize("widths", [(20, 128, 128, 10), (20, 512, 512, 10), (20, 2048, 10)])
def test_weights_of_deviation_1_are_untried_though_a_batch_can_be_learnt_by_heart(widths):
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())][:-1]
    for layer in layers[::2]:
        nn.init.normal_(layer.weight, 0, 1.0 if len(widths) > 3 else 3.0)
    report = probe(nn.Sequential(*layers), classes())
    assert (report.verdict.status, report.model.trial) == ("exploding", None)


def test_a_loss_of_ones_own_that_starts_beyond_all_bounds_explodes():
    def likelihood(output, targets):
        return (0.5 * ((targets - output) * 1e8).square()).mean() - 20

    batch = torch.randn(32, 20), torch.randn(32, 1)
    report = probe(perceptron(1), batch, likelihood)
    assert (report.verdict.status, codes(report)[0]) == ("exploding", "starts-far")


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0])
def test_targets_of_another_order_than_the_outputs_are_not_far_off(scale):
    report = probe(perceptron(1), (torch.randn(32, 20), scale * torch.randn(32, 1)), "mean-square")
    assert report.verdict.status == "healthy"  # plain SGD takes the loss there without an explosion
    assert "starts-far" not in codes(report)


def test_a_loss_that_is_summed_over_many_outputs_is_not_far():
    def summed(output, targets):
        return ((output - targets).square() * 1e3).sum()

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4096))
    report = probe(model, (torch.randn(64, 64), torch.randn(64, 4096)), summed)
    assert summed(model(torch.randn(64, 64)), torch.randn(64, 4096)) > 1e8
    assert "starts-far" not in codes(report)
    assert report.verdict.status == "healthy"


@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_a_loss_that_starts_where_a_constant_answer_does_is_not_far(shift):
    report = probe(perceptron(1), (torch.randn(32, 20), torch.randn(32, 1)), lambda o, y: (o - y).abs().mean() + shift)
    assert report.verdict.status == "healthy"


def test_a_shut_gate_that_hardly_lets_a_gradient_through_is_not_waited_for():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.gate, self.head = nn.Linear(20, 32), nn.Linear(20, 32), nn.Linear(32, 10)

        def forward(self, x):
            return self.head(torch.sigmoid(self.gate(x) - 20) * self.body(x).relu())

    assert probe(Gated(), classes()).verdict.status == "vanishing"


def test_a_matrix_to_a_single_unit_that_starts_small_is_no_gate():
    model = nn.Sequential(*[part for _ in range(8) for part in (nn.Linear(32, 32), nn.ReLU())], nn.Linear(32, 1))
    with torch.no_grad():
        for one in model.parameters():
            one.normal_(0, 1e-4) if one.dim() > 1 else one.zero_()
    assert probe(model, (torch.randn(32, 32), torch.randn(32, 1))).verdict.status == "vanishing"


def test_inputs_of_the_size_of_bytes_are_named_though_the_model_is_healthy():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    bytes_, labels = torch.rand(16, 3, 8, 8) * 255, torch.arange(16) % 4
    model(bytes_)
    with torch.no_grad():
        model[-1].weight.mul_(0.02)  # the loss starts where guessing does
    named = {shift: probe(model, (bytes_ / 255 * scale, labels)) for scale, shift in ((255, "as bytes"), (2, "scaled"))}
    assert {when: "large-inputs" in codes(one) for when, one in named.items()} == {"as bytes": True, "scaled": False}


@pytest.mark.parametrize(("size", "status"), [(1.0, "healthy"), (3e5, "not-learning")])
def test_targets_that_are_huge_beside_the_outputs_are_named_where_no_step_comes_near_them(size, status):
    inputs = torch.randn(64, 20)
    report = probe(perceptron(1), (inputs, size * (inputs[:, :1] + 2)), "mean-square")
    assert (report.verdict.status, codes(report)[0] == "targets-huge") == (status, status != "healthy")


def mean_distance(output, targets):
    return (targets - output).abs().mean()


DISTANCES = (nn.L1Loss(), nn.L1Loss(reduction="sum"), nn.SmoothL1Loss(), nn.HuberLoss(), mean_distance)


@pytest.mark.parametrize("loss", DISTANCES)
@pytest.mark.parametrize(("size", "status"), [(1.0, "healthy"), (3e5, "not-learning")])
def test_targets_that_are_huge_are_named_under_losses_of_absolute_errors_too(loss, size, status):
    inputs = torch.randn(64, 20)
    report = probe(perceptron(1), (inputs, size * (inputs[:, :1] + 2)), loss)
    assert (report.verdict.status, codes(report)[0] == "targets-huge") == (status, status != "healthy")


class Chosen(nn.Module):
    """A discrete autoencoder, whose temperature says how much a choice passes back."""

    def __init__(self, temperature):
        super().__init__()
        self.encoder, self.decoder, self.temperature = nn.Linear(16, 48), nn.Linear(48, 16), temperature

    def forward(self, x):
        scores = self.encoder(x).view(-1, 4, 12)
        return self.decoder(nn.functional.gumbel_softmax(scores, self.temperature).flatten(1))


@pytest.mark.parametrize(("temperature", "named"), [(1e-3, True), (0.5, False)])
def test_examples_whose_gradient_is_lost_behind_a_choice_are_counted(temperature, named):
    inputs = torch.randn(96, 16)
    report = probe(Chosen(temperature), (inputs, inputs), "mean-square", trial=False)
    assert ("examples-unheard" in codes(report)) is named


def saturated(deviation):
    model = nn.Sequential(
        nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)
    )
    for layer in model[::2]:
        nn.init.normal_(layer.weight, 0, deviation)
    return model


def test_a_loss_that_starts_many_times_above_guessing_and_stays_there_explodes():
    report = probe(saturated(5.0), classes())
    assert (report.verdict.status, codes(report)[0]) == ("exploding", "readout-large")
    assert "trial-fails" in codes(report)


@pytest.mark.parametrize("layers", [[nn.Linear(20, 10)], [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10)]])
def test_where_nothing_is_saturated_it_is_a_remark(layers):
    """A linear model of N(0, 1) weights learns in thousands of steps of Adam, which no trial takes."""
    model = nn.Sequential(*layers)
    for layer in model[::2]:
        nn.init.normal_(layer.weight, 0, 10.0 if len(layers) == 1 else 2.0)
    report = probe(model, classes())
    assert (report.verdict.status, codes(report)[0]) == ("healthy", "readout-large")
    assert report.verdict.causes[0].value < 1e3


class FirstToken(nn.Module):
    """A classifier of a first token that attention keeps from all others."""

    def __init__(self, alone):
        super().__init__()
        self.embedding = nn.Embedding(30, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 4)
        self.alone = alone

    def forward(self, tokens):
        hidden = torch.ones_like(tokens, dtype=torch.bool) if self.alone else torch.zeros_like(tokens, dtype=torch.bool)
        hidden[:, 0] = False
        return self.head(self.encoder(self.embedding(tokens), src_key_padding_mask=hidden)[:, 0])


def test_outputs_that_are_the_same_for_all_examples_collapse():
    tokens = torch.randint(1, 30, (16, 8))
    tokens[:, 0] = 0
    report = probe(FirstToken(alone=True), (tokens, torch.arange(16) % 4))
    assert (report.verdict.status, codes(report)[0]) == ("collapsed", "outputs-near")
    assert report.verdict.reasons[0].startswith("all examples have exactly the same output")
    assert probe(FirstToken(alone=False), (tokens, torch.arange(16) % 4)).verdict.status == "healthy"


class Directions(nn.Module):
    """Directions of unit length beside a class, through a projection that starts with weights of some size."""

    def __init__(self, deviation):
        super().__init__()
        self.body, self.readout = perceptron(64), nn.Linear(64, 10)
        self.projection = nn.Linear(64, 8, bias=False)
        nn.init.normal_(self.projection.weight, 0, deviation)

    def forward(self, x):
        features = self.body(x)
        directions = nn.functional.normalize(self.projection(features), dim=1)
        return self.readout(features), directions


@pytest.mark.parametrize(("deviation", "named"), [(0.0, True), (1e-9, True), (1e-2, False)])
def test_a_layer_whose_gradient_is_far_above_all_others_leaves_a_doubt(deviation, named):
    def loss(outputs, labels):
        return nn.functional.cross_entropy(outputs[0], labels) - outputs[1][:, 0].mean()

    report = probe(Directions(deviation), classes(), loss)
    assert report.verdict.status == "healthy"
    assert ("gradient-outsized" in codes(report)) is named
    if named:
        cause = next(cause for cause in report.verdict.causes if cause.code == "gradient-outsized")
        assert cause.text.startswith("projection gets 10^")
        gradients = {layer.name: layer.log10_gradient_rms for layer in report.layers}
        most = gradients.pop("projection")
        assert cause.value == pytest.approx(most - max(gradients.values()))


def table(scale):
    """Columns of which the last one is larger by a factor."""
    sizes = torch.tensor([1.0, 1, 1, 1, 1, scale])
    inputs = torch.randn(128, 6) * sizes
    return inputs, (inputs / sizes)[:, :3].argmax(1)


RAW = {"linear": [nn.Linear(6, 3)], "perceptron": [nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3)]}


@pytest.mark.parametrize("layers", RAW)
def test_a_raw_table_is_not_collapsed_but_its_columns_are_apart(layers, said):
    report = probe(nn.Sequential(*RAW[layers]), table(1e4))
    assert report.verdict.status == "exploding"  # plain SGD doesn't bear it
    assert codes(report)[:2] == ["inputs-explode", "features-apart"]
    assert report.verdict.score < 0.5
    assert "column 6 of the inputs varies" in said(report)


@pytest.mark.parametrize("layers", RAW)
def test_columns_that_are_standardised_are_none(layers):
    assert "features-apart" not in codes(probe(nn.Sequential(*RAW[layers]), table(1.0)))


@pytest.mark.parametrize("times", [1.5, 9.0])
def test_of_two_columns_one_may_be_several_times_the_other(times):
    inputs = torch.randn(128, 2) * torch.tensor([times, 1.0])
    targets = inputs[:, :1].sin() + inputs[:, 1:].cos()
    model = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    report = probe(model, (inputs, targets))
    assert report.verdict.status == "healthy"
    assert {"features-apart", "needs-adam"}.isdisjoint(codes(report))
    chain = [part for _ in range(12) for part in (nn.Linear(32, 32), nn.Sigmoid())]
    lost = probe(nn.Sequential(nn.Linear(2, 32), *chain, nn.Linear(32, 1)), (inputs, targets))
    assert lost.verdict.status in ("collapsed", "vanishing")


def test_a_norm_in_front_of_the_first_layer_takes_care_of_columns():
    report = probe(nn.Sequential(nn.BatchNorm1d(6), *RAW["perceptron"]), table(1e4))
    assert (report.verdict.status, "features-apart" in codes(report)) == ("healthy", False)


class Gated(nn.Module):
    """A branch whose outputs start next to nothing."""

    def __init__(self, factor):
        super().__init__()
        self.branch = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.factor = nn.Parameter(torch.full((32,), factor))

    def forward(self, x):
        return x + self.factor * self.branch(x)


def test_small_gradients_behind_tiny_gates_make_no_other_outsized():
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), *(Gated(1e-8) for _ in range(4)), nn.Linear(32, 10))
    report = probe(model, classes())
    gradients = sorted(layer.log10_gradient_rms for layer in report.layers)
    assert gradients[-1] - gradients[-2] > 6
    assert "gradient-outsized" not in codes(report)
