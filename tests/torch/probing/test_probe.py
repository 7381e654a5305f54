"""What only a real model has: parameters without gradient, half precision, steps of training, code that fails."""

import collections
import copy
import gc
import re

import pytest

import gradcheck
from gradcheck.errors import GradcheckError, OptionError

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.usefixtures("seeded")


def probe(*arguments, **options):
    return gradcheck.torch.probe(*arguments, **options)


def layer(report, name):
    return next(one for one in report.layers if one.name == name)


def said(report):
    return "\n".join(report.verdict.reasons)


# ---- what receives no gradient


def test_parameters_that_never_receive_a_gradient_are_named(models):
    report = probe(models.Unused(), models.rows())
    assert report.model.unused == ["forgotten.weight", "forgotten.bias", "cut.weight", "cut.bias"]
    assert "forgotten.weight, forgotten.bias, cut.weight and 1 more never receive a gradient" in said(report)
    assert report.verdict.status == "healthy"


def test_a_branch_whose_gate_never_opens_is_dead_though_the_totals_are_fine(models):
    report = probe(models.Gated(), models.rows())
    assert (report.verdict.status, layer(report, "gate").dead_fraction) == ("dead", 1)
    assert {"branch.weight", "gate.weight"} <= set(report.model.zero_gradient)
    assert layer(report, "main").gradient_rms > 0


def test_half_of_a_relu_s_units_at_zero_is_not_death(models):
    report = probe(models.mlp(depth=3), models.rows())
    assert all(one.saturated_fraction > 0.3 and one.dead_fraction < 0.2 for one in report.layers)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (nn.Softmax(1), "the softmax over one unit is 1 whatever goes in"),
        (nn.ReLU(), "the relu behind the read-out is shut for the whole batch"),
        (nn.Sigmoid(), "the sigmoid behind the read-out is saturated to the last digit"),
    ],
)
def test_where_no_gradient_leaves_the_loss_the_report_says_why(end, reason, models):
    head = nn.Linear(64, 1)
    nn.init.constant_(head.bias, -1000.0)
    model = nn.Sequential(*models.mlp(depth=2)[:-1], head, end)
    report = probe(model, (models.rows(), torch.rand(64, 1)))
    assert report.verdict.status == "dead"
    assert report.verdict.reasons[0] == f"no gradient leaves the loss: {reason}"


def test_a_read_out_that_starts_at_zero_is_no_fault(models):
    model = models.mlp(depth=3)
    nn.init.zeros_(model[-1].weight)
    report = probe(model, models.rows())
    assert (report.verdict.status, report.model.opened) == ("healthy", ["6.weight"])
    assert not model[-1].weight.any()


class Scaled(nn.Module):
    """Multiplies each unit by a number of its own, which starts near zero."""

    def __init__(self, shape, start):
        super().__init__()
        self.gate = nn.Parameter(start * torch.ones(shape))

    def forward(self, x):
        return self.gate * x


@pytest.mark.parametrize("start", [1e-6, 1e-3])
def test_a_branch_behind_a_gate_that_is_nearly_shut_is_measured_open(start, models):
    def residual():
        branch = (nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.GELU(), nn.Conv2d(16, 16, 1))
        return models.Residual(nn.Sequential(*branch, Scaled((16, 1, 1), start)))

    model = nn.Sequential(nn.Conv2d(3, 16, 4, 4), residual(), nn.Conv2d(16, 16, 2, 2), residual(), nn.Flatten(),
                          nn.Linear(256, 10))  # fmt: skip
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = probe(model, models.image())
    assert report.verdict.status == "healthy"
    assert report.model.opened == ["1.branch.4.gate", "3.branch.4.gate"]
    assert "start at zero or next to it: measured as the first step of training opens them" in said(report)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.shift = (
            nn.MultiheadAttention(32, 4, batch_first=True),
            nn.Parameter(torch.full((32,), 1e-3)),
        )
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(x + self.attention(x, x, x)[0] + self.shift)


