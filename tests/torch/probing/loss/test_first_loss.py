"""The loss where training starts, beside what a constant answer costs."""

import math
from functools import partial

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.loss.first_loss import first_loss  # noqa: E402
from gradcheck.torch.probing.loss.losses import Loss  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

INPUTS = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))

CLASSES = torch.arange(16) % 4

NUMBERS = torch.linspace(-1, 3, 64).reshape(16, 4)


def mlp(gain=1.0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))
    with torch.no_grad():
        model[-1].weight.mul_(gain)
    return model


def probed(targets, loss=None, gain=1.0, **options):
    return probe(mlp(gain), (INPUTS, targets), loss, **options)


VARIANCE = float(NUMBERS.var(correction=0))


@pytest.mark.parametrize(
    ("targets", "loss", "answer", "classes"),
    [
        (CLASSES, "cross-entropy", math.log(4), 4),
        (CLASSES, functional.cross_entropy, math.log(4), 4),
        (functional.one_hot(CLASSES).float(), "cross-entropy", math.log(4), 4),
        (functional.one_hot(CLASSES).float(), functional.binary_cross_entropy_with_logits, math.log(2), 2),
        (NUMBERS, "mean-square", VARIANCE, None),
        (NUMBERS, functional.mse_loss, VARIANCE, None),
        (NUMBERS, lambda output, targets: ((targets - output) ** 2).mean(), VARIANCE, None),
        (NUMBERS, lambda output, targets: (targets - output).abs().mean(), None, None),
        (CLASSES, lambda output, targets: functional.cross_entropy(output, targets, reduction="sum"), None, None),
    ],
)
def test_a_constant_answer_costs_what_the_loss_says(targets, loss, answer, classes):
    found = probed(targets, loss).model.loss
    assert found.constant_answer == (None if answer is None else pytest.approx(answer, rel=1e-5))
    assert found.classes == classes


def test_the_first_loss_is_said_beside_it():
    report = probed(CLASSES)
    assert report.model.loss.first == report.output.loss
    (said,) = (cause for cause in report.verdict.causes if cause.code == "first-loss")
    assert (said.value, said.limit) == (report.model.loss.first, report.model.loss.constant_answer)
    assert said.text.endswith("; guessing among 4 classes costs 1.386")


def test_the_first_loss_is_that_before_any_step_and_of_no_opened_gate():
    assert probed(CLASSES, gain=0.0, steps=3).model.loss.first == probed(CLASSES, gain=0.0).model.loss.first
    model = mlp()
    nn.init.zeros_(model[-1].weight)
    nn.init.zeros_(model[-1].bias)
    report = probe(model, (INPUTS, CLASSES))
    assert report.model.opened
    assert report.model.loss.first == report.output.loss == pytest.approx(math.log(4), rel=1e-6)


def codes(report):
    return {cause.code: cause for cause in report.verdict.causes}


def test_a_read_out_that_is_too_large_is_named_and_no_layer_is_accused():
    report = probed(CLASSES, gain=100.0)
    assert (report.verdict.status, report.verdict.causes[0].code) == ("healthy", "readout-large")
    assert report.verdict.causes[0].value == pytest.approx(report.output.logit_rms, rel=1e-4)
    assert "its weights smaller" in report.verdict.causes[0].text
    assert "readout-large" not in codes(probed(CLASSES))


def test_what_a_recurrence_has_made_large_is_not_laid_to_the_read_out():
    class Last(nn.Module):
        def __init__(self, gain):
            super().__init__()
            self.recurrence, self.head = nn.RNN(8, 32, nonlinearity="relu", batch_first=True), nn.Linear(32, 4)
            nn.init.orthogonal_(self.recurrence.weight_hh_l0, gain)

        def forward(self, x):
            return self.head(self.recurrence(x)[0][:, -1])

    sequences = torch.randn(16, 80, 8)
    cause = codes(probe(Last(1.4), (sequences, torch.arange(16) % 4)))["readout-large"]
    assert "since what recurrence gives is large" in cause.text
    assert "readout-large" not in codes(probe(Last(1.0), (sequences, torch.arange(16) % 4)))


def test_inputs_that_are_too_large_are_named_in_its_place_and_no_probability_is_given():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    pixels = 128 + 60 * INPUTS
    found = probe(model, (pixels, CLASSES), trial=False)
    assert "inputs-large" in codes(found)
    assert "readout-large" not in codes(found)
    assert codes(found)["inputs-large"].value == pytest.approx(float(pixels.square().mean().sqrt()), rel=1e-3)
    assert "no probability of training is given" in str(found).replace("\n", " ").replace("            ", "")
    assert "inputs-large" not in codes(probe(model, ((pixels - 128) / 60, CLASSES), trial=False))


