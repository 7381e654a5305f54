"""What number formats lose along a network: the tensors that are counted, and how they are put together."""

import numpy as np
import pytest

from gradcheck.engine.loss import loss_of
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.number_formats import FORMATS
from gradcheck.flow.gradient_flow import measure
from gradcheck.flow.number_formats import KINDS, Case, Tally, cases_of
from gradcheck.simulation.experiment import Experiment

SMALL = {"depth": 3, "width": 8, "batch_size": 6, "activation": "tanh"}


class Seen(Tally):
    """A tally that keeps the tensors that it is given."""

    def __init__(self):
        super().__init__(cases_of(["fp16"], {"fp16": 16}), 0.1)
        self.tensors = {}

    def add(self, layer, kind, tensor):
        self.tensors.setdefault((layer, kind), []).append(np.ldexp(tensor.mantissa, tensor.exponent))
        super().add(layer, kind, tensor)


def seen_along(**options):
    """The tensors that are counted, the network, its inputs and its loss."""
    experiment, tally = Experiment.from_options(options), Seen()
    inputs, labels = experiment.batch(0)
    network = experiment.draw(0)
    unrolled, start = network.unrolled(inputs)
    measure(unrolled, start, loss_of(labels), tally=tally)
    return tally, network, inputs, loss_of(labels)


def test_a_layers_tensors_are_its_inputs_its_weights_and_their_gradients():
    tally, network, inputs, loss = seen_along(**SMALL)
    parts = network.gradient(inputs, loss).parts
    assert np.array_equal(tally.tensors[1, "activations"][0], inputs)
    for layer in (1, 2, 3):
        (weights,), (gradient,) = (tally.tensors[layer, kind] for kind in ("weights", "weight_gradients"))
        assert np.array_equal(weights, network.linear(layer).weight.T)
        assert np.allclose(gradient.T, parts[layer - 1], rtol=1e-12, atol=0)
        (x,), (delta,) = (tally.tensors[layer, kind] for kind in ("activations", "gradients"))
        assert np.allclose(x.T @ delta, parts[layer - 1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("arch", ["rnn", "lstm", "gru"])
def test_the_steps_of_a_recurrence_share_weights_whose_gradient_is_that_of_all_steps(arch):
    tally, network, inputs, loss = seen_along(arch=arch, steps=8, width=5, batch_size=6)
    parts = [one for one in network.gradient(inputs, loss).parts if one.ndim == 2][:2]
    found = [one.T for layer in range(1, 9) for one in tally.tensors.get((layer, "weight_gradients"), ())]
    assert len(found) == 2
    assert all(np.allclose(one, part, rtol=1e-9, atol=1e-15) for one, part in zip(found, parts, strict=True))
    (case, *_) = tally.cases
    assert tally.shares(8, case, "weights") == tally.shares(1, case, "weights") is not None
    assert tally.lost(8) == tally.lost(1) is not None


def test_a_stream_has_no_linear_map_and_branches_have_two():
    tally, *_ = seen_along(arch="transformer", blocks=1, model_width=8, heads=2, tokens=4)
    assert {layer: len(tally.tensors[layer, "weights"]) for layer, kind in tally.tensors if kind == "weights"} == {
        1: 2, 2: 2,
    }  # fmt: skip
    assert all(tally.shares(3, case, kind) is None for case in tally.cases for kind in KINDS)


def test_weightless_layers_lose_what_stored_ones_do():
    wide = {"depth": 2, "width": 512, "batch_size": 8, "activation": "relu", "init": "he", "seeds": 4}
    lost = []
    for layers in ("dense", "weightless"):
        experiment, tally = Experiment.from_options(wide | {"layers": layers}), Tally([Case("fp8-e4m3", "tensor")], 0.1)
        experiment.outcome(tally=tally)
        lost.append([tally.lost(1), tally.lost(2)])
        assert tally.drawn == (layers == "weightless")
    assert np.allclose(*lost, atol=0.03)  # three standard errors of four networks


def test_the_loss_scale_falls_by_sixteens_until_no_gradient_overflows():
    (case,) = [one for one in cases_of(["fp16"], {"fp16": 16}) if one.scaling == "loss"]
    assert case.shifts == (16, 12, 8, 4, 0)
    for size, shift in ((1e-3, 16), (2.0, 12), (100.0, 8), (1e9, 0)):
        tally = Tally([case], 0.1)
        tally.add(1, "activations", Scaled(np.full((1, 1), 1e9)))  # no loss scale helps those
        tally.add(1, "gradients", Scaled(np.full((1, 1), size)))
        assert tally.loss_shift(case) == shift
        assert tally.shares(1, case, "activations").overflow == 1
        assert tally.shares(1, case, "gradients").log2_scale == shift


def test_several_draws_are_counted_together():
    tally = Tally([Case("fp8-e5m2", "tensor")], 1.0)
    first, second = np.array([[1.0, 2.0**-40]]), np.array([[4.0, 1.0]])
    for one in (first, second):
        tally.add_weights(1, one, Scaled(one))
    shares = tally.shares(1, tally.cases[0], "weights")
    assert (shares.to_zero, shares.subnormal, shares.overflow, shares.log2_scale) == (0.25, 0.0, 0.0, 13)
    assert tally.lost(1) == tally.all_lost == 0.0  # a step of a weight's own size is none that rounding loses


def test_a_tensor_of_zeros_has_no_shares():
    tally = Tally(cases_of(FORMATS, {"fp16": 16, "bf16": 0}), 0.1)
    tally.add_weights(1, np.zeros((2, 2)), Scaled(np.zeros((2, 2))))
    assert {tally.shares(1, case, kind) for case in tally.cases for kind in KINDS} == {None}
    assert tally.lost(1) is tally.all_lost is None
