"""Whole transformers in PyTorch, float64, with the same weights and tokens: every number that both have."""

import math

import numpy as np
import pytest

from gradcheck.engine.layered import backward, forward
from gradcheck.engine.loss import loss_of
from gradcheck.engine.magnitude import rescaled
from gradcheck.flow.gradient_flow import measure
from gradcheck.spec import FREE_SCALE, INITIALIZERS

torch = pytest.importorskip("torch")
functional = torch.nn.functional

BOUND = 1e-9
TORCH_ACTIVATIONS = {
    "gelu": functional.gelu,
    "relu": torch.relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "geglu": functional.gelu,
    "swiglu": functional.silu,
}
TORCH_NORMS = {
    "none": lambda x: x,
    "layer": lambda x: functional.layer_norm(x, x.shape[-1:], eps=1e-5),
    "rms": lambda x: functional.rms_norm(x, x.shape[-1:], eps=1e-5),
}


def turned(heads):
    """Rotary positions by complex numbers: heads (batch, heads, tokens, width)."""
    half = heads.shape[-1] // 2
    turns = torch.outer(torch.arange(heads.shape[2]), 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half))
    numbers = torch.complex(heads[..., :half], heads[..., half:]) * torch.polar(torch.ones_like(turns), turns)
    return torch.cat([numbers.real, numbers.imag], -1)


