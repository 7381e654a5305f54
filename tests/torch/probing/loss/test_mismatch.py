"""Outputs and targets that don't fit each other."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

INPUTS = torch.randn(32, 8, generator=torch.Generator().manual_seed(1))

NUMBERS = torch.linspace(-1, 1, 32)[:, None]

CLASSES = torch.arange(32) % 4

YES = (INPUTS > 0).float()


def codes(targets, loss=None, *end, units=1):
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, units), *end)
    report = probe(model, (INPUTS, targets), loss, trial=False)
    return [cause.code for cause in report.verdict.causes if cause.code not in ("span", "rank", "first-loss")]


def status(targets, loss=None, *end, units=1):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, units), *end)
    return probe(model, (INPUTS, targets), loss).verdict.status


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_fault_of_the_loss_is_the_verdict_where_the_batch_can_not_be_learnt_with_it():
    assert status(NUMBERS[:, 0], functional.mse_loss) == "not-learning"
    assert status(NUMBERS - 3, functional.mse_loss, nn.ReLU()) == "not-learning"
    assert status((NUMBERS > 0).float(), functional.binary_cross_entropy_with_logits, nn.Sigmoid()) == "not-learning"
    assert status(NUMBERS, functional.mse_loss) == "healthy"


def test_a_fault_that_lets_the_batch_be_learnt_is_a_remark():
    targets = NUMBERS + 0.55  # a fifth of them is out of reach
    assert "out-of-reach" in codes(targets, functional.mse_loss, nn.ReLU())
    assert status(targets, functional.mse_loss, nn.ReLU()) == "healthy"


def square(output, targets):
    return ((output - targets) ** 2).mean()


def absolute(output, targets):
    return (targets - output).abs().mean()


@pytest.mark.parametrize("loss", ["mean-square", square, absolute, functional.smooth_l1_loss, functional.l1_loss])
@pytest.mark.parametrize(("end", "targets"), [
    (nn.ReLU(), NUMBERS), (nn.Softplus(), NUMBERS), (nn.Tanh(), 5 * NUMBERS), (nn.Hardtanh(0, 1), NUMBERS),
])  # fmt: skip
def test_targets_that_the_last_function_cannot_reach_are_named(loss, end, targets):
    assert "out-of-reach" in codes(targets, loss, end)


@pytest.mark.parametrize(("end", "targets"), [
    (nn.ReLU(), NUMBERS + 1), (nn.Sigmoid(), (NUMBERS + 1) / 2), (nn.Tanh(), 1.01 * NUMBERS), (nn.ELU(), NUMBERS),
    (nn.Identity(), 5 * NUMBERS),
])  # fmt: skip
def test_targets_within_reach_or_nearly_are_not(end, targets):
    assert codes(targets, square, end) in ([], ["targets-large"])


def test_an_output_that_the_loss_scales_reaches_further():
    assert codes(5 * NUMBERS, lambda output, targets: square(5 * output, targets), nn.Tanh()) == []


@pytest.mark.parametrize("loss", [square, absolute, functional.mse_loss, functional.huber_loss])
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_shapes_that_are_broadcast_in_the_loss_are_named(loss):
    assert codes(NUMBERS[:, 0], loss) == ["broadcast"]
    assert codes(NUMBERS, loss, nn.Flatten(0)) == ["broadcast"]
    assert codes(NUMBERS, loss) == []


@pytest.mark.parametrize("shape", [(16,), (16, 1)], ids=["broadcast", "alike"])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_one_of_several_targets_that_is_broadcast_is_named(heads, shape):
    class Headed(nn.Module):
        def __init__(self):
            super().__init__()
            self.classes, self.number = nn.Linear(8, 4), nn.Linear(8, 1)

        def forward(self, x):
            return (self.classes(x), self.number(x))[-heads:] if heads > 1 else self.number(x)

    def loss(output, targets):
        if heads == 1:
            return functional.mse_loss(output, targets["number"])
        return functional.cross_entropy(output[0], targets["kind"]) + functional.mse_loss(output[1], targets["number"])

    targets = {"kind": torch.arange(16) % 4, "number": torch.randn(shape)}
    named = [cause.code for cause in probe(Headed(), (torch.randn(16, 8), targets), loss).verdict.causes]
    assert ("broadcast" in named) is (shape == (16,))


def test_differences_of_all_pairs_of_outputs_are_no_broadcast_targets():
    def ranking(output, targets):
        return functional.softplus(-(output - output.T) * (targets[:, None] - targets)).mean()

    assert "broadcast" not in codes(NUMBERS[:, 0], ranking)


@pytest.mark.parametrize("loss", [
    lambda output, targets: square(output[:, 1:2], targets), lambda output, targets: absolute(targets, output[:, :1]),
    lambda output, targets: functional.l1_loss(output[:, :1], targets),
    lambda output, targets: torch.maximum(*[one * (targets - output[:, 1:2]) for one in (0.9, -0.1)]).mean(),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_column_of_an_output_that_is_broadcast_is_named(loss):
    assert codes(NUMBERS[:, 0], loss, units=3) == ["broadcast"]
    assert "broadcast" not in codes(NUMBERS, loss, units=3)
    assert "broadcast" not in codes(NUMBERS[:, 0], lambda o, t: square(o, t[:, None]), units=3)


def policy(weight):
    def loss(output, targets):
        chosen = output.log_softmax(1).gather(1, targets[:, None])[:, 0]
        return -(chosen * weight(chosen)).mean() / 2

    return loss


@pytest.mark.parametrize(("weight", "named"), [
    (lambda chosen: NUMBERS, True), (lambda chosen: (NUMBERS[:, 0] - chosen)[:, None], True),
    (lambda chosen: NUMBERS[:, 0], False), (lambda chosen: NUMBERS[:1], False),
], ids=["a column", "with a graph", "one axis", "one number"])  # fmt: skip
def test_numbers_of_each_example_that_are_multiplied_by_those_of_all_others_are_named(weight, named):
    assert ("broadcast" in codes(CLASSES, policy(weight), units=4)) is named


def test_products_of_all_pairs_that_something_is_made_of_are_meant():
    def hinge(output, targets):
        return functional.relu(1 - output[:, 0] * targets).mean()  # each beside each, as a ranking has them

    assert "broadcast" not in codes(NUMBERS, hinge)


def test_nll_loss_takes_log_probabilities():
    assert codes(CLASSES, functional.nll_loss, nn.Softmax(1), units=4) == ["nll-not-log"]
    assert codes(CLASSES, functional.nll_loss, units=4) == ["nll-not-log"]
    assert codes(CLASSES, functional.nll_loss, nn.LogSoftmax(1), units=4) == []


def test_a_softmax_over_the_examples_is_named_and_not_the_read_outs_size():
    assert codes(CLASSES, functional.nll_loss, nn.LogSoftmax(0), units=4) == ["softmax-over-batch"]


def test_labels_of_a_binary_cross_entropy_lie_between_0_and_1():
    labels = (NUMBERS > 0).float()
    assert "labels-outside" in codes(labels + 1, functional.binary_cross_entropy_with_logits)
    assert codes(labels, functional.binary_cross_entropy_with_logits) == []


def test_labels_that_are_all_the_same_are_named():
    assert codes(torch.ones(32, dtype=torch.int64), "cross-entropy", units=4) == ["labels-alike"]


@pytest.mark.parametrize("end", [nn.Softmax(0), nn.LogSoftmax(0)])
def test_a_softmax_over_the_examples_is_named_whatever_loss_follows(end):
    def loss(output, targets):
        return output.gather(1, targets[:, None]).square().mean()

    assert "softmax-over-batch" in codes(CLASSES, loss, end, units=4)
    assert "softmax-over-batch" not in codes(CLASSES, loss, type(end)(1), units=4)


class Pooled(nn.Module):
    """The weighted sum of an example's parts."""

    def __init__(self, axis):
        super().__init__()
        self.first, self.weight, self.last = nn.Linear(8, 16), nn.Linear(16, 1), nn.Linear(16, 4)
        self.axis = axis

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last((self.weight(h).softmax(self.axis) * h).sum(1))


