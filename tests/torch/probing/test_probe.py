"""What receives no gradient, and that the model is left as it was."""

import gc

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


# ---- what receives no gradient


def test_parameters_that_never_receive_a_gradient_are_named(models, said):
    report = probe(models.Unused(), models.rows())
    assert report.model.unused == ("forgotten.weight", "forgotten.bias", "cut.weight", "cut.bias")
    assert "forgotten.weight and forgotten.bias never receive a gradient" in said(report)


def test_a_branch_whose_gate_never_opens_is_dead_though_the_totals_are_fine(models, layer):
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
        (nn.Softmax(1), "the softmax over one unit is 1 for any input"),
        (nn.ReLU(), "the relu after the read-out is shut for the whole batch"),
        (nn.Sigmoid(), "the sigmoid after the read-out is saturated to the last digit"),
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
    assert (report.verdict.status, report.model.opened) == ("healthy", ("6.weight",))
    assert not model[-1].weight.any()


@pytest.mark.parametrize(("classes", "loss"), [(10, "cross-entropy"), (1, "mean-square")])
@pytest.mark.parametrize("trial", [True, False])
def test_a_linear_regression_that_starts_at_zero_is_healthy_and_measured_once_it_has_moved(classes, loss, trial):
    model = nn.Linear(16, classes)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    targets = torch.arange(32) % classes if classes > 1 else torch.randn(32, 1)
    report = probe(model, (torch.randn(32, 16), targets), loss, trial=trial)
    assert (report.verdict.status, report.model.opened) == ("healthy", ("weight",))
    assert not {"units-alike", "forward-zero"} & {cause.code for cause in report.verdict.causes}
    assert not model.weight.any()


def test_a_linear_regression_that_starts_at_zero_and_is_given_the_same_inputs_is_not_healthy():
    model = nn.Linear(16, 4)
    nn.init.zeros_(model.weight)
    report = probe(model, (torch.randn(1, 16).expand(32, 16), torch.arange(32) % 4))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("collapsed", "inputs-alike")


class Scaled(nn.Module):
    """Multiplies each unit by a number of its own, which starts near zero."""

    def __init__(self, shape, start):
        super().__init__()
        self.gate = nn.Parameter(start * torch.ones(shape))

    def forward(self, x):
        return self.gate * x


def test_a_branch_before_a_gate_that_is_nearly_shut_is_held_against_other_such_branches(models):
    def residual():
        branch = (nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.GELU(), nn.Conv2d(16, 16, 1))
        return models.Residual(nn.Sequential(*branch, Scaled((16, 1, 1), 1e-6)))

    model = nn.Sequential(nn.Conv2d(3, 16, 4, 4), residual(), nn.Conv2d(16, 16, 2, 2), residual(), nn.Flatten(),
                          nn.Linear(256, 10))  # fmt: skip
    report = probe(model, models.image(), trial=False)
    assert {layer.flag for layer in report.layers} == {"ok"}
    assert (report.summary.gradient_span < 2.3, report.model.opened) == (True, ())


class Shut(nn.Module):
    """A branch whose first and last maps may both start at zero."""

    def __init__(self, *zero):
        super().__init__()
        self.trunk, self.first, self.last, self.head = (nn.Linear(32, 32, bias=False) for _ in range(4))
        for name in zero:
            nn.init.zeros_(getattr(self, name).weight)

    def forward(self, x):
        x = self.trunk(x)
        return self.head(x + self.last(torch.tanh(self.first(x))))


def test_gates_behind_gates_are_opened_by_steps_of_training_and_put_back(models):
    model = Shut("last", "head")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows, state = models.rows(), torch.random.get_rng_state()
    report = probe(model, rows)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (report.verdict.status, report.model.opened) == ("healthy", ("head.weight", "last.weight"))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())


def test_two_zeros_in_a_row_never_open(models, said):
    report = probe(Shut("first", "last"), models.rows())
    assert (report.verdict.status, report.model.shut) == ("dead", ("first.weight", "last.weight"))
    assert "first.weight and last.weight start at zero and never open" in said(report)


def test_layers_of_one_role_are_compared_and_single_ones_by_kind():
    model = nn.ModuleDict({"stage1": nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32)), "stage2": nn.Linear(32, 32)})

    class Staged(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts, self.first, self.head = model, nn.Linear(32, 32), nn.Linear(32, 4)

        def forward(self, x):
            return self.head(self.parts["stage2"](self.parts["stage1"](self.first(x))))

    report = probe(Staged(), torch.randn(16, 32))
    assert {layer.name: layer.role for layer in report.layers} == {
        "first": "first", "parts.stage1.0": "parts.stage", "parts.stage1.1": "parts.stage",
        "parts.stage2": "parts.stage2",
    }  # fmt: skip
    ratios = {layer.name: layer.gradient_ratio for layer in report.layers}
    assert (ratios["parts.stage1.1"], ratios["parts.stage2"]) == (1.0, 1.0)
    assert ratios["first"] == pytest.approx(report.layers[0].gradient_rms / report.layers[-1].gradient_rms)


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
    assert (report.verdict.status, report.model.opened) == ("healthy", ())


def test_a_bias_by_another_name_shuts_nothing(models):
    model = nn.Sequential(models.Residual(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), Scaled(32, 0.0))), Shifted())
    assert probe(model, torch.randn(4, 6, 32)).model.opened == ("0.branch.2.gate",)


def test_frozen_layers_are_measured_and_have_no_weight_gradient(models):
    model = models.mlp(depth=3)
    model[0].requires_grad_(False)
    report = probe(model, models.rows())
    assert report.layers[0].gradient_rms > 0
    assert report.layers[0].weight_gradient_norm is None
    assert (report.layers[0].status, report.model.unused) == ("ok", ())


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
    train, evaluated = (probe(model, inputs, mode=mode, trial=False) for mode in ("train", "eval"))
    assert evaluated.config.mode == "eval"
    assert train.layers[1].activation_rms != evaluated.layers[1].activation_rms


def test_a_seed_gives_the_same_report(models):
    model, inputs = models.vgg(), models.image()
    one, other = (probe(model, inputs, seed=4).to_dict() for _ in range(2))
    assert one == other


def test_what_lies_behind_a_gate_that_has_just_been_opened_is_compared_with_its_like(layer):
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16))
            self.net = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))
            nn.init.zeros_(self.shift[4].weight)

        def forward(self, x):
            return self.net(x + self.shift(x))

    report = probe(Shifted(), torch.randn(32, 16), trial=False)
    assert (report.verdict.status, report.model.opened) == ("healthy", ("shift.4.weight",))
    assert layer(report, "shift.2").gradient_ratio == 1
    assert report.model.elasticity > -2
