"""Which learning rate a user's own model takes, and that it is left as it was."""

import copy
import itertools
import math
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from gradcheck.diagnosis.sentences.rate import rate_sentence  # noqa: E402
from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.learning_rate.rules import usual_updates  # noqa: E402
from gradcheck.torch import probe, rate  # noqa: E402
from gradcheck.torch.learning_rate.beside import add_rate  # noqa: E402
from gradcheck.torch.learning_rate.descent import ModelDescent  # noqa: E402
from gradcheck.torch.learning_rate.model_search import ModelSearch  # noqa: E402
from gradcheck.torch.learning_rate.update import Update  # noqa: E402
from gradcheck.torch.probing.batches import Batches  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Busy(nn.Sequential):
    """Dropout, running statistics, and a buffer that is replaced in each pass."""

    def __init__(self):
        super().__init__(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        self.seen = self.seen + len(x)
        return super().forward(x)


def rows(count=32):
    x = torch.randn(count, 8)
    return x, x[:, :3].argmax(1)


def memory(model, optimizer):
    """Everything that has to be as before."""
    state = {id(one): {name: copy.deepcopy(v) for name, v in of.items()} for one, of in optimizer.state.items()}
    return (
        {name: one.clone() for name, one in model.state_dict().items()},
        [one.grad for one in model.parameters()],
        [one.requires_grad for one in model.parameters()],
        [one.training for one in model.modules()],
        state,
        [{name: one for name, one in group.items() if name != "params"} for group in optimizer.param_groups],
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state()[1],  # noqa: NPY002
    )


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return bool((one == other).all())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("ends", ["well", "with an error", "with Ctrl-C"])
def test_all_is_as_before_however_it_ends(ends):
    model = Busy().eval()
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW([{"params": model[0].parameters()}, {"params": model[4].parameters(), "lr": 0.01}])
    nn.functional.cross_entropy(model(rows()[0]), rows()[1]).backward()
    optimizer.step()
    given = iter([rows() for _ in range(25)])
    group, before, passes = optimizer.param_groups[1], memory(model, optimizer), [0]

    def loss(output, targets):
        passes[0] += 1
        if passes[0] >= 20 and ends != "well" and torch.is_grad_enabled():
            raise KeyboardInterrupt if ends == "with Ctrl-C" else LookupError("of the loss")
        return nn.functional.cross_entropy(output, targets)

    if ends == "well":
        assert rate(model, given, loss, optimizer, updates=8).answer is not None
    else:
        with pytest.raises(KeyboardInterrupt if ends == "with Ctrl-C" else GradcheckError):
            rate(model, given, loss, optimizer, updates=8)
    assert passes[0] >= 20
    assert same(memory(model, optimizer), before)
    assert optimizer.param_groups[1] is group


def test_the_critical_rate_of_a_quadratic_is_two_over_its_curvature():
    class Point(nn.Module):
        def __init__(self):
            super().__init__()
            self.theta = nn.Parameter(torch.ones(3))

        def forward(self, curvature):
            return 0.5 * (curvature * self.theta.square()).sum()

    report = rate(Point(), torch.tensor(4.0).reshape(1), None, "sgd", updates=8)
    assert report.draws[0].critical_rate == pytest.approx(0.5, rel=0.1)


def test_groups_keep_their_proportions_and_the_report_says_the_rate_of_each():
    model = Busy()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[4].parameters(), "lr": 0.5}], 0.1)
    report = rate(model, rows, None, optimizer, updates=6)
    cause = next(one for one in report.verdict.causes if one.code == "groups")
    assert list(report.config["rates"]) == [0.1, 0.5]
    assert "proportions" in cause.text


def test_the_rate_of_an_own_optimizer_is_judged_and_that_of_a_name_only_if_asked():
    model = Busy()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e4)
    assert rate(model, rows, None, optimizer, updates=6).verdict.status == "too-high"
    assert rate(model, rows, None, "sgd", updates=6).verdict.status == "found"
    assert rate(model, rows, None, "sgd", lr=1e-9, updates=6).verdict.status == "too-low"