class Sum(nn.Module):
    """A residual block without a norm, with He's matrices in its branch, times a scale."""

    def __init__(self, width, scale):
        super().__init__()
        self.scale, self.fc1, self.fc2 = scale, nn.Linear(width, width), nn.Linear(width, width)
        for one in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(one.weight, nonlinearity="relu")

    def forward(self, x):
        return x + self.scale * self.fc2(torch.relu(self.fc1(x)))


@pytest.mark.parametrize("depth", [8, 16])
def test_blocks_whose_sum_grows_are_named_before_the_read_out_and_a_loss_is_said_once(depth, said):
    def residual(scale):
        return nn.Sequential(*(Sum(32, scale) for _ in range(depth)), nn.Linear(32, 4))

    batch = torch.randn(32, 32), torch.arange(32) % 4
    report = probe(residual(1.0), batch, trial=False)
    assert report.verdict.causes[0].code == "branches-grow"
    assert {"readout-large", "starts-far"}.isdisjoint(codes(report))
    assert said(report).count(f"{report.model.loss.first:.4g}") == 1
    remedy = codes(probe(residual(depth**-0.5), batch, trial=False))
    assert {"branches-grow", "readout-large", "starts-far"}.isdisjoint(remedy)


class Normed(nn.Module):
    """A residual block with a norm in front, which makes much of a signal that is next to nothing."""

    def __init__(self):
        super().__init__()
        self.norm, self.fc1, self.fc2 = nn.LayerNorm(32), nn.Linear(32, 32), nn.Linear(32, 32, bias=False)
        nn.init.zeros_(self.fc1.bias)

    def forward(self, x):
        return x + self.fc2(torch.tanh(self.fc1(self.norm(x))))


def test_branches_that_grow_are_not_named_where_the_model_learns_and_its_loss_starts_as_usual():
    torch.manual_seed(0)
    first = nn.Linear(8, 32, bias=False)
    with torch.no_grad():
        first.weight.mul_(1e-6)
    model = nn.Sequential(first, *(Normed() for _ in range(6)), nn.Linear(32, 4, bias=False))
    batch = torch.randn(32, 8), torch.arange(32) % 4
    suspected = probe(model, batch, trial=False)
    assert (suspected.verdict.status, "branches-grow" in codes(suspected)) == ("exploding", True)
    acquitted = probe(model, batch)
    assert (acquitted.verdict.status, "branches-grow" in codes(acquitted)) == ("healthy", False)


class OverNeighbours(nn.Module):
    """A graph convolution of many layers without skips, which sums over neighbours or takes their mean."""

    def __init__(self, normalised):
        super().__init__()
        torch.manual_seed(0)
        self.normalised = normalised
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(8))
        self.end = nn.Linear(16, 4)

    def forward(self, x, edges):
        edges = edges / edges.sum(1, keepdim=True) if self.normalised else edges
        for layer in self.layers:
            x = torch.relu(layer(edges @ x))
        return self.end(x)


@pytest.mark.parametrize("normalised", [True, False])
def test_layers_that_give_ever_more_are_no_residual_blocks_where_nothing_is_added(normalised):
    edges = (torch.rand(64, 64, generator=torch.Generator().manual_seed(1)) < 0.2).float() + torch.eye(64)
    report = probe(OverNeighbours(normalised), ((torch.randn(64, 16), edges), torch.arange(64) % 4), trial=False)
    assert "branches-grow" not in codes(report)
    assert ("layers-grow" in codes(report)) == (not normalised)


def test_a_loss_that_starts_far_off_is_said_once(said):
    report = probed(CLASSES, gain=1e4)
    assert "starts-far" in codes(report)
    assert {"readout-large", "first-loss"}.isdisjoint(codes(report))


def test_targets_far_from_zero_are_named_in_its_place():
    found = codes(probed(NUMBERS + 100, "mean-square"))
    assert "targets-large" in found
    assert "readout-large" not in found


