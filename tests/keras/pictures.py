"""A small residual network of convolutions, in Keras and in PyTorch: the same weights, the same pictures."""

import numpy as np

CHANNELS, SIZE, CLASSES = 6, 8, 4


def batch():
    random = np.random.default_rng(3)
    return random.standard_normal((6, SIZE, SIZE, 3)), random.integers(CLASSES, size=6)


def weights():
    """Kernels (height, width, in, out) of the stem, the block's two and the bypass, and the matrix of the read-out."""
    random = np.random.default_rng(4)
    shapes = [(3, 3, 3, CHANNELS), *[(3, 3, CHANNELS, CHANNELS)] * 2, (CHANNELS, CLASSES)]
    return [random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])) for shape in shapes]


def keras_model():
    import keras
    from keras import layers

    def convolution(x):
        return layers.BatchNormalization(epsilon=1e-5)(layers.Conv2D(CHANNELS, 3, padding="same", use_bias=False)(x))

    inputs = keras.Input((SIZE, SIZE, 3))
    stem = layers.ReLU()(convolution(inputs))
    inside = convolution(layers.ReLU()(convolution(stem)))
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(layers.Add()([stem, inside])))
    model = keras.Model(inputs, layers.Dense(CLASSES, use_bias=False)(x))
    kernels = iter(weights())
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D | layers.Dense):
            layer.set_weights([next(kernels)])
    return model


def torch_model():
    import torch
    from torch import nn

    class Pictures(nn.Module):
        """The same, channels first."""

        def __init__(self):
            super().__init__()
            self.convolutions = nn.ModuleList(
                nn.Conv2d(one, CHANNELS, 3, padding=1, bias=False) for one in (3, CHANNELS, CHANNELS)
            )
            self.norms = nn.ModuleList(nn.BatchNorm2d(CHANNELS) for _ in range(3))
            self.last = nn.Linear(CHANNELS, CLASSES, bias=False)
            *kernels, matrix = weights()
            for layer, kernel in zip(self.convolutions, kernels, strict=True):
                layer.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
            self.last.weight.data = torch.tensor(matrix.T.copy())

        def forward(self, x):
            stem = torch.relu(self.norms[0](self.convolutions[0](x)))
            inside = torch.relu(self.norms[1](self.convolutions[1](stem)))
            return self.last(torch.relu(stem + self.norms[2](self.convolutions[2](inside))).mean((2, 3)))

    return Pictures().double()


def torch_report():
    import torch

    import gradcheck.torch

    inputs, labels = batch()
    pictures = torch.tensor(inputs.transpose(0, 3, 1, 2).copy())
    return gradcheck.torch.probe(torch_model(), (pictures, torch.tensor(labels)), "cross-entropy")
