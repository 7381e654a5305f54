"""Layers whose outputs a batch has no use for."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Joint(nn.Module):
    """Two streams that attend to both; of the second one's last answers nothing is read."""

    def __init__(self, depth=3, width=32):
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleList(nn.Linear(width, width) for _ in range(6)) for _ in range(depth))
        self.head = nn.Linear(width, 5)

    def forward(self, x, y):
        for block in self.blocks:
            query, key, value = (torch.cat([a(x), b(y)], 1) for a, b in zip(block[::2], block[1::2], strict=True))
            out = nn.functional.scaled_dot_product_attention(query, key, value)
            x, y = x + out[:, : x.shape[1]], y + out[:, x.shape[1] :]
        return self.head(x.mean(1))


class TwoBranches(nn.Module):
    """A network beside which another one runs: shut by its biases, or by a factor of zero."""

    def __init__(self, bias, factor=1.0):
        super().__init__()
        self.first, self.beside, self.head = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 5)
        nn.init.constant_(self.beside.bias, bias)
        self.factor = factor

    def forward(self, x):
        x = torch.tanh(self.first(x))
        return self.head(x + self.factor * torch.relu(self.beside(x)))


class Levels(nn.Module):
    """A detector with a head at each level, the last of which has learnt that there is nothing."""

    def __init__(self, bias, width=32):
        super().__init__()
        self.levels = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.heads = nn.ModuleList(nn.Linear(width, 5) for _ in range(4))
        nn.init.constant_(self.levels[-1].bias, bias)
        self.heads[-1].bias.data[0] = 20

    def forward(self, x):
        found = []
        for level, head in zip(self.levels, self.heads, strict=True):
            x = torch.relu(level(x))
            found.append(head(x))
        return torch.cat(found)


def of_hardest(output, targets):
    """Return the cross-entropy of as many examples as there are targets, those on which it is largest."""
    of_each = nn.functional.cross_entropy(output, targets.repeat(4), reduction="none")
    rank = of_each.detach().argsort(descending=True).argsort()
    return of_each[rank < len(targets)].mean()


def test_a_layer_whose_answers_nothing_reads_is_not_dead():
    report = probe(Joint(), ((torch.randn(16, 6, 32), torch.randn(16, 4, 32)), torch.arange(16) % 5))
    assert report.verdict.status == "healthy"
    assert (
        "blocks.2.1.weight and blocks.2.1.bias get a gradient of exactly zero on this batch" in report.verdict.reasons
    )
    assert "blocks.2.1" not in [layer.name for layer in report.layers]
    assert "blocks.1.1" in [layer.name for layer in report.layers]


@pytest.mark.parametrize(("bias", "factor"), [(-50.0, 1.0), (0.0, 0.0)])
def test_a_layer_that_is_shut_off_is_no_idle_one(bias, factor):
    report = probe(TwoBranches(bias, factor), (torch.randn(32, 16), torch.arange(32) % 5))
    (beside,) = (layer for layer in report.layers if layer.name == "beside")
    assert beside.gradient_rms == 0


def test_nor_is_one_before_a_function_that_makes_numbers_of_nan():
    class Signs(TwoBranches):
        def forward(self, x):
            x = torch.tanh(self.first(x))
            return self.head(x + torch.sign(self.beside(x)))

    report = probe(Signs(0.0), (torch.randn(32, 16), torch.arange(32) % 5))
    (beside,) = (layer for layer in report.layers if layer.name == "beside")
    assert beside.gradient_rms == 0


def test_a_layer_none_of_whose_examples_are_among_the_hardest_is_not_dead():
    report = probe(Levels(0.0), (torch.randn(32, 32), torch.zeros(32, dtype=torch.long)), of_hardest)
    assert report.verdict.status == "healthy"
    assert "levels.3" not in [layer.name for layer in report.layers]


def test_one_that_is_shut_is_dead_whichever_examples_are_chosen():
    report = probe(Levels(-50.0), (torch.randn(32, 32), torch.zeros(32, dtype=torch.long)), of_hardest)
    (shut,) = (layer for layer in report.layers if layer.name == "levels.3")
    assert report.verdict.status == "dead"
    assert shut.gradient_rms == 0


class Decoder(nn.Module):
    """Queries that start from zeros attend to themselves, so that at first they have nothing to choose from."""

    def __init__(self, width=32, *, shut=False):
        super().__init__()
        self.place = nn.Parameter(torch.randn(6, width))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.read, self.head, self.shut = nn.Linear(width, width), nn.Linear(width, 5), shut
        for layer in (self.value, self.out):
            nn.init.zeros_(layer.bias)

    def forward(self, memory):
        x = torch.zeros(len(memory), *self.place.shape)
        if self.shut:
            x = self.read(memory[:, :6]) * 0
        weights = (self.query(x + self.place) @ self.key(x + self.place).mT).softmax(-1)
        x = x + self.out(weights @ self.value(x))
        weights = ((x + self.place) @ memory.mT).softmax(-1)
        return self.head(x + torch.tanh(self.read(weights @ memory))).mean(1)


