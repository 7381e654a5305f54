"""What is to be trained and gets no gradient."""

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Two(nn.Module):
    """A part, and layers that may or may not depend on it."""

    def __init__(self, joined, part=None):
        super().__init__()
        self.part = part or nn.Linear(8, 8)
        self.body, self.head = nn.Sequential(nn.Linear(8, 8), nn.Tanh()), nn.Linear(8, 3)
        self.joined = joined

    def forward(self, x):
        return self.joined(self, x)


def without_gradient(model, x):
    with torch.no_grad():
        part = model.part(x)
    return model.head(model.body(x) + part)


CUT = {
    "detach": lambda model, x: model.head(model.body(x) + model.part(x).detach()),
    "data": lambda model, x: model.head(model.body(x) + model.part(x).data),
    "no_grad": without_gradient,
    "numpy": lambda model, x: model.head(model.body(x) + torch.from_numpy(model.part(x).detach().numpy().copy())),
    "numbers": lambda model, x: model.head(model.body(x) + torch.tensor(model.part(x).tolist())),
    "before all others": lambda model, x: model.head(model.body(model.part(x).detach())),
}


def lost(joined, part=None, change=None):
    model = Two(joined, part)
    if change is not None:
        change(model)
    report = probe(model, torch.randn(16, 8))
    return report.verdict.status, report.model.lost


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_trained_layer_that_the_loss_depends_on_and_no_gradient_reaches_is_lost(cut):
    assert lost(cut) == ("no-gradient", ("part",))


def test_a_frozen_layer_is_not_lost_but_counted():
    model = Two(CUT["detach"])
    model.part.requires_grad_(False)
    report = probe(model, torch.randn(16, 8))
    assert (report.verdict.status, report.model.lost) == ("healthy", ())
    assert report.model.frozen == ("part.weight", "part.bias")
    assert "2 of 6 parameters are frozen: not trained, and not judged" in report.verdict.reasons


def chance_of(model):
    report = probe(model, torch.randn(16, 8), "mean-square")
    said = "no probability of training is given: it depends on what is frozen" in " ".join(str(report).split())
    return report.verdict.status, [one.code for one in report.verdict.causes if "frozen" in one.code], said


def deep():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2)
    )


def test_where_most_of_a_model_is_frozen_in_front_of_what_is_trained_no_probability_is_given():
    model = deep()
    model[:4].requires_grad_(False)
    assert chance_of(model) == ("healthy", ["frozen-body"], True)


@pytest.mark.parametrize("frozen", [[], [0], [6]])
def test_a_model_of_which_little_is_frozen_has_a_probability(frozen):
    model = deep()
    for place in frozen:
        model[place].requires_grad_(False)
    status, codes, said = chance_of(model)
    assert (status, codes, said) == ("healthy", ["frozen"] * len(frozen), False)


def test_a_frozen_branch_that_no_gradient_reaches_is_not_judged():
    model = Two(lambda model, x: model.head(model.body(x) + 0 * model.part(x)))
    model.part.requires_grad_(False)
    report = probe(model, torch.randn(16, 8))
    assert report.verdict.status == "healthy"
    assert "part" not in [layer.name for layer in report.layers]


def test_a_frozen_layer_that_cuts_trained_ones_off_is_judged():
    model = Two(lambda model, x: model.head(model.body(0 * model.part[1](torch.relu(model.part[0](x))))))
    model.part = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model.part[1].requires_grad_(False)
    report = probe(model, torch.randn(16, 8), trial=False)
    assert report.verdict.status == "dead"
    assert "part.1" in [layer.name for layer in report.layers]


@pytest.mark.parametrize(
    "joined",
    [
        lambda model, x: model.head(model.body(x)),
        lambda model, x: (model.head(model.body(x)), model.part(x)),
        lambda model, x: (model.head(model.body(x) + model.part(x).detach()), model.part(x)),
        lambda model, x: model.head(model.body(x) + torch.zeros_like(model.part(x).detach())),
        lambda model, x: model.head(model.body(x)[model.part(x).argmax(1) >= 0]),
    ],
    ids=["not called", "an ignored output", "an output that is used detached", "its shape alone", "what it chooses"],
)
def test_a_layer_that_the_loss_has_no_use_for_is_not_lost(joined):
    assert lost(joined) == ("healthy", ())


