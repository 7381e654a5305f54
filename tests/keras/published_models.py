"""Published Keras models as they start, without weights: each by what builds it, its batch and its loss.

Those of ``keras.applications`` are built for 10 classes of small pictures, 8 examples. The others are models of Keras's
code examples, of their sizes or smaller.
"""

import keras
from keras import layers


def application(name, size=64, *, bytes_in=False, **options):
    """What builds a model of ``keras.applications``, and its batch."""

    def build():
        return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10, **options)

    def batch(random):
        pictures = random.random((8, size, size, 3)) * 255 if bytes_in else random.standard_normal((8, size, size, 3))
        return pictures.astype("float32"), random.integers(10, size=8)

    return build, batch, None


class TransformerBlock(layers.Layer):
    """A block as in the example of text classification with a transformer."""

    def __init__(self, width, heads, hidden, rate=0.1, causal=False):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
        self.ffn = keras.Sequential([layers.Dense(hidden, activation="relu"), layers.Dense(width)])
        self.norm1, self.norm2 = layers.LayerNormalization(epsilon=1e-6), layers.LayerNormalization(epsilon=1e-6)
        self.drop1, self.drop2 = layers.Dropout(rate), layers.Dropout(rate)
        self.causal = causal

    def call(self, inputs):
        """Attend, then apply the perceptron."""
        out = self.norm1(inputs + self.drop1(self.att(inputs, inputs, use_causal_mask=self.causal)))
        return self.norm2(out + self.drop2(self.ffn(out)))


class TokensAndPlaces(layers.Layer):
    """Embeddings of tokens and of their places."""

    def __init__(self, length, words, width):
        super().__init__()
        self.tokens, self.places = layers.Embedding(words, width), layers.Embedding(length, width)

    def call(self, x):
        """Add both."""
        return self.tokens(x) + self.places(keras.ops.arange(x.shape[-1]))


def text_transformer():
    inputs = keras.Input((40,), dtype="int32")
    x = TransformerBlock(32, 2, 32)(TokensAndPlaces(40, 1000, 32)(inputs))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dropout(0.1)(layers.Dense(20, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x))


def mini_gpt():
    inputs = keras.Input((24,), dtype="int32")
    x = TokensAndPlaces(24, 500, 64)(inputs)
    for _ in range(4):
        x = TransformerBlock(64, 2, 128, causal=True)(x)
    return keras.Model(inputs, layers.Dense(500)(x))


def vision_transformer(depth=6, width=64):
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(width, 8, strides=8)(inputs)
    x = layers.Reshape((16, width))(x)
    for _ in range(depth):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([layers.MultiHeadAttention(4, width, dropout=0.1)(y, y), x])
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        y = layers.Dropout(0.1)(layers.Dense(2 * width, activation=keras.activations.gelu)(y))
        x = layers.Add()([layers.Dropout(0.1)(layers.Dense(width, activation=keras.activations.gelu)(y)), x])
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    x = layers.Dropout(0.5)(layers.Dense(256, activation="gelu")(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def bidirectional_lstm():
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(1000, 64)(inputs)
    x = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(32))(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def stacked_gru():
    return keras.Sequential([
        keras.Input((30, 8)), layers.GRU(32, return_sequences=True), layers.GRU(32), layers.Dense(1),
    ])  # fmt: skip


def simple_rnn():
    return keras.Sequential([keras.Input((20, 4)), layers.SimpleRNN(32), layers.Dense(3, activation="softmax")])


def autoencoder():
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu", padding="same"), layers.MaxPooling2D(2, padding="same"),
        layers.Conv2D(32, 3, activation="relu", padding="same"), layers.MaxPooling2D(2, padding="same"),
        layers.Conv2DTranspose(32, 3, strides=2, activation="relu", padding="same"),
        layers.Conv2DTranspose(32, 3, strides=2, activation="relu", padding="same"),
        layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
    ])  # fmt: skip


def siamese():
    one = keras.Sequential([
        keras.Input((28, 28, 1)), layers.BatchNormalization(), layers.Conv2D(4, 5, activation="tanh"),
        layers.AveragePooling2D(2), layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.BatchNormalization(), layers.Dense(10, activation="tanh"),
    ])  # fmt: skip
    left, right = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    apart = keras.ops.sum(keras.ops.square(one(left) - one(right)), axis=1, keepdims=True)
    x = layers.BatchNormalization()(keras.ops.sqrt(keras.ops.maximum(apart, 1e-7)))
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid")(x))


def residual_unet():
    inputs = keras.Input((32, 32, 3))
    x = previous = layers.Activation("relu")(layers.BatchNormalization()(
        layers.Conv2D(32, 3, strides=2, padding="same")(inputs)))  # fmt: skip
    for width in (64, 128):
        for _ in range(2):
            x = layers.SeparableConv2D(width, 3, padding="same")(layers.Activation("relu")(x))
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = previous = layers.add([x, layers.Conv2D(width, 1, strides=2, padding="same")(previous)])
    for width in (128, 64, 32):
        for _ in range(2):
            x = layers.Conv2DTranspose(width, 3, padding="same")(layers.Activation("relu")(x))
            x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        x = previous = layers.add([x, layers.Conv2D(width, 1, padding="same")(layers.UpSampling2D(2)(previous))])
    return keras.Model(inputs, layers.Conv2D(3, 3, activation="softmax", padding="same")(x))