def test_queries_that_start_from_zeros_are_not_dead():
    report = probe(Decoder(), (torch.randn(16, 8, 32), torch.arange(16) % 5))
    assert report.verdict.status == "healthy"
    assert "query" not in [layer.name for layer in report.layers]


def test_zeros_that_a_layer_has_made_are():
    report = probe(Decoder(shut=True), (torch.randn(16, 8, 32), torch.arange(16) % 5))
    assert report.verdict.status == "dead"


class Guessed(nn.Module):
    """A network beside whose code another one guesses it."""

    def __init__(self, width=16):
        super().__init__()
        self.first, self.guess, self.second, self.head = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        code, guess = self.first(x), self.guess(x)
        return self.head(self.second(code)), (code - guess).square().sum(-1).mean()


@pytest.mark.parametrize(("above", "status"), [(1.02, "healthy"), (100, "dead")])
def test_a_layer_whose_term_of_the_loss_is_below_its_floor_may_wake_as_the_others_learn(above, status):
    model, x = Guessed(), torch.randn(64, 16)
    floor = above * float(model(x)[1].detach())

    def loss(output, targets):
        return (output[0] - targets).square().mean() + output[1].clamp(min=floor)

    assert probe(model, (x, 3 * x), loss).verdict.status == status


class Attentive(nn.Module):
    """Attention over all tokens, or over the one that each of them is given; the blocks' queries see a mean of it."""

    def __init__(self, tokens=6, width=32, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleList(nn.Linear(width, width) for _ in range(4)) for _ in range(depth))
        self.place, self.head, self.tokens = nn.Parameter(torch.randn(tokens, width)), nn.Linear(width, 5), tokens

    def forward(self, x, condition=None):
        x = x[:, None].expand(-1, self.tokens, -1)
        for query, key, value, out in self.blocks:
            y = x if condition is None else condition[:, None]
            weights = torch.softmax(query(x) @ key(y).mT / x.shape[-1] ** 0.5, -1)
            x = torch.tanh(x + self.place + out(weights @ value(y)))
        return self.head(x.mean(1))


def values(report, code):
    """Return the values of the causes with a code."""
    return [cause.value for cause in report.verdict.causes if cause.code == code]


def test_queries_and_keys_over_a_single_token_are_left_aside_and_named():
    batch = (torch.randn(32, 32), torch.randn(32, 32)), torch.arange(32) % 5
    report = probe(Attentive(), batch)
    assert report.verdict.status == "healthy"
    assert values(report, "single-token") == [4]
    assert not values(probe(Attentive(), (batch[0][0], batch[1])), "single-token")


def test_queries_over_tokens_that_are_still_alike_are_left_aside_where_those_of_later_blocks_learn():
    batch = torch.randn(32, 32), torch.arange(32) % 5
    alike = Attentive()
    report = probe(alike, batch)
    assert (report.verdict.status, "blocks.0.0" in [layer.name for layer in report.layers]) == ("healthy", False)
    assert "blocks.1.0" in [layer.name for layer in report.layers]


class Squeezed(nn.Module):
    """A branch that ends in a norm whose scale is zero at first, and a gate of what it gives."""

    def __init__(self, *, scale=0.0, bias=0.0):
        super().__init__()
        self.first, self.branch, self.norm = nn.Linear(16, 32), nn.Linear(32, 32), nn.BatchNorm1d(32)
        self.squeeze, self.gate, self.head = nn.Linear(32, 8), nn.Linear(8, 32), nn.Linear(32, 5)
        nn.init.constant_(self.norm.weight, scale)
        nn.init.constant_(self.squeeze.bias, bias)

    def forward(self, x):
        x = torch.relu(self.first(x))
        branch = self.norm(self.branch(x))
        return self.head(x + branch * self.gate(torch.relu(self.squeeze(branch))).sigmoid())


@pytest.mark.parametrize(("scale", "bias", "status"), [(0.0, 0.0, "healthy"), (0.0, -9.0, "dead"), (1.0, -9.0, "dead")])
def test_units_that_are_given_zeros_until_a_norm_has_learnt_are_not_dead(scale, bias, status):
    batch = torch.randn(32, 16), torch.arange(32) % 5
    assert probe(Squeezed(scale=scale, bias=bias), batch).verdict.status == status
