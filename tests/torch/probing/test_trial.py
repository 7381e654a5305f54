"""A trial before an accusation: what learns its own batch isn't ill."""

import math
from contextlib import nullcontext
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.diagnosis.chances import chance_of_training  # noqa: E402
from gradcheck.probing.first_loss import FirstLoss  # noqa: E402
from gradcheck.probing.trial import explodes_with_sgd, hold_trial  # noqa: E402
from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.batches import as_batch  # noqa: E402
from gradcheck.torch.probing.training.lesson import Lesson  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

PUBLISHED = (
    "dit", "rezero", "layer scale", "mobile with squeeze and excitation", "norm after the activation", "bert",
    "zero projections", "lora", "translator", "wasserstein critic", "residual blocks without a norm", "highway",
    "hash grid",
)  # fmt: skip


def test_every_published_model_is_tried(published):
    assert set(PUBLISHED) == set(published)


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_architecture_as_published_is_healthy(name, published):
    build, batch, loss = published[name]
    report = probe(build(), batch(), loss)
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", True)


class Neck(nn.Module):
    """A chain that is drawn small, behind a block that has a way round it or hasn't."""

    def __init__(self, *, way_round, std=0.04, width=32):
        super().__init__()
        self.first, self.block, self.head = nn.Linear(16, width), nn.Linear(width, width), nn.Linear(width, 4)
        self.neck = nn.Sequential(*[part for _ in range(8) for part in (nn.Linear(width, width), nn.ReLU())])
        self.way_round = way_round
        for layer in self.neck[::2]:
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = self.first(x)
        x = x + torch.tanh(self.block(x)) if self.way_round else torch.tanh(self.block(x))
        return self.head(self.neck(x))


@pytest.mark.parametrize(("way_round", "status"), [(True, "healthy"), (False, "vanishing")])
def test_no_chain_of_which_next_to_nothing_is_left_is_tried_but_what_has_ways_round_its_layers(way_round, status):
    report = probe(Neck(way_round=way_round), (torch.randn(32, 16), torch.arange(32) % 4), suggest=False)
    assert (report.verdict.status, report.model.elasticity < -5.5) == (status, True)
    assert (report.model.trial is not None) == way_round


@pytest.fixture
def gated(published):
    """Branches of which little arrives at the start, and which train."""
    build, batch, _ = published["layer scale"]
    return build(), batch()


def test_a_model_that_looks_ill_and_learns_is_acquitted_and_the_report_says_why(gated):
    report = probe(*gated)
    accused = probe(*gated, trial=False)
    assert (accused.verdict.status, report.verdict.status) == ("vanishing", "healthy")
    assert {layer.flag for layer in report.layers} == {"ok"}
    trial = report.model.trial
    assert trial.learns
    assert trial.last <= 0.7 * trial.first
    assert report.verdict.causes[0].code == "trial-learns"
    assert accused.model.trial is None


def of_pytorch(activation, depth, width=64):
    """Return a perceptron as PyTorch draws it, and a batch."""
    hidden = [part for _ in range(depth - 1) for part in (nn.Linear(width, width), activation())]
    return nn.Sequential(nn.Linear(32, width), activation(), *hidden, nn.Linear(width, 10)), torch.randn(64, 32)


@pytest.mark.parametrize(("activation", "depth"), [(nn.ReLU, 10), (nn.ReLU, 20), (nn.GELU, 8), (nn.Tanh, 12)])
def test_a_chain_as_pytorch_draws_it_is_healthy_where_adam_trains_it_and_sgd_hardly_does(activation, depth, said):
    report = probe(*of_pytorch(activation, depth))
    assert report.verdict.status == "healthy"
    assert report.verdict.causes[0].code == "needs-adam"
    assert report.verdict.causes[0].value < 0.5
    assert "stay with Adam" in said(report)
    assert chance_of_training(report.verdict) == "Adam trains it with probability 95 %"


@pytest.mark.parametrize(("activation", "depth"), [(nn.ReLU, 30), (nn.Tanh, 24), (nn.Sigmoid, 8)])
def test_a_chain_too_deep_for_the_start_of_pytorch_is_accused(activation, depth):
    verdict = probe(*of_pytorch(activation, depth)).verdict
    assert (verdict.status, verdict.trainable) == ("vanishing", False)
    assert "needs-adam" not in [cause.code for cause in verdict.causes]