@pytest.mark.parametrize(("axis", "named"), [(0, True), (1, False)])
def test_a_softmax_over_the_examples_within_the_model_is_named(axis, named):
    report = probe(Pooled(axis), (torch.randn(32, 5, 8), CLASSES))
    (said,) = [one.text for one in report.verdict.causes if one.code == "softmax-over-batch"] or [""]
    assert ("a softmax within the model is taken over the 32 examples (dim=0)" in said) == named


def test_the_parts_of_one_bag_and_steps_that_come_first_are_no_examples():
    class Bag(Pooled):
        def forward(self, x):
            h = torch.tanh(self.first(x))
            return self.last((self.weight(h).softmax(0) * h).sum(0, keepdim=True))

    report = probe(Bag(0), (INPUTS, CLASSES[:1]))
    assert "softmax-over-batch" not in {one.code for one in report.verdict.causes}


def test_labels_that_say_where_the_right_one_of_pairs_is_are_not_called_the_same():
    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))

        def forward(self, x):
            query, keys = self.encoder(x), torch.randn(8, 20)
            return torch.cat([(query * x).sum(1, keepdim=True), query @ keys], 1)

    report = probe(Pairs(), (INPUTS, torch.zeros(32, dtype=torch.int64)))
    assert "labels-alike" not in {one.code for one in report.verdict.causes}