class Mixer(layers.Layer):
    """A layer as in the example of MLP-Mixer."""

    def __init__(self, patches, width):
        super().__init__()
        self.one = keras.Sequential([layers.Dense(patches, activation="gelu"), layers.Dense(patches)])
        self.two = keras.Sequential([layers.Dense(width, activation="gelu"), layers.Dense(width)])
        self.norm = layers.LayerNormalization(epsilon=1e-6)

    def call(self, inputs):
        """Mix the patches, then the channels."""
        x = self.norm(inputs)
        mixed = keras.ops.transpose(self.one(keras.ops.transpose(x, (0, 2, 1))), (0, 2, 1)) + inputs
        return self.two(self.norm(mixed)) + mixed


def mixer():
    inputs = keras.Input((32, 32, 3))
    x = layers.Reshape((64, 64))(layers.Conv2D(64, 4, strides=4)(inputs))
    for _ in range(4):
        x = Mixer(64, 64)(x)
    return keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(x))))


def time_series():
    inputs = keras.Input((100, 1))
    x = inputs
    for _ in range(3):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(64, 3, padding="same")(x)))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def wide_and_deep():
    numbers, words = keras.Input((10,), name="numbers"), keras.Input((20,), dtype="int32", name="words")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(200, 16)(words))
    x = layers.Concatenate()([x, layers.Dense(16, activation="relu")(numbers)])
    for _ in range(2):
        x = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(x))
    return keras.Model(
        {"numbers": numbers, "words": words},
        [layers.Dense(1, name="priority")(x), layers.Dense(4, name="department")(x)],
    )


def pictures(size, channels=3, classes=10):
    return lambda random: (
        random.standard_normal((8, size, size, channels)).astype("float32"), random.integers(classes, size=8)
    )  # fmt: skip


def tokens(length, words, classes):
    return lambda random: (random.integers(words, size=(16, length)), random.integers(classes, size=16))


def rows(*shape):
    return lambda random: random.standard_normal((16, *shape)).astype("float32")


#: Name ↦ what builds it, random numbers ↦ its batch, its loss.
MODELS = {
    "MobileNetV2": application("MobileNetV2"),
    "MobileNetV3Small": application("MobileNetV3Small", bytes_in=True),
    "ResNet50": application("ResNet50"),
    "ResNet50V2": application("ResNet50V2"),
    "DenseNet121": application("DenseNet121"),
    "EfficientNetB0": application("EfficientNetB0", bytes_in=True),
    "EfficientNetV2B0": application("EfficientNetV2B0", bytes_in=True),
    "Xception": application("Xception", 71),
    "InceptionV3": application("InceptionV3", 75),
    "NASNetMobile": application("NASNetMobile"),
    "ConvNeXtTiny": application("ConvNeXtTiny", bytes_in=True),
    "VGG16": application("VGG16"),
    "text transformer": (text_transformer, tokens(40, 1000, 2), None),
    "mini GPT": (
        mini_gpt, lambda random: (random.integers(500, size=(8, 24)), random.integers(500, size=(8, 24))),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "vision transformer": (vision_transformer, pictures(32), None),
    "MLP-Mixer": (mixer, pictures(32), None),
    "bidirectional LSTM": (
        bidirectional_lstm, lambda random: (random.integers(1000, size=(16, 30)), random.integers(2, size=(16, 1))),
        "binary_crossentropy",
    ),
    "stacked GRU": (
        stacked_gru, lambda random: (rows(30, 8)(random), random.standard_normal((16, 1)).astype("float32")), "mse"
    ),
    "simple RNN": (simple_rnn, rows(20, 4), None),
    "time series": (time_series, rows(100, 1), None),
    "autoencoder": (
        autoencoder, lambda random: 2 * (random.random((8, 28, 28, 1)).astype("float32"),),
        "binary_crossentropy",
    ),
    "siamese": (
        siamese,
        lambda random: (
            [random.random((16, 28, 28, 1)).astype("float32") for _ in range(2)],
            random.integers(2, size=(16, 1)).astype("float32"),
        ),
        "binary_crossentropy",
    ),
    "U-Net": (
        residual_unet,
        lambda random: (random.standard_normal((4, 32, 32, 3)).astype("float32"), random.integers(3, size=(4, 32, 32))),
        "sparse_categorical_crossentropy",
    ),
    "wide and deep": (
        wide_and_deep,
        lambda random: (
            {
                "numbers": random.standard_normal((32, 10)).astype("float32"),
                "words": random.integers(200, size=(32, 20)),
            },
            [random.standard_normal((32, 1)).astype("float32"), random.integers(4, size=32)],
        ),
        ["mse", keras.losses.SparseCategoricalCrossentropy(from_logits=True)],
    ),
}  # fmt: skip
