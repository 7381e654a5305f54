"""How many numbers training would change: as published, as PyTorch counts them, as they are drawn."""

from itertools import pairwise

import pytest

from gradcheck.families import FAMILIES, drawn_network
from gradcheck.spec import NetworkSpec, RecurrentSpec, TransformerSpec, network_spec
from gradcheck.spec.presets import with_preset

#: Counted from the released weights; BERT's without its segments, its pooler and the norm behind its embedding.
RELEASED = {
    "gpt2": 124_439_808,
    "gpt2-xl": 1_557_611_200,
    "llama-7b": 6_738_415_616,
    "llama-70b": 68_976_648_192,
    "vit-b": 86_567_656,
    "bert-base": 109_482_240 - 2 * 768 - (768 + 1) * 768 - 2 * 768,
}
#: As published, and how near a count is.
PUBLISHED = {"gpt2": (124e6, 0.01), "gpt3": (175e9, 0.01), "bert-base": (110e6, 0.015), "vit-b": (86e6, 0.01)}

BLOCKS, WIDTH, HEADS, KEYS, HIDDEN, TOKENS, VOCABULARY = 3, 24, 4, 12, 60, 7, 50
SIZES = {
    "blocks": BLOCKS, "model_width": WIDTH, "heads": HEADS, "mlp_ratio": 2.5, "tokens": TOKENS,
    "vocabulary": VOCABULARY,
}  # fmt: skip


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def parameters(spec, features, outputs):
    return FAMILIES[spec.arch].parameters(spec, features, outputs)


def of_preset(name):
    spec = network_spec(with_preset({"preset": name}))
    return parameters(spec, 0, spec.vocabulary)


def counted(*modules):
    """Every parameter of modules of PyTorch's."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


# ---- as published


@pytest.mark.parametrize("name", RELEASED)
def test_a_preset_has_as_many_parameters_as_the_released_weights(name):
    assert of_preset(name) == RELEASED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_has_nearly_the_published_parameters(name):
    published, within = PUBLISHED[name]
    assert of_preset(name) == pytest.approx(published, rel=within)


# ---- as PyTorch counts them


@pytest.mark.parametrize("width", [9, (8, 3, 5)])
def test_a_perceptron_has_those_of_linear_layers(width, torch):
    spec = NetworkSpec(depth=3, width=width)
    widths = (12, *spec.widths, 4)
    layers = [torch.nn.Linear(*fans) for fans in pairwise(widths)]
    assert parameters(spec, 12, 4) == counted(*layers)


@pytest.mark.parametrize("arch", ["rnn", "lstm", "gru"])
def test_a_recurrence_has_those_of_pytorchs_layer_and_a_linear_readout(arch, torch):
    spec = RecurrentSpec(arch=arch, steps=5, width=9)
    layer = getattr(torch.nn, arch.upper())(3, 9)
    assert parameters(spec, 5 * 3, 4) == counted(layer, torch.nn.Linear(9, 4))


def encoder_layers(torch, blocks, width, heads, hidden):
    return [torch.nn.TransformerEncoderLayer(width, heads, hidden) for _ in range(blocks)]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("placement", "norms"), [("pre", 1), ("post", 0)])
def test_a_transformer_has_those_of_pytorchs_encoder_layers_and_embeddings(placement, norms, tied, causal, torch):
    spec = TransformerSpec(**SIZES, norm_placement=placement, tied=tied, causal=causal, context=20)
    ends = [torch.nn.Embedding(VOCABULARY, WIDTH), torch.nn.Embedding(20, WIDTH)]
    ends += [torch.nn.LayerNorm(WIDTH)] * norms  # behind the last block
    ends += [] if tied else [torch.nn.Linear(WIDTH, VOCABULARY, bias=False)]
    layers = encoder_layers(torch, BLOCKS, WIDTH, HEADS, HIDDEN)
    assert parameters(spec, TOKENS, VOCABULARY) == counted(*layers, *ends)


def test_the_preset_of_one_stack_has_those_of_pytorchs_layers_of_its_size(torch):
    layers = encoder_layers(torch, 6, 512, 8, 2048)
    assert of_preset("transformer-base") == counted(*layers, torch.nn.Embedding(37_000, 512))


def test_patches_have_a_linear_embedding_a_class_token_and_a_readout_with_biases(torch):
    spec = TransformerSpec(**SIZES, patch=16, tied=False)
    ends = [torch.nn.Linear(16, WIDTH), torch.nn.Embedding(1, WIDTH), torch.nn.Embedding(TOKENS, WIDTH)]
    ends += [torch.nn.LayerNorm(WIDTH), torch.nn.Linear(WIDTH, VOCABULARY)]
    layers = encoder_layers(torch, BLOCKS, WIDTH, HEADS, HIDDEN)
    assert parameters(spec, (TOKENS - 1) * 16, VOCABULARY) == counted(*layers, *ends)


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize(("norm", "numbers"), [("layer", 2 * WIDTH), ("rms", WIDTH), ("none", 0)])
@pytest.mark.parametrize(("placement", "norms"), [("pre", 7), ("post", 6), ("both", 13)])
def test_gates_groups_biases_and_norms_are_counted(placement, norms, norm, numbers, biases, torch):
    spec = TransformerSpec(
        **SIZES, kv_heads=2, activation="swiglu", positions="rotary", norm=norm, norm_placement=placement, biases=biases
    )
    fans = [(WIDTH, WIDTH), (WIDTH, KEYS), (WIDTH, KEYS), (WIDTH, WIDTH)]
    fans += [(WIDTH, HIDDEN), (WIDTH, HIDDEN), (HIDDEN, WIDTH)]
    block = [torch.nn.Linear(*one, bias=biases) for one in fans]
    expected = BLOCKS * counted(*block) + norms * numbers + counted(torch.nn.Embedding(VOCABULARY, WIDTH))
    assert parameters(spec, TOKENS, VOCABULARY) == expected


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "none"])
def test_positions_that_are_not_learned_have_no_parameters(positions):
    learned, fixed = (TransformerSpec(**SIZES, positions=one) for one in ("learned", positions))
    assert parameters(learned, 0, 0) - parameters(fixed, 0, 0) == TOKENS * WIDTH


# ---- as they are drawn


@pytest.mark.parametrize(
    "spec", [NetworkSpec(depth=3, width=9), *(RecurrentSpec(arch=a, steps=5, width=9) for a in ("rnn", "lstm", "gru"))]
)
def test_as_many_numbers_are_drawn_as_are_counted(spec):
    maps = drawn_network(spec, 15, 4, seed=0).maps
    with_biases = drawn_network(type(spec)(**(vars(spec) | {"bias_std": 0.1})), 15, 4, seed=0).maps
    assert sum(dense.weight.size + dense.weight.shape[1] for _, dense in maps) == parameters(spec, 15, 4)
    assert sum(array.size for _, dense in with_biases for array in dense) == parameters(spec, 15, 4)


@pytest.mark.parametrize("fields", [{}, {"activation": "geglu", "kv_heads": 2}])
def test_a_transformers_blocks_hold_as_many_numbers_as_are_counted(fields, transformer_of):
    sizes = SIZES | {"norm": "none", "positions": "none", "bias_std": 0.1} | fields
    network = transformer_of(**sizes)
    branches = [network.sublayer(number).branch for number in range(1, 2 * BLOCKS + 1)]
    held = sum(array.size for branch in branches for dense in branch.maps for array in dense)
    assert held + VOCABULARY * WIDTH == parameters(network.spec, 0, 0)
