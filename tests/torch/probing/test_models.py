"""The many ways in which a model is written: each is measured."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def test_functional_activations_in_place_give_the_numbers_of_modules(models):
    class Functional(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = nn.ModuleList(one for one in layers if isinstance(one, nn.Linear))

        def forward(self, x):
            for one in self.layers[:-1]:
                x = one(x).relu_()
            return self.layers[-1](x)

    model, batch = models.mlp(depth=4), (models.rows(), torch.randint(10, (64,)))
    one, other = probe(model, batch), probe(Functional(model), batch)
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        assert {**mine, "name": "", "role": ""} == {**theirs, "name": "", "role": ""}


def test_a_shared_layer_is_one_layer_whose_uses_are_pooled(models, layer):
    model, inputs = models.Shared(), models.rows()
    report = probe(model, (inputs, torch.randint(10, (64,))))
    assert [one.name for one in report.layers] == ["first", "again"]
    deltas = []
    handle = model.again.register_forward_hook(
        lambda module, given, output: output.register_hook(lambda delta: deltas.append(delta.clone())) and None
    )
    torch.manual_seed(0)
    report = probe(model, (inputs, torch.zeros(64, dtype=torch.int64)))
    handle.remove()
    expected = sum(delta.double().square().sum() for delta in deltas) / (64 * 32)
    shift = 0.5 * torch.log10(expected) - layer(report, "again").log10_gradient_rms
    assert len(deltas) == 4
    assert float(shift / torch.log10(torch.tensor(2.0))) == pytest.approx(round(float(shift / 0.30103)), abs=1e-3)


def test_several_inputs_by_name_and_an_own_loss(models):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.head = nn.Linear(8, 16), nn.Linear(4, 16), nn.Linear(16, 1)

        def forward(self, left, right):
            return self.head(torch.tanh(self.one(left)) + torch.tanh(self.other(right)))

    inputs = {"left": torch.randn(9, 8), "right": torch.randn(9, 4)}
    report = probe(Two(), (inputs, torch.randn(9)), models.absolute)
    assert (report.config.loss, [one.name for one in report.layers]) == ("absolute", ["one", "other"])
    assert report.verdict.status == "healthy"


def test_a_loss_that_a_model_returns_by_name_is_used():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x):
            logits = self.b(torch.relu(self.a(x)))
            return {"loss": logits.square().mean(), "logits": logits}

    report = probe(Own(), torch.randn(6, 4))
    assert report.config.loss == "the model's own"


@pytest.mark.parametrize(
    ("end", "loss"),
    [(nn.Identity(), "cross-entropy"), (nn.LogSoftmax(1), "cross-entropy"), (nn.Sigmoid(), "mean-square")],
)
def test_the_loss_is_cross_entropy_where_the_output_looks_like_logits(end, loss, models):
    assert probe(nn.Sequential(models.mlp(depth=2), end), models.rows()).config.loss == loss


def test_saturation_by_inputs_that_are_not_scaled_is_reported(models, said):
    report = probe(models.mlp(nn.Tanh, 3, init="lecun"), 100 * models.rows())
    assert report.layers[0].flag == "saturated"
    assert ": scale them to about 1 (of a table each column by itself)" in said(report)


def test_numbers_that_overflow_stop_at_the_first_layer_that_does(models, said):
    report = probe(models.mlp(depth=6, gain=1e12), models.rows())
    assert report.verdict.status == "nonfinite"
    assert "is the first whose forward signal overflows the range of floats" in said(report)
    assert report.output.loss is None
    assert report.layers[-1].flag == "nonfinite"


class Logarithm(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(32, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.second(torch.log(self.first(x))))


def test_nan_is_not_reported_as_overflow(models, said):
    report = probe(Logarithm(), models.rows())
    assert report.verdict.status == report.layers[1].flag == "nonfinite"
    assert "second is the first whose forward signal is not a number" in said(report)
    assert "the operation log makes NaN of finite numbers after first" in said(report)
    model = Logarithm()
    nn.init.constant_(model.second.weight, torch.nan)
    assert "the weights of second are not finite before the pass" in said(probe(model, models.rows()))


def test_the_norm_after_a_convolution_lets_its_gradient_grow(models, said):
    plain, residual = models.resnet((3, 4, 23, 3), 4), models.image()
    report = probe(plain, residual)
    assert report.summary.gradient_span > 2.3
    assert report.verdict.status == "healthy"
    assert "growth of the gradient counts half where norms follow" in said(report)


class Added(nn.Module):
    """A matrix of rank 4 beside a frozen layer, which starts at zero."""

    def __init__(self, width=32):
        super().__init__()
        self.base, self.down, self.up = nn.Linear(width, width), nn.Linear(width, 4), nn.Linear(4, width, bias=False)
        self.base.requires_grad_(False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return torch.relu(self.base(x) + self.up(self.down(x)))


class Checkpointed(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
        return self.layers[-1](x)


def normed():
    weight_norm, spectral_norm = nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm
    return nn.Sequential(
        weight_norm(nn.Linear(32, 16)), nn.PReLU(), spectral_norm(nn.Linear(16, 16, bias=False)), nn.Tanh(),
        nn.Linear(16, 4),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (normed, ["0", "1", "2"]),
        (lambda: nn.Sequential(Added(), Added(), nn.Linear(32, 9)),
         ["0.base", "0.down", "0.up", "1.base", "1.down", "1.up"]),
        (lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 2)), ["1"]),
        (lambda: Checkpointed(nn.Sequential(*[nn.Linear(32, 32) for _ in range(3)])), ["layers.0", "layers.1"]),
        (lambda: nn.TransformerEncoderLayer(32, 4), ["self_attn", "norm1", "linear1", "linear2"]),
    ],
)  # fmt: skip
def test_a_model_is_measured_however_it_is_written(build, names, models):
    report = probe(build(), models.rows() if "self_attn" not in names else torch.randn(5, 7, 32))
    assert [one.name for one in report.layers] == names
    assert (report.verdict.status, report.model.unused) == ("healthy", ())


class Chain(nn.Module):
    """Linear layers of complex numbers, whose parts are those of real ones; the loss is of both parts."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*[nn.Linear(8, 8, bias=False, dtype=torch.complex64) for _ in range(6)])

    def forward(self, z):
        return torch.view_as_real(self.layers(z)).transpose(1, 2).flatten(1)

    def real(self):
        chain = nn.Sequential(*[nn.Linear(16, 16, bias=False) for _ in self.layers])
        for mine, theirs in zip(self.layers, chain, strict=True):
            real, imaginary = mine.weight.detach().real, mine.weight.detach().imag
            theirs.weight.data = torch.cat([torch.cat([real, -imaginary], 1), torch.cat([imaginary, real], 1)])
        return chain


