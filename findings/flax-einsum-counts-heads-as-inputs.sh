#!/bin/sh
# Flax's Einsum draws its weights smaller by the root of the number of heads; LinearGeneral, the same map, doesn't.
#
# Flax 0.12.8 (JAX 0.10.2). nnx.Einsum and linen.Einsum use lecun_normal, 1/sqrt(inputs), by default, and hand it
# nothing but the kernel's shape. It takes the last axis for the outputs, the one before for the inputs, and all
# others for the size of a convolution's kernel, which multiplies the inputs. In "btd,hdk->bthk", the projection to
# queries that this layer is made for, that is heads times the inputs there are. Neither page says so. With 16 heads
# queries, keys and values start at a quarter of their size; the scores of queries and keys at a sixteenth: attention
# is all but uniform, and its gradient to the queries 20 times smaller. nnx.LinearGeneral and MultiHeadAttention count
# the inputs alone. Keras had the same in MultiHeadAttention up to 3.14 (keras-attention-default-grew.sh).
# Cure: kernel_init=nnx.initializers.lecun_normal(in_axis=1, out_axis=(0, 2)).
#
# Seen: 128 inputs, 16 heads of size 16; deviation of the queries for inputs of deviation 1, deviation of the scores,
#   and norm of the gradient at the queries' weights:
#   nnx.Einsum 0.25, 0.06, 0.0016; linen.Einsum 0.25, 0.06, 0.0017; LinearGeneral 1.00, 1.00, 0.037
#   With one head all have 1.0, 1.0, 0.036.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check flax==0.12.8 jax==0.10.2 optax==0.2.8 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

WIDTH, SIZE, TOKENS = 128, 16, 64
INPUTS, TARGETS = (jax.random.normal(jax.random.key(seed), (4, TOKENS, WIDTH)) for seed in (1, 2))


def linen_einsum(heads, seed):
    layer = flax.linen.Einsum((heads, WIDTH, SIZE), "btd,hdk->bthk", use_bias=False)
    return layer.init(jax.random.key(seed), INPUTS)["params"]["kernel"]


def nnx_einsum(heads, seed):
    return nnx.Einsum("btd,hdk->bthk", (heads, WIDTH, SIZE), rngs=nnx.Rngs(seed)).kernel[...]


def cured(heads, seed):
    law = nnx.initializers.lecun_normal(in_axis=1, out_axis=(0, 2))
    return nnx.Einsum("btd,hdk->bthk", (heads, WIDTH, SIZE), kernel_init=law, rngs=nnx.Rngs(seed)).kernel[...]


def linear_general(heads, seed):
    return jnp.moveaxis(nnx.LinearGeneral(WIDTH, (heads, SIZE), rngs=nnx.Rngs(seed)).kernel[...], 0, 1)


def sizes(draw, heads):
    """Return the sizes of queries and of scores, and the gradient at the weights of the queries."""
    query, key, value = (draw(heads, seed) for seed in range(3))

    def project(kernel):
        return jnp.einsum("btd,hdk->bthk", INPUTS, kernel)

    def loss(query):
        scores = jnp.einsum("bqhk,bthk->bhqt", project(query), project(key)) / SIZE**0.5
        output = jnp.einsum("bhqt,bthk->bqhk", jax.nn.softmax(scores), project(value))
        return (output.reshape(4, TOKENS, -1)[..., :SIZE] * TARGETS[..., :SIZE]).mean(), scores.std()

    gradient, spread = jax.grad(loss, has_aux=True)(query)
    return float(project(query).std()), float(spread), float(jnp.linalg.norm(gradient))


found = {}
for heads in (1, 16):
    for draw in (nnx_einsum, linen_einsum, linear_general, cured):
        found[draw, heads] = sizes(draw, heads)
        print(f"{draw.__name__}, {heads} heads: " + ", ".join(f"{size:.3g}" for size in found[draw, heads]))
for draw in (nnx_einsum, linen_einsum):
    assert abs(found[draw, 1][0] - 1) < 0.1 and abs(found[draw, 16][0] - 0.25) < 0.02
    assert found[draw, 16][1] < 0.08
for draw in (linear_general, cured):
    assert abs(found[draw, 16][0] - 1) < 0.1 and found[draw, 16][1] > 0.8
    assert found[draw, 16][2] > 8 * found[nnx_einsum, 16][2]
PYTHON