class Scaled(nn.Module):
    """A model that scales its pixels itself."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.net = factor, nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x):
        return self.net(x.float() * self.factor)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_pixels_are_measured_as_the_first_layer_gets_them(kind):
    pixels = torch.randint(0, 256, (16, 8)).to(kind)
    assert "inputs-large" in codes(probe(Scaled(1.0), (pixels, CLASSES), trial=False))
    assert "inputs-large" not in codes(probe(Scaled(1 / 128), (pixels, CLASSES), trial=False))


def wide(targets, loss="mean-square"):
    causes = probe(mlp(), (INPUTS, targets), loss, trial=False).verdict.causes
    return [round(cause.value) for cause in causes if cause.code == "targets-wide"]


def spread(deviation, mean=0.0):
    drawn = torch.randn(16, 4, generator=torch.Generator().manual_seed(2))
    return mean + deviation * (drawn - drawn.mean()) / drawn.std(correction=0)


def test_targets_of_a_large_deviation_are_a_remark_with_it():
    assert wide(spread(1000)) == [1000]
    assert wide(spread(101, mean=-1e3)) == [101]
    assert probe(mlp(), (INPUTS, spread(1000)), "mean-square").verdict.status == "healthy"


@pytest.mark.parametrize(
    ("targets", "loss"),
    [
        (spread(1), "mean-square"),
        (spread(10), "mean-square"),
        (spread(99), "mean-square"),
        (spread(10, mean=5000), "mean-square"),
        (torch.arange(64.0).reshape(16, 4) * 4, "mean-square"),  # pixels
        (spread(1000), functional.l1_loss),
        (spread(1000), functional.huber_loss),
        (spread(1000).sigmoid(), functional.binary_cross_entropy_with_logits),
        (CLASSES, "cross-entropy"),
        (spread(1000).softmax(1), "cross-entropy"),
    ],
)
def test_other_targets_are_none(targets, loss):
    assert wide(targets, loss) == []


@pytest.mark.parametrize(("deviation", "explodes"), [(10, False), (100, True)])
def test_plain_sgd_explodes_where_targets_are_as_wide_as_that(deviation, explodes):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 4))
    optimizer, targets = torch.optim.SGD(model.parameters(), lr=0.01), spread(deviation)
    for _ in range(100):
        loss = functional.mse_loss(model(INPUTS), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (not loss.item() < deviation**2) is explodes


def test_a_softmax_taken_twice_says_below_what_its_loss_can_not_fall():
    torch.manual_seed(0)
    labels = torch.randint(10, (64,))
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(1))
    report = probe(model, (torch.randn(64, 8), labels), "cross-entropy")
    fails = next(cause.text for cause in report.verdict.causes if cause.code == "trial-fails")
    assert fails.endswith("; with a softmax twice it can't be below 1.46")
    assert report.verdict.causes[0].code == "softmax-twice"


def of_ones(**weights):
    """A binary cross-entropy of a single column."""
    return lambda output, targets: functional.binary_cross_entropy_with_logits(output[:, 0], targets.float(), **weights)


UNEVEN = torch.tensor([0] * 60 + [1] * 4)
HEAVY = torch.tensor([1.0, 15.0])  # both classes weigh as much


@pytest.mark.parametrize(
    ("outputs", "targets", "loss", "answer", "of_batch"),
    [
        (2, UNEVEN, functional.cross_entropy, math.log(2), 0.234),
        (2, UNEVEN, partial(functional.cross_entropy, weight=HEAVY), math.log(2), math.log(2)),
        (1, UNEVEN, of_ones(), math.log(2), math.log(2)),
        (1, UNEVEN, of_ones(pos_weight=torch.tensor(15.0)), 120 / 64 * math.log(2), 120 / 64 * math.log(2)),
        (1, UNEVEN, of_ones(weight=torch.tensor(3.0)), 3 * math.log(2), 3 * math.log(2)),
        (1, UNEVEN * 0.5 + 0.25, of_ones(), math.log(2), math.nan),
        (2, torch.nn.functional.one_hot(UNEVEN) * 0.5 + 0.25, "cross-entropy", math.log(2), math.nan),
        (2, UNEVEN, partial(functional.cross_entropy, reduction="sum"), math.nan, math.nan),
        (2, UNEVEN, partial(functional.cross_entropy, label_smoothing=0.1), math.nan, math.nan),
    ],
    ids=["plain", "weights", "binary", "pos_weight", "weight", "soft binary", "soft", "sum", "smoothed"],
)
def test_what_guessing_costs_depends_on_the_weights_of_classes_and_is_unknown_of_soft_targets(
    outputs, targets, loss, answer, of_batch
):
    values = torch.randn(64, outputs, requires_grad=True)
    chosen = Loss("cross-entropy" if loss == "cross-entropy" else "own", functional.cross_entropy)
    first = first_loss(chosen, values, targets, (chosen.function if isinstance(loss, str) else loss)(values, targets))
    assert first.constant_answer == pytest.approx(answer, nan_ok=True)
    assert first.guessing == pytest.approx(of_batch, abs=1e-3, nan_ok=True)


def test_what_a_frozen_teacher_gives_is_what_a_student_is_compared_with():
    inputs = torch.randn(64, 8, requires_grad=True)
    student, teacher = nn.Linear(8, 4), nn.Linear(8, 4).requires_grad_(False)
    wanted, own = teacher(inputs), Loss("own", functional.mse_loss)
    first = first_loss(own, student(inputs), None, functional.mse_loss(student(inputs), wanted))
    assert first.constant_answer == pytest.approx(float(wanted.detach().var(correction=0)))
    both = first_loss(own, student(inputs), None, functional.mse_loss(student(inputs), 2 * student(inputs)))
    assert math.isnan(both.constant_answer)


@pytest.mark.parametrize(("units", "shape", "made"), [(1, (64,), "64x64"), (1, (64, 1), ""), (4, (64, 4), "")])
def test_targets_that_a_loss_of_ones_own_would_broadcast_are_said_to_be_given_the_outputs_shape(units, shape, made):
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, units))
    report = probe(model, (torch.randn(64, 8), torch.randn(shape)), "mean-square", trial=False)
    (said,) = (cause.text for cause in report.verdict.causes if cause.code == "first-loss")
    given = f"; targets of 64 were given the outputs' shape 64x1: a loss of your own would make {made}"
    assert (report.verdict.status, said.endswith(given)) == ("healthy", bool(made))


class Ends(nn.Module):
    """Features of each example, of which the outputs are made as a function says."""

    def __init__(self, units, made, scale=1.0):
        super().__init__()
        self.body, self.made = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, units)), made
        with torch.no_grad():
            self.body[-1].weight.mul_(scale)

    def forward(self, x):
        return self.made(self.body(x))


def test_log_probabilities_are_as_large_as_logits_without_what_is_common_to_all_classes():
    model = Ends(100, nn.LogSoftmax(dim=1), scale=0.05)
    report = probe(model, (INPUTS, torch.arange(16)), functional.nll_loss)
    assert report.verdict.status == "healthy"
    assert report.model.trial is None
    outputs = model(INPUTS)
    first = first_loss(Loss("nll_loss", functional.nll_loss), outputs, CLASSES, functional.nll_loss(outputs, CLASSES))
    logits = model.body(INPUTS).detach()
    assert first.output_rms == pytest.approx(float((logits - logits.mean(1, keepdim=True)).square().mean().sqrt()))


NAMES = functional.normalize(torch.randn(4, 32, generator=torch.Generator().manual_seed(2)), dim=1)


@pytest.mark.parametrize(("number", "margin"), [(64.0, 0.0), (30.0, 0.4)])
def test_cosines_times_a_number_may_start_as_high_as_that_makes_them(number, margin):
    def loss(cosines, labels):
        return functional.cross_entropy(number * (cosines - margin * functional.one_hot(labels, 4)), labels)

    report = probe(Ends(32, lambda x: functional.normalize(x, dim=1) @ NAMES.T, 6.0), (INPUTS, CLASSES), loss)
    assert report.model.loss.first > 3 * math.log(4)
    assert (report.verdict.status, "readout-large" in [one.code for one in report.verdict.causes]) == ("healthy", False)


def test_products_are_as_large_as_vectors_have_numbers_whatever_else_the_read_out_gives(said):
    def loss(outputs, labels):
        first = outputs.unflatten(1, (4, 64))[:, 0]
        return functional.cross_entropy(first[:8] @ first[8:].T, torch.arange(8))

    report = probe(Ends(256, lambda x: x, scale=6.0), (INPUTS, CLASSES), loss)
    assert "products of outputs of 64 numbers each" in said(report)


def test_outputs_that_are_a_sum_of_the_read_outs_are_said_to_be(said):
    model = Ends(64, lambda x: x.sum(1, keepdim=True), scale=3.0)
    report = probe(model, (INPUTS, torch.randn(16, 1)))
    cause = next(one for one in report.verdict.causes if one.code == "readout-large")
    assert cause.value == pytest.approx(float(model(INPUTS).detach().square().mean().sqrt()))
    assert "they are made of the read-out's" in said(report)


def test_outputs_from_which_a_number_is_taken_are_said_to_lie_around_it(said):
    report = probe(Ends(4, lambda x: 2 * x - 3, scale=0.1), (INPUTS, torch.randn(16, 4)))
    assert "the outputs lie around -3.0" in said(report)
