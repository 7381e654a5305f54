"""How libraries clip: what each calls a rule, and what it does at the edges, as measured. Loads no NumPy.

``benchmarks/clipping.py`` measures the words below with the libraries that are installed, and says where they differ.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gradcheck.errors import OptionError


class Edges(NamedTuple):
    """What a library's rule does at its edges, in a few words."""

    call: str  # what the library calls it
    factor: str  # what a gradient g with the norm n is multiplied by; c is the threshold
    # infinity, nan: what becomes of all gradients where one entry is so
    infinity: str
    nan: str
    # at_zero, below_zero: with such a threshold; ``off`` means that nothing is clipped
    at_zero: str
    below_zero: str
    # half, single: in float16 and float32, from the norm on at which they can't hold it or its square
    half: str
    single: str
    twice: str  # what becomes of a parameter that is listed twice


class Library(NamedTuple):
    """A library that clips."""

    package: str  # its name for pip
    version: str  # the one that was measured
    rules: dict[str, Edges]  # by the names of ``RULES``


#: What most rules do with an infinite entry, and with one that isn't a number.
AMONG_ZEROS, ALL = "0, itself NaN", "all NaN"
OF_ITS_TENSOR, OF_ITS_UNIT = "its tensor 0, itself NaN", "its unit 0, itself NaN"

_TORCH_VALUE = Edges(
    "clip_grad_value_", "to [-c, c]", "c", "stays", "0", "all c", "right", "right", "once"
)  # fmt: skip
_TORCH_NORM = Edges(
    "clip_grad_norm_", "min(1, c / (n + 1e-6))", AMONG_ZEROS, ALL, "0", "reversed", "0 from 65504", "0 from 1.8e19",
    "scaled twice",
)  # fmt: skip
_ACCELERATE = {"value": _TORCH_VALUE, "global-norm": _TORCH_NORM}
_OFF = {"at_zero": "off", "below_zero": "off"}

LIBRARIES: dict[str, Library] = {
    "torch": Library("torch", "2.13.0", {"value": _TORCH_VALUE, "global-norm": _TORCH_NORM}),
    "optax": Library("optax", "0.2.8", {
        "value": _TORCH_VALUE._replace(call="clip"),
        "global-norm": Edges(
            "clip_by_global_norm", "1 if n < c, else c / n", AMONG_ZEROS, ALL, "0 (0s: NaN)", "reversed",
            "0 from 256", "0 from 1.8e19", "counts twice",
        ),
        "agc": Edges(
            "adaptive_grad_clip", "min(1, c max(|w|, 1e-3) / max(n, 1e-6))", OF_ITS_UNIT, "its unit NaN", "0",
            "reversed", "0 from 256", "0 from 1.8e19", "once",
        ),
    }),
    "keras": Library("keras", "3.15.1", {
        "value": Edges("clipvalue", "to [-c, c]", "c", "stays", "off", "off", "right", "right", "applied twice"),
        "norm": Edges(
            "clipnorm", "c / max(n, c)", OF_ITS_TENSOR, "its tensor NaN", "off", "off", "0 from 256",
            "0 from 1.8e19", "applied twice",
        ),
        "global-norm": Edges(
            "global_clipnorm", "c min(1 / n, 1 / c) + (n - n)", ALL, ALL, "off", "off", "NaN from 256",
            "NaN from 1.8e19", "counts twice",
        ),
    }),
    "paddle": Library("paddlepaddle", "3.3.1", {
        "value": Edges(
            "ClipGradByValue", "to [-c, c]", "c", "stays", "refused", "refused", "refused", "right", "once"
        ),
        "norm": Edges(
            "ClipGradByNorm", "1 if n <= c, else c / n", OF_ITS_TENSOR, "its tensor NaN", "refused", "refused",
            "refused", "0 from 1.8e19", "once",
        ),
        "global-norm": Edges(
            "ClipGradByGlobalNorm", "c / max(n, c)", AMONG_ZEROS, ALL, "0 (0s: NaN)", "reversed", "refused",
            "0 from 1.8e19", "counts twice",
        ),
    }),
    "mlx": Library("mlx", "0.32.4", {
        "global-norm": _TORCH_NORM._replace(
            call="clip_grad_norm", below_zero="refused", half="right", twice="counts twice"
        ),
    }),
    "timm": Library("timm", "1.0.31", {
        "value": _TORCH_VALUE._replace(call="mode=value"),
        "global-norm": _TORCH_NORM._replace(call="mode=norm"),
        "agc": Edges(
            "adaptive_clip_grad", "min(1, c max(|w|, 1e-3) / max(n, 1e-6))", OF_ITS_UNIT, "its unit NaN", "0",
            "reversed", "0 from 65504", "0 from 1.8e19", "once",
        ),
    }),
    "lightning": Library("lightning", "2.6.6", {
        "value": _TORCH_VALUE._replace(call="gradient_clip_algorithm=value", **_OFF),
        "global-norm": _TORCH_NORM._replace(call="gradient_clip_val", **_OFF),
    }),
    "accelerate": Library("accelerate", "1.15.0", _ACCELERATE),
}  # fmt: skip

#: Libraries that call another one's rules for thresholds above 0 ↦ which.
SAME = {"lightning": "torch", "accelerate": "torch"}

#: What ``explain`` shows: those whose rule for the global norm is their own.
OWN = tuple(name for name in LIBRARIES if name not in SAME and name != "timm")


def had_by(library: str, rule: str) -> str:
    """Return a rule's name if a library has it.

    Raises
    ------
    OptionError
        It has not: the message says which it has, and which libraries have this one.
    """
    rules = LIBRARIES[library].rules
    if rule == "none" or rule in rules:
        return rule
    others = [name for name, one in LIBRARIES.items() if rule in one.rules]
    instead = f"type --as {' or '.join(others)}, or drop --as" if others else "no library has it: drop --as"
    raise OptionError("clip", f"{library} has no {rule}, it has none, {', '.join(rules)}; {instead}")


def table_of(libraries: Iterable[str], rule: str, fields: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each library: its name, and what its rule does."""
    names = tuple(fields)
    for library in libraries:
        edges = LIBRARIES[library].rules[rule]
        yield (library, *(getattr(edges, name) for name in names))