def test_complex_numbers_are_measured_as_their_two_parts():
    model, inputs, targets = Chain(), torch.randn(32, 8, dtype=torch.complex64), torch.randn(32, 16)
    one, other = (
        probe(model, (inputs, targets)),
        probe(model.real(), (torch.cat([inputs.real, inputs.imag], 1), targets)),
    )
    assert (one.verdict.status, len(one.layers)) == (other.verdict.status, 5)
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        for name in ("gradient_ratio", "effective_rank", "activation_rms"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-4)
    with pytest.raises(GradcheckError, match="the model returns complex numbers: give a loss of it"):
        probe(model.layers, inputs)


def test_arrays_of_numpy_are_taken_as_well(models):
    model, inputs, targets = models.mlp(depth=2), models.rows(), torch.randint(10, (64,))
    assert probe(model, (inputs.numpy(), targets.numpy())).to_dict() == probe(model, (inputs, targets)).to_dict()


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.05), ("adam", 1e-3)])
@pytest.mark.parametrize(
    "name", ["he relu", "residual mlp", "vgg with batch norm", "transformer pre", "lstm over 48 steps"]
)
def test_training_makes_no_healthy_model_look_ill(name, optimizer, lr, models):
    torch.manual_seed(0)
    build, inputs = models.HEALTHY[name]
    report = probe(build(), inputs(), steps=15, optimizer=optimizer, lr=lr)
    assert set(report.model.training.statuses) == {"healthy"}


class Gate(nn.Module):
    """Scales its input by two numbers that hardly depend on it."""

    def __init__(self):
        super().__init__()
        self.main, self.gate = nn.Linear(32, 32), nn.Linear(32, 4)
        nn.init.normal_(self.gate.weight[:1], std=0.1)
        with torch.no_grad():
            self.gate.weight[1:] = self.gate.weight[:1]

    def forward(self, x):
        return x + torch.relu(self.main(x)) * torch.sigmoid(self.gate(x)).mean(1, keepdim=True)


def test_rank_is_judged_where_all_of_the_signal_goes_through(models, layer):
    report = probe(nn.Sequential(nn.Linear(32, 32), Gate(), Gate(), nn.Linear(32, 10)), models.rows())
    assert layer(report, "1.gate").effective_rank < 1.8
    assert (report.verdict.status, report.summary.effective_rank_least) == ("healthy", report.layers[0].effective_rank)
    chain = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 4), nn.Linear(4, 32), nn.Linear(32, 10))
    with torch.no_grad():
        chain[1].weight[1:] = chain[1].weight[:1]
    assert probe(chain, models.rows(), trial=False).verdict.status == "collapsed"


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_examples_of_one_number_may_lie_on_a_line(activation, models, said):
    model, times = models.mlp(activation, 3, features=1, init="lecun"), torch.linspace(0, 1, 64).unsqueeze(1)
    report = probe(model, times)
    assert report.summary.effective_rank_least < 1.8
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", True)
    assert "rank" not in said(report)


