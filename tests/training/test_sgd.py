import math
from itertools import chain, islice, product

import numpy as np
import pytest

from gradcheck.clipping import Clipper
from gradcheck.data.datasets import load_dataset
from gradcheck.data.epochs import Batches
from gradcheck.engine.linear import Gradient
from gradcheck.engine.loss import cross_entropy, loss_of
from gradcheck.errors import OptionError
from gradcheck.families import drawn_network, trainable
from gradcheck.spec import NetworkSpec, RecurrentSpec
from gradcheck.spec.data import DataSpec
from gradcheck.spec.names import POLICIES
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.sgd import evaluate, train

FEATURES, CLASSES = 12, 5

SPECS = {
    "mlp": NetworkSpec(depth=3, width=8, activation="tanh", bias_std=0.1),
    "normalised": NetworkSpec(depth=2, width=8, activation="relu", norm="layer", residual=True),
    "rnn": RecurrentSpec(arch="rnn", steps=3, width=7, recurrent_gain=1.5),
    "lstm": RecurrentSpec(arch="lstm", steps=4, width=5),
    "gru": RecurrentSpec(arch="gru", steps=2, width=6, init="orthogonal"),
}

every_network = pytest.mark.parametrize("name", SPECS)


def network_of(name, dtype="float64", seed=0):
    spec = SPECS[name]
    return trainable(spec, drawn_network(spec, FEATURES, CLASSES, seed, dtype), FEATURES, dtype)


def batches_of(count, dtype="float64", size=16):
    rng = np.random.default_rng(7)
    for _ in range(count):
        yield rng.standard_normal((size, FEATURES)).astype(dtype), rng.integers(0, CLASSES, size)


def arrays_of(network):
    return [array for _, one in network.maps for array in one]


def trained(name, rule="none", count=12, dtype="float64", **options):
    network = network_of(name, dtype)
    steps = list(train(network, batches_of(count, dtype), Clipper(rule), TrainingSpec(**options)))
    return network, steps


class Stub:
    """A network of two maps whose gradients are those it is given, one list a step."""

    def __init__(self, *gradients):
        self.weights = [np.zeros((2, 3)), np.zeros(3), np.zeros((3, 2)), np.zeros(2)]
        self.gradients = iter(gradients)

    @property
    def maps(self):
        yield ("W1", "b1"), self.weights[:2]
        yield ("W_out", "b_out"), self.weights[2:]

    def gradient(self, inputs, loss):
        return Gradient(1.0, None, next(self.gradients))


def filled(*values):
    """The stub's four gradients, each full of one number."""
    return [np.full_like(weight, value) for weight, value in zip(Stub().weights, values, strict=True)]


def taught(*gradients, rule="none", **options):
    stub = Stub(*gradients)
    return stub, list(train(stub, iter([(None, None)] * len(gradients)), Clipper(rule), TrainingSpec(**options)))


# ---- steps as libraries clip them


def taught_as(library, rule, *gradients, **options):
    stub = Stub(*gradients)
    spec = TrainingSpec(library=library, lr=1.0, momentum=0.0, **options)
    return stub, list(train(stub, iter([(None, None)] * len(gradients)), Clipper(rule, library), spec))


def test_a_gradient_that_is_not_finite_is_clipped_as_the_library_does_unless_one_says_otherwise():
    infinite = filled(1.0, math.inf, 1.0, 1.0)
    weights = {library: taught_as(library, "global-norm:1", infinite)[0].weights for library in ("torch", "keras")}
    assert [np.isnan(one).all() for one in weights["torch"]] == [False, True, False, False]
    assert all(np.isnan(one).all() for one in weights["keras"])
    skipped, steps = taught_as("keras", "global-norm:1", infinite, nonfinite="skip")
    assert not any(one.any() for one in skipped.weights)
    assert [step.nonfinite for step in steps] == ["b1"]
    for rule, expected in (("none", -math.inf), ("value:2", -2)):
        assert (taught_as("torch", rule, infinite)[0].weights[1] == expected).all()


# ---- the steps