def test_a_copy_of_a_trained_layer_is_no_lost_one():
    def as_target(model):
        model.part = copy.deepcopy(model.body[0])

    assert lost(CUT["no_grad"], change=as_target) == ("healthy", ())


class Codebook(nn.Module):
    """Quantises; its vectors are moving averages, and parameters all the same."""

    def __init__(self, in_place):
        super().__init__()
        self.vectors, self.in_place = nn.Embedding(4, 8), in_place

    def forward(self, z):
        nearest = torch.cdist(z, self.vectors.weight).argmin(1)
        taken = self.vectors(nearest)
        with torch.no_grad():
            new = self.vectors.weight.lerp(z[:4], 0.1)
        if self.in_place:
            self.vectors.weight.data.copy_(new)
        else:
            self.vectors.weight = nn.Parameter(new)
        return z + (taken - z).detach()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_codebook_that_forward_itself_trains_is_not_lost_and_is_put_back(in_place):
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), Codebook(in_place), nn.Linear(8, 3))
    vectors, before = model[3].vectors.weight, copy.deepcopy(model.state_dict())
    assert probe(model, torch.randn(16, 8)).model.lost == ()
    assert model[3].vectors.weight is vectors
    assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())


def test_a_layer_that_is_trained_by_another_of_its_uses_is_not_lost():
    assert lost(lambda model, x: model.head(model.part(x) - model.part(2 * x).detach())) == ("healthy", ())


def test_weights_are_not_changed_by_the_second_look():
    model = Two(CUT["detach"])
    before = copy.deepcopy(model.state_dict())
    probe(model, torch.randn(16, 8))
    assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())


class Adapted(nn.Module):
    """A frozen map, beside it a product of two factors."""

    def __init__(self, zeros):
        super().__init__()
        self.base, self.down, self.up = nn.Linear(8, 8), nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)
        self.base.requires_grad_(False)
        for factor in zeros:
            nn.init.zeros_(getattr(self, factor).weight)

    def forward(self, x):
        return torch.tanh(self.base(x) + self.up(self.down(x)))


@pytest.mark.parametrize(("zeros", "status"), [(("down", "up"), "no-gradient"), (("up",), "healthy")])
def test_a_product_of_two_zeros_is_never_trained_and_one_of_one_is(zeros, status):
    report = probe(nn.Sequential(Adapted(zeros), Adapted(zeros)), torch.randn(16, 8))
    assert report.verdict.status == status
    assert [cause.value for cause in report.verdict.causes if cause.code == "all-zero"] == [4] * (status != "healthy")


def test_where_no_layer_but_the_last_is_reached_all_others_are_lost():
    model = nn.Sequential(
        nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), Two(lambda two, x: two.head(x.detach()))
    )
    report = probe(model, torch.randn(16, 8))
    assert (report.verdict.status, report.model.lost) == ("no-gradient", ("0", "2"))
    assert [layer.gradient_rms for layer in report.layers] == [0, 0]


def test_after_steps_the_layer_that_was_never_reached_is_the_first_that_is_ill():
    report = probe(Two(CUT["detach"]), torch.randn(16, 8), steps=1)
    assert (report.verdict.status, report.model.training.first_layer) == ("no-gradient", "part")


class TwoHeads(nn.Module):
    """What two heads say of a body, as an actor and its critic do."""

    def __init__(self):
        super().__init__()
        self.body, self.actor, self.critic = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 1)

    def forward(self, x):
        hidden = torch.tanh(self.body(x))
        return self.actor(hidden), self.critic(hidden)[:, 0]


INPUTS, TAKEN, PAID = torch.randn(32, 8), torch.arange(32) % 4, torch.arange(32) % 2 * 1.0


def of_policy(logits, value):
    return functional.cross_entropy(logits, TAKEN, reduction="none").mul((PAID - value).detach()).mean()


