"""Flax's own examples and models published with Flax, small and in code of our own: each trains as published."""

import jax
import numpy as np
import optax
from flax import linen, nnx
from jax import numpy as jnp


def images(size=28, channels=1, count=16, classes=10):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((count, size, size, channels)).astype(np.float32)
    return x, generator.integers(0, classes, count)


def tokens(length=16, vocabulary=50, count=8):
    return np.random.default_rng(0).integers(0, vocabulary, (count, length))


def with_variables(module, *inputs, **flags):
    variables = module.init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, *inputs, **flags)
    return module, variables


# ---- linen


class ConvNet(linen.Module):
    """The MNIST example: two convolutions, average pooling, two dense layers."""

    @linen.compact
    def __call__(self, x):
        for features in (16, 32):
            x = linen.avg_pool(linen.relu(linen.Conv(features, (3, 3))(x)), (2, 2), (2, 2))
        x = linen.relu(linen.Dense(64)(x.reshape(len(x), -1)))
        return linen.Dense(10)(x)


def mnist():
    x, y = images()
    return with_variables(ConvNet(), x), (x, y), None


class VAE(linen.Module):
    """The VAE example: a Gaussian code of 20 numbers, logits of pixels."""

    @linen.compact
    def __call__(self, x):
        h = linen.relu(linen.Dense(128, name="encoder")(x))
        mean, log_variance = linen.Dense(20, name="mean")(h), linen.Dense(20, name="log_variance")(h)
        code = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(self.make_rng("params"), mean.shape)
        h = linen.relu(linen.Dense(128, name="decoder")(code))
        return linen.Dense(784, name="pixels")(h), mean, log_variance


def vae():
    def loss(output, x):
        logits, mean, log_variance = output
        divergence = -0.5 * jnp.sum(1 + log_variance - mean**2 - jnp.exp(log_variance), axis=-1)
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, x).sum(-1) + divergence)

    x = (np.random.default_rng(0).random((16, 784)) < 0.3).astype(np.float32)
    return with_variables(VAE(), x), (x, x), loss


class Seq2Seq(linen.Module):
    """The seq2seq example: an LSTM hands its state to another one, which is taught with the answers."""

    @linen.compact
    def __call__(self, question, answer):
        carry, _ = linen.RNN(linen.LSTMCell(32), return_carry=True, name="encoder")(question)
        states = linen.RNN(linen.LSTMCell(32), name="decoder")(answer, initial_carry=carry)
        return linen.Dense(answer.shape[-1])(states)


def seq2seq():
    question, answer = (np.eye(12, dtype=np.float32)[tokens(8, 12, 16)[:, ::step]] for step in (1, -1))
    return with_variables(Seq2Seq(), question, answer), ((question, answer), answer.argmax(-1)), None


class Block(linen.Module):
    """A block of the lm1b and WMT examples: norms first, attention and a perceptron beside the stream."""

    causal: bool

    @linen.compact
    def __call__(self, x, train):
        mask = linen.make_causal_mask(x[..., 0]) if self.causal else None
        h = linen.LayerNorm()(x)
        h = linen.MultiHeadDotProductAttention(4, dropout_rate=0.1, deterministic=not train)(h, h, mask=mask)
        x = x + linen.Dropout(0.1, deterministic=not train)(h)
        h = linen.gelu(linen.Dense(4 * x.shape[-1])(linen.LayerNorm()(x)))
        return x + linen.Dropout(0.1, deterministic=not train)(linen.Dense(x.shape[-1])(h))


class Language(linen.Module):
    """lm1b: tokens and learned positions, causal blocks, and the embedding once more as read-out."""

    blocks: int = 4

    @linen.compact
    def __call__(self, tokens, train=True):
        embedding = linen.Embed(50, 32, embedding_init=linen.initializers.normal(1.0))
        positions = self.param("positions", linen.initializers.normal(0.02), (1, tokens.shape[1], 32))
        x = embedding(tokens) + positions
        for _ in range(self.blocks):
            x = Block(causal=True)(x, train)
        return embedding.attend(linen.LayerNorm()(x)) / jnp.sqrt(32)


def lm1b():
    given = tokens()
    return with_variables(Language(), given), (given, np.roll(given, -1, 1)), None


class Scanned(linen.Module):
    """The same blocks as one loop over their stacked weights, as large models are written."""

    @linen.compact
    def __call__(self, tokens, train=True):
        x = linen.Embed(50, 32)(tokens)
        stack = linen.scan(
            lambda block, x, _: (block(x, train), None), variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True}, length=4,
        )  # fmt: skip
        x, _ = stack(linen.remat(Block, static_argnums=(2,))(causal=True, name="blocks"), x, None)
        return linen.Dense(50)(linen.LayerNorm()(x))


def scanned():
    given = tokens()
    return with_variables(Scanned(), given), (given, np.roll(given, -1, 1)), None


