"""Draws docs/images/frameworks.svg: the gradient of each layer, as frameworks draw their weights by default.

Run it after a law changed: ``python docs/make_frameworks.py``.
"""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

import gradcheck
from gradcheck.render import figure

PICTURE = Path(__file__).parent / "images" / "frameworks.svg"

#: Initialisation ↦ its name in the picture: those that share a law in dense layers are one line.
LINES = {
    "he": "he",
    "keras": "keras, flax, paddle, sklearn",
    "haiku": "haiku",
    "torch": "torch, equinox, mlx, tinygrad",
    "gpt2": "gpt2",
}

DEPTH, WIDTH = 30, 128


def gradients(activation: str) -> dict[str, list[float]]:
    """Return log10 of each layer's gradient over the last one's, for each initialisation."""
    options: dict[str, Any] = {"depth": DEPTH, "width": WIDTH, "activation": activation, "seeds": 3, "suggest": False}
    reports = {init: gradcheck.simulate(init=init, **options) for init in LINES}
    return {init: [layer.log10_gradient_ratio for layer in report.layers] for init, report in reports.items()}


def panel(ax: Axes, activation: str) -> None:
    """Draw one line for each law."""
    layers = range(1, DEPTH + 1)
    for index, (init, ratios) in enumerate(gradients(activation).items()):
        ax.plot(layers, ratios, label=LINES[init], **figure.marked(index, DEPTH))
    ax.axhline(-2.3, color="0.6", linestyle=":", linewidth=1)
    ax.set_title(f"{activation}, {DEPTH} layers of {WIDTH}", loc="left")
    ax.set(xlabel="layer", ylabel="gradient over the last layer's, log10", xlim=(1, DEPTH))
    if activation == "relu":
        ax.legend(fontsize=7, loc="lower right")


if __name__ == "__main__":
    with figure.house_style():
        picture = figure.Figure(figsize=(8, 3.6), layout="constrained")
        for ax, activation in zip(picture.subplots(1, 2, sharey=True), ("relu", "tanh"), strict=True):
            panel(ax, activation)
            ax.label_outer()
    PICTURE.write_bytes(figure.encoded(picture, "svg"))
