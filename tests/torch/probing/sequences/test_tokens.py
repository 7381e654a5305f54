"""Whether the tokens of an example stay apart in a stack of attention."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.sequences.tokens import _share_of_tokens  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Encoder(nn.Module):
    """Blocks as they are drawn in the original transformer."""

    def __init__(self, blocks, *, norm_first=False, size=1.0):
        super().__init__()
        self.embedding, self.head = nn.Embedding(50, 16), nn.Linear(16, 50)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True, norm_first=norm_first) for _ in range(blocks)
        )
        for weight in self.blocks.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        nn.init.normal_(self.embedding.weight, std=size)
        self.norm = nn.LayerNorm(16) if norm_first else nn.Identity()

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def alike(model, tokens, **options):
    causes = probe(model, tokens, **options).verdict.causes
    return [cause for cause in causes if cause.code == "tokens-alike"]


@pytest.mark.parametrize("count", [12, 8], ids=["more than examples", "as many"])
def test_tokens_that_attention_makes_alike_are_named_from_the_block_on_where_they_are(count):
    tokens = torch.randint(50, (8, count))
    report = probe(Encoder(36), tokens)
    [cause] = [one for one in report.verdict.causes if one.code == "tokens-alike"]
    assert (report.verdict.status, cause.limit) == ("collapsed", 0.01)
    assert cause.value < 0.01
    assert cause.text.startswith("the tokens of an example look alike from blocks.")
    first = report.layers[cause.layers[0] - 1].name
    assert 3 < int(first.split(".")[1]) < 36


@pytest.mark.parametrize(("blocks", "norm_first"), [(36, True), (4, False)])
def test_tokens_stay_apart_in_few_blocks_and_where_norms_come_first(blocks, norm_first):
    assert alike(Encoder(blocks, norm_first=norm_first), torch.randint(50, (8, 12))) == []


def test_tokens_that_are_small_beside_what_blocks_add_are_no_fault_where_a_sum_brings_them_past():
    model, tokens = Encoder(60, norm_first=True, size=0.001), torch.randint(50, (8, 12))
    with torch.no_grad():
        x = model.embedding(tokens)
        for block in model.blocks:
            x = block(x)
    assert _share_of_tokens(model.norm(x).detach()) < 0.01
    assert alike(model, tokens) == []


def test_tokens_that_are_alike_from_the_start_say_nothing():
    assert alike(Encoder(36), torch.arange(8)[:, None].expand(8, 12), trial=False) == []


def test_the_share_of_tokens_is_that_of_an_analysis_of_variance():
    examples, tokens = torch.randn(5, 1, 3), torch.randn(5, 7, 3)
    tokens -= tokens.mean(1, keepdim=True)
    examples -= examples.mean(0)
    expected = tokens.square().sum() / (tokens.square().sum() + 7 * examples.square().sum())
    assert _share_of_tokens(examples + tokens + 4) == pytest.approx(float(expected), rel=1e-5)


class Queries(nn.Module):
    """Queries of its own, (queries, examples, features), that look at what each example has."""

    def __init__(self, count):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(count, 16))
        self.decoder, self.head = nn.TransformerDecoderLayer(16, 2, 32, 0.0), nn.Linear(16, 4)

    def forward(self, x):
        queries = self.queries[:, None].expand(-1, len(x), -1)
        return self.head(self.decoder(queries, x.transpose(0, 1)).transpose(0, 1))


@pytest.mark.parametrize("count", [6, 8])
def test_queries_in_the_first_axis_are_no_examples_where_they_are_as_many(count):
    assert alike(Queries(count), torch.randn(6, 9, 16)) == []
