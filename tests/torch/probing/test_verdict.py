"""Healthy and sick models from torch.nn: the verdict, at any scale of the loss."""

import pytest

import gradcheck

torch = pytest.importorskip("torch")

#: One is enough for each run, others prove it again.
SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2)))

ARCHITECTURES = (
    "mlp", "residual mlp", "vgg", "resnet", "unet", "transformer pre", "transformer post", "lstm",
    "lstm of three layers", "gru", "rnn cell", "mixer", "embedding bag", "shared",
)  # fmt: skip
HEALTHY = (
    "he relu", "wide he relu", "tanh at the critical gain", "residual mlp", "default mlp", "vgg with batch norm",
    "resnet", "unet", "transformer pre", "mixer", "lstm over 48 steps", "gru over 48 steps", "tanh cell over 48 steps",
)  # fmt: skip
SICK = (
    "deep sigmoid", "relu, gain too small", "relu, gain too large", "tanh ordered", "tanh chaotic",
    "he relu, far too deep", "dead by its bias", "vgg without norm", "a gate that never opens", "softmax over one unit",
)  # fmt: skip


def scaled(factor):
    """Cross-entropy with invented labels, times a factor; of a single output the mean square."""

    def loss(output, targets):
        if output.shape[-1] == 1:
            return factor * output.square().mean()
        logits = (output.movedim(1, -1) if output.dim() == 4 else output).flatten(0, -2)
        labels = torch.randint(logits.shape[1], (len(logits),), generator=torch.Generator().manual_seed(0))
        return factor * torch.nn.functional.cross_entropy(logits, labels)

    return loss


@pytest.fixture
def probed(models):
    """A builder, its inputs, a seed ↦ a report."""

    def run(build, inputs, seed, loss=None):
        torch.manual_seed(seed)
        model, given = build(), inputs()
        return gradcheck.torch.probe(model, given, loss, seed=seed)

    return run


def test_every_model_is_tried(models):
    assert (set(models.ARCHITECTURES), set(models.HEALTHY), set(models.SICK)) == (
        set(ARCHITECTURES), set(HEALTHY), set(SICK),
    )  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_from_torch_nn_is_measured_layer_by_layer(name, models, probed):
    build, inputs = models.ARCHITECTURES[name]
    report = probed(build, inputs, 0)
    named = dict(build().named_modules())
    assert all(layer.name in named for layer in report.layers)
    assert report.model.readout in named
    assert report.model.readout not in {layer.name for layer in report.layers}
    assert all(layer.gradient_rms > 0 and layer.weight_gradient_norm is not None for layer in report.layers)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_module_with_weights_is_a_layer_or_the_read_out(name, models, probed):
    build, inputs = models.ARCHITECTURES[name]
    report = probed(build, inputs, 0)
    leaves = {
        path
        for path, module in build().named_modules()
        if not list(module.children()) and list(module.parameters()) and not path.endswith("out_proj")
    }
    assert leaves <= {*(layer.name for layer in report.layers), report.model.readout}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", HEALTHY)
def test_no_healthy_model_is_accused(name, seed, models, probed):
    build, inputs = models.HEALTHY[name]
    report = probed(build, inputs, seed)
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", True)
    assert {layer.flag for layer in report.layers} == {"ok"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SICK)
def test_a_sick_model_is_named_by_its_kind(name, seed, models, probed):
    build, inputs, status = models.SICK[name]
    report = probed(build, inputs, seed)
    assert (report.verdict.status, report.verdict.trainable) == (status, False)


@pytest.mark.parametrize(
    ("name", "factor"), [(name, (1e-8, 65536.0)[place % 2]) for place, name in enumerate([*HEALTHY, *SICK])]
)
def test_the_scale_of_the_loss_changes_nothing(name, factor, models, probed):
    build, inputs, *status = (models.SICK | models.HEALTHY)[name]

    def with_targets():
        given = inputs()
        return given, torch.zeros(len(given))

    one, other = (probed(build, with_targets, 0, scaled(scale)) for scale in (1.0, factor))
    assert one.verdict.status == (status[0] if status else "healthy")
    assert other.verdict.status == one.verdict.status
    assert [layer.flag for layer in other.layers] == [layer.flag for layer in one.layers]
    spans = [report.summary.gradient_span for report in (one, other)]
    assert spans == [None, None] or spans[1] == pytest.approx(spans[0], rel=1e-3, abs=1e-3)
    assert other.verdict.score == pytest.approx(one.verdict.score, abs=1e-2)


def test_a_vgg_is_not_judged_by_the_gradient_of_an_entry(models, probed):
    report = probed(*models.HEALTHY["vgg with batch norm"], 0)
    convolutions = [layer for layer in report.layers if layer.kind == "convolution"]
    positions = 32 * 32 / 4  # the first convolution has 1024 of them, the last four
    per_entry = convolutions[0].gradient_ratio / (positions * convolutions[0].fan_out / convolutions[-1].fan_out) ** 0.5
    assert convolutions[0].gradient_ratio > 1 > per_entry


def test_outputs_beyond_all_reason_are_an_explosion_whatever_a_trial_would_bring():
    class Autoencoder(torch.nn.Module):
        """A variational one whose log-variances start at `start`."""

        def __init__(self, start):
            super().__init__()
            self.encoder, self.decoder = torch.nn.Linear(32, 16), torch.nn.Linear(8, 32)
            torch.nn.init.constant_(self.encoder.bias[8:], start)

        def forward(self, x):
            mean, log_variance = self.encoder(x).chunk(2, 1)
            return self.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp()), mean, log_variance

    def loss(output, x):
        made, mean, log_variance = output
        prior = log_variance.exp() + mean.square() - 1 - log_variance
        return torch.nn.functional.mse_loss(made, x) + 0.005 * prior.mean()

    rows = torch.randn(64, 32)
    verdicts = [gradcheck.torch.probe(Autoencoder(start), (rows, rows), loss).verdict for start in (-2.0, 60.0)]
    assert [one.status for one in verdicts] == ["healthy", "exploding"]
    assert verdicts[1].causes[0].code == "output-size"


def test_outputs_as_large_as_their_targets_are_no_explosion():
    model, rows = (
        torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)),
        torch.randn(64, 16),
    )
    torch.nn.init.constant_(model[2].bias, 250_000.0)
    for targets, said in [(250_000 + torch.randn(64, 1), False), (torch.randn(64, 1), True)]:
        verdict = gradcheck.torch.probe(model, (rows, targets), torch.nn.L1Loss()).verdict
        assert ("output-size" in {one.code for one in verdict.causes}) is said
        assert (verdict.status == "exploding") is said
