"""Write ``reference.json``: means over normals by SciPy's adaptive quadrature, which shares no node with the package.

Run it as ``python tests/mean_field/make_reference.py``; it takes some minutes, so the tests read its
results. Of the package it takes the activations' formulas, which are proven elsewhere.
"""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import integrate
from scipy.optimize import brentq

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.mean_field.convergence import fixed_correlation, fixed_variance
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.maps import LayerMap

REACH = 9.5

VARIANCES = (1e-6, 0.03, 1.0, 7.3, 400.0, 2e6)
PAIRS = ((1.0, 0.4), (9.0, 0.95))

#: σ_w and σ_b at which each activation's variance rests and, where it can be, the network is chaotic.
AT_REST = {
    "linear": (0.8, 0.5), "step": (1.3, 0.2), "sigmoid": (14.0, 1.0), "tanh": (1.5, 0.3), "hard_tanh": (1.5, 0.3),
    "relu": (1.2, 0.4), "leaky_relu": (1.2, 0.4), "elu": (1.25, 0.1), "selu": (1.0, 0.1), "gelu": (1.405, 0.5),
    "silu": (1.41, 2.0), "softplus": (1.2, 0.1), "mish": (1.4, 0.5),
}  # fmt: skip

Function = Callable[[float], float]


def scalar(name: str) -> tuple[Function, Function]:
    """Return φ and φ' of a number."""
    evaluate = ACTIVATIONS[name].evaluate
    return (lambda x: float(evaluate(np.array([x]))[0][0]), lambda x: float(evaluate(np.array([x]))[1][0]))


def density(z: float) -> float:
    """Return the standard normal's density."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def between(f: Function, points: list[float], relative: float) -> float:
    """Return the integral of f over the normal's width, in pieces that end at the points."""
    edges = sorted({max(-REACH, min(REACH, point)) for point in (-REACH, 0, REACH, *points)})
    pieces = [(a, b) for a, b in pairwise(edges) if b - a > 1e-13]
    return float(sum(integrate.quad(f, a, b, epsabs=1e-17, epsrel=relative, limit=300)[0] for a, b in pieces))


def mean(f: Function, q: float, kinks: tuple[float, ...]) -> float:
    """Return E[f(√q z)], f with the kinks of an activation."""
    scale = math.sqrt(q)
    points = [point / scale for point in (*kinks, -60, -20, -8, -3, -1, 1, 3, 8, 20, 60)]
    return between(lambda z: f(scale * z) * density(z), points, 1e-13)


def pair_mean(f: Function, q: float, c: float, kinks: tuple[float, ...]) -> float:
    """Return E[f(√q u) f(√q v)], u and v of correlation c, f with the kinks of an activation."""
    scale, width = math.sqrt(q), math.sqrt(1 - c * c)

    def inner(u: float) -> float:
        points = [(kink / scale - c * u) / width for kink in kinks]
        return between(lambda w: f(scale * (c * u + width * w)) * density(w), points, 1e-11)

    smoothed = [(kink / scale + side * width) / c for kink in kinks for side in (-4, 0, 4)]
    points = [*(kink / scale for kink in kinks), *smoothed]
    return between(lambda u: f(scale * u) * inner(u) * density(u), points, 1e-10)


def moments(name: str, q: float) -> dict[str, float]:
    """Return E[φ], E[φ²], E[φ'²] and E[φ'⁴] at a variance."""
    value, slope = scalar(name)
    integrands = {
        "mean": value,
        "square": lambda x: value(x) ** 2,
        "slope_square": lambda x: slope(x) ** 2,
        "slope_fourth": lambda x: slope(x) ** 4,
    }
    return {"q": q} | {what: mean(f, q, ACTIVATIONS[name].kinks) for what, f in integrands.items()}


def pair(name: str, q: float, c: float) -> dict[str, float]:
    """Return E[φφ] of two inputs and, where φ' has no mass at a kink, E[φ'φ']."""
    value, slope = scalar(name)
    kinks = ACTIVATIONS[name].kinks
    found = {"q": q, "c": c, "product": pair_mean(value, q, c, kinks)}
    return found if name == "step" else found | {"slope_product": pair_mean(slope, q, c, kinks)}


def rest(name: str) -> dict[str, float]:
    """Return q* and χ₁ of a network at rest and, where it is chaotic and φ' has no mass, c* and the rate there."""
    (sigma_w, sigma_b), (value, slope) = AT_REST[name], scalar(name)
    kinks = ACTIVATIONS[name].kinks

    def variance(q: float) -> float:
        return sigma_w**2 * mean(lambda x: value(x) ** 2, q, kinks) + sigma_b**2

    layer = LayerMap(kernel_of(name), sigma_w**2, sigma_b**2)
    q = root(lambda q: variance(q) - q, fixed_variance(layer, sigma_w**2 + sigma_b**2))
    chi = sigma_w**2 * mean(lambda x: slope(x) ** 2, q, kinks)
    found = {"sigma_w": sigma_w, "sigma_b": sigma_b, "q": q, "chi": chi}
    if chi <= 1 or name == "step":
        return found
    near = fixed_correlation(layer, q)
    c = root(
        lambda c: (sigma_w**2 * pair_mean(value, q, c, kinks) + sigma_b**2) / q - c,
        near,
        reach=min(1e-3, (1 - near) / 10),
        relative=1e-12,
    )
    return found | {"c": c, "rate": sigma_w**2 * pair_mean(slope, q, c, kinks)}


def root(f: Function, near: float, reach: float = 0.1, relative: float = 1e-14) -> float:
    """Return where f changes its sign near the package's answer, which does no more than tell where to look."""
    return float(brentq(f, (1 - reach) * near, (1 + reach) * near, xtol=relative * near, rtol=relative))


def main() -> None:
    """Write all values, one line each."""
    found = {
        "moments": {name: [moments(name, q) for q in VARIANCES] for name in ACTIVATIONS},
        "pairs": {name: [pair(name, q, c) for q, c in PAIRS] for name in ACTIVATIONS},
        "rest": {name: rest(name) for name in ACTIVATIONS},
    }
    Path(__file__).with_name("reference.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
