"""One place that is to blame for a lost signal, gradient or difference between examples."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

INPUTS = torch.randn(32, 16, generator=torch.Generator().manual_seed(1))

CLASSES = torch.arange(32) % 4


class Between(nn.Module):
    """Linear maps with a function between them."""

    def __init__(self, function, change=None):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)
        self.function = function
        if change is not None:
            change(self)

    def forward(self, x):
        return self.last(torch.relu(self.second(self.function(self.first(x)))))


def first_cause(model, inputs=INPUTS):
    report = probe(model, (inputs, CLASSES), trial=False)
    return report.verdict.status, report.verdict.causes[0].code, report.verdict.reasons[0]


@pytest.mark.parametrize("drop", [nn.Dropout(1.0), lambda x: functional.dropout(x, 1.0)])
def test_a_dropout_of_everything_is_named(drop):
    assert first_cause(Between(drop))[:2] == ("dead", "dropout-all")


def test_a_model_that_hardly_learns_as_it_drops_nearly_all_is_accused():
    parts = [part for _ in range(3) for part in (nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.9))]
    report = probe(nn.Sequential(nn.Linear(16, 64), nn.ReLU(), *parts, nn.Linear(64, 4)), (INPUTS, CLASSES))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("not-learning", "dropout-most")


def remarks(model, mode="train"):
    causes = probe(model, (INPUTS, CLASSES), mode=mode).verdict.causes
    return [cause.text for cause in causes if cause.code == "dropout-most"]


def test_dropouts_of_nearly_everything_are_a_remark_with_their_names():
    model = nn.Sequential(
        nn.Linear(16, 64), nn.Dropout(0.97), nn.Linear(64, 64), nn.FeatureAlphaDropout(0.97), nn.Linear(64, 4)
    )
    (text,) = remarks(model)
    assert text.startswith("1 and 3 drop 95% of what they are given, or more")
    assert not remarks(model, mode="eval")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.8, 0.9, 0.94])
@pytest.mark.parametrize("kind", [nn.Dropout, nn.AlphaDropout])
def test_dropouts_as_they_are_meant_are_none(share, kind):
    assert not remarks(nn.Sequential(nn.Linear(16, 64), nn.ReLU(), kind(share), nn.Linear(64, 4)))


@pytest.mark.parametrize("function", [torch.round, torch.sign, torch.floor])
def test_a_function_without_a_slope_is_named_with_the_layer_before_it(function):
    status, code, text = first_cause(Between(function))
    assert (status, code) == ("dead", "flat-operation")
    assert f"{function.__name__} after first has slope 0" in text
    assert first_cause(Between(lambda x: x + (function(x) - x).detach()))[0] == "healthy"


def test_weights_that_a_layer_rounds_to_zero_are_named():
    class Rounded(nn.Linear):
        def forward(self, x):
            return functional.linear(x, self.weight + (self.weight.round() - self.weight).detach())

    model = Between(torch.relu, lambda one: setattr(one, "first", Rounded(16, 32)))
    nn.init.zeros_(model.second.bias)
    status, code, text = first_cause(model)
    assert (status, code) == ("dead", "makes-zeros")
    assert text.startswith("first makes zeros of inputs and weights that aren't zero")


def test_units_that_never_reach_their_threshold_are_named_with_the_layer_before_them():
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v > 50).float()

        @staticmethod
        def backward(ctx, d):
            return d / (1 + ctx.saved_tensors[0].square())

    status, code, text = first_cause(Between(Spike.apply))
    assert status != "healthy"
    assert code == "silent-before"
    assert "nothing gets past what is after first" in text


def test_a_saturated_function_is_not_said_to_be_below_a_threshold():
    def heavy(model):
        model.first.bias.data = torch.tensor([30.0, -30.0]).repeat(16)  # slopes are 0 in every other unit only

    _, code, text = first_cause(Between(torch.sigmoid, heavy))
    assert code == "silent-before"
    assert text.endswith("after first, which is saturated; put a norm after first, or start with smaller weights")


def test_differences_that_fade_from_layer_to_layer_are_not_blamed_on_the_last_one():
    layers = [part for _ in range(40) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    report = probe(nn.Sequential(*layers, nn.Linear(16, 4)), (INPUTS, CLASSES), trial=False)
    assert "silent-before" not in {one.code for one in report.verdict.causes}
    assert any("they differ by rounding errors at most" in reason for reason in report.verdict.reasons)


@pytest.mark.parametrize("inputs", [INPUTS[:1].expand(32, 16), INPUTS[:2].repeat(16, 1)])
def test_examples_that_are_the_same_are_named_and_no_trial_is_held(inputs):
    report = probe(Between(torch.relu), (inputs, CLASSES))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("collapsed", "inputs-alike")
    assert report.model.trial is None


def test_units_that_all_have_the_same_weights_are_named():
    def constant(model):
        nn.init.constant_(model.second.weight, 0.1)
        nn.init.constant_(model.second.bias, 0.1)

    assert first_cause(Between(torch.relu, constant))[:2] == ("collapsed", "units-alike")


@pytest.mark.parametrize(("norm", "over"), [
    (nn.GroupNorm(8, 8), "each group has one channel at one position"),
    (lambda x: functional.group_norm(x, 8), "each group has one channel at one position"),
])  # fmt: skip
def test_a_norm_over_single_numbers_is_named_with_what_helps(norm, over):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, 4)
            self.norm = norm

        def forward(self, x):
            x = torch.relu(self.first(x.reshape(-1, 1, 4, 4))).mean((2, 3), keepdim=True)
            return self.last(torch.relu(self.norm(self.second(x))).flatten(1))

    status, code, text = first_cause(Pooled())
    assert (status, code) == ("dead", "norm-of-one")
    assert text.startswith("the norm at ")
    assert over in text


def test_a_layer_norm_of_one_feature_is_named_and_one_of_two_is_not():
    def model(width):
        return nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, width), nn.LayerNorm(width), nn.Linear(width, 4)
        )

    assert first_cause(model(1))[:2] == ("dead", "norm-of-one")
    assert first_cause(model(2))[1] != "norm-of-one"


def test_a_softmax_over_one_chosen_expert_is_named_with_the_layer_before_it():
    class Routed(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.last = nn.Linear(16, 4), nn.Linear(16, 4)
            self.experts = nn.ModuleList([nn.Linear(16, 16) for _ in range(4)])

        def forward(self, x):
            score, chosen = self.gate(x).topk(1)
            out = torch.stack([one(x) for one in self.experts], 1)[torch.arange(len(x)), chosen[:, 0]]
            return self.last(score.softmax(-1) * torch.tanh(out))

    _, code, text = first_cause(Routed())
    assert code == "softmax-of-one"
    assert "the softmax after gate is taken over a single number" in text
