"""Examples that a model mixes up."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Ends(nn.Module):
    """A recurrent module whose two last states are put side by side as a function says."""

    def __init__(self, beside):
        super().__init__()
        self.rnn, self.head, self.beside = nn.GRU(4, 8, batch_first=True, bidirectional=True), nn.Linear(16, 3), beside

    def forward(self, x):
        return self.head(self.beside(self.rnn(x)[1], len(x)))


class Steps(nn.Module):
    """An encoder of (steps, examples, features), which it is given as a function says."""

    def __init__(self, turned, back):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head, self.turned, self.back = nn.Linear(8, 3), turned, back

    def forward(self, x):
        return self.head(self.back(self.encoder(self.turned(x))).mean(1))


class Pooled(nn.Module):
    """A mean over an axis."""

    def __init__(self, axis):
        super().__init__()
        self.first, self.head, self.axis = nn.Linear(4, 8), nn.Linear(8, 3), axis

    def forward(self, x):
        return self.head(self.first(x).mean(self.axis, keepdim=True).expand(16, 10, 8)[:, 0])


def looked_at(model, inputs=None):
    inputs = torch.randn(16, 10, 4) if inputs is None else inputs
    return probe(model, (inputs, torch.arange(16) % 3)).verdict


def mixed(verdict):
    return [cause for cause in verdict.causes if cause.code == "examples-mixed"]


def test_last_states_that_are_viewed_and_not_transposed_are_named():
    verdict = looked_at(Ends(lambda states, examples: states.view(examples, -1)))
    assert "examples-mixed" in [cause.code for cause in verdict.causes]
    assert "a view or reshape of 2x16x8 to 16x16 doesn't move an axis" in verdict.reasons[0]


def test_last_states_that_are_transposed_are_not():
    assert not mixed(looked_at(Ends(lambda states, examples: states.transpose(0, 1).reshape(examples, -1))))


def test_examples_that_are_taken_for_steps_by_a_view_are_named():
    inputs = torch.randn(16, 10, 8)
    model = Steps(lambda x: x.view(10, 16, 8), lambda x: x.view(16, 10, 8))
    assert "take transpose() or permute()" in mixed(looked_at(model, inputs))[0].text
    model = Steps(lambda x: x.transpose(0, 1), lambda x: x.transpose(0, 1))
    assert not mixed(looked_at(model, inputs))


def test_a_mean_over_the_examples_is_named_and_one_over_the_steps_is_not():
    verdict = looked_at(Pooled(0))
    assert (verdict.status, verdict.causes[0].code) == ("not-learning", "examples-mixed")
    assert "all 16 examples have the same output, and each of them changes it" in verdict.reasons[0]
    assert not mixed(looked_at(Pooled(1)))


def test_a_read_out_of_zeros_gives_all_examples_the_same_and_mixes_nothing():
    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 8), nn.Tanh(), nn.Linear(8, 3))
    nn.init.zeros_(model[-1].weight)
    assert not mixed(looked_at(model))


def test_the_modes_of_all_modules_stay():
    model = Ends(lambda states, examples: states.view(examples, -1))
    model.rnn.eval()
    looked_at(model)
    assert (model.training, model.head.training, model.rnn.training) == (True, True, False)


@pytest.mark.parametrize(("turned", "named"), [
    (lambda x: x, True), (lambda x: x.transpose(0, 1), False), (lambda x: x.mean(1, keepdim=True), False),
], ids=["examples first", "transposed", "among the examples"])  # fmt: skip
def test_attention_that_goes_along_the_examples_is_named_unless_it_has_nothing_else_to_go_along(turned, named):
    back = (lambda x: x.transpose(0, 1)) if turned(torch.zeros(16, 10, 8)).shape[0] == 10 else (lambda x: x)
    verdict = looked_at(Steps(turned, back), torch.randn(16, 10, 8))
    said = [cause.text for cause in verdict.causes if cause.code == "axes-swapped"]
    assert ["encoder.layers.0.self_attn goes along the 16 examples" in one for one in said] == [True] * named


class Flat(nn.Module):
    """Channels of an image side by side, put so as a function says."""

    def __init__(self, channels, flattened):
        super().__init__()
        self.first, self.head = nn.Conv2d(3, channels, 3, padding=1), nn.Linear(16 * channels, 3)
        self.flattened = flattened

    def forward(self, x):
        return self.head(self.flattened(torch.tanh(self.first(x))))


@pytest.mark.parametrize("channels", [8, 16, 32])
def test_channels_that_are_moved_before_the_examples_and_then_flattened_are_named(channels):
    inputs = torch.randn(16, 3, 4, 4)

    def found(flattened):
        return mixed(looked_at(Flat(channels, flattened), inputs))

    assert found(lambda x: x.permute(1, 0, 2, 3).reshape(16, -1))
    assert found(lambda x: x.transpose(0, 1).contiguous().view(16, -1))
    assert not found(lambda x: x.permute(0, 2, 3, 1).reshape(16, -1))
    assert not found(lambda x: x.permute(1, 0, 2, 3).flatten(2).transpose(0, 1).reshape(16, -1))
    assert not found(lambda x: x.permute(1, 0, 2, 3).reshape(channels, 16, -1).permute(1, 2, 0).flatten(1))


class Words(nn.Module):
    """A transformer without batch_first that answers for each word, with positions along an axis of its input."""

    def __init__(self, along):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1)
        self.words, self.encoder = nn.Embedding(20, 8), nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head, self.along = nn.Linear(8, 20), along
        self.positions = nn.Parameter(torch.randn(10, 1, 8) if along == 0 else torch.randn(10, 8))

    def forward(self, x):
        given = self.words(x)
        return self.head(self.encoder(given if self.along is None else given + self.positions))


@pytest.mark.parametrize(("along", "shape", "named"), [
    (1, (16, 10), True),  # examples first, and attention goes along them
    (0, (10, 16), False),  # words first, as the module wants them
    (None, (10, 16), False),  # bags of words, of which nobody knows
])  # fmt: skip
def test_attention_along_the_examples_shows_in_an_order_that_does_not_matter(along, shape, named):
    words = torch.randint(20, shape)

    def loss(output, targets):
        return nn.functional.cross_entropy(output.flatten(0, 1), targets.flatten())

    causes = probe(Words(along), (words, words.flip(along or 0)), loss).verdict.causes
    assert ("axes-swapped" in [cause.code for cause in causes]) is named


class Nodes(nn.Module):
    """Attention among the examples, which are the nodes of one graph, behind an axis of one."""

    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        x = x.view(1, 16, 8)
        return self.head((x + self.attention(x, x, x)[0]).view(16, 8))


def test_an_axis_of_one_that_a_view_puts_before_the_examples_or_takes_away_moves_none():
    assert not mixed(looked_at(Nodes(), torch.randn(16, 8)))


class ClassToken(nn.Module):
    """Tokens, of which a split takes the first away before the others are an image again."""

    def __init__(self):
        super().__init__()
        self.first, self.image, self.head = nn.Linear(4, 8), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, x):
        token, others = self.first(x).split([1, 9], 1)
        image = self.image(others.permute(0, 2, 1).view(len(x), 8, 3, 3))
        return self.head(token[:, 0] + image.mean((2, 3)))


def test_what_a_split_makes_is_followed_by_the_piece_that_is_used():
    verdict = looked_at(ClassToken())
    assert verdict.status == "healthy"
    assert not mixed(verdict)


class Embedding(nn.Module):
    """Unit vectors of inputs, or of some that hear of each other before that."""

    def __init__(self, over, among=None):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        self.over, self.among = over, among

    def forward(self, x):
        made = self.layers(x) if self.among is None else self.among @ self.layers(x)
        return nn.functional.normalize(made, dim=self.over) if self.over is not None else made / made.norm(dim=0)


def contrast(output, _):
    return nn.functional.cross_entropy(output @ output.roll(1, 0).T, torch.arange(len(output)))


@pytest.mark.parametrize(("over", "named"), [(0, True), (None, True), (1, False)], ids=["0", "by hand", "1"])
def test_rows_that_are_divided_by_the_norm_of_their_columns_are_named(over, named):
    found = mixed(probe(Embedding(over), (torch.randn(16, 4), torch.zeros(16)), contrast).verdict)
    assert ["16x8 is divided by its norm over the 16 examples" in one.text for one in found] == [True] * named


def correlation(output, _):
    return (output.T @ output - torch.eye(8)).square().sum()


def correlation_with_others(output, _):
    return 1 - (output * output.roll(1, 1)).sum(0).mean()


@pytest.mark.parametrize("loss", [correlation, correlation_with_others])
def test_columns_whose_correlation_the_loss_takes_are_divided_by_their_norm_on_purpose(loss):
    assert not mixed(probe(Embedding(0), (torch.randn(16, 4), torch.zeros(16)), loss).verdict)


def test_nodes_of_a_graph_that_are_divided_so_are_not():
    neighbours = torch.eye(16) + torch.eye(16).roll(1, 0)
    batch = torch.randn(16, 4), torch.zeros(16)
    assert not mixed(probe(Embedding(0, neighbours / 2), batch, contrast).verdict)
