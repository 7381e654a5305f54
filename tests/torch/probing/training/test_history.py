"""What steps of training show as a whole: an explosion by any loss, and a loss that stays where it is."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def net(outputs=1):
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, outputs))


def pairs(outputs=1):
    x = torch.randn(32, 8)
    return x, x[:, :outputs] + 0.3 * torch.randn(32, outputs)


def shifted(output, target):
    """A likelihood's: below zero where it is good."""
    return (output - target).square().mean() - 3


def adam(rate):
    return lambda parameters: torch.optim.Adam(parameters, rate)


# ---- explosion


@pytest.mark.parametrize("rate", [0.05, 30.0])
def test_an_explosion_is_the_same_for_a_loss_that_is_moved_and_scaled(rate):
    model, batch = net(), pairs()

    def scaled(output, target):
        return 7 * shifted(output, target) - 50

    one = probe(model, batch, shifted, steps=12, lr=rate).model.training
    other = probe(model, batch, scaled, steps=12, lr=rate / 7).model.training
    assert one.statuses == other.statuses
    assert (one.sick_from_step is None) == (rate == 0.05)


def test_a_likelihood_that_diverges_is_found_within_three_steps():
    training = probe(net(), pairs(), shifted, steps=12, lr=30.0).model.training
    assert training.statuses[0] == "healthy"
    assert training.sick_from_step <= 3


def test_a_policy_gradient_that_learns_is_healthy():
    def policy_gradient(output, best):
        policy = torch.distributions.Categorical(logits=output)
        action = policy.sample()
        reward = (action == best).float()
        advantage = (reward - reward.mean()) / (reward.std() + 1e-8)
        return -(policy.log_prob(action) * advantage).mean() - 0.01 * policy.entropy().mean() + 0.01386

    def batch():
        x = torch.randn(128, 8)
        return x, x[:, :4].argmax(1)

    assert probe(net(4), batch, policy_gradient, steps=30, optimizer=adam(3e-3)).verdict.status == "healthy"


def test_a_critic_whose_loss_falls_without_bound_does_not_explode():
    x, _ = pairs()
    report = probe(net(), (x, x[:, :1].sign()), lambda output, sign: (output * sign).mean(), steps=30, optimizer="adam")
    assert report.model.training.losses[-1] < -10
    assert "exploding" not in report.model.training.statuses


def test_a_batch_that_is_harder_than_the_first_one_is_no_explosion():
    batches = iter(range(100))

    def batch():
        x = torch.randn(16, 8)
        return x, torch.zeros(16, 1) if next(batches) == 0 else torch.full((16, 1), 3.0)

    model = net()
    nn.init.normal_(model[-1].weight, std=1e-3)
    nn.init.zeros_(model[-1].bias)
    report = probe(model, batch, "mean-square", steps=6, lr=1e-4)
    assert report.model.training.losses[-1] > 1000 * report.model.training.losses[0]
    assert report.verdict.status == "healthy"


class AddAndNorm(nn.Module):
    """A residual block with the norm after the sum."""

    def __init__(self, width):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x + self.branch(x))


@pytest.mark.parametrize(("rate", "status"), [(0.1, "vanishing"), (0.01, "healthy")])
def test_a_loss_that_falls_to_that_of_the_best_constant_answer_acquits_no_gradient_that_is_lost(rate, status, said):
    def batch():
        x = torch.randn(128, 32)
        return x, (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()  # 4 of 64 classes

    model = nn.Sequential(*(AddAndNorm(32) for _ in range(8)), nn.Linear(32, 64))
    report = probe(model, batch, steps=30, optimizer="adam", lr=rate)
    assert report.verdict.status == status
    assert report.model.training.losses[-1] < 0.7 * report.model.training.losses[0]
    codes = {one.code: one for one in report.verdict.causes}
    assert ("still-guesses" in codes) == (status != "healthy")
    if status != "healthy":
        assert codes["still-guesses"].limit == pytest.approx(math.log(4), abs=0.05)


def test_illness_that_comes_and_goes_is_not_called_healthy_before(said):
    class Moody(torch.optim.SGD):
        """Makes the weights far too large, takes that back, and does so again."""

        def step(self):
            scale = scales.pop(0)
            with torch.no_grad():
                for one in self.param_groups[0]["params"]:
                    one.copy_(start[one] * scale)

    model = net()
    start = {one: one.detach().clone() for one in model.parameters()}
    scales = [1.0, 50.0, 50.0, 1.0, 50.0, 50.0]
    report = probe(model, pairs(), shifted, steps=6, optimizer=lambda own: Moody(own, lr=1.0))
    training = report.model.training
    assert training.statuses[4] == "healthy"
    assert training.sick_from_step > 4
    assert f"on, at times from step {training.statuses.index('exploding')} on" in said(report)


# ---- a collapse


def test_layers_that_need_one_direction_only_have_not_collapsed():
    x, _ = pairs()
    report = probe(net(), (x, x[:, :1].sign()), lambda output, sign: (output * sign).mean(), steps=30, optimizer="adam")
    assert report.summary.effective_rank_last < 1.8
    assert report.verdict.status == "healthy"


def test_outputs_that_become_alike_are_named_though_the_loss_fell_at_first():
    def fading(parameters):
        return torch.optim.SGD(parameters, lr=0.1, weight_decay=5.0)

    report = probe(net(), pairs(), shifted, steps=40, optimizer=fading)
    assert report.verdict.status in ("not-learning", "collapsed", "vanishing")
    assert report.verdict.status == report.model.training.statuses[-1]


def test_a_margin_that_every_example_keeps_leaves_nothing_to_learn(said):
    x, _ = pairs()

    def hinge(output, side):
        return torch.relu(1 - output * side).mean()

    report = probe(net(), (x, x[:, :1].sign()), hinge, steps=60, optimizer=adam(0.01))
    assert report.model.training.losses[-1] == 0
    assert report.verdict.status == "healthy"
    assert {layer.flag for layer in report.layers} == {"ok"}
    assert "what is learned gives no gradient any more" in said(report)
    assert "solved" not in {cause.code for cause in report.verdict.causes}


@pytest.mark.parametrize("loss", ["mean-square", shifted])
def test_targets_that_are_alike_want_alike_outputs_whatever_is_added_to_the_loss(loss):
    x, _ = pairs()
    report = probe(net(), (x, torch.zeros(32, 1)), loss, steps=40, lr=0.1)
    assert report.model.training.first_batch_loss < report.model.training.losses[0]
    assert report.verdict.status == "healthy"


# ---- a loss that stays


def test_a_rate_of_zero_is_named_after_one_step(said):
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 10)  # a warm-up from zero
    report = probe(model, pairs(), steps=1, optimizer=optimizer)
    assert report.verdict.status == "not-learning"
    assert "the learning rate is 0" in said(report)
    assert report.model.training.sick_from_step == 1