def test_a_model_that_learns_its_batch_only_after_many_steps_leaves_a_doubt(said):
    torch.manual_seed(0)
    parts = [part for _ in range(5) for part in (nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU())]
    model, labels = nn.Sequential(nn.Linear(32, 64), *parts, nn.Linear(64, 4)), torch.arange(64) % 4
    with torch.no_grad():
        for layer in parts[1::3]:
            layer.weight.fill_(0.05)
    report = probe(model, (torch.randn(4, 32)[labels] + torch.randn(64, 32) / 2, labels))
    assert report.verdict.status == "healthy"
    assert report.model.trial.steps > 40
    assert report.verdict.causes[0].code == "learns-late"
    assert "it learns its own batch late" in said(report)
    assert "HEALTHY, BUT" in str(report)


def test_a_plain_model_whose_few_inputs_make_the_examples_look_alike_needs_no_adam():
    torch.manual_seed(0)
    places = torch.rand(256, 2) * torch.tensor([1.0, 0.3])
    colours = torch.stack([places[:, 0], places[:, 1], (6 * places.sum(1)).sin()], 1)
    layers = nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 3)
    untried = probe(nn.Sequential(*layers), (places, colours), trial=False).verdict
    assert untried.status == "collapsed"
    assert untried.score < 0.5
    verdict = probe(nn.Sequential(*layers), (places, colours)).verdict
    assert verdict.status == "healthy"
    assert "needs-adam" not in [cause.code for cause in verdict.causes]


def test_the_span_of_a_lesson_is_that_of_the_weights_gradients_per_entry(models):
    lesson = lesson_of(models.mlp(depth=3), (models.rows(), torch.arange(64) % 10))
    with lesson.adam(1e-3) as step:
        step(0)
        sizes = [float(one.grad.square().mean().sqrt()) for one in lesson.trained if one.dim() > 1]
        assert lesson.span() == pytest.approx(math.log10(max(sizes) / min(sizes)), abs=1e-4)


def test_a_first_layer_that_large_inputs_saturate_is_accused_where_it_does_not_learn():
    hidden = [part for width in (768, 64, 64) for part in (nn.Linear(width, 64), nn.Tanh())]
    batch = torch.randint(256, (64, 768)).float(), torch.arange(64) % 10
    report = probe(nn.Sequential(*hidden, nn.Linear(64, 10)), batch)
    assert (report.verdict.status, report.verdict.causes[0].code) == ("vanishing", "large-inputs")
    assert not report.model.trial.learns
    scaled = probe(nn.Sequential(*hidden, nn.Linear(64, 10)), (batch[0] / 127.5 - 1, batch[1]))
    assert (scaled.verdict.status, scaled.model.trial) == ("healthy", None)


def test_the_model_is_left_as_it_was_by_a_trial(gated):
    model, rows = gated
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    probe(model, rows)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_limits_of_ones_own_decide_without_a_trial(gated):
    report = probe(*gated, max_span=0.1)
    assert (report.verdict.status in ("vanishing", "exploding"), report.model.trial) == (True, None)


def test_a_model_that_does_not_learn_is_accused_with_the_trial_beside_it(models, said):
    report = probe(models.mlp(depth=80, width=16), models.rows())
    assert (report.verdict.status, report.model.trial.learns) == ("collapsed", False)
    assert "and it doesn't learn: 40 steps of Adam" in said(report)


def test_what_two_measures_agree_on_is_not_tried(models):
    report = probe(models.mlp(nn.Sigmoid, depth=20, init="xavier"), models.rows())
    assert (report.verdict.status, report.model.trial) == ("vanishing", None)
    assert report.model.elasticity < -4
    assert {"span", "elasticity"} <= {cause.code for cause in report.verdict.causes}


def test_the_elasticity_is_that_of_the_weights_moved_by_their_own_size(models):
    model, rows = models.mlp(depth=3), (models.rows(), torch.arange(64) % 10)
    value = nn.functional.cross_entropy(model(rows[0]), rows[1])
    weights = [one.weight for one in model if isinstance(one, nn.Linear)][:-1]
    gradients = torch.autograd.grad(value, weights)
    expected = sorted(
        math.log10(float((weight.norm() * gradient.norm() / value).detach()))
        for weight, gradient in zip(weights, gradients, strict=True)
    )
    assert probe(model, rows).model.elasticity == pytest.approx(expected[1], abs=1e-5)