def codes(report):
    return {one.code for one in report.verdict.causes}


def test_one_batch_is_named_and_a_loader_has_a_new_one_for_each_update():
    model = Busy()
    assert "one-batch" in codes(rate(model, rows(), None, updates=2))
    loader = DataLoader(TensorDataset(*rows(96)), 32)  # three batches for five updates: it begins anew
    assert "one-batch" not in codes(rate(model, loader, None, updates=5))


def test_a_list_of_batches_is_as_good_as_a_loader_of_them():
    model, batches = Busy(), [rows() for _ in range(3)]
    listed = rate(model, batches, None, updates=5)
    assert listed.to_dict() == rate(model, DataLoader(batches, batch_size=None), None, updates=5).to_dict()
    assert "one-batch" not in codes(listed)


def test_an_iterator_that_ends_too_early_is_named():
    with pytest.raises(GradcheckError, match="is an iterator that ran out of batches: give the loader itself"):
        rate(Busy(), iter([rows(), rows()]), None, updates=5)


def test_a_model_whose_loss_nothing_lowers_has_no_rate_and_the_reason_of_probe():
    layers = [part for _ in range(12) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    model = nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), *layers, nn.Linear(16, 3))
    report = rate(model, rows, None, "sgd", updates=8)
    assert report.answer is None
    assert report.verdict.status == "no-rate"
    assert report.verdict.reasons[0].startswith("probe calls it vanishing")


def test_parameters_that_no_gradient_reaches_are_an_error_of_one_line():
    model = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(GradcheckError, match="doesn't depend on any parameter"):
        rate(model, rows(), lambda output, targets: output.detach().square().mean(), optimizer)


def test_half_precision_says_what_rounding_leaves_where_it_is():
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3)).bfloat16()

    def batch():
        x, y = rows()
        return x.bfloat16(), y

    report = rate(model, batch, None, "adamw", updates=8)
    cause = next(one for one in report.verdict.causes if one.code == "rounding")
    assert 0 <= cause.value <= 1
    assert "bfloat16" in cause.text


def test_a_gradient_is_clipped_before_the_update():
    free = rate(Busy(), rows(), None, "sgd", updates=1).draws[0].critical_rate
    torch.manual_seed(3)
    model = Busy()
    bound = rate(model, rows(), None, "sgd", updates=1, clip="global-norm:1e-3").draws[0].critical_rate
    assert bound > 50 * free


def test_batches_of_any_length_have_a_rate():
    class Tokens(nn.Linear):
        def forward(self, x):
            return super().forward(x).transpose(1, 2)

    lengths = itertools.cycle((3, 5, 4))

    def batch():
        x = torch.randn(4, next(lengths), 8)
        return x, x[..., :3].argmax(-1)

    assert rate(Tokens(8, 3), batch, updates=6).answer is not None


@pytest.mark.parametrize(("lr", "status"), [(1e-300, "too-low"), (1e308, "too-high")])
def test_a_rate_that_no_float32_holds_is_judged(lr, status):
    assert rate(nn.Linear(8, 3), rows(), lr=lr, updates=6).verdict.status == status


def test_an_update_that_is_not_finite_is_not_called_one_that_points_uphill():
    def loss(output, targets):
        return 1e30 * nn.functional.cross_entropy(output, targets)

    report = rate(nn.Linear(8, 3), rows(), loss, "adam", updates=8)
    assert report.verdict.reasons[0] == "along the first update the loss is not finite at any rate"


