"""A pass captured as arrays, here of a perceptron in NumPy: the numbers and the verdict of PyTorch's own probe."""

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from gradcheck.diagnosis.sentences.codes import CODES
from gradcheck.probing.captured import CapturedLayer, CapturedLoss, CapturedPass, Use, Weight, activity
from gradcheck.probing.subject import probe_subject
from gradcheck.spec.thresholds import Thresholds

SHARED = run_path(str(Path(__file__).with_name("perceptron.py")))


class Perceptron:
    """A perceptron, its forward and backward pass by hand (``probing.subject.Subject``)."""

    def __init__(self, name="relu", gain=1.0, inputs=None, trunk=True):
        given, self.labels = SHARED["batch"]()
        self.name, self.trunk, self.inputs = name, trunk, given if inputs is None else inputs
        self.values = [one for kernel, bias in SHARED["weights"](gain) for one in (kernel, bias)]

    def trained(self):
        return list(self.values)

    def loss_of(self, output):
        return self._loss(output)[0]

    def _loss(self, logits):
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        chances = shifted / shifted.sum(1, keepdims=True)
        rows = np.arange(len(chances))
        hot = np.eye(chances.shape[1])[self.labels[: len(chances)]]
        return -np.log(chances[rows, self.labels[: len(chances)]]).mean(), (chances - hot) / len(chances)

    def _passed(self, values):
        x, uses = self.inputs, []
        for place in range(0, len(values), 2):
            z = x @ values[place] + values[place + 1]
            last = place == len(values) - 2
            uses.append((x, z, None if last else activity(self.name, z)))
            x = z if last else uses[-1][2].output
        loss, delta = self._loss(x)
        gradients, deltas = [], []
        for place in reversed(range(0, len(values), 2)):
            given, _, active = uses[place // 2]
            delta = delta if active is None else delta * active.slope
            deltas.insert(0, delta)
            gradients = [given.T @ delta, delta.sum(0), *gradients]
            delta = delta @ values[place].T
        return loss, uses, deltas, gradients

    def gradients(self, trained, number):
        loss, _, _, gradients = self._passed(trained)
        return loss, gradients

    def capture(self, trained=None):
        values = self.values if trained is None else trained
        loss, uses, deltas, gradients = self._passed(values)
        layers = tuple(
            CapturedLayer(
                str(place),
                (Use(z, deltas[place], () if active is None else (active,), on_trunk=self.trunk),),
                (
                    Weight("weight", values[2 * place], gradients[2 * place]),
                    Weight("bias", values[2 * place + 1], gradients[2 * place + 1], bias=True),
                ),
            )
            for place, (_, z, active) in enumerate(uses)
        )
        output = uses[-1][1]
        said = CapturedLoss("cross-entropy", loss, "cross-entropy", output.shape[1], self.labels, output=output)
        return CapturedPass(layers, len(layers) - 1, said, len(self.inputs), (self.inputs,))


def report_on(subject, **options):
    return probe_subject(
        subject, "NumPy", "Perceptron", {"loss": None, "mode": "train", "seed": 0}, Thresholds(), **options
    )


def codes(report):
    return [one.code for one in report.verdict.causes]


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_every_number_is_that_of_pytorch(name):
    pytest.importorskip("torch")
    ours, theirs = report_on(Perceptron(name)).to_dict(), SHARED["torch_report"](name).to_dict()
    assert SHARED["largest_difference"](ours, theirs) < 1e-9


def test_the_report_says_what_was_not_looked_at():
    assert codes(report_on(Perceptron()))[-1] == "not-looked-at"
    assert (
        report_on(Perceptron()).verdict.reasons[-1].startswith("not looked at in a model of NumPy: terms of the loss")
    )
    assert "not-looked-at" in CODES


def test_small_weights_vanish_without_a_trial_in_a_plain_chain():
    report = report_on(Perceptron("tanh", gain=0.05))
    assert report.verdict.status == "vanishing"
    assert report.model.trial is None


def test_what_looks_ill_off_the_trunk_is_trained_by_numpy_before_it_is_accused():
    subject = Perceptron("tanh", trunk=False)
    for place in (2, 4):
        subject.values[place] = 0.05 * subject.values[place]
    before = [one.copy() for one in subject.values]
    report, accused = report_on(subject), report_on(subject, trial=False)
    assert accused.verdict.status == "vanishing"
    assert report.model.trial is not None
    assert (report.verdict.status == "healthy") == report.model.trial.learns
    assert all(map(np.array_equal, subject.values, before))


def test_adam_takes_the_steps_that_pytorch_takes():
    torch = pytest.importorskip("torch")
    from gradcheck.probing.subject import Adam

    subject = Perceptron("tanh")
    ours = Adam(subject, 1e-2)
    values = [torch.tensor(one.copy(), requires_grad=True) for one in subject.trained()]
    theirs = torch.optim.Adam(values, lr=1e-2)
    for number in range(5):
        loss, gradients = subject.gradients([one.detach().numpy() for one in values], number)
        assert ours.step(number) == pytest.approx(loss, rel=1e-12)
        for one, gradient in zip(values, gradients, strict=True):
            one.grad = torch.tensor(gradient)
        theirs.step()


def test_examples_that_are_all_the_same_are_named():
    inputs, _ = SHARED["batch"]()
    assert "inputs-alike" in codes(report_on(Perceptron(inputs=np.tile(inputs[:1], (8, 1)))))


def test_a_weight_that_is_not_a_number_stops_the_signal_there():
    subject = Perceptron()
    subject.values[4] = np.full_like(subject.values[4], np.nan)
    report = report_on(subject)
    assert report.verdict.status == "nonfinite"
    assert codes(report)[0] == "forward-nan"