class TorchRun:
    """Forward and backward through a transformer, keeping what the flow measures.

    maps: sublayer ↦ its two pairs of weight and bias; readout: one pair; start: (batch·tokens, width).
    """

    def __init__(self, spec, maps, start, readout, loss):
        self.spec, self.added, self.streams, self.weights = spec, [], [], []
        self.start = start.requires_grad_()
        x = start.reshape(-1, spec.tokens, spec.model_width)
        for number in range(1, 2 * spec.blocks + 1):
            x = self.sublayer(number, x, *maps(number))
            if number % 2 == 0:
                self.streams.append(kept(x))
        read = x if spec.norm_placement == "post" else self.norm(x)
        if spec.patch is not None:
            read = read[:, 0]
        self.logits = self.linear(read.reshape(-1, spec.model_width), readout)
        self.loss = loss(self.logits)
        self.loss.backward()

    def norm(self, x):
        return TORCH_NORMS[self.spec.norm](x)

    def linear(self, x, pair):
        weight, bias = pair
        self.weights.append(weight.requires_grad_())
        z = x @ weight
        return z if bias is None else z + bias

    def sublayer(self, number, x, first, second):
        placement = self.spec.norm_placement
        branch = self.attention if number % 2 else self.mlp
        y = branch(x if placement == "post" else self.norm(x), first, second)
        scale = self.spec.residual_scale if isinstance(self.spec.residual_scale, float) else 1.0
        self.added.append(kept(scale * (self.norm(y) if placement == "both" else y)))
        alpha = (2 * self.spec.blocks) ** 0.25 if self.spec.residual_scale == "deepnorm" else 1.0
        x = alpha * x + self.added[-1]
        return self.norm(x) if placement == "post" else x

    def attention(self, x, project, write):
        spec, width = self.spec, self.spec.model_width // self.spec.heads
        keys = spec.kv_heads or spec.heads
        split = self.linear(x, project).unflatten(-1, (-1, width)).transpose(1, 2)
        q, k, v = split.split([spec.heads, keys, keys], 1)
        if spec.positions == "rotary":
            q, k = turned(q), turned(k)
        k, v = (one.repeat_interleave(spec.heads // keys, 1) for one in (k, v))
        read = functional.scaled_dot_product_attention(q, k, v, is_causal=spec.causal)
        return self.linear(read.transpose(1, 2).flatten(-2), write)

    def mlp(self, x, expand, write):
        z, activation = self.linear(x, expand), TORCH_ACTIVATIONS[self.spec.activation]
        if self.spec.activation not in ("geglu", "swiglu"):
            return self.linear(activation(z), write)
        gate, up = z.chunk(2, -1)
        return self.linear(activation(gate) * up, write)

    @property
    def points(self):
        """What is measured, in the order of the flow."""
        blocks = zip(self.added[::2], self.added[1::2], self.streams, strict=True)
        return [point for block in blocks for point in block]


def kept(x):
    x.retain_grad()
    return x


def rms(tensor):
    return tensor.square().mean().sqrt().item()


def norm(*tensors):
    return math.hypot(*(torch.linalg.norm(tensor).item() for tensor in tensors))


def measured(run):
    """The flow's columns, of PyTorch's numbers."""
    *hidden, readout = run.weights
    columns = {
        "log10_gradient_rms": [rms(point.grad) for point in run.points],
        "log10_activation_rms": [rms(point) for point in run.points],
        "log10_preactivation_std": [point.std(unbiased=False).item() for point in run.points],
        "log10_weight_norm": [],
        "log10_weight_gradient_norm": [],
    }
    for first, second in zip(hidden[::2], hidden[1::2], strict=True):
        columns["log10_weight_norm"].append(norm(first, second))
        columns["log10_weight_gradient_norm"].append(norm(first.grad, second.grad))
    columns["log10_logit_rms"] = [rms(run.logits)]
    columns["log10_readout_gradient_norm"] = [norm(readout.grad)]
    return columns


def flow_columns(flow):
    columns = {name: flow.column(name) for name in flow.layers[0]._fields}
    for name in ("log10_weight_norm", "log10_weight_gradient_norm"):
        by_block = columns[name].reshape(-1, 3)
        assert np.isnan(by_block[:, 2]).all()  # the stream has no weights
        columns[name] = by_block[:, :2].ravel()
    columns["log10_logit_rms"] = [flow.output.log10_logit_rms]
    columns["log10_readout_gradient_norm"] = [flow.output.log10_weight_gradient_norm]
    return columns


def torch_loss(labels):
    if labels is None:
        return lambda logits: logits.square().mean()
    return lambda logits: functional.cross_entropy(logits, torch.from_numpy(labels))


def batch_of(spec, batch, generator):
    """Inputs and labels: a token is asked for any other; patches have classes, or none."""
    if spec.patch is None:
        ids = generator.integers(0, spec.vocabulary, (2, batch, spec.tokens))
        return ids[0], ids[1].reshape(-1)
    vectors = generator.standard_normal((batch, (spec.tokens - 1) * spec.patch))
    return vectors, generator.integers(0, spec.vocabulary, batch) if spec.blocks % 2 else None


@pytest.fixture
def compare(transformer_of, relative_error, record_error):
    """Spec fields ↦ the relative error of each number; arrays as a whole too, unless the network is large."""

    def errors(*, seed, batch=3, arrays=True, **fields):
        network = transformer_of(seed=seed, **fields)
        inputs, labels = batch_of(network.spec, batch, np.random.default_rng([5, seed]))
        stack, start = network.unrolled(inputs)
        pair = [None if one is None else torch.tensor(one) for one in stack.readout]

        def maps(number):
            return [
                [None if one is None else torch.from_numpy(one) for one in dense]
                for dense in network.sublayer(number).branch.maps
            ]

        run = TorchRun(network.spec, maps, torch.tensor(start), pair, torch_loss(labels))
        flow = measure(stack, start, loss_of(labels))
        found = {"loss": abs(flow.output.loss / run.loss.item() - 1)}
        ours = flow_columns(flow)
        for name, theirs in measured(run).items():
            each = np.abs(np.expm1(math.log(10) * (ours[name] - np.log10(theirs))))
            found[name.removeprefix("log10_")] = each.max()
        if arrays:
            found |= errors_of_arrays(stack, start, loss_of(labels), run)
        for name, error in found.items():
            record_error(f"transformers against torch, {name}", error)
        return found

    def errors_of_arrays(stack, start, loss, run):
        points = list(forward(stack, start, range(1, stack.depth + 1)))
        logits, through_readout = stack.readout(points[-1].output)
        ways_back = list(backward(points, rescaled(through_readout(loss(logits)[1]))))
        gradients = [np.ldexp(back.at_z.mantissa, back.at_z.exponent) for back in ways_back[::-1]]
        at_start = np.ldexp(ways_back[-1].at_x.mantissa, ways_back[-1].at_x.exponent)
        theirs = [point.grad.reshape(start.shape).numpy() for point in run.points]
        return {
            "logits": relative_error(logits, run.logits.detach().numpy()),
            "gradient at the embedding": relative_error(at_start, run.start.grad.numpy()),
            "gradient at a point": max(map(relative_error, gradients, theirs)),
        }

    return errors


SMALL = {"blocks": 3, "model_width": 16, "heads": 4, "tokens": 6, "vocabulary": 11, "bias_std": 0.1, "batch": 3}
CASES = {
    "decoder, gelu": {},
    "encoder, gelu": {"causal": False},
    "no biases": {"biases": False, "bias_std": 0.0},
    "relu": {"activation": "relu"},
    "silu": {"activation": "silu"},
    "geglu": {"activation": "geglu", "mlp_ratio": 2.5},
    "swiglu": {"activation": "swiglu", "mlp_ratio": 2.5},
    "rms": {"norm": "rms"},
    "no norm": {"norm": "none", "gain": 0.7},
    "post": {"norm_placement": "post"},
    "post, rms": {"norm_placement": "post", "norm": "rms", "causal": False},
    "both": {"norm_placement": "both"},
    "both, rms": {"norm_placement": "both", "norm": "rms", "causal": False},
    "half of each branch": {"residual_scale": 0.5},
    "half of each branch, post": {"residual_scale": 0.5, "norm_placement": "post"},
    "half of each branch, both": {"residual_scale": 0.5, "norm_placement": "both"},
    "gpt2": {"init": "normal", "weight_std": 0.02, "residual_scale": "gpt2"},
    "deepnorm": {"residual_scale": "deepnorm", "norm_placement": "post", "activation": "relu"},
    "untied": {"tied": False},
    "sinusoidal": {"positions": "sinusoidal"},
    "rotary": {"positions": "rotary"},
    "no positions": {"positions": "none"},
    "keys in two groups": {"kv_heads": 2},
    "one key for all": {"kv_heads": 1, "positions": "rotary", "causal": False},
    "llama": {
        "kv_heads": 2, "positions": "rotary", "activation": "swiglu", "norm": "rms", "tied": False, "biases": False,
        "bias_std": 0.0,
    },
    "patches with classes": {"patch": 5, "tied": False, "causal": False},
    "patches without labels": {"patch": 5, "tied": False, "causal": False, "blocks": 2, "norm_placement": "post"},
    "one token": {"tokens": 1},
    "one head": {"heads": 1, "blocks": 1},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_transformer_agrees(case, compare):
    found = compare(seed=4, **(SMALL | CASES[case]))
    assert np.max(list(found.values())) < BOUND, found


def random_transformer(seed):
    pick = np.random.default_rng([78, seed])
    heads, patch, biases = int(pick.choice([1, 2, 4, 6])), [None, None, 4][pick.integers(3)], bool(pick.integers(2))
    placement, norm = str(pick.choice(["pre", "post", "both"])), str(pick.choice(["layer", "rms", "none"]))
    init = str(pick.choice(INITIALIZERS))
    scales = [0.5, "gpt2", *(["deepnorm"] if placement == "post" and norm != "none" else [])]
    return {
        "batch": int(pick.integers(1, 5)),
        "blocks": int(pick.integers(1, 7)),
        "model_width": heads * 2 * int(pick.integers(1, 6)),
        "heads": heads,
        "kv_heads": int(pick.choice([keys for keys in (1, 2, 3, 4, 6) if heads % keys == 0])),
        "mlp_ratio": float(pick.uniform(0.5, 4)),
        "tokens": int(pick.integers(2, 12)),
        "activation": str(pick.choice(list(TORCH_ACTIVATIONS))),
        "norm": norm,
        "norm_placement": placement,
        "residual_scale": scales[pick.integers(len(scales))],
        "causal": bool(pick.integers(2)),
        "positions": str(pick.choice(["learned", "sinusoidal", "rotary", "none"])),
        "tied": patch is None and bool(pick.integers(2)),
        "biases": biases,
        "vocabulary": int(pick.integers(2, 20)),
        "patch": patch,
        "init": init,
        "weight_std": float(pick.uniform(0.05, 0.3)) if init in FREE_SCALE else None,
        "gain": float(pick.uniform(0.5, 1.2)),
        "bias_std": 0.1 if biases else 0.0,
    }


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 24))])
def test_random_transformers_agree(seed, compare):
    found = compare(seed=seed, **random_transformer(seed))
    assert np.max(list(found.values())) < BOUND, found


@pytest.mark.slow
def test_a_transformer_of_gpt2s_size_agrees(compare):
    found = compare(
        seed=0, batch=1, arrays=False, blocks=12, model_width=768, heads=12, tokens=16, vocabulary=1000,
        init="normal", weight_std=0.02, residual_scale="gpt2",
    )  # fmt: skip
    assert np.max(list(found.values())) < BOUND, found
