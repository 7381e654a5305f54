"""Recurrences, step by step."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.sequences.unrolling import unrolled  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

CLASSES = torch.arange(6) % 4


class AtOnce(nn.Module):
    """Answers after the last step."""

    def __init__(self, kind, **options):
        super().__init__()
        self.cells, self.head = getattr(nn, kind)(8, 16, batch_first=True, **options), nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


class InALoop(nn.Module):
    """The same, one cell call a step; between the steps its state may be changed."""

    def __init__(self, other, kind, between=lambda state: state):
        super().__init__()
        self.cells, self.head, self.between = getattr(nn, f"{kind}Cell")(8, 16), other.head, between
        self.cells.load_state_dict({name.removesuffix("_l0"): one for name, one in other.cells.state_dict().items()})

    def forward(self, x):
        state, self.states = None, []
        for step in x.unbind(1):
            state = self.between(self.cells(step, state))
            self.states.append(state[0] if isinstance(state, tuple) else state)
        return self.head(self.states[-1])


def numbers(report):
    """Those of the only recurrence."""
    [one] = report.model.recurrences
    gates = [value for gate in one.gates for value in (gate.largest, gate.saturated, gate.saturated_by_inputs)]
    return [one.steps, one.log10_gradient_ratio, one.step_gain, *gates]


def codes(report):
    return [cause.code for cause in report.verdict.causes]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_module_has_the_numbers_of_its_cell_in_a_loop_and_of_autograd(kind):
    model, x = AtOnce(kind), 3 * torch.randn(6, 12, 8)
    looped = InALoop(model, kind)
    report = probe(model, (x, CLASSES))
    assert numbers(report) == pytest.approx(numbers(probe(looped, (x, CLASSES))), rel=1e-3)
    loss = nn.functional.cross_entropy(looped(x), CLASSES)
    first, last = (delta.norm().log10().item() for delta in torch.autograd.grad(loss, looped.states)[:: len(x[0]) - 1])
    assert report.model.recurrences[0].log10_gradient_ratio == pytest.approx(first - last, abs=1e-3)


@pytest.mark.parametrize(
    "options", [{"num_layers": 2, "bidirectional": True}, {"bias": False}, {"num_layers": 2, "proj_size": 5}]
)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_going_through_the_steps_gives_what_the_module_returns(kind, options):
    options = {name: value for name, value in options.items() if name != "proj_size" or kind == "LSTM"}
    module, x = getattr(nn, kind)(8, 16, **options).double(), torch.randn(7, 3, 8, dtype=torch.float64)
    passes = list(unrolled(module, x.numpy(), []))[-2 if module.bidirectional else -1 :]
    hidden = [np.stack(one.hidden[::-1] if one.part.endswith("_reverse") else one.hidden) for one in passes]
    assert np.concatenate(hidden, -1) == pytest.approx(module(x)[0].detach().numpy(), abs=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_module_that_is_called_once_a_step_has_the_numbers_of_one_call(kind):
    class Called(AtOnce):
        def forward(self, x):
            state = None
            for step in range(x.shape[1]):
                output, state = self.cells(x[:, step : step + 1], state)
            return self.head(output[:, -1])

    model, other = AtOnce(kind), Called(kind)
    other.load_state_dict(model.state_dict())
    x = torch.randn(6, 12, 8)
    assert numbers(probe(other, (x, CLASSES))) == pytest.approx(numbers(probe(model, (x, CLASSES))), rel=1e-3)


def test_a_lower_layer_gets_its_gradient_through_the_upper_ones():
    class Stacked(nn.Module):
        def __init__(self, other):
            super().__init__()
            self.lower, self.upper, self.head = nn.LSTMCell(8, 16), nn.LSTMCell(16, 16), other.head
            for layer, cell in enumerate((self.lower, self.upper)):
                cell.load_state_dict({name: getattr(other.cells, f"{name}_l{layer}") for name in cell.state_dict()})

        def forward(self, x):
            low = high = None
            for step in x.unbind(1):
                low = self.lower(step, low)
                high = self.upper(low[0], high)
            return self.head(high[0])

    model, batch = AtOnce("LSTM", num_layers=2), (torch.randn(6, 12, 8), CLASSES)
    at_once, stacked = (probe(one, batch).model.recurrences for one in (model, Stacked(model)))
    for one, other in zip(at_once, stacked, strict=True):
        assert one.log10_gradient_ratio == pytest.approx(other.log10_gradient_ratio, abs=1e-4)
        assert one.step_gain == pytest.approx(other.step_gain, rel=1e-4)


def test_layers_directions_and_the_last_states_have_their_gradients():
    class Both(AtOnce):
        def forward(self, x):
            return self.head(self.cells(x)[1][0].sum(0))

    report = probe(Both("LSTM", num_layers=2, bidirectional=True), (torch.randn(6, 12, 8), CLASSES))
    assert [one.part for one in report.model.recurrences] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert all(one.log10_gradient_ratio < 0 for one in report.model.recurrences[2:])
    assert all(0.3 < one.step_gain < 0.8 for one in report.model.recurrences)


def test_a_model_that_reads_the_last_states_has_the_numbers_of_one_that_reads_the_last_step():
    class LastState(AtOnce):
        def forward(self, x):
            return self.head(self.cells(x)[1][0].squeeze(0))

    model, batch = AtOnce("LSTM"), (torch.randn(6, 12, 8), CLASSES)
    other = LastState("LSTM")
    other.load_state_dict(model.state_dict())
    first, second = probe(model, batch), probe(other, batch)
    assert numbers(second) == pytest.approx(numbers(first), rel=1e-5)
    assert second.layers[0].gradient_rms == pytest.approx(first.layers[0].gradient_rms, rel=1e-5)


def test_packed_sequences_are_taken_where_they_are_whole():
    class Packed(AtOnce):
        def forward(self, x):
            packed = pack_padded_sequence(x, [12, 12, 12, 9, 9, 4], batch_first=True)
            return self.head(self.cells(packed)[1].squeeze(0))

    model, x = Packed("GRU"), torch.randn(6, 12, 8)
    whole = AtOnce("GRU")
    whole.load_state_dict(model.state_dict())
    picked = probe(whole, (x[:3], CLASSES[:3]))
    assert numbers(probe(model, (x, CLASSES))) == pytest.approx(numbers(picked), rel=1e-5)


def test_a_state_that_is_changed_between_the_steps_is_left_alone():
    model = AtOnce("GRU")
    report = probe(InALoop(model, "GRU", between=lambda state: 2 * state), (torch.randn(6, 12, 8), CLASSES))
    assert report.model.recurrences == ()


def test_inputs_that_saturate_the_gates_are_named_with_their_size():
    report = probe(AtOnce("LSTM"), (300 * torch.randn(6, 12, 8), CLASSES))
    [cause] = [one for one in report.verdict.causes if one.code == "gates-saturated"]
    assert (report.verdict.status, cause.layers) == ("vanishing", (1, 1))
    assert cause.text.endswith("are saturated by its inputs, whose root mean square is 309: scale them to about 1")


def test_gates_that_their_biases_hold_open_are_no_fault():
    model = AtOnce("LSTM")
    with torch.no_grad():
        model.cells.bias_ih_l0[16:32] = 7.0  # so that the cell remembers a thousand steps
    report = probe(model, (torch.randn(6, 12, 8), CLASSES))
    assert (report.verdict.status, report.model.recurrences[0].gates[1].saturated > 0.5) == ("healthy", True)


def test_a_forget_gate_that_is_shut_is_named():
    model = AtOnce("LSTM")
    with torch.no_grad():
        model.cells.bias_ih_l0[16:32] = -6.0
    report = probe(model, (torch.randn(6, 12, 8), CLASSES))
    assert (report.verdict.status, report.verdict.causes[0].code) == ("vanishing", "forgets")
    assert re.search(
        r", as its forget gate is at most 0\.0\d+: start the bias of that gate at 1$", report.verdict.reasons[0]
    )
    with torch.no_grad():
        model.cells.bias_ih_l0[16:32] = 1.0
    assert probe(model, (torch.randn(6, 12, 8), CLASSES)).verdict.status == "healthy"


@pytest.mark.parametrize(("kind", "steps"), [("LSTM", 2), ("RNN", 30)])
def test_two_steps_say_little_and_large_inputs_alone_make_no_recurrence_forget(kind, steps):
    model, x = AtOnce(kind), torch.randn(6, steps, 8) * (4 if steps > 2 else 1)
    assert "forgets" not in codes(probe(model, (x, CLASSES)))


@pytest.mark.parametrize(("gain", "forgets"), [(0.2, True), (0.6, False)])
def test_a_recurrence_without_gates_forgets_by_small_weights_alone(gain, forgets):
    model = AtOnce("RNN")
    torch.nn.init.orthogonal_(model.cells.weight_hh_l0, gain)
    assert ("forgets" in codes(probe(model, (0.5 * torch.randn(6, 30, 8), CLASSES)))) == forgets


def test_a_recurrence_of_next_to_no_weights_forgets():
    model = AtOnce("RNN")
    with torch.no_grad():
        model.cells.weight_hh_l0 *= 0.05
    [cause, *_] = probe(model, (torch.randn(6, 12, 8), CLASSES)).verdict.causes
    assert cause.text.endswith("its recurrent weights are small: start them orthogonal")
    nn.init.orthogonal_(model.cells.weight_hh_l0)
    assert probe(model, (torch.randn(6, 12, 8), CLASSES)).verdict.status == "healthy"


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_that_a_network_as_pytorch_draws_it_forgets_in_time_is_no_fault_but_is_said(kind):
    report = probe(AtOnce(kind), (torch.randn(6, 100, 8), CLASSES))
    assert (report.verdict.status, "memory" in codes(report)) == ("healthy", True)
    assert "memory" not in codes(probe(AtOnce(kind), (torch.randn(6, 12, 8), CLASSES)))


def test_of_several_layers_that_forget_the_one_that_does_most_is_said():
    report = probe(AtOnce("GRU", num_layers=3), (torch.randn(6, 100, 8), CLASSES))
    [cause] = [one for one in report.verdict.causes if one.code == "memory"]
    gains = [one.step_gain for one in report.model.recurrences]
    assert cause.text.startswith(f"each step back in time leaves {min(gains):.2g} of cells")


def test_a_gradient_that_grows_back_in_time_is_named():
    model = AtOnce("RNN")
    nn.init.orthogonal_(model.cells.weight_hh_l0, 3.0)
    report = probe(model, (torch.randn(6, 60, 8), CLASSES))
    assert (report.verdict.status, codes(report)[0]) == ("exploding", "explodes-in-time")


def test_dropout_between_the_layers_of_a_recurrence_is_drawn_where_it_trains():
    module, x = nn.LSTM(3, 16, num_layers=2, dropout=0.9, batch_first=True), np.ones((5, 4, 3))
    trained, plain = (list(unrolled(module.train(mode), x, [])) for mode in (True, False))
    assert np.array_equal(trained[0].hidden, plain[0].hidden)
    assert float(np.mean(trained[1].kept == 0)) == pytest.approx(0.9, abs=0.06)
    assert set(np.unique(np.round(trained[1].kept, 6))) == {0.0, 10.0}
    assert plain[1].kept == 1.0


def test_a_sequence_that_is_too_long_to_go_through_is_said_so(said):
    model = nn.LSTM(2, 4, batch_first=True)
    report = probe(model, torch.randn(2, 2001, 2), lambda output, _: output[0][:, -1].square().mean())
    assert report.model.recurrences == ()
    assert "has 2,001 steps: beyond 2,000 a recurrence is not gone through step by step" in said(report)


def adding(steps):
    """Return the adding problem: two of the numbers are marked, and their sum is asked for."""
    numbers, marks = torch.rand(32, steps), torch.zeros(32, steps)
    for row in marks:
        row[torch.randperm(steps)[:2]] = 1
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(1, keepdim=True)


class Identity(nn.Module):
    """A recurrence of ReLUs that starts as the identity (Le, Jaitly & Hinton 2015)."""

    def __init__(self, kept=1.0, width=64):
        super().__init__()
        self.cells, self.head = nn.RNN(2, width, nonlinearity="relu", batch_first=True), nn.Linear(width, 1)
        nn.init.eye_(self.cells.weight_hh_l0)
        nn.init.normal_(self.cells.weight_ih_l0, std=0.001)
        with torch.no_grad():
            self.cells.weight_hh_l0.mul_(kept)
            self.cells.bias_ih_l0.zero_()
            self.cells.bias_hh_l0.zero_()

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


@pytest.mark.parametrize("kept", [1.0, 0.99])
def test_a_recurrence_that_starts_as_the_identity_can_not_tell_apart_inputs_of_one_sum(kept):
    report = probe(Identity(kept), adding(20))
    assert report.layers[0].effective_rank < 1.8
    assert (report.verdict.status, report.model.trial) == ("healthy", None)


def test_a_recurrence_whose_inputs_sums_differ_is_held_to_their_rank():
    report = probe(Identity(), (torch.randn(32, 20, 2), torch.randn(32, 1)))
    assert report.verdict.status == "healthy"
    assert report.layers[0].effective_rank > 1.8


def test_a_recurrence_that_explodes_is_called_so_though_its_examples_look_alike():
    model = Identity(kept=3.0)
    nn.init.orthogonal_(model.cells.weight_hh_l0, 3.0)
    verdict = probe(model, (torch.randn(32, 40, 2), torch.randn(32, 1))).verdict
    assert (verdict.status, verdict.causes[0].code) == ("exploding", "explodes-in-time")


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_recurrence_whose_last_state_alone_is_read_is_measured_whichever_axis_is_first(kind, layers, batch_first):
    class Ending(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.head = getattr(nn, kind)(8, 16, layers, batch_first=batch_first), nn.Linear(16, 4)

        def forward(self, x):
            states = self.cells(x if batch_first else x.transpose(0, 1))[1]
            return self.head((states[0] if kind == "LSTM" else states)[-1])

    report = probe(Ending(), (torch.randn(6, 12, 8), CLASSES))
    assert report.verdict.status == "healthy"
    assert report.model.recurrences[-1].steps == 12
