"""Cross-entropies whose logits are bounded."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import binary_cross_entropy_with_logits, normalize  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

INPUTS = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))

CLASSES = torch.arange(64) % 16


class Cosines(nn.Module):
    """Embeddings beside learnt ones, or beside those of another view of each example."""

    def __init__(self, scale, *, pairs=False):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32))
        self.scale, self.names = scale, None if pairs else nn.Parameter(torch.randn(16, 32))

    def forward(self, x):
        own = normalize(self.body(x), dim=-1)
        others = normalize(self.body(1.1 * x + 0.1) if self.names is None else self.names, dim=-1)
        return self.scale * own @ others.T


def floor(model, targets=CLASSES, loss="cross-entropy", *, trial=False):
    report = probe(model, (INPUTS, targets), loss, trial=trial)
    found = [cause for cause in report.verdict.causes if cause.code == "loss-floor"]
    return report.verdict.status, found[0] if found else None


def test_what_cosines_cost_at_best_is_said_beside_what_guessing_costs():
    _, cause = floor(Cosines(0.5))
    assert cause.value == pytest.approx(math.log(1 + 15 * math.exp(-1)), rel=1e-3)  # Wang et al. 2017, NormFace
    assert cause.limit == pytest.approx(math.log(16))


def test_cosines_that_are_divided_by_a_temperature_have_no_floor():
    assert floor(Cosines(1 / 0.07)) == ("healthy", None)


@pytest.mark.parametrize(("scale", "named"), [(1.0, False), (0.07, True)])
def test_examples_that_are_compared_with_each_other_need_not_all_be_told_apart(scale, named):
    _, cause = floor(Cosines(scale, pairs=True), torch.arange(64))
    assert (cause is not None) is named


def test_a_scale_that_is_the_inverse_of_what_is_meant_is_vanishing():
    assert floor(Cosines(0.07), trial=True)[0] == "vanishing"


@pytest.mark.parametrize("end", [[nn.Sigmoid()], [nn.Sigmoid(), nn.Unflatten(-1, (4, 4)), nn.Flatten()]])
def test_a_sigmoid_before_a_softmax_is_named_with_the_least_loss(end):
    _, cause = floor(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), *end))
    best = nn.functional.cross_entropy(torch.eye(16)[CLASSES], CLASSES)
    assert cause.value == pytest.approx(float(best), rel=1e-6)


class Capped(nn.Module):
    """Logits that are capped softly, as Gemma's are (Gemma Team 2024)."""

    def forward(self, x):
        return 30 * torch.tanh(x / 30)


def test_a_softmax_of_what_is_made_of_bounded_numbers_is_meant():
    body = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16))
    assert floor(nn.Sequential(body, nn.Sigmoid(), nn.Linear(16, 16))) == ("healthy", None)
    assert floor(nn.Sequential(body, Capped())) == ("healthy", None)


YES = (torch.arange(64) % 2).float()[:, None]


@pytest.mark.parametrize(("end", "named"), [(nn.ReLU(), True), (nn.Hardtanh(-6, 6), False), (nn.Identity(), False)])
def test_a_binary_loss_of_logits_that_can_not_be_negative_is_named(end, named):
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1), end)
    _, cause = floor(model, YES, binary_cross_entropy_with_logits)
    assert (cause is not None) is named


def test_a_sigmoid_that_is_taken_twice_has_a_cause_of_its_own():
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1), nn.Sigmoid())
    assert floor(model, YES, binary_cross_entropy_with_logits)[1] is None


EYE = torch.eye(64, dtype=torch.bool)

MASKS = {
    "masked_fill": lambda z: z.masked_fill(EYE, -1e9),
    "where": lambda z: torch.where(EYE, torch.tensor(-torch.inf), z),
    "a sum": lambda z: z - 1e9 * EYE,
    "fill_diagonal_": lambda z: z.clone().fill_diagonal_(-torch.inf),
    "in place": lambda z: z.clone().index_put_((torch.arange(64), torch.arange(64)), torch.tensor(-1e9)),
    "taken out": lambda z: z[~EYE].view(64, 63),
}


class Likeness(nn.Module):
    """Cosines of examples, but for those of each with itself."""

    def __init__(self, scale, mask):
        super().__init__()
        self.body, self.scale, self.mask = nn.Linear(8, 32), scale, mask

    def forward(self, x):
        z = normalize(self.body(x), dim=-1)
        return self.mask(self.scale * z @ z.T)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_over_the_likeness_of_each_example_to_itself_is_seen_through(mask):
    targets = (torch.arange(64) + 1) % (64 if mask(torch.rand(64, 64)).shape[1] == 64 else 63)
    _, cause = floor(Likeness(0.07, mask), targets)
    assert cause.value == pytest.approx(math.log(1 + 62 * math.exp(-0.14)), rel=1e-3)
    assert cause.limit == pytest.approx(math.log(63))
    assert floor(Likeness(1 / 0.07, mask), targets)[1] is None


def test_what_is_added_to_bounded_logits_and_leaves_nothing_out_may_widen_their_bounds():
    assert floor(Likeness(0.07, lambda z: z + torch.linspace(-5, 5, 64)), torch.arange(64))[1] is None
    shifted = torch.linspace(-5, 5, 64) - 1e9 * EYE
    assert floor(Likeness(0.07, lambda z: z + shifted), (torch.arange(64) + 1) % 64)[1] is None