def lesson_of(model, batch, loss=None, scale=1.0):
    return Lesson(model, as_batch(batch), loss, 0, scale)


def test_learning_by_heart_does_not_acquit_a_loss_far_above_a_constant_answers(models):
    lesson = lesson_of(models.mlp(depth=3), (models.rows(), torch.arange(64) % 10))
    assert hold_trial(lesson, FirstLoss(constant_answer=2.303, of_batch=2.303)).learns
    assert hold_trial(lesson, FirstLoss(constant_answer=0.01, of_batch=0.01)) is None


def test_a_constant_answer_is_an_output_of_zeros(models):
    lesson = lesson_of(models.mlp(depth=3), (models.rows(), torch.arange(64) % 10), nn.CrossEntropyLoss())
    assert lesson.of_answers()[0] == pytest.approx(math.log(10))


def test_large_inputs_that_make_plain_sgd_explode_are_named(models, said):
    wide = probe(models.mlp(depth=4), (100 * models.rows() + 200, torch.arange(64) % 10))
    assert wide.verdict.status == "exploding"
    assert "ten steps of plain SGD at its usual rate make the loss explode" in said(wide)
    lesson = lesson_of(models.mlp(depth=4), (models.rows(), torch.arange(64) % 10))
    assert not explodes_with_sgd(lesson)


class Stateful(nn.Module):
    """Branches next to nothing, and a graph that is kept from call to call."""

    def __init__(self):
        super().__init__()
        self.first, self.branch, self.head = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 10)
        self.gate, self.calls = nn.Parameter(torch.full((32,), 1e-7)), 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 2:
            raise RuntimeError("called once too often")
        x = self.first(x)
        return self.head(x + self.gate * self.branch(x).tanh())


def test_a_model_that_can_not_be_run_again_is_judged_without_a_trial(models):
    report = probe(Stateful(), (models.rows(), torch.arange(64) % 10))
    assert report.model.trial is None