def test_targets_between_0_and_1_do_not_lie_far_from_zero():
    assert codes((NUMBERS + 1) / 2) == []


def test_targets_that_were_drawn_are_not_said_to_be_out_of_reach():
    assert "out-of-reach" in codes(NUMBERS, None, nn.ReLU())
    assert "out-of-reach" not in codes(None, None, nn.ReLU())


@pytest.mark.parametrize("loss", ["cross_entropy", "mse_loss"])
@pytest.mark.parametrize("factor", [-1.0, -0.5])
def test_a_loss_with_the_wrong_sign_is_named(loss, factor):
    targets = torch.arange(16) % 4 if loss == "cross_entropy" else torch.randn(16, 4)
    function = getattr(torch.nn.functional, loss)
    report = probe(nn.Sequential(nn.Linear(8, 4)), (torch.randn(16, 8), targets), lambda o, y: factor * function(o, y))
    assert "loss-negated" in [cause.code for cause in report.verdict.causes]


@pytest.mark.parametrize("factor", [1.0, torch.linspace(-2, -0.1, 16)], ids=["a loss", "negative returns"])
def test_a_loss_of_the_right_sign_is_not(factor):
    def loss(output, targets):
        chosen = output.log_softmax(1).gather(1, targets[:, None])[:, 0]
        return -(chosen * factor).mean()

    report = probe(nn.Sequential(nn.Linear(8, 4)), (torch.randn(16, 8), torch.arange(16) % 4), loss)
    assert "loss-negated" not in [cause.code for cause in report.verdict.causes]


def test_targets_that_a_part_of_the_output_can_not_reach_are_named():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    batch = torch.randn(16, 8), torch.arange(16) % 10

    def loss(output, targets):
        return torch.nn.functional.mse_loss(output[:, 0], targets.float())

    assert "out-of-reach" in [cause.code for cause in probe(model, batch, loss).verdict.causes]


@pytest.mark.parametrize(("given", "named"), [(torch.softmax, True), (torch.log_softmax, False)])
def test_a_divergence_of_probabilities_is_told_from_one_of_their_logarithms(given, named):
    targets = torch.softmax(torch.randn(32, 5, generator=torch.Generator().manual_seed(2)), -1)

    def divergence(output, targets):
        return functional.kl_div(given(output, -1), targets, reduction="batchmean")

    assert ("nll-not-log" in codes(targets, divergence, units=5)) is named