class ResidualBlock(linen.Module):
    """Of the ImageNet example: the last norm of a branch starts at zero."""

    features: int
    stride: int = 1

    @linen.compact
    def __call__(self, x, train):
        def norm(**options):
            return linen.BatchNorm(use_running_average=not train, momentum=0.9, **options)

        h = linen.relu(norm()(linen.Conv(self.features, (3, 3), self.stride, use_bias=False)(x)))
        h = norm(scale_init=linen.initializers.zeros)(linen.Conv(self.features, (3, 3), use_bias=False)(h))
        if x.shape != h.shape:
            x = norm()(linen.Conv(self.features, (1, 1), self.stride, use_bias=False, name="projection")(x))
        return linen.relu(x + h)


class ResNet(linen.Module):
    @linen.compact
    def __call__(self, x, train=True):
        x = linen.Conv(16, (3, 3), use_bias=False, name="stem")(x)
        x = linen.relu(linen.BatchNorm(use_running_average=not train, name="stem_norm")(x))
        for features, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
            x = ResidualBlock(features, stride)(x, train)
        return linen.Dense(10)(x.mean((1, 2)))


def resnet():
    x, y = images(16, 3)
    return with_variables(ResNet(), x), (x, y), None


class MixerBlock(linen.Module):
    @linen.compact
    def __call__(self, x):
        h = jnp.swapaxes(linen.LayerNorm()(x), 1, 2)
        h = linen.Dense(x.shape[1], name="tokens_out")(linen.gelu(linen.Dense(32, name="tokens_in")(h)))
        x = x + jnp.swapaxes(h, 1, 2)
        h = linen.gelu(linen.Dense(128, name="channels_in")(linen.LayerNorm()(x)))
        return x + linen.Dense(x.shape[-1], name="channels_out")(h)


class Mixer(linen.Module):
    """MLP-Mixer (Tolstikhin et al. 2021), its read-out at zero as published."""

    @linen.compact
    def __call__(self, x):
        x = linen.Conv(32, (4, 4), (4, 4), name="stem")(x)
        x = x.reshape(len(x), -1, 32)
        for _ in range(6):
            x = MixerBlock()(x)
        x = linen.LayerNorm()(x).mean(1)
        return linen.Dense(10, kernel_init=linen.initializers.zeros, name="head")(x)


def mixer():
    x, y = images(16, 3)
    return with_variables(Mixer(), x), (x, y), None


class ViT(linen.Module):
    """ViT (Dosovitskiy et al. 2021): a class token, positions of 0.02, a read-out at zero."""

    @linen.compact
    def __call__(self, x, train=True):
        x = linen.Conv(32, (4, 4), (4, 4), padding="VALID", name="embedding")(x)
        x = x.reshape(len(x), -1, 32)
        token = self.param("token", linen.initializers.zeros, (1, 1, 32))
        x = jnp.concatenate([jnp.tile(token, (len(x), 1, 1)), x], axis=1)
        x = x + self.param("positions", linen.initializers.normal(0.02), (1, x.shape[1], 32))
        for _ in range(6):
            x = Block(causal=False)(x, train)
        x = linen.LayerNorm()(x)[:, 0]
        return linen.Dense(10, kernel_init=linen.initializers.zeros, name="head")(x)


def vit():
    x, y = images(16, 3)
    return with_variables(ViT(), x), (x, y), None


class TextClassifier(linen.Module):
    """The SST-2 example: embeddings, an LSTM in both directions, attention over its states."""

    @linen.compact
    def __call__(self, tokens):
        x = linen.Embed(50, 32, embedding_init=linen.initializers.normal(0.1))(tokens)
        forth, back = linen.RNN(linen.OptimizedLSTMCell(24)), linen.RNN(linen.OptimizedLSTMCell(24))
        x = linen.Bidirectional(forth, back)(x)
        keys = jnp.tanh(linen.Dense(16, use_bias=False, name="keys")(x))
        weights = linen.softmax(linen.Dense(1, use_bias=False, name="scores")(keys), axis=1)
        h = jnp.tanh(linen.Dense(32, name="hidden")((weights * x).sum(1)))
        return linen.Dense(2, name="logits")(h)


def sst2():
    given = tokens(count=16)
    return with_variables(TextClassifier(), given), (given, given.sum(1) % 2), None


# ---- nnx


class ActorCritic(nnx.Module):
    """The PPO example: the convolutions that play Atari, a policy and a value."""

    def __init__(self, rngs):
        shapes = ((4, 16, 8, 4), (16, 32, 4, 2), (32, 32, 3, 1))
        self.convolutions = nnx.List([nnx.Conv(a, b, (size, size), stride, rngs=rngs) for a, b, size, stride in shapes])
        self.hidden = nnx.Linear(5 * 5 * 32, 64, rngs=rngs)
        self.policy, self.value = nnx.Linear(64, 6, rngs=rngs), nnx.Linear(64, 1, rngs=rngs)

    def __call__(self, x):
        for one in self.convolutions:
            x = nnx.relu(one(x))
        x = nnx.relu(self.hidden(x.reshape(len(x), -1)))
        return nnx.log_softmax(self.policy(x)), self.value(x)