def test_what_is_added_is_no_gate(models):
    report = probe(Shifted(), torch.randn(4, 6, 32), steps=2, lr=1e-3)
    assert (report.verdict.status, report.model.opened) == ("healthy", [])


def test_a_bias_by_another_name_shuts_nothing(models):
    model = nn.Sequential(models.Residual(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), Scaled(32, 0.0))), Shifted())
    assert probe(model, torch.randn(4, 6, 32)).model.opened == ["0.branch.2.gate"]


def test_frozen_layers_are_measured_and_have_no_weight_gradient(models):
    model = models.mlp(depth=3)
    model[0].requires_grad_(False)
    report = probe(model, models.rows())
    assert report.layers[0].gradient_rms > 0
    assert report.layers[0].weight_gradient_norm is None
    assert (report.layers[0].status, report.model.unused) == ("ok", [])


# ---- ways to write a model


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
        assert {**mine, "name": ""} == {**theirs, "name": ""}


def test_a_shared_layer_is_one_layer_whose_uses_are_pooled(models):
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


def test_a_model_that_returns_its_own_loss_is_taken_at_its_word():
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


def test_saturation_by_inputs_that_are_not_scaled_is_told(models):
    report = probe(models.mlp(nn.Tanh, 3, init="lecun"), 100 * models.rows())
    assert report.layers[0].flag == "saturated"
    assert "layer 0 is saturated by its inputs, whose root mean square is" in said(report)


def test_numbers_that_overflow_stop_at_the_first_layer_that_does(models):
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


def test_what_is_no_number_is_not_said_to_overflow(models):
    report = probe(Logarithm(), models.rows())
    assert report.verdict.status == report.layers[1].flag == "nonfinite"
    assert "second is the first whose forward signal is not a number" in said(report)
    assert "between first and it stands a root or logarithm of less than 0" in said(report)
    model = Logarithm()
    nn.init.constant_(model.second.weight, torch.nan)
    assert "weights of second are not finite already" in said(probe(model, models.rows()))


def test_the_norm_behind_a_convolution_lets_its_gradient_grow(models):
    plain, residual = models.resnet((3, 4, 23, 3), 4), models.image()
    report = probe(plain, residual)
    assert report.summary.gradient_span > 2.3
    assert report.verdict.status == "healthy"
    assert "a gradient that grows in front of norms counts half" in said(report)


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
    assert (report.verdict.status, report.model.unused) == ("healthy", [])


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
    with pytest.raises(GradcheckError, match="the model returns complex numbers: give a --loss of it"):
        probe(model.layers, inputs)


def test_arrays_of_numpy_are_taken_as_well(models):
    model, inputs, targets = models.mlp(depth=2), models.rows(), torch.randint(10, (64,))
    assert probe(model, (inputs.numpy(), targets.numpy())).to_dict() == probe(model, (inputs, targets)).to_dict()


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.05), ("adam", 1e-3)])
@pytest.mark.parametrize(
    "name", ["he relu", "residual mlp", "vgg with batch norm", "transformer pre", "lstm over 48 steps"]
)
def test_training_makes_no_healthy_model_look_ill(name, optimizer, lr, models):
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


def test_rank_is_judged_where_all_of_the_signal_goes_through(models):
    report = probe(nn.Sequential(nn.Linear(32, 32), Gate(), Gate(), nn.Linear(32, 10)), models.rows())
    assert layer(report, "1.gate").effective_rank < 1.8
    assert (report.verdict.status, report.summary.effective_rank_least) == ("healthy", report.layers[0].effective_rank)
    chain = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 4), nn.Linear(4, 32), nn.Linear(32, 10))
    with torch.no_grad():
        chain[1].weight[1:] = chain[1].weight[:1]
    assert probe(chain, models.rows()).verdict.status == "collapsed"


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_examples_of_one_number_may_lie_on_a_line(activation, models):
    model, times = models.mlp(activation, 3, features=1, init="lecun"), torch.linspace(0, 1, 64).unsqueeze(1)
    report = probe(model, times)
    assert report.summary.effective_rank_least < 1.8
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", True)
    assert "rank" not in said(report)


