"""Equinox' own examples, small and in code of our own: each trains as published. Most are called with one example."""

import equinox as eqx
import jax
import numpy as np
import optax
from jax import numpy as jnp


def images(size=28, channels=1, count=16, classes=10):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((count, channels, size, size)).astype(np.float32)
    return x, generator.integers(0, classes, count)


def keys(count):
    return jax.random.split(jax.random.key(0), count)


class ConvNet(eqx.Module):
    """The MNIST example."""

    layers: list

    def __init__(self):
        k = keys(4)
        self.layers = [
            eqx.nn.Conv2d(1, 3, 4, key=k[0]), eqx.nn.MaxPool2d(2), jax.nn.relu, jnp.ravel,
            eqx.nn.Linear(3 * 24 * 24, 128, key=k[1]), jax.nn.sigmoid, eqx.nn.Linear(128, 64, key=k[2]), jax.nn.relu,
            eqx.nn.Linear(64, 10, key=k[3]), jax.nn.log_softmax,
        ]  # fmt: skip

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def mnist():
    def loss(output, y):
        return -jnp.mean(jnp.take_along_axis(output, y[:, None], axis=1))

    return ConvNet(), images(), loss


class Recurrent(eqx.Module):
    """The RNN example: a GRU in a loop of `lax`, which tells spirals that turn left from those that turn right."""

    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self):
        k = keys(2)
        self.cell, self.head = eqx.nn.GRUCell(2, 16, key=k[0]), eqx.nn.Linear(16, 1, key=k[1])

    def __call__(self, x):
        state, _ = jax.lax.scan(lambda state, x: (self.cell(x, state), None), jnp.zeros(16), x)
        return jax.nn.sigmoid(self.head(state))


def rnn():
    def loss(output, y):
        return optax.sigmoid_binary_cross_entropy(jax.scipy.special.logit(output[:, 0]), y)

    t, turn = np.linspace(0, 12.0, 16), np.where(np.arange(16) % 2, 1, -1)[:, None]
    angle = turn * t + np.arange(16)[:, None]
    x = np.stack([np.cos(angle) / (1 + t), np.sin(angle) / (1 + t)], -1).astype(np.float32)
    return Recurrent(), (x, (turn[:, 0] > 0).astype(np.float32)), loss


class NeuralODE(eqx.Module):
    """The neural ODE example: a perceptron is the slope; Runge and Kutta's steps in a loop."""

    slope: eqx.nn.MLP

    def __init__(self):
        self.slope = eqx.nn.MLP(2, 2, 32, 2, activation=jax.nn.softplus, key=keys(1)[0])

    def __call__(self, start):
        def step(y, _):
            k1 = self.slope(y)
            k2 = self.slope(y + 0.05 * k1)
            k3 = self.slope(y + 0.05 * k2)
            y = y + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + self.slope(y + 0.1 * k3))
            return y, y

        return jax.lax.scan(step, start, length=10)[1]


def neural_ode():
    generator = np.random.default_rng(0)
    start = generator.uniform(-0.6, 1, (16, 2)).astype(np.float32)
    decay = np.exp(-np.linspace(0, 1, 10))[:, None]
    return NeuralODE(), (start, (start[:, None] * decay).astype(np.float32)), "mean-square"


class Attention(eqx.Module):
    """A block of the ViT and BERT examples: norms first, dropout, a perceptron for each token."""

    norms: list
    attention: eqx.nn.MultiheadAttention
    wide: eqx.nn.Linear
    narrow: eqx.nn.Linear
    dropout: eqx.nn.Dropout

    def __init__(self, width, key):
        k = jax.random.split(key, 3)
        self.norms = [eqx.nn.LayerNorm(width) for _ in range(2)]
        self.attention = eqx.nn.MultiheadAttention(4, width, key=k[0])
        self.wide, self.narrow = eqx.nn.Linear(width, 2 * width, key=k[1]), eqx.nn.Linear(2 * width, width, key=k[2])
        self.dropout = eqx.nn.Dropout(0.1)

    def __call__(self, x, key):
        k = jax.random.split(key)
        h = jax.vmap(self.norms[0])(x)
        x = x + self.dropout(self.attention(h, h, h), key=k[0])
        h = jax.nn.gelu(jax.vmap(self.wide)(jax.vmap(self.norms[1])(x)))
        return x + self.dropout(jax.vmap(self.narrow)(h), key=k[1])


