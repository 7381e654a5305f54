"""Transformers without matrices against PyTorch's own layers, their weights drawn by PyTorch from the same law."""

import math

import numpy as np
import pytest

from gradcheck.engine.loss import cross_entropy
from gradcheck.flow.gradient_flow import measure

torch = pytest.importorskip("torch")

DRAWS, BLOCKS, WIDTH, HEADS, TOKENS, VOCABULARY = 20, 4, 64, 4, 8, 50
SIZES = {"blocks": BLOCKS, "model_width": WIDTH, "heads": HEADS, "tokens": TOKENS, "vocabulary": VOCABULARY}


def small(weight):
    torch.nn.init.normal_(weight, std=0.02)


#: Our options; how PyTorch draws a matrix, and what multiplies those that write to the stream.
LAWS = {
    "gpt2": ({"init": "normal", "weight_std": 0.02, "residual_scale": "gpt2"}, small, 8**-0.5),
    "post norm": ({"norm_placement": "post", "activation": "relu", "tied": False}, torch.nn.init.xavier_normal_, 1.0),
    "orthogonal encoder": ({"init": "orthogonal", "causal": False}, torch.nn.init.orthogonal_, 1.0),
}


@pytest.fixture(autouse=True)
def one_thread():
    """More take longer on matrices this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tokens(rng):
    return rng.integers(0, VOCABULARY, (1, TOKENS)), rng.integers(0, VOCABULARY, TOKENS)


def drawn_layer(fields, draw, writing):
    """A layer of PyTorch's, each matrix drawn by its own fans; biases are zero."""
    layer = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, 0.0, fields.get("activation", "gelu"), batch_first=True,
        norm_first="norm_placement" not in fields, dtype=torch.float64,
    )  # fmt: skip
    attention = layer.self_attn
    with torch.no_grad():
        for weight in (*attention.in_proj_weight.chunk(3), layer.linear1.weight):
            draw(weight)
        for weight in (attention.out_proj.weight, layer.linear2.weight):
            draw(weight)
            weight *= writing
        for bias in (attention.in_proj_bias, attention.out_proj.bias, layer.linear1.bias, layer.linear2.bias):
            bias.zero_()
    return layer


def their_gradients(law, seed, inputs, labels):
    """log10 of the gradient's root mean square at each flow point of one draw of PyTorch's."""
    fields, draw, writing = LAWS[law]
    torch.manual_seed(seed)
    std = fields.get("weight_std", WIDTH**-0.5)  # or a unit variance after the factor √width at the input
    table = std * torch.randn(VOCABULARY, WIDTH, dtype=torch.float64)
    x = (table[torch.from_numpy(inputs)] + std * torch.randn(TOKENS, WIDTH, dtype=torch.float64)) * (
        1.0 if "weight_std" in fields else math.sqrt(WIDTH)
    )
    mask = torch.nn.Transformer.generate_square_subsequent_mask(TOKENS, dtype=torch.float64)
    causal = fields.get("causal", True)
    points = []

    def keep(_module, _inputs, output):
        output.retain_grad()
        points.append(output)

    for _ in range(BLOCKS):
        layer = drawn_layer(fields, draw, writing)
        for module in (layer.dropout1, layer.dropout2, layer):  # the dropouts stand where a branch is added
            module.register_forward_hook(keep)
        x = layer(x, src_mask=mask if causal else None, is_causal=causal)
    if "norm_placement" not in fields:
        x = torch.nn.functional.layer_norm(x, (WIDTH,))
    readout = table.T if fields.get("tied", True) else torch.empty(WIDTH, VOCABULARY, dtype=torch.float64)
    if "tied" in fields:
        draw(readout)
    torch.nn.functional.cross_entropy((x @ readout)[0], torch.from_numpy(labels)).backward()
    return [point.grad.square().mean().log10().item() / 2 for point in points]


@pytest.fixture
def our_gradients(transformer_of):
    """Law, seed, tokens ↦ the same of one draw of ours."""

    def gradients(law, seed, inputs, labels):
        network, start = transformer_of(seed=seed, layers="weightless", **SIZES, **LAWS[law][0]).unrolled(inputs)
        return measure(network, start, cross_entropy(labels)).column("log10_gradient_rms")

    return gradients


def standard_errors(ours, theirs):
    """The difference of two means over its standard error, point by point."""
    assert ours.shape == theirs.shape == (DRAWS, 3 * BLOCKS)
    return (ours.mean(0) - theirs.mean(0)) / np.sqrt((ours.var(0, ddof=1) + theirs.var(0, ddof=1)) / DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_the_mean_gradient_at_each_flow_point_is_that_of_pytorchs_draws(law, tokens, our_gradients):
    ours = np.array([our_gradients(law, seed, *tokens) for seed in range(DRAWS)])
    theirs = np.array([their_gradients(law, seed, *tokens) for seed in range(DRAWS)])
    apart = standard_errors(ours, theirs)
    assert np.abs(apart).max() < 3, apart