def test_a_single_example_without_a_batch_has_no_rank(models):
    assert probe(models.mlp(depth=3), torch.randn(32)).verdict.status == "healthy"


def test_layers_are_held_against_those_of_their_kind(models):
    report = probe(models.Transformer(), models.tokens())
    for kind in {one.kind for one in report.layers}:
        alike = [one for one in report.layers if one.kind == kind]
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


@pytest.mark.parametrize("seed", range(3))
def test_queries_and_keys_are_held_against_each_other(seed):
    torch.manual_seed(seed)
    report = probe(Decoder(), torch.randint(300, (8, 24)))
    scores = {one.name.rpartition(".")[2] for one in report.layers if one.kind == "linear over positions of scores"}
    assert (scores, report.verdict.status) == ({"query", "key"}, "healthy")
    assert {one.flag for one in report.layers} == {"ok"}


def test_a_softmax_at_the_end_of_a_model_makes_no_scores(models):
    report = probe(nn.Sequential(*models.mlp(depth=3), nn.Softmax(1)), (models.rows(), torch.rand(64, 10)))
    assert {one.kind for one in report.layers} == {"linear"}


# ---- the model is left as it was


def test_the_model_is_left_as_it_was(models):
    model = models.vgg().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = torch.randn(4, 3, 32, 32)
    state = torch.random.get_rng_state()
    model[0][0].weight.grad = torch.ones_like(model[0][0].weight)
    probe(model, inputs, steps=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert bool((model[0][0].weight.grad == 1).all())
    assert model[2].weight.grad is None
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())