@pytest.mark.parametrize(
    ("name", "momentum", "rule"),
    [*((name, 0.9, "global-norm:0.05") for name in SPECS), *product(["mlp"], [0.0, 0.9], ["none", "value:0.01"])],
)
def test_training_is_sgd_with_momentum(name, momentum, rule, relative_error):
    network, steps = trained(name, rule, lr=0.1, momentum=momentum)
    by_hand, clipper, velocities = network_of(name), Clipper(rule), None
    for step, (inputs, labels) in zip(steps, batches_of(12), strict=True):
        loss, _, gradients = by_hand.gradient(inputs, cross_entropy(labels))
        gradients, _ = clipper(gradients)
        velocities = [
            momentum * velocity + gradient
            for velocity, gradient in zip(velocities or [0] * len(gradients), gradients, strict=True)
        ]
        for array, velocity in zip(arrays_of(by_hand), velocities, strict=True):
            array[...] = array - 0.1 * velocity
        assert step.loss == pytest.approx(loss, rel=1e-12)
    assert max(map(relative_error, arrays_of(network), arrays_of(by_hand))) <= 1e-12
    assert max(map(relative_error, arrays_of(network), arrays_of(network_of(name)))) > 1e-3


@every_network
def test_training_is_torch_s_sgd(name, relative_error, record_error):
    torch = pytest.importorskip("torch")
    network, _ = trained(name, lr=0.1, momentum=0.9)
    by_torch = network_of(name)
    parameters = [torch.from_numpy(array).requires_grad_() for array in arrays_of(by_torch)]  # they share memory
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    for inputs, labels in batches_of(12):
        gradients = by_torch.gradient(inputs, cross_entropy(labels)).parts
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(np.array(gradient))
        optimizer.step()
    error = max(map(relative_error, arrays_of(network), arrays_of(by_torch)))
    record_error("SGD with momentum against PyTorch", error)
    assert error <= 1e-12


@every_network
def test_the_loss_of_a_step_is_that_before_it(name):
    _, steps = trained(name, count=1)
    [(inputs, labels)] = batches_of(1)
    assert steps[0].loss == cross_entropy(labels)(network_of(name).logits(inputs))[0]


@every_network
def test_the_same_batches_give_the_same_run(name):
    (one, steps), (other, again) = trained(name, "percentile:50"), trained(name, "percentile:50")
    assert steps == again
    assert all(map(np.array_equal, arrays_of(one), arrays_of(other)))


@every_network
def test_training_lowers_the_loss(name):
    network = network_of(name)
    [batch] = batches_of(1)
    steps = list(train(network, iter([batch] * 60), Clipper("none"), TrainingSpec(lr=0.1)))
    assert steps[-1].loss < steps[0].loss / 2


@every_network
def test_single_precision_stays_single(name):
    network, steps = trained(name, "global-norm:0.1", dtype="float32")
    assert {array.dtype for array in arrays_of(network)} == {np.dtype("float32")}
    assert all(isinstance(step.loss, float) for step in steps)


def test_a_step_is_taken_when_it_is_asked_for():
    network, before = network_of("mlp"), arrays_of(network_of("mlp"))
    steps = train(network, batches_of(3), Clipper("none"), TrainingSpec())
    assert all(map(np.array_equal, arrays_of(network), before))
    next(steps)
    assert not any(map(np.array_equal, arrays_of(network), before))


# ---- gradients that are not finite

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ((1, 1, 1, NAN), "b_out"),
        ((INF, 1, 1, 1), "W1"),
        ((1, -INF, 1, 1), "b1"),
        ((NAN, NAN, 1, 1), "W1"),
        ((NAN, 1, INF, 1), "W_out"),
        ((NAN, NAN, NAN, NAN), "W_out"),
        ((1, 1, 1, 1), ""),
    ],
)
def test_the_tensor_that_is_first_on_the_way_back_is_named(values, first):
    for policy in POLICIES:
        _, [step] = taught(filled(*values), nonfinite=policy)
        assert step.nonfinite == first, policy


def test_a_step_that_is_skipped_leaves_weights_and_momentum_alone():
    good = filled(1, 2, 3, 4)
    with_bad, steps = taught(good, filled(NAN, 1, 1, 1), filled(1, 1, 1, INF), good, nonfinite="skip")
    without, _ = taught(good, good, nonfinite="skip")
    assert all(map(np.array_equal, with_bad.weights, without.weights))
    assert [bool(step.nonfinite) for step in steps] == [False, True, True, False]
    assert [step.report.nonfinite for step in steps] == [(), (0,), (3,), ()]