def test_where_every_rate_helps_it_is_not_said_that_none_does():
    report = rate(nn.Linear(8, 3), (torch.randn(8, 8), torch.zeros(8, dtype=int)), updates=8)
    assert report.verdict.status == "no-rate"
    assert "NO RATE IS BEST" in str(report)
    assert report.verdict.reasons[0].startswith("along the first update the loss falls at every rate up to 1e+15")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": torch.optim.SGD, "optimizer": "sgd"}, "loss is the optimizer SGD: the order is model, batch, loss"),
        ({"loss": None, "optimizer": nn.CrossEntropyLoss()}, "optimizer is CrossEntropyLoss, which is no optimizer"),
        ({"loss": "mean-square", "optimizer": "cross-entropy"}, "optimizer is cross-entropy, which is no optimizer"),
        (
            {"optimizer": torch.optim.SGD, "optimizer_options": {"momentum": "a lot"}},
            "optimizer failed: SGD of the parameters with momentum='a lot': TypeError: ",
        ),
    ],
)
def test_a_loss_and_an_optimizer_that_are_not_what_they_have_to_be_are_named(given, said):
    with pytest.raises(GradcheckError) as caught:
        rate(nn.Linear(8, 3), rows(), **given)
    assert said in str(caught.value)


def test_an_iterable_of_the_users_own_is_as_good_as_a_loader():
    batches = [rows() for _ in range(3)]

    class Own:
        def __iter__(self):
            return iter(batches)

    model = nn.Linear(8, 3)
    assert rate(model, Own(), updates=5).to_dict() == rate(model, batches, updates=5).to_dict()


def test_a_dataset_of_single_examples_is_refused():
    with pytest.raises(GradcheckError, match="is a TensorDataset, of single examples: give DataLoader"):
        rate(nn.Linear(8, 3), TensorDataset(*rows()))


def test_a_loss_that_becomes_nan_in_the_runs_has_no_rate():
    passes = itertools.count()

    def loss(output, targets):
        return nn.functional.cross_entropy(output, targets) * (math.nan if next(passes) > 30 else 1.0)

    report = rate(nn.Linear(8, 3), rows(), loss, updates=5)
    assert report.verdict.status == "no-rate"
    assert report.runs[-1].status == "diverged"


@pytest.mark.parametrize(
    ("model", "shape", "updates"),
    [
        (nn.Linear(8, 3), (4, 8), 100),
        (nn.LSTM(64, 512, batch_first=True), (16, 20, 64), 12),  # 360 million, which PyTorch runs as one operation
        (nn.Conv2d(64, 64, 3), (8, 64, 64, 64), 8),
    ],
)
def test_the_dearer_a_pass_the_fewer_the_updates(model, shape, updates):
    def loss(output, _):
        return (output[0] if isinstance(output, tuple) else output).square().mean()

    batches = Batches((torch.randn(shape), torch.zeros(1)))
    descent = ModelDescent(model, batches, loss, Update(torch.optim.SGD(model.parameters(), lr=0.1)))
    descent.look()
    assert usual_updates(descent.multiplications()) == updates


def test_runs_of_a_model_that_is_said_not_to_train_are_not_made_again():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    for one in model.parameters():
        nn.init.zeros_(one)
    search = ModelSearch.of(model, rows(), None, "adam", updates=8)
    assert search.found().draw.shorter
    assert max(len(one.losses) for one in search.found(doublings=0).draw.runs) == 8


def test_what_no_rate_learns_but_a_constant_answer_is_said_with_the_rate_and_once():
    def batch():
        return torch.randn(64, 8), torch.randint(3, (64,))  # labels that have nothing to do with the inputs

    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    search = ModelSearch.of(model, batch, lambda z, y: nn.functional.cross_entropy(z, y), "adam", updates=100)
    found = add_rate(probe(model, batch), search, None).learning_rate
    assert len(found.doubts) == 1
    assert "rates can't be told apart" in found.doubts[0]
    assert "--rate-updates 400" in found.doubts[0]
    assert rate_sentence(found).endswith(found.doubts[0])
    assert not any("learnt little" in one or "checked on" in one for one in found.reasons)