def test_an_optimizer_of_what_gets_no_gradient_trains_nothing(said):
    model = net()
    model.spare = nn.Linear(3, 3)
    model.forward = lambda x: nn.Sequential.forward(model[:5], x)
    report = probe(model, pairs(), steps=1, optimizer=torch.optim.SGD(model.spare.parameters(), lr=0.1))
    assert report.verdict.status == "not-learning"
    assert "no parameter that the optimizer holds gets a gradient" in said(report)
    assert "0.weight, 0.bias, 2.weight and 3 more are not trained: the optimizer doesn't hold them" in said(report)


def test_a_rate_that_is_far_too_small_is_named_for_any_loss(said):
    report = probe(net(), pairs(), shifted, steps=20, optimizer="adam", lr=1e-10)
    assert report.verdict.status == "not-learning"
    assert "the learning rate is far too small" in said(report)


@pytest.mark.parametrize(("options", "status"), [
    ({"steps": 20}, "not-learning"), ({"steps": 19}, "healthy"), ({"steps": 30, "warmup": 11}, "healthy"),
])  # fmt: skip
def test_twenty_steps_at_the_full_rate_show_that_a_loss_stays(options, status, models, said):
    report = probe(models.mlp(depth=4), (models.rows(), torch.randint(10, (64,))), lr=1e-5, **options)
    assert report.verdict.status == status
    assert ("by less than 0.1 % of it" in said(report)) == (status == "not-learning")


def test_a_loss_that_is_no_lower_on_one_batch_is_named(said):
    x, _ = pairs()
    batch = x, torch.randint(2, (32,))

    def away(parameters):
        return torch.optim.SGD(parameters, lr=0.01, maximize=True)

    report = probe(net(2), batch, steps=20, optimizer=away)
    assert report.verdict.status == "not-learning"
    assert "no lower than at the start" in said(report)


def test_a_loss_that_stays_is_explained_by_what_was_named_at_the_start():
    model = nn.Sequential(*net(2), nn.Softmax(-1))
    report = probe(model, (pairs()[0], torch.arange(32) % 2), "cross-entropy", steps=20, lr=1e-5)
    codes = [cause.code for cause in report.verdict.causes]
    assert report.verdict.status == "not-learning"
    assert codes[1:3] == ["at-start", "softmax-twice"]
    assert codes.count("softmax-twice") == 1


def batches(count=16):
    """Batches of two classes that can be told apart, a new one each time."""
    centres, draw = torch.randn(2, 8), torch.Generator().manual_seed(0)

    def batch():
        labels = torch.randint(2, (count,), generator=draw)
        return centres[labels] + 0.5 * torch.randn(count, 8, generator=draw), labels

    return batch


def uphill(parameters):
    """A step in the wrong direction."""
    return torch.optim.SGD(parameters, lr=0.02, maximize=True)


def test_a_loss_that_rises_from_batch_to_batch_leaves_a_doubt(said):
    report = probe(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)), batches(), steps=40, optimizer=uphill)
    codes = [cause.code for cause in report.verdict.causes]
    assert report.verdict.status == "healthy"
    assert codes[0] == "loss-risen"
    assert "HEALTHY, BUT" in str(report)
    assert "the steps go the wrong way" in said(report)


