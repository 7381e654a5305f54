"""Faults between output and loss, with losses written in NumPy: what each takes its input for, and what is named."""

import numpy as np
import pytest

from gradcheck.probing.captured import CapturedLayer, CapturedLoss, CapturedPass, Use, Weight
from gradcheck.probing.loss_faults import find_loss_faults
from gradcheck.probing.loss_kinds import kind_of, sigmoid, softmax

RANDOM = np.random.default_rng(0)
LOGITS, NUMBER = RANDOM.standard_normal((16, 3)), RANDOM.standard_normal((16, 1))
LABELS, YES = RANDOM.integers(3, size=16), RANDOM.integers(2, size=(16, 1)).astype(float)
HOT = np.eye(3)[LABELS]


def of_logits(targets):
    return lambda out: float(-(targets * (out - np.log(np.exp(out).sum(-1, keepdims=True)))).sum(-1).mean())


def of_probabilities(targets):
    """As Keras has it: normalised, then kept off 0."""
    return lambda out: float(
        -(targets * np.log((out / out.sum(-1, keepdims=True)).clip(1e-7, 1 - 1e-7))).sum(-1).mean()
    )


def not_normalised(targets):
    return lambda out: float(-(targets * np.log(out + 1e-8)).sum(-1).mean())


def binary_of_logits(targets):
    return lambda out: float((np.logaddexp(0, out) - targets * out).mean())


def binary(targets):
    def loss(out):
        out = out.clip(1e-7, 1 - 1e-7)
        return float(-(targets * np.log(out) + (1 - targets) * np.log(1 - out)).mean())

    return loss


def square(targets):
    return lambda out: float(np.square(out - targets).mean())


def codes(output, loss, targets, *, before=None, labels=None, name="own"):
    use = Use(LOGITS if before is None else before)
    layer = CapturedLayer("last", (use,), (Weight("kernel", np.ones((2, 2))),))
    with np.errstate(all="ignore"):
        value = loss(output)
    captured_loss = CapturedLoss(name, value, "", 0, labels, targets, output)
    captured = CapturedPass((layer,), 0, captured_loss, len(output))
    return [one.code for one in find_loss_faults(captured, loss, "Keras", by_default=name != "own")]


@pytest.mark.parametrize(
    ("loss", "output", "kind"),
    [
        (of_logits(HOT), LOGITS, ("softmax", "logits")),
        (of_probabilities(HOT), LOGITS, ("softmax", "probabilities")),
        (not_normalised(HOT), LOGITS, ("softmax", "probabilities")),
        (binary_of_logits(YES), NUMBER, ("sigmoid", "logits")),
        (binary(YES), NUMBER, ("sigmoid", "probabilities")),
        (binary(HOT), LOGITS, ("sigmoid", "probabilities")),
        (square(NUMBER), NUMBER, ("square", "numbers")),
    ],
)
def test_what_a_loss_takes_its_input_for_is_seen_from_what_it_makes_of_others(loss, output, kind):
    with np.errstate(all="ignore"):
        assert kind_of(loss, output)[:2] == kind


@pytest.mark.parametrize(
    "loss",
    [
        lambda out: float(np.log(np.cosh(out - NUMBER)).mean()),
        lambda out: float(np.abs(out - NUMBER).mean()),
        lambda out: float((out - np.abs(NUMBER) * np.log(np.abs(out) + 1e-7)).mean()),  # Poisson's
        lambda out: float(np.maximum(0, 1 - out).mean()),
        lambda out: 1.0,
    ],
)
def test_other_losses_are_taken_for_none_of_these(loss):
    assert kind_of(loss, NUMBER) is None


def test_probabilities_that_a_loss_takes_for_logits_are_named():
    assert codes(softmax(LOGITS), of_logits(HOT), HOT) == ["softmax-twice"]
    assert codes(sigmoid(NUMBER), binary_of_logits(YES), YES, before=NUMBER) == ["sigmoid-twice"]


def test_logits_that_a_loss_takes_for_probabilities_are_named():
    assert codes(LOGITS, of_probabilities(HOT), HOT) == ["not-probabilities"]
    assert codes(NUMBER, binary(YES), YES, before=NUMBER) == ["not-probabilities"]


def test_a_softmax_over_the_examples_is_named():
    assert codes(softmax(LOGITS, 0), of_probabilities(HOT), HOT) == ["softmax-over-batch"]


def test_labels_that_are_no_classes_are_named_and_those_that_stand_for_none_are_not():
    loss = of_logits(HOT)
    assert codes(LOGITS, loss, LABELS + 1, labels=LABELS + 1) == ["labels-outside"]
    assert codes(LOGITS, loss, LABELS + 1) == ["labels-outside"]  # of a loss that has no name
    assert codes(LOGITS, loss, np.where(LABELS == 2, -1, LABELS)) == []


def test_targets_of_a_binary_cross_entropy_are_from_0_to_1_but_not_those_of_a_logistic_loss_of_signs():
    signs = 2 * YES - 1
    assert codes(NUMBER, binary_of_logits(signs), signs, before=NUMBER) == ["labels-outside"]
    assert codes(NUMBER, binary_of_logits(255 * YES), 255 * YES, before=NUMBER) == ["labels-outside"]
    assert codes(NUMBER, lambda out: float(np.logaddexp(0, -signs * out).mean()), signs, before=NUMBER) == []


def test_shapes_that_are_broadcast_are_named_only_where_the_loss_compares_all_with_all():
    flat = NUMBER[:, 0]
    assert codes(NUMBER + 1, square(flat), flat, before=NUMBER) == ["broadcast"]
    assert codes(NUMBER + 1, square(NUMBER), flat, before=NUMBER) == []
    assert codes(NUMBER + 1, lambda out: 1.0, flat, before=NUMBER) == []


def test_a_label_that_is_the_target_of_all_classes_is_named():
    assert codes(LOGITS, of_logits(LABELS[:, None]), LABELS[:, None]) == ["broadcast"]


def test_targets_out_of_reach_are_named_only_where_the_end_is_certain():
    assert codes(NUMBER.clip(0), square(NUMBER), NUMBER, before=NUMBER) == ["out-of-reach"]
    assert codes(3 * np.tanh(NUMBER), square(3 * NUMBER), 3 * NUMBER, before=NUMBER) == []


def test_mean_square_of_probabilities_by_default_is_named():
    assert codes(sigmoid(NUMBER), square(YES), YES, before=NUMBER, name="mean-square") == ["loss-of-probabilities"]


def test_right_pairs_are_not_accused():
    assert codes(LOGITS, of_logits(HOT), HOT) == []
    assert codes(softmax(LOGITS), of_probabilities(HOT), HOT) == []
    assert codes(softmax(LOGITS), square(HOT), HOT) == []
    assert codes(np.log(softmax(LOGITS)), of_logits(HOT), HOT) == []
    assert codes(sigmoid(LOGITS), binary(HOT), HOT) == []


def test_a_loss_that_wants_more_than_numbers_is_left_alone():
    def loss(out):
        if out is LOGITS:
            return 1.0
        raise ValueError("no")

    assert codes(LOGITS, loss, HOT) == []
