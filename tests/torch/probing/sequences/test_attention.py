"""How evenly each head of attention looks around."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

TOKENS = torch.randn(6, 5, 8)


class Attends(nn.Module):
    """Two heads, by hand or by PyTorch's own function, with or without a mask."""

    def __init__(self, *, fused, masked, scale=1.0):
        super().__init__()
        self.fused, self.mask = fused, torch.ones(5, 5).tril().bool() if masked else None
        self.queries, self.keys, self.values, self.out = (nn.Linear(8, 8) for _ in range(4))
        with torch.no_grad():
            self.queries.weight *= scale

    def split(self, x):
        return x.unflatten(-1, (2, 4)).transpose(1, 2)

    def scores(self, x):
        scores = self.split(self.queries(x)) @ self.split(self.keys(x)).mT / 2
        return scores if self.mask is None else scores.masked_fill(~self.mask, -torch.inf)

    def forward(self, x):
        if self.fused:
            parts = (self.split(layer(x)) for layer in (self.queries, self.keys, self.values))
            y = functional.scaled_dot_product_attention(*parts, attn_mask=self.mask)
        else:
            y = self.scores(x).softmax(-1) @ self.split(self.values(x))
        return self.out(y.transpose(1, 2).flatten(2))


def attention(model):
    return probe(nn.Sequential(model, nn.Linear(8, 3)), TOKENS).model.attention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_entropy_and_largest_score_are_those_of_the_scores(fused, masked):
    model = Attends(fused=fused, masked=masked, scale=3.0)
    [found] = attention(model)
    scores = model.scores(TOKENS[:4]).detach().double()
    entropy, above = [], []
    for head in range(2):
        rows = [row[row.isfinite()] for row in scores[:, head].flatten(0, 1) if row.isfinite().sum() > 1]
        own = [torch.distributions.Categorical(logits=row).entropy() / math.log(len(row)) for row in rows]
        entropy.append(float(sum(own) / len(own)))
        above.append(max(float(row.max() - row.mean()) for row in rows))
    assert found.layer == "0.out"
    assert found.entropy == pytest.approx(entropy, rel=1e-4)
    assert found.largest_score == pytest.approx(above, rel=1e-4)


def of_heads(verdict):
    return [one for one in verdict.causes if one.code.startswith("attention-")]


def test_heads_that_look_at_one_token_before_any_training_are_counted_and_leave_a_doubt():
    report = probe(nn.Sequential(Attends(fused=True, masked=False, scale=1000.0), nn.Linear(8, 3)), TOKENS)
    [cause] = of_heads(report.verdict)
    assert cause.code == "attention-hard"
    assert cause.text.startswith("2 of 2 heads of attention (0.out) look at a single token each time, before any ")
    assert (cause.value, cause.limit) == (2, 2)
    assert "HEALTHY, BUT" in str(report)


def test_such_heads_of_a_model_that_was_trained_are_a_remark():
    model = nn.Sequential(Attends(fused=True, masked=False, scale=1000.0), nn.Linear(8, 3))
    labels = model(TOKENS).argmax(-1)
    with torch.no_grad():
        model[1].weight.mul_(100.0)
        model[1].bias.mul_(100.0)

    def loss(output, labels):
        return nn.functional.cross_entropy(output.flatten(0, 1), labels.flatten())

    report = probe(model, (TOKENS, labels), loss)
    [cause] = of_heads(report.verdict)
    assert cause.code == "attention-saturated"
    assert cause.value > 100


def test_a_module_of_attention_has_its_own_name_and_heads():
    class Whole(nn.Module):
        def __init__(self, weights):
            super().__init__()
            self.attention, self.weights = nn.MultiheadAttention(8, 2, batch_first=True), weights

        def forward(self, x):
            return self.attention(x, x, x, need_weights=self.weights)[0]

    by_hand, fused = Whole(True), Whole(False)
    fused.load_state_dict(by_hand.state_dict())
    [one], [other] = attention(by_hand), attention(fused)
    assert one.layer == "0.attention"
    assert one.entropy == pytest.approx(other.entropy, rel=1e-4)
    assert len(one.entropy) == 2


def test_a_softmax_over_what_is_no_product_is_no_attention():
    class Router(nn.Module):
        def __init__(self):
            super().__init__()
            self.choice, self.one = nn.Linear(8, 8, bias=False), nn.Linear(8, 8)

        def forward(self, x):
            return self.choice(x).softmax(-1) * self.one(x)

    assert attention(Router()) == ()