class ViT(eqx.Module):
    """The vision transformer example."""

    patches: eqx.nn.Linear
    positions: jax.Array
    token: jax.Array
    blocks: list
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear

    def __init__(self, width=32, blocks=6):
        k = keys(blocks + 4)
        self.patches = eqx.nn.Linear(48, width, key=k[0])
        self.positions = jax.random.normal(k[1], (17, width))
        self.token = jax.random.normal(k[2], (1, width))
        self.blocks = [Attention(width, key) for key in k[4:]]
        self.norm, self.head = eqx.nn.LayerNorm(width), eqx.nn.Linear(width, 10, key=k[3])

    def __call__(self, x, *, key):
        x = x.reshape(3, 4, 4, 4, 4).transpose(1, 3, 0, 2, 4).reshape(16, 48)
        x = jnp.concatenate([self.token, jax.vmap(self.patches)(x)]) + self.positions
        for block, one in zip(self.blocks, jax.random.split(key, len(self.blocks)), strict=True):
            x = block(x, one)
        return self.head(self.norm(x[0]))


def vit():
    return ViT(), images(16, 3), None


class BERT(eqx.Module):
    """The BERT example: three embeddings and a norm, norms last, a pooled first token."""

    words: eqx.nn.Embedding
    places: eqx.nn.Embedding
    norm: eqx.nn.LayerNorm
    blocks: list
    pooler: eqx.nn.Linear
    head: eqx.nn.Linear

    def __init__(self, width=32, blocks=4):
        k = keys(blocks + 4)
        self.words = eqx.nn.Embedding(50, width, key=k[0])
        self.places = eqx.nn.Embedding(16, width, key=k[1])
        self.norm = eqx.nn.LayerNorm(width)
        self.blocks = [Attention(width, key) for key in k[4:]]
        self.pooler, self.head = eqx.nn.Linear(width, width, key=k[2]), eqx.nn.Linear(width, 2, key=k[3])

    def __call__(self, tokens, *, key):
        x = jax.vmap(self.words)(tokens) + jax.vmap(self.places)(jnp.arange(len(tokens)))
        x = jax.vmap(self.norm)(x)
        for block, one in zip(self.blocks, jax.random.split(key, len(self.blocks)), strict=True):
            x = block(x, one)
        return self.head(jnp.tanh(self.pooler(x[0])))


def bert():
    tokens = np.random.default_rng(0).integers(0, 50, (16, 16))
    return BERT(), (tokens, tokens.sum(1) % 2), None


class MixerBlock(eqx.Module):
    patch_mixer: eqx.nn.MLP
    hidden_mixer: eqx.nn.MLP
    norms: list

    def __init__(self, patches, hidden, key):
        k = jax.random.split(key)
        self.patch_mixer = eqx.nn.MLP(patches, patches, 32, 1, key=k[0])
        self.hidden_mixer = eqx.nn.MLP(hidden, hidden, 32, 1, key=k[1])
        self.norms = [eqx.nn.LayerNorm((hidden, patches)), eqx.nn.LayerNorm((patches, hidden))]

    def __call__(self, y):
        y = y + jax.vmap(self.patch_mixer)(self.norms[0](y))
        y = y.T
        y = y + jax.vmap(self.hidden_mixer)(self.norms[1](y))
        return y.T


class Mixer(eqx.Module):
    """The score-based diffusion example: a mixer that tells the noise at a time."""

    inwards: eqx.nn.Conv2d
    outwards: eqx.nn.ConvTranspose2d
    blocks: list
    norm: eqx.nn.LayerNorm

    def __init__(self):
        k = keys(6)
        self.inwards = eqx.nn.Conv2d(2, 16, 4, stride=4, key=k[0])
        self.outwards = eqx.nn.ConvTranspose2d(16, 1, 4, stride=4, key=k[1])
        self.blocks = [MixerBlock(49, 16, key) for key in k[2:]]
        self.norm = eqx.nn.LayerNorm((16, 49))

    def __call__(self, x, t):
        y = jnp.concatenate([x, jnp.broadcast_to(t, x.shape)])
        y = self.inwards(y).reshape(16, 49)
        for block in self.blocks:
            y = block(y)
        return self.outwards(self.norm(y).reshape(16, 7, 7))


def mixer():
    (x, _), generator = images(), np.random.default_rng(1)
    t, noise = generator.random(16).astype(np.float32), generator.standard_normal(x.shape).astype(np.float32)
    return Mixer(), ((x * np.exp(-t)[:, None, None, None] + noise, t), noise), "mean-square"


