"""Models that are to predict the next token and see it."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

TOKENS, CLASSES = 12, 20


class Attending(nn.Module):
    """Two blocks of attention over tokens, with a fault or without, and a prefix that all tokens may see."""

    def __init__(self, fault="", prefix=0, turned=False):
        super().__init__()
        self.embedding, self.place = nn.Embedding(CLASSES, 16), nn.Embedding(TOKENS, 16)
        self.together = nn.ModuleList(nn.Linear(16, 48) for _ in range(2))
        self.head, self.fault, self.turned = nn.Linear(16, CLASSES), fault, turned
        seen = torch.ones(TOKENS, TOKENS).tril()
        seen[:, :prefix] = 1
        self.register_buffer("unseen", seen == 0)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.place(torch.arange(tokens.shape[1]))
        for layer in self.together:
            x = x + self.attend(*layer(x).split(16, 2))
        return self.head(x).transpose(1, 2) if self.turned else self.head(x)

    def attend(self, *three):
        q, k, v = (one.unflatten(2, (4, 4)).transpose(1, 2) for one in three)
        scores = q @ k.mT / 2
        if self.fault != "unmasked":
            scores = scores.masked_fill(self.unseen, -1e9)
        heads = scores.softmax(-2 if self.fault == "over queries" else -1) @ v
        return heads.reshape(len(v), TOKENS, 16) if self.fault == "viewed" else heads.transpose(1, 2).flatten(2)


def next_tokens(time_first=False):
    text = torch.randint(CLASSES, (8, TOKENS + 1))
    pair = text[:, :-1], text[:, 1:]
    return tuple(one.T.contiguous() for one in pair) if time_first else pair


def of_tokens(output, targets):
    return nn.functional.cross_entropy(output.flatten(0, 1), targets.flatten())


def seen(model, batch, loss=of_tokens):
    return [cause for cause in probe(model, batch, loss, trial=False).verdict.causes if cause.code == "future-seen"]


@pytest.mark.parametrize(
    ("fault", "moved"), [("unmasked", TOKENS - 1), ("over queries", TOKENS - 1), ("viewed", TOKENS // 2)]
)
def test_attention_that_sees_the_next_token_is_named(fault, moved):
    (cause,) = seen(Attending(fault), next_tokens())
    assert moved <= cause.value <= TOKENS - 1
    assert f"changing token {TOKENS} changes the {cause.value:.0f} outputs before it" in cause.text


@pytest.mark.parametrize("prefix", [0, TOKENS // 2], ids=["causal", "with a prefix"])
def test_attention_that_does_not_is_not(prefix):
    assert not seen(Attending(prefix=prefix), next_tokens())


def test_outputs_with_their_classes_before_the_tokens_are_looked_at_as_well():
    assert seen(Attending("unmasked", turned=True), next_tokens(), nn.functional.cross_entropy)


def test_a_model_that_fills_in_tokens_may_see_all():
    tokens, _ = next_tokens()
    targets = torch.where(torch.rand(tokens.shape) < 0.5, tokens, -100)
    assert not seen(Attending("unmasked"), (tokens, targets))


class Translating(nn.Module):
    """A decoder that sees all of a source and, one way or both ways, what comes before."""

    def __init__(self, both_ways=False):
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, 16)
        self.encoder = nn.GRU(16, 16, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(48, 16, batch_first=True, bidirectional=both_ways)
        self.head = nn.Linear(16 * (1 + both_ways), CLASSES)

    def forward(self, source, target):
        context = self.encoder(self.embedding(source))[0].mean(1, keepdim=True).expand(-1, target.shape[1], -1)
        return self.head(self.decoder(torch.cat([self.embedding(target), context], 2))[0])


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_decoder_may_see_all_of_the_source_and_no_later_token(both_ways):
    source, (target, following) = torch.randint(CLASSES, (8, 9)), next_tokens()
    assert bool(seen(Translating(both_ways), ((source, target), following))) is both_ways


@pytest.mark.parametrize("both_ways", [False, True])
def test_steps_before_examples_are_looked_at_as_well(both_ways):
    class Reading(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.reader = nn.Embedding(CLASSES, 16), nn.GRU(16, 16, bidirectional=both_ways)
            self.head = nn.Linear(16 * (1 + both_ways), CLASSES)

        def forward(self, tokens):
            return self.head(self.reader(self.embedding(tokens))[0])

    assert bool(seen(Reading(), next_tokens(time_first=True))) is both_ways


def test_what_changes_by_chance_sees_nothing():
    class Noisy(Attending):
        def forward(self, tokens):
            return super().forward(tokens) + torch.randn(len(tokens), TOKENS, CLASSES)

    assert not seen(Noisy(), next_tokens())
