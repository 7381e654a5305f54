from types import SimpleNamespace

import numpy as np
import pytest
from autograd import elementwise_grad, make_vjp

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads
from gradcheck.engine.layered import Units
from gradcheck.engine.linear import Dense
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.transformer import (
    AttentionBranch,
    Ending,
    MlpBranch,
    Stack,
    Sublayer,
    residual_point,
)  # fmt: skip

SEQUENCES, TOKENS, WIDTH, HIDDEN = 2, 3, 8, 10
BRANCHES = ["attention", "grouped attention", "gelu", "relu", "silu", "geglu", "swiglu"]
GATES = {"geglu": "gelu", "swiglu": "silu"}
every_branch = pytest.mark.parametrize("name", BRANCHES)
every_mlp = pytest.mark.parametrize("name", BRANCHES[2:])
every_placement = pytest.mark.parametrize("placement", ["pre", "post", "both"])
every_norm = pytest.mark.parametrize("norm", ["layer", "rms", "none"])
every_place = pytest.mark.parametrize(
    ("placement", "norm", "branch_scale", "stream_scale"),
    [(placement, norm, -0.3, 1.7) for placement in ("pre", "post", "both") for norm in ("layer", "rms")]
    + [("pre", "none", 1.0, 1.0), ("pre", "layer", 1.0, 1.0), ("post", "rms", 0.5, 1.0)],
)


@pytest.fixture
def x(rng):
    return rng.standard_normal((SEQUENCES * TOKENS, WIDTH))


@pytest.fixture
def delta(rng):
    return rng.standard_normal((SEQUENCES * TOKENS, WIDTH))


@pytest.fixture
def dense(rng):
    """fan_in, fan_out ↦ a random linear map with a bias."""
    return lambda fan_in, fan_out: Dense(0.5 * rng.standard_normal((fan_in, fan_out)), rng.standard_normal(fan_out))