def over_examples(output, targets):
    return functional.nll_loss(torch.log(output.softmax(0) + 1e-8), targets)


def over_examples_first(output, targets):
    return functional.cross_entropy(output.softmax(0), targets)


def over_examples_gathered(output, targets):
    return -torch.log(output.softmax(0).gather(1, targets[:, None])[:, 0] + 1e-8).mean()


def over_classes_gathered(output, targets):
    return -torch.log(output.softmax(1).gather(1, targets[:, None])[:, 0] + 1e-8).mean()


def over_classes(output, targets):
    return functional.nll_loss(torch.log(output.softmax(1) + 1e-8), targets)


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        (over_examples, ["softmax-over-batch"]),
        (over_examples_first, ["softmax-over-batch"]),
        (over_examples_gathered, ["softmax-over-batch"]),
        (over_classes, []),
        (over_classes_gathered, []),
    ],
)
def test_a_softmax_over_the_examples_within_the_loss_is_named_whatever_is_after_it(loss, named):
    assert codes(CLASSES, loss, units=4) == named


@pytest.mark.parametrize(("loss", "units", "targets", "named"), [
    (lambda output, targets: functional.cross_entropy(output.softmax(1), targets), 4, CLASSES, "softmax-twice"),
    (lambda output, targets: functional.binary_cross_entropy_with_logits(output.sigmoid(), targets), 1,
     (NUMBERS > 0).float(), "sigmoid-twice"),
    (lambda output, targets: -torch.distributions.Categorical(logits=output.softmax(1)).log_prob(targets).mean(), 4,
     CLASSES, "softmax-twice"),
], ids=["softmax", "sigmoid", "a distribution's logits"])  # fmt: skip
def test_a_loss_that_squashes_twice_by_itself_is_named(loss, units, targets, named):
    assert codes(targets, loss, units=units) == [named]


class Squashes(nn.Module):
    """The loss of its own, after two functions."""

    def __init__(self, *functions):
        super().__init__()
        self.body, self.functions = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8)), functions

    def forward(self, x):
        first, last = self.functions
        return last(first(self.body(x))).sum(1).mean()


@pytest.mark.parametrize(("functions", "named"), [
    ((torch.sigmoid, lambda one: functional.binary_cross_entropy_with_logits(one, YES, reduction="none")), True),
    ((torch.sigmoid, lambda one: functional.binary_cross_entropy(one, YES, reduction="none")), False),
    ((torch.sigmoid, lambda one: torch.sigmoid(20 * (one - 0.5))), False),
], ids=["a loss of logits", "of probabilities", "a sharper step"])  # fmt: skip
def test_a_model_with_a_loss_of_its_own_that_squashes_twice_is_named(functions, named):
    report = probe(Squashes(*functions), (INPUTS,), trial=False)
    assert ("sigmoid-twice" in [cause.code for cause in report.verdict.causes]) is named


@pytest.mark.parametrize("moved", [lambda output: output.view(32, 2, 4), lambda output: output.view(32, 4, 2)])
def test_a_dense_read_out_of_several_choices_may_be_cut_at_will(moved):
    def loss(output, targets):
        logits = moved(output)
        return functional.cross_entropy(logits, targets[:, : logits.shape[2]])

    assert codes(torch.arange(128).reshape(32, 4) % 2, loss, units=8) == []


@pytest.mark.parametrize(
    "loss",
    [
        lambda output, targets: functional.nll_loss(functional.log_softmax(output, 0).t(), targets[:4] % 32),
        lambda output, targets: functional.cross_entropy(20 * output.softmax(1), targets),
        lambda output, targets: torch.sigmoid(50 * (output.sigmoid() - 0.5)).square().mean(),
    ],
    ids=["transposed", "scaled", "threshold"],
)
def test_a_softmax_on_another_axis_or_scaled_on_purpose_is_no_fault(loss):
    assert codes(CLASSES, loss, units=4) == []
