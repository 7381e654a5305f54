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
    found, _ = find_loss_faults(captured, lambda out, place: loss(out), "Keras", by_default=name != "own")
    return [one.code for one in found]


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
    assert codes(sigmoid(LOGITS), of_logits(HOT), HOT, before=LOGITS) == ["loss-floor"]


def test_logits_that_a_loss_takes_for_probabilities_are_named():
    assert codes(LOGITS, of_probabilities(HOT), HOT) == ["not-probabilities"]
    assert codes(NUMBER, binary(YES), YES, before=NUMBER) == ["not-probabilities"]


def test_a_softmax_over_the_examples_is_named():
    assert codes(softmax(LOGITS, 0), of_probabilities(HOT), HOT) == ["softmax-over-batch"]


INNER = RANDOM.standard_normal((8, 3, 5))
OF_INNER = np.moveaxis(np.eye(3)[RANDOM.integers(3, size=(8, 5))], -1, 1)  # classes in axis 1
OF_LAST = np.eye(5)[RANDOM.integers(5, size=(8, 3))]


def over(axis, targets, *, logits):
    def loss(out):
        shares = softmax(out, axis) if logits else out / out.sum(axis, keepdims=True)
        return float(-(targets * np.log(shares.clip(1e-7, 1))).sum(axis).mean())

    return loss


def test_classes_may_be_in_an_axis_within_the_output():
    with np.errstate(all="ignore"):
        assert kind_of(over(1, OF_INNER, logits=True), INNER)[::3] == ("softmax", 1)
        assert kind_of(over(1, OF_INNER, logits=False), INNER)[:2] == ("softmax", "probabilities")
    assert codes(softmax(INNER, 1), over(1, OF_INNER, logits=True), OF_INNER) == ["softmax-twice"]
    assert codes(INNER, over(1, OF_INNER, logits=False), OF_INNER) == ["not-probabilities"]
    assert codes(softmax(INNER, 1), over(1, OF_INNER, logits=False), OF_INNER) == []
    assert codes(INNER, over(1, OF_INNER, logits=True), OF_INNER) == []


@pytest.mark.parametrize("logits", [True, False])
def test_a_softmax_over_another_axis_than_the_loss_has_its_classes_in_is_named(logits):
    assert codes(softmax(INNER, 1), over(-1, OF_LAST, logits=logits), OF_LAST) == ["softmax-over-batch"]
    assert codes(softmax(INNER, 2), over(1, OF_INNER, logits=logits), OF_INNER) == ["softmax-over-batch"]


def several(outputs, losses, weights=(1, 1)):
    """What is found of several outputs, whose losses are added up; and what was not looked at."""
    layer = CapturedLayer("last", (Use(LOGITS),), (Weight("kernel", np.ones((2, 2))),))
    parts = tuple((name, CapturedLoss("both", 1.0, output=one)) for name, one in zip("ab", outputs, strict=True))
    captured = CapturedPass((layer,), 0, CapturedLoss("both", 1.0, parts=parts), len(LOGITS))

    def loss_of(out, place):
        given = [out if at == place else one for at, one in enumerate(outputs)]
        return sum(weight * loss(one) for weight, loss, one in zip(weights, losses, given, strict=True))

    found, unseen = find_loss_faults(captured, loss_of, "Keras", by_default=False)
    return [(one.code, one.details["part"]) for one in found], unseen


@pytest.mark.parametrize("weights", [(1, 1), (30, 1), (1, 30)])
def test_of_several_outputs_the_one_that_does_not_fit_its_loss_is_named(weights):
    losses = of_logits(HOT), square(NUMBER)
    assert several((softmax(LOGITS), NUMBER + 1), losses, weights) == ([("softmax-twice", "a")], ())
    assert several((LOGITS, NUMBER + 1), losses, weights) == ([], ())
    assert several((LOGITS, NUMBER), (of_logits(HOT), binary(YES)), weights)[0] == [("not-probabilities", "b")]


def test_what_could_not_be_tried_is_said(monkeypatch):
    monkeypatch.setattr("gradcheck.probing.loss_faults.LARGEST", 20)
    assert several((LOGITS, NUMBER), (of_logits(HOT), square(NUMBER)))[1] == (
        "whether the loss fits the 48 outputs of a",
    )
    monkeypatch.undo()

    def refused(out):
        raise ValueError("no")

    assert several((LOGITS, NUMBER), (of_logits(HOT), refused))[1] == (
        "whether the loss fits the output of a", "whether the loss fits the output of b",
    )  # fmt: skip


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