@pytest.fixture
def made(dense, by_autograd):
    """A branch's name ↦ the branch, its weights, and its second definition: (x, first W, second W) ↦ output."""

    def attention(keys):
        heads = Heads(TOKENS, 4, keys, WIDTH // 4, causal=True, rotary=keys == 2)
        project, write = dense(WIDTH, WIDTH + 2 * keys * heads.width), dense(WIDTH, WIDTH)

        def second(x, W, V):
            return by_autograd.attention(x @ W + project.bias, *heads) @ V + write.bias

        return SimpleNamespace(branch=AttentionBranch(project, heads, write), second=second, maps=(project, write))

    def mlp(name):
        gated, activation = name in GATES, GATES.get(name, name)
        expand, write = dense(WIDTH, HIDDEN * (1 + gated)), dense(HIDDEN, WIDTH)
        phi = by_autograd.activations[activation]

        def second(x, W, V):
            hidden = phi(x @ W[:, :HIDDEN] + expand.bias[:HIDDEN])
            if gated:
                hidden = hidden * (x @ W[:, HIDDEN:] + expand.bias[HIDDEN:])
            return hidden @ V + write.bias

        branch = MlpBranch(expand, ACTIVATIONS[activation], gated, write)
        return SimpleNamespace(branch=branch, second=second, maps=(expand, write))

    return lambda name: attention(2 if "grouped" in name else 4) if "attention" in name else mlp(name)


def norms_of(table, placement, norm):
    """The norms before and after the branch, and after the sum."""
    here = {"pre": (True, False, False), "post": (False, False, True), "both": (True, True, False)}[placement]
    return [table[norm if there else "none"] for there in here]


@pytest.fixture
def sublayer(made, by_autograd):
    """A branch in its place ↦ the sublayer, and its second definition, in whole and of what the branch adds."""

    def built(name, placement, norm, branch_scale=1.0, stream_scale=1.0):
        part, ours = made(name), norms_of({name: norm.block for name, norm in NORMS.items()}, placement, norm)
        before, after, outer = norms_of(by_autograd.norms, placement, norm)
        weights = [one.weight for one in part.maps]

        def added(x, *weights):
            return branch_scale * after(part.second(before(x), *weights))

        return SimpleNamespace(
            layer=Sublayer(part.branch, *ours, branch_scale, stream_scale),
            added=lambda x: added(x, *weights),
            onwards=lambda x, added: outer(stream_scale * x + added),
            whole=lambda x, *given: outer(stream_scale * x + added(x, *(given or weights))),
            part=part,
        )

    return built


def assert_weight_gradients_agree(products, second_of_weights, maps, delta, relative_error):
    """Hold each Xᵀ D against autograd's gradient at the weights."""
    for index, ((seen, at_product), dense) in enumerate(zip(products, maps, strict=True)):

        def of_weight(weight, changed=index):
            return second_of_weights(*(weight if changed == one else maps[one].weight for one in range(len(maps))))

        vjp, _ = make_vjp(of_weight)(dense.weight)
        assert relative_error(seen.T @ at_product, vjp(delta)) < 1e-12


# ---- branches


@every_branch
def test_a_branchs_pullback_agrees_with_autograd_and_differences(name, made, x, check_pullback):
    part = made(name)

    def block(x):
        branch_pass = part.branch(x)
        return branch_pass.output, lambda delta: branch_pass.pullback(delta)[0]

    check_pullback(block, lambda x: part.second(x, *(one.weight for one in part.maps)), x)


@every_branch
def test_a_branchs_products_are_its_weights_gradients(name, made, x, delta, relative_error):
    part = made(name)
    _, products = part.branch(x).pullback(delta)
    assert_weight_gradients_agree(products, lambda W, V: part.second(x, W, V), part.maps, delta, relative_error)


@every_branch
def test_a_branchs_maps_are_those_of_its_products(name, made):
    part = made(name)
    assert part.branch.maps == part.maps


@every_mlp
def test_an_mlps_slope_is_its_activations_where_it_was_taken(name, made, x, by_autograd):
    part, activation = made(name), GATES.get(name, name)
    ((slope, steepest),) = part.branch(x).slopes
    z = (x @ part.maps[0].weight + part.maps[0].bias)[:, :HIDDEN]
    np.testing.assert_allclose(slope, elementwise_grad(by_autograd.activations[activation])(z), rtol=1e-10, atol=1e-13)
    assert steepest == ACTIVATIONS[activation].steepest


def test_attention_has_no_activation_to_saturate(made, x):
    assert made("attention").branch(x).slopes == ()


# ---- sublayers


@every_place
@pytest.mark.parametrize("name", ["grouped attention", "geglu"])
def test_a_sublayers_pullback_agrees_with_autograd_and_differences(
    name, placement, norm, branch_scale, stream_scale, sublayer, x, check_pullback
):
    one = sublayer(name, placement, norm, branch_scale, stream_scale)

    def block(x):
        point = one.layer(x)
        return point.output, lambda delta: point.pullback(delta).at_x

    check_pullback(block, one.whole, x)


@every_place
def test_the_flow_point_is_what_the_branch_adds_and_the_gradient_there(
    placement, norm, branch_scale, stream_scale, sublayer, x, delta, relative_error
):
    one = sublayer("attention", placement, norm, branch_scale, stream_scale)
    point, added = one.layer(x), one.added(x)
    assert relative_error(point.preactivation, added) < 1e-12
    assert point.activity is point.preactivation
    vjp, _ = make_vjp(lambda added: one.onwards(x, added))(added)
    assert relative_error(point.pullback(delta).at_z, vjp(delta)) < 1e-12


@every_place
@pytest.mark.parametrize("name", ["attention", "swiglu"])
def test_a_sublayers_products_are_its_weights_gradients(
    name, placement, norm, branch_scale, stream_scale, sublayer, x, delta, relative_error
):
    one = sublayer(name, placement, norm, branch_scale, stream_scale)
    products = one.layer(x).pullback(delta).products
    assert_weight_gradients_agree(products, lambda W, V: one.whole(x, W, V), one.part.maps, delta, relative_error)


@every_branch
def test_a_sublayers_point_has_the_maps_and_slopes_of_its_branch(name, sublayer, x):
    one = sublayer(name, "post", "layer")
    point = one.layer(x)
    assert point.maps == one.part.maps
    for (slope, steepest), (expected, largest) in zip(point.slopes, one.part.branch(x).slopes, strict=True):
        np.testing.assert_array_equal(slope, expected)
        assert steepest == largest


@every_placement
def test_single_precision_stays_single(placement, sublayer, x, delta):
    layer = sublayer("geglu", placement, "layer", 0.5, 1.7).layer
    maps = [Dense(one.weight.astype(np.float32), one.bias.astype(np.float32)) for one in layer.branch.maps]
    layer = layer._replace(branch=layer.branch._replace(expand=maps[0], write=maps[1]))
    point = layer(x.astype(np.float32))
    cotangents = point.pullback(delta.astype(np.float32))
    arrays = [point.output, point.preactivation, cotangents.at_z, cotangents.at_x, *sum(cotangents.products, ())]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


# ---- the stream and its end


def test_the_stream_passes_signal_and_gradient_as_they_are(x, delta):
    point = residual_point(x)
    at_z, at_x, products = point.pullback(delta)
    assert point.preactivation is point.output is point.activity is x
    assert at_z is at_x is delta
    assert products == point.maps == point.slopes == ()


@every_norm
@pytest.mark.parametrize("every", [1, TOKENS])
def test_the_endings_pullback_agrees_with_autograd_and_differences(every, norm, x, check_pullback, by_autograd):
    def block(x):
        point = Ending(NORMS[norm].block, every)(x)
        return point.output, lambda delta: point.pullback(delta).at_x

    check_pullback(block, lambda x: by_autograd.norms[norm](x[::every]), x)


def test_the_endings_flow_point_is_the_stream_before_the_norm(x, delta):
    point = Ending(NORMS["layer"].block)(x)
    at_z, at_x, products = point.pullback(delta)
    assert point.preactivation is point.activity is x
    assert at_z is at_x
    assert products == point.maps == ()


def test_where_a_class_token_is_read_the_others_get_no_gradient_from_the_ending(x, rng):
    point = Ending(NORMS["none"].block, TOKENS)(x)
    delta = rng.standard_normal((SEQUENCES, WIDTH))
    at_x = point.pullback(delta).at_x
    np.testing.assert_array_equal(point.output, x[[0, 3]])
    np.testing.assert_array_equal(at_x[[0, 3]], delta)
    assert not at_x[[1, 2, 4, 5]].any()


# ---- the stack


@pytest.fixture
def stack(dense):
    """Three blocks whose sublayers are known by their numbers."""
    ending = Ending(NORMS["none"].block)
    return Stack(3, WIDTH, lambda number: f"sublayer {number}", ending, dense(WIDTH, 5), lambda rows: (rows, 10 * rows))


def test_a_stack_lays_out_attention_mlp_and_stream_of_block_after_block(stack):
    layers = [stack.hidden(layer) for layer in range(1, stack.depth + 1)]
    assert layers == [
        "sublayer 1", "sublayer 2", residual_point, "sublayer 3", "sublayer 4", residual_point,
        "sublayer 5", "sublayer 6", stack.ending,
    ]  # fmt: skip
    assert stack.units == Units("block", ("attention", "mlp", "residual"))


def test_a_stack_has_one_fan_and_one_number_of_what_is_kept_for_each_flow_point(stack):
    assert stack.depth == len(stack.fans) == len(stack.kept(7)) == 9
    assert set(stack.fans) == {(WIDTH, WIDTH)}
    assert stack.kept(7) == [7, 70, 7 * WIDTH] * 3