def test_stop_ends_the_run_with_the_step_it_stopped_at():
    good = filled(1, 2, 3, 4)
    stub, steps = taught(good, filled(1, NAN, 1, 1), good, good, nonfinite="stop")
    without, _ = taught(good)
    assert [step.nonfinite for step in steps] == ["", "b1"]
    assert all(map(np.array_equal, stub.weights, without.weights))


def test_zero_takes_the_step_without_the_entries_that_are_not_finite():
    holed, mended = filled(1, 2, 3, 4), filled(1, 2, 3, 4)
    for index, wrong in enumerate((NAN, INF, -INF)):
        holed[0][0, index], mended[0][0, index] = wrong, 0
    one, [step] = taught(holed, nonfinite="zero", rule="global-norm:1")
    other, [clean] = taught(mended, rule="global-norm:1")
    assert all(map(np.array_equal, one.weights, other.weights))
    assert (step.nonfinite, clean.nonfinite) == ("W1", "")
    assert step.report == clean.report  # of what was taken


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("rule", ["percentile:10", "zscore:1"])
def test_a_bad_step_leaves_no_trace_in_an_adaptive_rule_unless_it_is_taken(policy, rule):
    rng = np.random.default_rng(1)
    good = [filled(*rng.uniform(0.5, 2, 4)) for _ in range(40)]
    bad = filled(NAN, NAN, NAN, NAN)
    _, steps = taught(*good[:30], bad, *good[30:], rule=rule, nonfinite=policy)
    _, plain = taught(*good, rule=rule)
    assert steps[:30] == plain[:30]
    if policy == "skip":
        assert steps[31:] == plain[30:]
    elif policy == "stop":
        assert len(steps) == 31
    else:
        assert len(steps) == 41
        assert all(math.isfinite(step.report.norm_after) for step in (steps if policy == "zero" else plain))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_network_that_overflows_goes_through_every_policy_without_a_warning(policy):
    spec = NetworkSpec(depth=4, width=8, activation="relu", init="he", gain=1e200)
    network = trainable(spec, drawn_network(spec, FEATURES, CLASSES, 0), FEATURES)
    before = [array.copy() for array in arrays_of(network)]
    steps = list(train(network, batches_of(5), Clipper("global-norm:1"), TrainingSpec(nonfinite=policy)))
    assert len(steps) == (1 if policy == "stop" else 5)
    assert {step.nonfinite for step in steps} == {"W_out"}
    assert not any(math.isfinite(step.loss) for step in steps)
    assert all(np.isfinite(array).all() for array in arrays_of(network)) == (policy != "apply")
    if policy in ("skip", "stop"):
        assert all(map(np.array_equal, arrays_of(network), before))


# ---- batches


def batches(seed=0, dtype="float64", **options):
    data = DataSpec(**options)
    return Batches(data, load_dataset(data), seed, dtype)


def test_an_epoch_takes_each_example_at_most_once_and_another_order_each_time():
    drawn = batches(batch_size=100)
    rows = {row.tobytes(): index for index, row in enumerate(drawn.dataset.inputs)}
    assert len(rows) == 1797
    epochs = [[[rows[one.tobytes()] for one in inputs] for inputs, _ in drawn.epoch(number)] for number in range(3)]
    for epoch in epochs:
        assert [len(batch) for batch in epoch] == [100] * 17 == [100] * drawn.per_epoch
        assert len(set(chain(*epoch))) == 1700
    assert epochs[0] != epochs[1] != epochs[2]
    assert len(set(chain(*epochs[0], *epochs[1], *epochs[2]))) > 1790  # what is left out is another each time


def test_labels_go_with_their_examples():
    drawn = batches(batch_size=64)
    labels = {row.tobytes(): label for row, label in zip(drawn.dataset.inputs, drawn.dataset.labels, strict=True)}
    for inputs, theirs in drawn.epoch(4):
        assert [labels[one.tobytes()] for one in inputs] == list(theirs)


def test_without_a_shuffle_every_epoch_is_in_the_order_of_the_data():
    drawn = batches(batch_size=300, shuffle=False)
    for epoch in (0, 5):
        found = list(drawn.epoch(epoch))
        assert np.array_equal(np.concatenate([one.inputs for one in found]), drawn.dataset.inputs[:1500])
        assert np.array_equal(np.concatenate([one.labels for one in found]), drawn.dataset.labels[:1500])