class Generator(eqx.Module):
    """The GAN example's: transposed convolutions with batch norms, which keep a state."""

    layers: list

    def __init__(self):
        k = keys(4)
        self.layers = [
            eqx.nn.ConvTranspose2d(16, 32, 4, 1, use_bias=False, key=k[0]), batch_norm(32),
            eqx.nn.ConvTranspose2d(32, 16, 4, 2, padding=1, use_bias=False, key=k[1]), batch_norm(16),
            eqx.nn.ConvTranspose2d(16, 1, 4, 2, padding=1, use_bias=False, key=k[2]),
        ]  # fmt: skip

    def __call__(self, noise, state):
        x = noise
        for layer in self.layers:
            if isinstance(layer, eqx.nn.BatchNorm):
                x, state = layer(x, state)
                x = jax.nn.relu(x)
            else:
                x = layer(x)
        return jnp.tanh(x), state


def batch_norm(channels):
    return eqx.nn.BatchNorm(channels, axis_name="batch", mode="batch")


class Discriminator(eqx.Module):
    """The GAN example's: convolutions of stride 2, leaky ReLUs, a PReLU in the end."""

    layers: list

    def __init__(self):
        k = keys(4)
        self.layers = [
            eqx.nn.Conv2d(1, 16, 4, 2, 1, key=k[0]), lambda x: jax.nn.leaky_relu(x, 0.2),
            eqx.nn.Conv2d(16, 32, 4, 2, 1, key=k[1]), eqx.nn.GroupNorm(4, 32), eqx.nn.PReLU(0.25),
            eqx.nn.Conv2d(32, 1, 4, key=k[2]),
        ]  # fmt: skip

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.reshape(-1)


def generator():
    random = np.random.default_rng(0)
    noise = random.standard_normal((16, 16, 1, 1)).astype(np.float32)
    aim = np.tanh(random.standard_normal((16, 1, 16, 16))).astype(np.float32)
    return eqx.nn.make_with_state(Generator)(), (noise, aim), "mean-square"


def discriminator():
    def loss(output, real):
        return optax.sigmoid_binary_cross_entropy(output[:, 0], real)

    x, _ = images(16)
    return Discriminator(), (x, (np.arange(16) % 2).astype(np.float32)), loss


class SIREN(eqx.Module):
    """An image as a function of place (Sitzmann et al. 2020): sin(30 (Wx + b))."""

    layers: list

    def __init__(self, width=64, hidden=3):
        sizes = [2, *[width] * (hidden + 1), 1]
        self.layers = []
        for number, (a, b, key) in enumerate(zip(sizes, sizes[1:], keys(len(sizes) - 1), strict=False)):
            layer, bound = eqx.nn.Linear(a, b, key=key), (1 / a if number == 0 else np.sqrt(6 / a) / 30)
            weight = jax.random.uniform(key, (b, a), minval=-bound, maxval=bound)
            self.layers.append(eqx.tree_at(lambda one: one.weight, layer, weight))

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = jnp.sin(30 * layer(x))
        return self.layers[-1](x)


def siren():
    x = np.random.default_rng(0).uniform(-1, 1, (128, 2)).astype(np.float32)
    return SIREN(), (x, np.sin(3 * x[:, :1]) * np.cos(2 * x[:, 1:])), "mean-square"


class Stacked(eqx.Module):
    """Blocks whose weights are stacked, run by a loop."""

    inwards: eqx.nn.Linear
    blocks: eqx.nn.MLP
    head: eqx.nn.Linear

    def __init__(self, width=32, blocks=6):
        k = keys(3)
        self.inwards, self.head = eqx.nn.Linear(8, width, key=k[0]), eqx.nn.Linear(width, 10, key=k[1])
        make = eqx.filter_vmap(lambda key: eqx.nn.MLP(width, width, 2 * width, 1, activation=jax.nn.gelu, key=key))
        self.blocks = make(jax.random.split(k[2], blocks))

    def __call__(self, x):
        arrays, rest = eqx.partition(self.blocks, eqx.is_array)
        x = self.inwards(x)
        x, _ = jax.lax.scan(lambda x, block: (x + eqx.combine(block, rest)(x), None), x, arrays)
        return self.head(x)


def stacked():
    x = np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32)
    return Stacked(), (x, np.arange(16) % 10), None


HEALTHY = {
    one.__name__: one
    for one in (mnist, rnn, neural_ode, vit, bert, mixer, generator, discriminator, siren, stacked)
}  # fmt: skip
