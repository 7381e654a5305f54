"""Whole recurrent networks in PyTorch, float64, with the same weights and data: every number that both have."""

import math

import numpy as np
import pytest

from gradcheck.engine.cells import CELLS
from gradcheck.engine.layered import backward, forward
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.magnitude import rescaled
from gradcheck.flow.gradient_flow import measure

torch = pytest.importorskip("torch")
functional = torch.nn.functional

BOUND = 1e-9
STEPS, FEATURES, WIDTH, CLASSES, BATCH = 64, 3, 10, 6, 9
KINDS = {
    "tanh rnn": {"arch": "rnn", "activation": "tanh", "recurrent_gain": 1.2},
    "relu rnn": {"arch": "rnn", "activation": "relu", "init": "orthogonal"},
    "lstm": {"arch": "lstm"},
    "lstm, wide open": {"arch": "lstm", "forget_bias": 4.0, "init": "torch_default"},
    "gru": {"arch": "gru"},
    "gru, wide open": {"arch": "gru", "forget_bias": 4.0, "init": "orthogonal", "recurrent_gain": 2.0},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def network(recurrent_of):
    """A kind ↦ a network with biases everywhere."""

    def drawn(kind):
        fields = {"steps": STEPS, "width": WIDTH, "bias_std": 0.2} | KINDS[kind]
        return recurrent_of(features=STEPS * FEATURES, classes=CLASSES, seed=4, **fields)

    return drawn


@pytest.fixture
def batch(rng):
    return rng.standard_normal((BATCH, STEPS * FEATURES)), rng.integers(0, CLASSES, BATCH)


@pytest.fixture
def check(relative_error, record_error):
    """Note the error of a number of ours, and hold it below the bound."""

    def compare(what, ours, theirs, whose="recurrences"):
        error = relative_error(ours, theirs.detach().numpy())
        record_error(f"{whose} against torch, {what}", error)
        assert error < BOUND, what

    return compare


def their_module(kind, network):
    """PyTorch's own layer and read-out with the network's weights."""
    (W_x, b), (W_h, b_h), (W_out, b_out) = (dense for _, dense in network.maps)
    arch = KINDS[kind]["arch"]
    more = {"nonlinearity": KINDS[kind]["activation"]} if arch == "rnn" else {}
    layer = getattr(torch.nn, arch.upper())(FEATURES, WIDTH, batch_first=True, dtype=torch.float64, **more)
    readout = torch.nn.Linear(WIDTH, CLASSES, dtype=torch.float64)
    layer.load_state_dict(
        {
            name: torch.tensor(array)
            for name, array in zip(layer.state_dict(), (W_x.T, W_h.T, b, b_h), strict=True)
        }
    )  # fmt: skip
    readout.load_state_dict({"weight": torch.tensor(W_out.T), "bias": torch.tensor(b_out)})
    return layer, readout


@every_kind
def test_loss_logits_and_all_weight_gradients_agree_with_pytorchs_own_layers(kind, network, batch, check):
    ours, (inputs, labels) = network(kind), batch
    layer, readout = their_module(kind, ours)
    logits = readout(layer(torch.tensor(inputs).reshape(BATCH, STEPS, FEATURES))[0][:, -1])
    loss = functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()

    gradient = ours.gradient(inputs, cross_entropy(labels))
    check("loss", gradient.loss, loss)
    check("logits", gradient.logits, logits)
    check("logits", ours.logits(inputs), logits)
    theirs = [layer.weight_ih_l0, layer.bias_ih_l0, layer.weight_hh_l0, layer.bias_hh_l0, *readout.parameters()]
    for part, parameter in zip(gradient.parts, theirs, strict=True):
        check("weight gradients", part.T, parameter.grad)


def their_cell(arch, activation, from_input, from_state, state):
    """One step written out: pre-activations of all gates, hidden state, state."""
    if arch == "rnn":
        z = from_input + from_state
        hidden = getattr(torch, activation)(z)
        return [z], hidden, hidden
    if arch == "lstm":
        z = list((from_input + from_state).chunk(4, 1))
        i, f, g, o = torch.sigmoid(z[0]), torch.sigmoid(z[1]), torch.tanh(z[2]), torch.sigmoid(z[3])
        memory = f * state[:, WIDTH:] + i * g
        hidden = o * torch.tanh(memory)
        return z, hidden, torch.cat([hidden, memory], 1)
    (x_r, x_u, x_n), (h_r, h_u, h_n) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    z = [x_r + h_r, x_u + h_u]
    r, u = torch.sigmoid(z[0]), torch.sigmoid(z[1])
    z.append(x_n + r * h_n)
    hidden = u * state + (1 - u) * torch.tanh(z[2])
    return z, hidden, hidden


def their_steps(kind, network, inputs, labels):
    """The loop written out: each step's pre-activations with their gradient, hidden states, the loss."""
    (W_x, b), (W_h, b_h), (W_out, b_out) = ([torch.tensor(one) for one in dense] for _, dense in network.maps)
    arch, activation = KINDS[kind]["arch"], KINDS[kind].get("activation")
    state = torch.zeros(BATCH, CELLS[arch].states * WIDTH, dtype=torch.float64, requires_grad=True)
    zs, hiddens = [], []
    for x in torch.tensor(inputs).reshape(BATCH, STEPS, FEATURES).unbind(1):
        gates, hidden, state = their_cell(arch, activation, x @ W_x + b, state[:, :WIDTH] @ W_h + b_h, state)
        zs.append(gates)
        hiddens.append(hidden)
    loss = functional.cross_entropy(hiddens[-1] @ W_out + b_out, torch.tensor(labels))
    flat = torch.autograd.grad(loss, [gate for gates in zs for gate in gates])
    gates = len(CELLS[arch].gates)
    at_z = [torch.cat(flat[step * gates : (step + 1) * gates], 1) for step in range(STEPS)]
    return [torch.cat(one, 1) for one in zs], at_z, hiddens, loss


@every_kind
def test_each_steps_gradient_agrees_with_the_loop_written_out(kind, network, batch, check):
    ours, (inputs, labels) = network(kind), batch
    zs, at_zs, hiddens, _ = their_steps(kind, ours, inputs, labels)
    unrolled, start = ours.unrolled(inputs)
    steps = list(forward(unrolled, start, range(1, STEPS + 1)))
    logits, through_readout = unrolled.readout(steps[-1].output)
    delta = rescaled(through_readout(cross_entropy(labels)(logits)[1]))
    found = [np.ldexp(at_z.mantissa, at_z.exponent) for at_z, _, _ in backward(steps, delta)][::-1]
    for step, at_z, z, theirs, hidden in zip(steps, found, zs, at_zs, hiddens, strict=True):
        check("pre-activations of a step", step.preactivation, z)
        check("hidden state of a step", step.activity, hidden)
        check("gradient of a step", at_z, theirs)


@every_kind
def test_the_flow_measures_what_torch_has(kind, network, batch, check):
    ours, (inputs, labels) = network(kind), batch
    zs, at_zs, hiddens, loss = their_steps(kind, ours, inputs, labels)
    unrolled, start = ours.unrolled(inputs)
    flow = measure(unrolled, start, cross_entropy(labels))
    check("loss", flow.output.loss, loss)
    for name, theirs in {
        "log10_gradient_rms": [rms(z) for z in at_zs],
        "log10_activation_rms": [rms(hidden) for hidden in hiddens],
        "log10_preactivation_std": [z.std(unbiased=False) for z in zs],
    }.items():
        check(name.removeprefix("log10_"), 10 ** flow.column(name), torch.stack(theirs))
    weights = [dense.weight for _, dense in ours.maps][:2]
    norm = math.hypot(*(np.linalg.norm(weight) for weight in weights))
    np.testing.assert_allclose(10 ** flow.column("log10_weight_norm"), norm, rtol=1e-13)


def rms(tensor):
    return tensor.square().mean().sqrt()


# ---- perceptrons: the gradient of every parameter


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_perceptrons_weight_gradients_agree(norm, residual, network_of, rng, check):
    ours = network_of(
        depth=12, width=11, features=7, classes=CLASSES, activation="gelu", init="he", bias_std=0.3, norm=norm,
        residual=residual, residual_scale=0.5,
    )  # fmt: skip
    inputs, labels = rng.standard_normal((BATCH, 7)), rng.integers(0, CLASSES, BATCH)
    parameters = [torch.tensor(array, requires_grad=True) for _, dense in ours.maps for array in dense]
    x = torch.tensor(inputs)
    for layer in range(12):
        z = x @ parameters[2 * layer] + parameters[2 * layer + 1]
        branch = functional.gelu(functional.layer_norm(z, (11,), eps=1e-5) if norm == "layer" else z)
        x = x + 0.5 * branch if residual and layer else branch
    logits = x @ parameters[-2] + parameters[-1]
    functional.cross_entropy(logits, torch.tensor(labels)).backward()

    gradient = ours.gradient(inputs, cross_entropy(labels))
    check("logits", gradient.logits, logits, "networks")
    for part, parameter in zip(gradient.parts, parameters, strict=True):
        check("weight gradients", part, parameter.grad, "networks")