def test_a_rate_at_which_a_loss_that_rises_falls_is_named():
    x = torch.randn(64, 4)
    batch, sharpness = (x, x.sum(1, keepdim=True)), float(torch.linalg.eigvalsh(2 * x.T @ x / 64).max())
    model = nn.Linear(4, 1, bias=False)
    report = probe(model, batch, "mean-square", steps=18, lr=2.06 / sharpness, suggest=True)  # 2 is the most
    assert next(cause.code for cause in report.verdict.causes) == "loss-risen"
    rate = next(one for one in report.suggestions if "lr" in one.changes)
    assert rate.loss < report.model.training.losses[0]
    assert "What makes the loss fall" in str(report)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_loss_that_falls_from_batch_to_batch_leaves_none(optimizer):
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    report = probe(model, batches(), steps=40, optimizer=optimizer, lr=0.02)
    assert {"loss-risen", "hardly-learnt"}.isdisjoint(cause.code for cause in report.verdict.causes)


def test_a_loss_that_stays_at_a_guess_is_said_to(said):
    draw = torch.Generator().manual_seed(0)

    def shuffled():
        return torch.randn(32, 8, generator=draw), torch.randint(2, (32,), generator=draw)

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    report = probe(model, shuffled, steps=40, lr=0.02)
    assert report.verdict.status == "healthy"
    assert "after 40 steps the loss is no better than a guess" in said(report)


def test_triplets_that_are_learnt_need_no_gradient():
    class Embedding(nn.Sequential):
        def forward(self, *triplet):
            return tuple(super(Embedding, self).forward(one) for one in triplet)

    near, far = torch.randn(16, 8), torch.randn(16, 8) + 3
    model = Embedding(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    batch = (near, near + 0.1 * torch.randn(16, 8), far), torch.zeros(16)
    report = probe(
        model, batch, lambda output, _: nn.functional.triplet_margin_loss(*output), steps=20, optimizer="adam", lr=0.02
    )
    assert report.model.training.losses[0] > report.model.training.losses[-1] == 0
    assert report.verdict.status == "healthy"


def test_a_loss_that_is_too_large_to_move_is_drawn(said):
    def far(output, _):
        return nn.functional.mse_loss(output, torch.full_like(output, 3e8))

    report = probe(net(), pairs(), far, steps=3, optimizer="adam")
    assert len({*report.model.training.losses}) == 1
    assert report.model.training.losses[0] > 2**53
    assert "step 0" in str(report)


def nearly(size):
    """A model that starts next to the identity, and new batches of it."""
    model, draw = net(8), torch.Generator().manual_seed(0)
    nn.init.normal_(model[-1].weight, std=size)
    nn.init.zeros_(model[-1].bias)

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch = model

        def forward(self, x):
            return x + self.branch(x)

    def batch():
        x = torch.randn(32, 8, generator=draw)
        return x, x.clone()

    return Residual(), batch


@pytest.mark.parametrize("one_batch", [True, False])
def test_a_loss_that_starts_next_to_its_floor_and_stays_near_it_has_not_exploded(one_batch):
    model, batch = nearly(1e-6)
    report = probe(model, batch() if one_batch else batch, "mean-square", steps=20, optimizer="adam", lr=1e-4)
    losses = report.model.training.losses
    assert 10 * losses[0] < losses[-1] < 1e-4
    assert report.verdict.status == "healthy"
    assert "loss-risen" not in [cause.code for cause in report.verdict.causes]


def test_a_loss_that_leaves_its_floor_has_exploded():
    model, batch = nearly(1e-6)
    report = probe(model, batch, "mean-square", steps=20, optimizer="adam", lr=0.1)
    assert report.model.training.losses[-1] > 0.02
    assert report.verdict.status == "exploding"


@pytest.mark.parametrize(("before", "status"), [(10, "healthy"), (0, "not-learning")])
def test_a_loss_that_stays_is_no_fault_of_a_model_that_was_trained_before(before, status, said):
    x = torch.randn(512, 8)
    batch, model = (x, x[:, :1] + 0.6 * torch.randn(512, 1)), nn.Linear(8, 1)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(before):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch[0]), batch[1]).backward()
        optimizer.step()
    report = probe(model, batch, "mean-square", steps=20, lr=1e-5)
    assert report.verdict.status == status
    assert ("the model was trained before" in said(report)) == (status == "healthy")


def test_a_loss_of_several_terms_that_rises_is_said_to_have_them(said):
    def batch():
        x = torch.randn(64, 8)
        return x, x[:, :2]

    model = net(2)

    def loss(output, target):
        return nn.functional.mse_loss(output, target) + 0.1 * model[0].weight.square().sum()

    report = probe(model, batch, loss, steps=40, optimizer=uphill)
    assert "loss-risen" in [cause.code for cause in report.verdict.causes]
    assert "or one of its 2 terms grows by design" in said(report)