@pytest.mark.parametrize(("loss", "names"), [
    (lambda one, _: of_policy(one[0].detach(), one[1]) + functional.mse_loss(one[1], PAID), ("actor",)),
    (lambda one, _: functional.mse_loss(one[1], PAID) - 0.1 * of_policy(one[0].data, one[1]), ("actor",)),
    (lambda one, _: of_policy(*one) + functional.mse_loss(one[1].detach(), PAID), ("critic",)),
    (lambda one, _: of_policy(*one) + functional.mse_loss(one[1], PAID), ()),
    (lambda one, _: of_policy(*one), ()),
    (lambda one, _: functional.mse_loss(one[1], PAID) + 0.5, ()),
], ids=["policy", "policy, last", "critic", "neither", "a critic of another loss", "a number"])  # fmt: skip
def test_a_head_whose_term_of_the_loss_is_cut_off_is_lost(loss, names):
    report = probe(TwoHeads(), (INPUTS, TAKEN), loss)
    assert report.model.lost == names
    assert report.verdict.status == ("no-gradient" if names else "healthy")


@pytest.mark.parametrize(("targets", "loss", "named"), [
    ((TAKEN, PAID), lambda out, t: functional.mse_loss(out[1], t[1]), ["actor"]),
    ({"taken": TAKEN, "paid": PAID}, lambda out, t: functional.cross_entropy(out[0], t["taken"]), ["critic"]),
    ((TAKEN, PAID), lambda out, t: functional.cross_entropy(out[0], t[0]) + functional.mse_loss(out[1], t[1]), []),
    (PAID, lambda out, t: functional.mse_loss(out[1], t), []),
    ((PAID, TAKEN + 1.0), lambda out, t: ((out[1] - t[0]).square() * t[1]).mean(), []),
    ((PAID, TAKEN > 0), lambda out, t: functional.mse_loss(out[1][t[1]], t[0][t[1]]), []),
    ((PAID, torch.arange(32)), lambda out, t: functional.mse_loss(out[1], t[0]), []),
], ids=["a tuple", "a mapping", "both heard", "targets for one", "weights", "a mask", "numbers"])  # fmt: skip
def test_a_head_that_the_loss_ignores_is_named_where_it_was_given_targets_for_it(targets, loss, named):
    report = probe(TwoHeads(), (INPUTS, targets), loss)
    causes = [cause for cause in report.verdict.causes if cause.code == "output-ignored"]
    assert [cause.text.partition(" leads")[0] for cause in causes] == named
    assert report.verdict.status == "healthy"


def test_what_a_term_without_a_graph_leaves_untrained_is_said_with_that_term(said):
    def loss(outputs, _):
        return of_policy(*outputs) + functional.mse_loss(outputs[1], PAID).detach()

    report = probe(TwoHeads(), (INPUTS, TAKEN), loss)
    assert report.verdict.causes[0].code == "term-detached"
    assert "a term of the loss has no graph, as detach() cuts it off, and nothing else trains critic" in said(report)


class Game(nn.Module):
    """A discriminator's step or, of what is made alone, its maker's with a detach() that nobody means."""

    def __init__(self, *, alone):
        super().__init__()
        self.maker = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
        self.judge, self.alone = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)), alone

    def forward(self, x):
        made = self.judge(self.maker(x).detach())
        return functional.softplus(-made).mean() if self.alone else (
            functional.softplus(made).mean() + functional.softplus(-self.judge(2 * x + 1)).mean()
        )  # fmt: skip


@pytest.mark.parametrize(("alone", "status"), [(False, "healthy"), (True, "no-gradient")])
def test_a_part_that_another_plays_against_is_not_lost(alone, status):
    report = probe(Game(alone=alone), INPUTS)
    assert (report.verdict.status, report.model.lost) == (status, ("maker.0", "maker.2") if alone else ())
    assert "maker.0.weight" in report.model.unused


class Batched(Game):
    """A discriminator's step in which real and generated examples, or generated ones alone, are one batch."""

    def forward(self, x):
        made = self.maker(x).detach()
        return self.judge(made if self.alone else torch.cat([2 * x + 1, made]))[:, 0]


@pytest.mark.parametrize(("alone", "status"), [(False, "healthy"), (True, "no-gradient")])
def test_a_part_whose_examples_are_judged_among_others_is_not_lost(alone, status):
    report = probe(Batched(alone=alone), (INPUTS, torch.arange(32 if alone else 64) // 32 * 1.0), binary)
    assert (report.verdict.status, report.model.lost) == (status, ("maker.0", "maker.2") if alone else ())


def binary(output, targets):
    return functional.binary_cross_entropy_with_logits(output, targets)
