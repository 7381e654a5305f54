"""Shapes of inputs as they are typed, and random inputs of such."""

import re

import numpy as np

from gradcheck.errors import OptionError

#: The types that --input can have.
INPUT_TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")

SHAPE = re.compile(r"(?P<shape>\d+(x\d+)*)(:(?P<type>[a-z]+\d*))?(<(?P<below>\d+))?")


def parse_shape(text: str) -> tuple[tuple[int, ...], str, int]:
    """Return the shape, the type and the bound of ``4x128:int64<50257``."""
    match = SHAPE.fullmatch(text.replace(" ", ""))
    kind = (match and match["type"]) or ("int64" if match and match["below"] else "float32")
    if match is None or kind not in INPUT_TYPES or "0" in match["shape"].split("x"):
        problem = f"{text!r} is not a shape: write 8x3x32x32, or '4x128:int64<50257' (types: {', '.join(INPUT_TYPES)})"
        raise OptionError("input", problem)
    integral = kind in ("int64", "int32", "uint8")
    if integral and match["below"] is None:
        kinds = 256 if kind == "uint8" else 1000
        raise OptionError("input", f"{text!r} doesn't say how many kinds there are: write '{text}<{kinds}'")
    if not integral and match["below"] is not None:
        raise OptionError("input", f"{text!r} bounds numbers that aren't whole: write {match['shape']}, or ':int64<N'")
    return tuple(int(size) for size in match["shape"].split("x")), kind, int(match["below"] or 2)


def draw_array(text: str, generator: np.random.Generator) -> np.ndarray:
    """Draw an input: standard normal numbers, or whole ones below the bound, all equally likely."""
    shape, kind, below = parse_shape(text)
    if kind in ("float32", "float64", "float16", "bfloat16"):
        return generator.standard_normal(shape).astype("float32" if kind == "bfloat16" else kind)
    return generator.integers(max(1, below), size=shape).astype(kind)