def test_a_batch_may_be_all_of_the_data():
    [batch] = batches(batch_size=1797).epoch(0)
    assert len(batch.inputs) == 1797


@pytest.mark.parametrize("data", ["digits", "gaussian"])
def test_a_seed_gives_the_same_batches_and_another_gives_others(data):
    one, same, other = (batches(seed, data=data, batch_size=8) for seed in (3, 3, 4))
    for number in (0, 7):
        first, again, else_ = (next(each.epoch(number)).inputs for each in (one, same, other))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, else_)


def test_gaussian_batches_are_drawn_anew_and_are_gaussian():
    drawn = batches(data="gaussian", batch_size=50)
    found = [batch for number in range(3) for batch in drawn.epoch(number)]
    assert len(found) == 3 * drawn.per_epoch
    assert {batch.labels for batch in found} == {None}
    every = np.concatenate([batch.inputs for batch in found])
    assert len(np.unique(every[:, 0])) == len(every)
    assert abs(every.mean()) < 5 / math.sqrt(every.size)
    assert every.std() == pytest.approx(1, abs=5 / math.sqrt(every.size))


@pytest.mark.parametrize("data", ["digits", "gaussian"])
def test_batches_have_the_type_that_was_asked_for(data):
    assert next(batches(dtype="float32", data=data).epoch(0)).inputs.dtype == np.float32


# ---- evaluation


@pytest.mark.parametrize("arch", ["mlp", "rnn"])
def test_evaluation_is_over_all_examples_at_once(arch):
    spec = NetworkSpec(depth=2, width=8) if arch == "mlp" else RecurrentSpec(steps=8, width=8)
    network, drawn = drawn_network(spec, 64, 10, 0), batches()
    inputs, labels = drawn.dataset.inputs, drawn.dataset.labels
    logits = network.logits(inputs)
    found = evaluate(network, drawn)
    assert found.loss == pytest.approx(cross_entropy(labels)(logits)[0], rel=1e-12)
    assert found.accuracy == np.mean(logits.argmax(1) == labels)


def test_evaluation_doesn_t_depend_on_the_batches():
    network = drawn_network(NetworkSpec(depth=1, width=8), 64, 10, 0)
    assert len({evaluate(network, batches(seed, batch_size=size)) for seed, size in [(0, 1), (1, 64), (2, 1797)]}) == 1


def test_without_labels_there_is_a_loss_and_no_accuracy():
    network, drawn = drawn_network(NetworkSpec(depth=1, width=8), 64, 10, 0), batches(data="gaussian")
    found = evaluate(network, drawn)
    assert math.isnan(found.accuracy)
    assert found.loss == loss_of(None)(network.logits(next(drawn.epoch(0)).inputs))[0]


def test_an_epoch_s_batches_are_made_one_after_the_other():
    assert len(list(islice(batches(batch_size=1).epoch(0), 3))) == 3


# ---- what a training can be


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"lr": 0}, "lr=0 is not a finite number above 0: it is the learning rate; .*"),
        ({"lr": -0.1}, "lr=-0.1 is not .*"),
        ({"lr": math.nan}, "lr=nan is not .*"),
        ({"lr": math.inf}, "lr=inf is not .*"),
        ({"lr": "fast"}, "lr='fast' is not .*"),
        ({"momentum": 1}, "momentum=1 would never forget a step; allowed: from 0 to below 1; .*"),
        ({"momentum": 1.5}, "momentum=1.5 would never .*"),
        ({"momentum": -0.1}, "momentum=-0.1 is not a finite number of at least 0: .*"),
        ({"momentum": math.nan}, "momentum=nan is not .*"),
        ({"epochs": 0}, "epochs=0 is not a whole number of at least 1: .*"),
        ({"epochs": 1.5}, "epochs=1.5 is not a whole number .*"),
        ({"epochs": True}, "epochs=True is not a whole number .*"),
        ({"nonfinite": "zeros"}, "nonfinite='zeros' is unknown; did you mean 'zero'. allowed: skip, stop, zero, apply"),
    ],
)
def test_a_training_that_cannot_be_is_one_line(options, problem):
    with pytest.raises(OptionError, match=f"^{problem}$"):
        TrainingSpec(**options)


def test_a_training_goes_to_a_dict_and_back():
    spec = TrainingSpec(lr=0.5, momentum=0, epochs=3, nonfinite="stop")
    assert TrainingSpec(**spec.to_dict()) == spec