class Averaging(nn.Module):
    """Puts new buffers in the place of its own, as many do."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(32, 16), nn.Linear(16, 3)
        self.register_buffer("average", torch.zeros(16))
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x):
        y = torch.relu(self.first(x))
        self.average, self.seen = 0.9 * self.average + 0.1 * y.detach().mean(0), self.seen + 1
        return self.head(y - self.average)


def test_buffers_that_a_model_replaces_are_put_back(models):
    model = Averaging()
    before = dict(model.named_buffers())
    probe(model, models.rows(), steps=1)
    assert all(buffer is before[name] for name, buffer in model.named_buffers())
    assert (int(model.seen), bool(model.average.any())) == (0, False)


def test_nothing_of_a_probe_stays_in_memory(models):
    model, inputs = models.mlp(width=128), models.rows()
    sizes = []
    for _ in range(4):
        probe(model, inputs)
        gc.collect()
        sizes.append(sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects()))
    assert sizes[1:] == sizes[1:2] * 3


def test_eval_mode_uses_the_running_statistics(models):
    model, inputs = models.vgg(), 3 * models.image() + 5
    train, evaluated = probe(model, inputs), probe(model, inputs, mode="eval")
    assert evaluated.config.mode == "eval"
    assert train.layers[1].activation_rms != evaluated.layers[1].activation_rms


def test_a_seed_gives_the_same_report(models):
    model, inputs = models.vgg(), models.image()
    one, other = (probe(model, inputs, seed=4).to_dict() for _ in range(2))
    assert one == other


# ---- half precision


def test_half_precision_says_where_the_gradient_underflows(models):
    model, batch = models.mlp(nn.Sigmoid, 16, init="xavier"), (models.rows(), torch.randint(10, (64,)))
    report = probe(model, batch, amp="fp16")
    assert report.model.precision.loss_scale == 65536
    lost = {one["layer"]: one["share"] for one in report.model.precision.underflow}
    assert lost["0"] > 0.5
    assert "22" not in lost
    assert "underflows in fp16 at a loss scale of 65,536" in said(report)


def test_half_precision_measures_the_gradient_unscaled(models):
    model, batch = models.mlp(depth=4), (models.rows(), torch.randint(10, (64,)))
    full, half = probe(model, batch), probe(model, batch, amp="fp16")
    brain = probe(model, batch, amp="bf16")
    for one, other, third in zip(full.layers, half.layers, brain.layers, strict=True):
        assert other.gradient_rms == pytest.approx(one.gradient_rms, rel=0.02)
        assert third.gradient_rms == pytest.approx(one.gradient_rms, rel=0.1)
    assert "no layer's gradient underflows in bf16" in said(brain)


# ---- steps of training


def test_steps_of_training_leave_a_healthy_model_healthy(models):
    report = probe(models.mlp(depth=4), (models.rows(), torch.randint(10, (64,))), steps=20, lr=0.05)
    training = report.model.training
    assert (report.verdict.status, training.sick_from_step) == ("healthy", None)
    assert len(training.losses) == len(training.statuses) == 21
    assert training.losses[-1] < training.losses[0]


def test_steps_are_those_of_the_optimizer(models):
    model, batch = models.mlp(depth=2), (models.rows(), torch.randint(10, (64,)))
    report = probe(model, batch, steps=3, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01))
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.01), []
    for _ in range(4):
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert report.model.training.losses == pytest.approx(losses, rel=1e-4)


def test_an_own_optimizer_is_left_without_state(models):
    model = models.mlp(depth=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    probe(model, models.rows(), steps=2, optimizer=optimizer)
    assert optimizer.state_dict()["state"] == {}


def test_an_own_optimizer_that_has_taken_steps_is_left_with_its_state(models):
    model = models.mlp(depth=2)
    optimizer = torch.optim.Adam(model.parameters())
    model(models.rows()).sum().backward()
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    probe(model, models.rows(), steps=2, optimizer=optimizer)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, state in before["state"].items():
        assert all(torch.equal(after["state"][number][name], value) for name, value in state.items())


def test_a_rate_that_is_too_high_is_named_with_its_step_and_layer(models):
    report = probe(models.mlp(depth=6), (models.rows(), torch.randint(10, (64,))), steps=30, lr=30.0)
    training = report.model.training
    assert report.verdict.status in ("exploding", "nonfinite", "dead", "collapsed")
    assert training.statuses[0] == "healthy"
    assert training.sick_from_step in (1, 2, 3)
    assert f"at step {training.sick_from_step}, {training.first_layer} first, healthy before" in said(report)


def test_a_relu_recurrence_is_healthy_at_the_start_and_explodes(models):
    report = probe(models.StepByStep("relu", 1.1), models.sequence(), steps=40, lr=2.0)
    assert report.model.training.statuses[0] == "healthy"
    assert report.verdict.status == "nonfinite"
    assert report.model.training.losses[-1] is None
    assert report.model.training.first_layer == "cell"


def test_a_deep_transformer_with_norms_behind_its_branches_falls_ill_in_its_first_steps(models):
    report = probe(models.Transformer(pre=False, blocks=18), models.tokens(), steps=10, optimizer="adam", lr=0.01)
    training = report.model.training
    assert training.statuses[0] == "healthy"
    assert report.verdict.status in ("vanishing", "collapsed")
    assert training.sick_from_step <= 5
    assert training.first_layer.startswith("encoder.layers.")


def test_a_function_gives_a_new_batch_for_each_step(models):
    taken = []

    def batch():
        taken.append(len(taken))
        return models.batch()

    probe(models.mlp(depth=2), batch, steps=3)
    assert taken == [0, 1, 2, 3]


# ---- what can't be probed


class Overwriting(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        y = torch.sigmoid(self.first(x))
        z = self.head(y)
        y.zero_()
        return z


@pytest.mark.parametrize(
    ("build", "inputs", "message"),
    [
        (lambda: nn.Sequential(nn.Linear(4, 3)), torch.randn(2, 5), r"0 \(Linear\) was given 2x5 and wants …x4"),
        (lambda: nn.Conv2d(3, 4, 3), torch.randn(2, 1, 8, 8), r"Conv2d \(Conv2d\) was given 2x1x8x8 and wants Nx3xHxW"),
        (nn.ReLU, torch.randn(2, 5), "ReLU has no parameters"),
        (lambda: nn.LazyLinear(3), torch.randn(2, 5), "has lazy modules without weights yet: call it on a batch once"),
        (Overwriting, torch.randn(2, 4), "the gradient can't go back: RuntimeError: one of the variables"),
        (lambda: nn.Embedding(5, 3), torch.tensor([7]), "whole numbers below 5"),
        (lambda: nn.Linear(4, 3), torch.full((2, 4), torch.nan), "has inputs that are not finite, nan"),
    ],
)
def test_a_model_that_cannot_be_run_is_told_in_one_line(build, inputs, message):
    with pytest.raises(GradcheckError, match=message) as caught:
        probe(build(), inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "--loss 'hinge' is unknown"),
        ({"mode": "test"}, "--mode 'test' is unknown"),
        ({"amp": "fp8"}, "--amp 'fp8' is unknown; did you mean 'fp16'"),
        ({"steps": -1}, "--steps -1 is not a whole number of at least 0"),
        ({"steps": 1, "optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"lr": 0.0}, "--lr 0.0 is not a finite number above 0"),
        ({"loss": lambda output, targets: output}, "not one number: take its mean"),
        ({"loss": lambda output, targets: output.detach().sum()}, "doesn't hang on any parameter"),
        ({"loss": lambda output, targets: output.missing}, "can't be computed: AttributeError"),
        ({"vanish_below": 2.0, "explode_above": 1.0}, "--vanish-below 2 is not below"),
    ],
)
def test_an_option_that_cannot_be_is_told_in_one_line(options, message):
    with pytest.raises(GradcheckError, match=message):
        probe(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), torch.randn(3, 4), **options)


def test_what_is_no_module_is_refused():
    with pytest.raises(GradcheckError, match=r"list is no torch\.nn\.Module"):
        probe([1], torch.randn(3, 4))


def test_a_loss_that_is_not_a_number_has_no_gradient_and_says_so():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    report = probe(model, torch.randn(3, 4), lambda output, targets: output.sum() * torch.nan)
    assert report.verdict.status == "nonfinite"


def test_names_with_control_characters_are_shown_not_obeyed():
    model = nn.Sequential()
    model.add_module("a\x1b[31m\nb", nn.Linear(4, 8))
    model.add_module("end", nn.Linear(8, 2))
    report = probe(model, torch.randn(3, 4))
    assert report.layers[0].name == r"a\x1b[31m\nb"
    assert "\x1b" not in str(report)


def test_the_table_shows_the_end_of_a_long_name_and_every_number_whole(models):
    blocks = {f"block_with_a_name_that_says_much_{index}": nn.Linear(32, 32) for index in range(3)}
    encoder = nn.Sequential(collections.OrderedDict(blocks))
    model = nn.Sequential(collections.OrderedDict(encoder_of_the_whole_sequence=encoder, head=nn.Linear(32, 4)))
    shown = str(probe(model, models.rows()))
    rows = re.findall(r"^  (…\S*sequence\.block_with_a_name_that_says_much_(\d)) +(\S+)", shown, re.MULTILINE)
    assert [index for _, index, _ in rows] == ["0", "1", "2"]
    assert all(re.fullmatch(r"\d\.\de-\d\d", gradient) for _, _, gradient in rows)
    assert max(map(len, shown.splitlines())) <= 80


def test_a_model_of_one_layer_has_a_report():
    report = probe(nn.Linear(4, 2), torch.randn(3, 4))
    assert ([one.name for one in report.layers], report.model.readout) == (["Linear"], None)


def test_an_input_error_names_its_option():
    with pytest.raises(OptionError, match="--batch holds no inputs"):
        probe(nn.Linear(4, 2), ((), None))