def test_a_single_example_without_a_batch_has_no_rank(models):
    assert probe(models.mlp(depth=3), torch.randn(32)).verdict.status == "healthy"


def test_layers_are_held_against_those_of_their_kind_and_role(models):
    report = probe(models.Transformer(), models.tokens())
    places = [(one.kind, one.role) for one in report.layers]
    groups = [place if places.count(place) > 1 else (place[0], None) for place in places]
    for group in set(groups):
        alike = [one for one, own in zip(report.layers, groups, strict=True) if own == group]
        for one, following in zip(alike, [*alike[1:], None], strict=True):
            assert one.gradient_ratio == pytest.approx(one.gradient_rms / alike[-1].gradient_rms, rel=1e-9)
            if following is not None:
                assert one.local_gain == pytest.approx(one.gradient_rms / following.gradient_rms, rel=1e-9)
    assert {one.kind for one in report.layers} == {
        "embedding", "attention", "linear over positions", "norm over positions",
    }  # fmt: skip


class Decoder(nn.Module):
    """Pre-norm blocks whose queries, keys and values are linear maps of their own, all N(0, 0.02²)."""

    def __init__(self, blocks=6, width=64):
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(300, width), nn.LayerNorm(width), nn.Linear(width, 300)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(width, width, bias=False) for name in ("query", "key", "value", "out")})
            for _ in range(blocks)
        )
        for one in (*self.blocks.parameters(), self.embedding.weight, self.head.weight):
            nn.init.normal_(one, std=0.02)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            y = nn.functional.layer_norm(x, x.shape[-1:])
            query, key, value = (
                block[name](y).unflatten(-1, (4, -1)).transpose(1, 2) for name in ("query", "key", "value")
            )
            query, key = (one * 0.9 + one.roll(1, -1) * 0.1 for one in (query, key))  # as rotated by position
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + block["out"](mixed.transpose(1, 2).flatten(2))
        return self.head(self.norm(x))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_queries_and_keys_are_held_against_each_other(seed):
    torch.manual_seed(seed)
    report = probe(Decoder(), torch.randint(300, (8, 24)))
    scores = {one.name.rpartition(".")[2] for one in report.layers if one.kind == "linear over positions of scores"}
    assert (scores, report.verdict.status) == ({"query", "key"}, "healthy")
    assert {one.flag for one in report.layers} == {"ok"}


def test_a_softmax_at_the_end_of_a_model_makes_no_scores(models):
    report = probe(nn.Sequential(*models.mlp(depth=3), nn.Softmax(1)), (models.rows(), torch.rand(64, 10)))
    assert {one.kind for one in report.layers} == {"linear"}


class OfOwnFlag(nn.Sequential):
    """Sets its input's flag, as the feature encoders of speech models do in training."""

    def forward(self, x):
        x = x[:, None]
        x.requires_grad = True
        return super().forward(x).squeeze(1)


def test_a_model_may_set_requires_grad_on_its_inputs(models):
    report = probe(OfOwnFlag(*models.mlp(depth=3)), models.rows())
    plain = probe(models.mlp(depth=3), models.rows())
    assert [one.name for one in report.layers] == [one.name for one in plain.layers]
    assert report.summary.effective_rank_least > 3  # all of the signal goes through its layers


def test_a_model_may_change_its_inputs_in_place_and_they_stay_as_they_were(models):
    class InPlace(nn.Sequential):
        def forward(self, x):
            return super().forward(x.mul_(2))

    inputs = models.rows()
    before = inputs.clone()
    assert probe(InPlace(*models.mlp(depth=3)), inputs).verdict.status == "healthy"
    assert torch.equal(inputs, before)


class OwnLoss(nn.Module):
    """Returns its loss, a number, scaled by a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.one, self.other, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)
        self.scale = nn.Parameter(torch.tensor(2.6))

    def forward(self, x):
        y = self.head(torch.tanh(self.other(torch.tanh(self.one(x)))))
        return (self.scale.exp() * y).square().mean()


class Square(nn.Module):
    """Has no layer but itself, and returns a number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 3))

    def forward(self, x):
        return torch.sigmoid((x @ self.weight).square().mean())


@pytest.mark.parametrize(("build", "names"), [(OwnLoss, ["one", "other"]), (Square, ["Square"])])
def test_a_module_with_parameters_of_its_own_may_return_a_number(build, names):
    assert [one.name for one in probe(build(), torch.randn(8, 16)).layers] == names