@pytest.mark.parametrize("classes", [10, 1000])
def test_learning_how_often_each_class_is_there_acquits_nobody(classes):
    layers = [part for _ in range(7) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    report = probe(nn.Sequential(*layers, nn.Linear(16, classes)), (torch.randn(8, 16), torch.arange(8)))
    assert report.verdict.status in ("vanishing", "collapsed")


def test_a_loss_below_zero_is_no_explosion(models):
    batch = (5 * models.rows(), torch.arange(64) % 10)
    report = probe(models.mlp(depth=2), batch, lambda output, y: nn.functional.cross_entropy(output, y) - 5)
    assert report.verdict.status == "healthy"


def test_gates_are_known_by_what_is_beside_them_not_by_their_names():
    class Own(nn.Module):
        def __init__(self, names):
            super().__init__()
            self.names = names
            for name, value in zip(names, (torch.randn(16, 16) / 4, torch.full((16,), 1e-3)), strict=True):
                self.register_parameter(name, nn.Parameter(value))

        def forward(self, x):
            weight, bias = (getattr(self, name) for name in self.names)
            return (x @ weight + bias).sigmoid()

    for names in (("weight", "bias"), ("W", "b")):
        torch.manual_seed(0)
        report = probe(nn.Sequential(*(Own(names) for _ in range(16)), nn.Linear(16, 10)), torch.randn(16, 16))
        assert (report.verdict.status, report.model.trial) == ("vanishing", None)


def test_a_trial_trains_sparse_embeddings_and_calls_no_hook_of_the_users():
    model = nn.Sequential(
        nn.Embedding(50, 16, sparse=True), nn.Flatten(),
        *(part for _ in range(6) for part in (nn.Linear(64, 64), nn.LayerNorm(64), nn.Sigmoid())), nn.Linear(64, 10),
    )  # fmt: skip
    called = []
    for one in model.parameters():
        one.register_post_accumulate_grad_hook(called.append)
    report = probe(model, torch.randint(0, 50, (8, 4)), steps=1)
    assert (report.model.training is not None, called) == (True, [])


def test_the_goal_of_a_trial_does_not_depend_on_what_is_added_to_the_loss(models):
    def margin(output, targets):
        return -(output.log_softmax(1).gather(1, targets[:, None]) * 0.5).mean() - 0.1 * output.mean()

    def goal(shift):
        lesson = lesson_of(models.mlp(depth=3), (models.rows(), torch.arange(64) % 10), lambda *of: margin(*of) + shift)
        return hold_trial(lesson, FirstLoss(), from_zero=False).goal - shift

    torch.manual_seed(0)
    near = goal(0.0)
    torch.manual_seed(0)
    assert goal(-100.0) == pytest.approx(near, abs=1e-3)


def test_a_model_in_half_precision_is_trained_in_a_trial(models):
    lesson = lesson_of(models.mlp(depth=3).half(), (models.rows().half(), torch.arange(64) % 10))
    trial = hold_trial(lesson, FirstLoss(constant_answer=2.303, of_batch=2.303))
    assert trial.learns


def test_a_model_that_takes_derivatives_in_forward_is_tried_before_it_is_accused():
    class Slopes(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [2, *[8] * 8]
            layers = [one for a, b in pairwise(widths) for one in (nn.Linear(a, b), nn.Tanh())]
            self.net = nn.Sequential(*layers, nn.Linear(8, 1))

        def forward(self, x):
            x = x.clone().requires_grad_()
            value = self.net(x)
            return value, torch.autograd.grad(value.sum(), x, create_graph=True)[0]

    x = torch.randn(32, 2)
    report = probe(
        Slopes(), (x, x[:, :1]), lambda output, y: (output[0] - y).square().mean() + output[1].square().mean()
    )
    assert report.model.trial is not None


def test_a_loss_that_the_model_returns_has_no_answers_to_be_held_against():
    class Returns(nn.Module):
        """Its loss may be negative as far as its graph shows."""

        def __init__(self):
            super().__init__()
            self.net = nn.Linear(16, 4)

        def forward(self, x):
            return {"loss": self.net(x).logsumexp(1).mean() - 1, "logits": self.net(x)}

    assert all(map(math.isnan, lesson_of(Returns(), torch.randn(8, 16)).of_answers()))


@pytest.mark.parametrize(("start", "goal"), [(200.0, 140.0), (2000.0, 1700.0), (1.0, -29.0), (-5.0, -305.0)], ids=str)
def test_a_loss_that_starts_well_below_what_outputs_cost_has_a_goal_that_can_be_reached(start, goal):
    class Falls:
        """Outputs of size 1 change its loss by a thousand."""

        def first(self):
            return start

        def of_answers(self):
            return math.nan, 1000.0

        def adam(self, _rate):
            return nullcontext(lambda number: start)

        def span(self):
            return math.nan

    assert hold_trial(Falls(), FirstLoss(), from_zero=False).goal == pytest.approx(goal)


@pytest.mark.parametrize(("learns", "status"), [(True, "healthy"), (False, "exploding")])
def test_inputs_as_large_as_log_spectra_are_borne_where_adam_learns_from_them(learns, status, models, monkeypatch):
    found = hold_trial(lesson_of(models.mlp(depth=3), (models.rows(), torch.arange(64) % 10)), FirstLoss())
    monkeypatch.setattr("gradcheck.probing.trying.hold_trial", lambda *_, **__: found._replace(learns=learns))
    layers = nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    for layer in layers[::2]:
        nn.init.orthogonal_(layer.weight)
    x = torch.randn(64, 16) - 8
    report = probe(nn.Sequential(*layers), (x, x[:, :1].sin()))
    code = "large-inputs" if learns else "inputs-explode"
    assert (report.verdict.status, report.verdict.causes[0].code) == (status, code)


class Still:
    """A lesson whose loss moves by so much in each step, and whose outputs change it by next to nothing."""

    def __init__(self, by):
        self.by = by

    def first(self):
        return 1.0

    def of_answers(self):
        return 1.0, 1e-9

    def adam(self, rate):
        return nullcontext(lambda number: 1.0 - self.by * number)

    def span(self):
        return math.nan


@pytest.mark.parametrize(("by", "learns"), [(1e-9, False), (1e-4, True)])
def test_a_fall_within_rounding_is_not_learning(by, learns):
    assert hold_trial(Still(by), FirstLoss(1.0), from_zero=False).learns is learns