def ppo():
    def loss(output, targets):
        actions, returns = targets
        logits, value = output
        policy = -jnp.take_along_axis(logits, actions[:, None], 1) * returns[:, None]
        return policy.mean() + 0.5 * jnp.mean((value[:, 0] - returns) ** 2)

    x, actions = images(40, 4, classes=6)
    returns = np.random.default_rng(1).standard_normal(len(x)).astype(np.float32)
    return ActorCritic(nnx.Rngs(0)), (x, (actions, returns)), loss


class GatedBlock(nnx.Module):
    """A block as in Gemma: root mean square norms around, a gated perceptron, rotated queries and keys."""

    def __init__(self, width, heads, rngs):
        self.heads = heads
        self.norms = nnx.List([nnx.RMSNorm(width, rngs=rngs) for _ in range(4)])
        self.query, self.key, self.value = (
            nnx.LinearGeneral(width, (heads, width // heads), use_bias=False, rngs=rngs) for _ in range(3)
        )
        self.out = nnx.LinearGeneral((heads, width // heads), width, axis=(-2, -1), use_bias=False, rngs=rngs)
        self.gate, self.up = (nnx.Linear(width, 3 * width, use_bias=False, rngs=rngs) for _ in range(2))
        self.down = nnx.Linear(3 * width, width, use_bias=False, rngs=rngs)

    def __call__(self, x):
        h = self.norms[0](x)
        h = jax.nn.dot_product_attention(rotated(self.query(h)), rotated(self.key(h)), self.value(h), is_causal=True)
        x = x + self.norms[1](self.out(h))
        h = self.norms[2](x)
        return x + self.norms[3](self.down(nnx.gelu(self.gate(h)) * self.up(h)))


def rotated(x):
    """Positions as rotations (Su et al. 2021)."""
    first, second = jnp.split(x, 2, axis=-1)
    angles = jnp.arange(x.shape[1])[:, None, None] / 100 ** (jnp.arange(first.shape[-1]) / first.shape[-1])
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


class Gemma(nnx.Module):
    def __init__(self, rngs, width=32):
        self.embedding = nnx.Embed(50, width, embedding_init=nnx.initializers.normal(1.0), rngs=rngs)
        self.blocks = nnx.List([GatedBlock(width, 4, rngs) for _ in range(4)])
        self.norm = nnx.RMSNorm(width, rngs=rngs)

    def __call__(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.embedding.attend(self.norm(x)) / jnp.sqrt(32.0)


def gemma():
    given = tokens()
    return Gemma(nnx.Rngs(0)), (given, np.roll(given, -1, 1)), None


class Recurrent(nnx.Module):
    """A GRU that reads rows of an image."""

    def __init__(self, rngs):
        self.rnn = nnx.RNN(nnx.GRUCell(28, 48, rngs=rngs))
        self.head = nnx.Linear(48, 10, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn(x[..., 0])[:, -1])


def gru():
    return Recurrent(nnx.Rngs(0)), images(), None


class DoubleConvolution(nnx.Module):
    def __init__(self, before, after, rngs):
        self.one, self.other = nnx.Conv(before, after, (3, 3), rngs=rngs), nnx.Conv(after, after, (3, 3), rngs=rngs)
        self.norms = nnx.List([nnx.GroupNorm(after, num_groups=4, rngs=rngs) for _ in range(2)])

    def __call__(self, x):
        x = nnx.silu(self.norms[0](self.one(x)))
        return nnx.silu(self.norms[1](self.other(x)))


class UNet(nnx.Module):
    """Halved twice, doubled twice, with what was there before beside it (Ronneberger et al. 2015)."""

    def __init__(self, rngs):
        self.down = nnx.List([DoubleConvolution(a, b, rngs) for a, b in ((3, 8), (8, 16), (16, 32))])
        self.wider = nnx.List([nnx.ConvTranspose(a, b, (2, 2), (2, 2), rngs=rngs) for a, b in ((32, 16), (16, 8))])
        self.up = nnx.List([DoubleConvolution(2 * b, b, rngs) for b in (16, 8)])
        self.out = nnx.Conv(8, 3, (1, 1), rngs=rngs)

    def __call__(self, x):
        beside = []
        for one in self.down:
            x = one(x)
            beside.append(x)
            x = nnx.max_pool(x, (2, 2), (2, 2)) if one is not self.down[-1] else x
        for wider, one, before in zip(self.wider, self.up, beside[-2::-1], strict=True):
            x = one(jnp.concatenate([before, wider(x)], axis=-1))
        return self.out(x)


def unet():
    x, _ = images(16, 3)
    noise = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    return UNet(nnx.Rngs(0)), (x + noise, noise), "mean-square"


HEALTHY = {
    one.__name__: one
    for one in (mnist, vae, seq2seq, lm1b, scanned, resnet, mixer, vit, sst2, ppo, gemma, gru, unet)
}  # fmt: skip
