"""What networks are compared in width or depth, and how they are trained: a frozen, validated description.

Loads no NumPy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.errors import OptionError
from gradcheck.spec.data import DataSpec
from gradcheck.spec.family import Spec
from gradcheck.spec.initial import pick
from gradcheck.spec.names import ADAPTIVE
from gradcheck.spec.options.option import plain, settle
from gradcheck.spec.options.transfer import OF_TRANSFERS
from gradcheck.spec.perceptron import NetworkSpec
from gradcheck.spec.transformer import TransformerSpec

#: Architecture ↦ defaults of options that differ between them.
USUAL: dict[str, dict[str, Any]] = {
    "mlp": {
        "width": (64, 256, 1024), "depth": (3,), "activation": "relu", "norm": "none", "batch_size": 64,
        "data": "digits",
    },
    "transformer": {
        "width": (64, 128, 256), "depth": (2,), "activation": "gelu", "norm": "layer", "batch_size": 4,
        "data": "text", "heads": 4, "tokens": 32, "norm_placement": "pre",
    },
}  # fmt: skip

#: Defaults of networks of several depths. A perceptron's branch ends with its activation: where that is positive on
#: average, branches add up instead of cancelling, whatever their scale (Yang, Yu et al. 2023 take the mean off).
IN_DEPTH: dict[str, dict[str, Any]] = {
    "mlp": {"width": (128,), "activation": "tanh"}, "transformer": {"width": (64,)},
}  # fmt: skip

#: Optimizer ↦ a rate at which the smallest network learns without diverging.
RATES = {"sgd": 0.1, "momentum": 0.03, "adam": 0.003, "adamw": 0.003}

#: Activations that let half of the mean square through: hidden matrices start √2 times as large (He et al. 2015).
HALVING = ("relu", "leaky_relu")

#: Options of a transformer alone.
OF_TRANSFORMERS = ("heads", "tokens", "norm_placement")


@dataclass(frozen=True, kw_only=True)
class TransferSpec:
    """Networks of several widths, or of several depths, and how they are trained."""

    arch: str
    param: str
    # width, depth: one of them has several values; the depth of a transformer is its blocks
    width: tuple[int, ...]
    depth: tuple[int, ...]
    # base_width, base_depth: where all parametrisations are the same network
    base_width: int
    base_depth: int
    activation: str
    gain: float  # multiplies the initial deviation 1/√fan_in of hidden matrices
    norm: str
    residual: bool
    # heads, tokens: of a transformer
    heads: int | None = None
    tokens: int | None = None
    norm_placement: str | None = None  # of a transformer
    optimizer: str = OF_TRANSFERS["optimizer"].default
    lr: float  # the learning rate at the base
    steps: int = OF_TRANSFERS["steps"].default
    seed: int = OF_TRANSFERS["seed"].default
    seeds: int = OF_TRANSFERS["seeds"].default
    dtype: str = OF_TRANSFERS["dtype"].default

    def __post_init__(self) -> None:
        several = ("width", "depth", *(name for name in OF_TRANSFORMERS if getattr(self, name) is None))
        settle({name: row for name, row in OF_TRANSFERS.items() if name not in several}, self)
        if self.param == "ntk" and self.axis == "depth":
            problem = "says nothing of the depth; several depths go with --param mup or standard"
            raise OptionError("param", f"ntk {problem}")
        if self.arch == "transformer":
            self._check_heads()
        for width in self.width:
            for depth in self.depth:
                self.network(width, depth)  # or say why there is none

    def _check_heads(self) -> None:
        heads, common = self.heads or 1, math.gcd(*self.width)
        for width in self.width:
            if width % heads:
                fits = [number for number in range(1, min(common, width) + 1) if common % number == 0]
                shown = ", ".join(map(str, fits if len(fits) <= 12 else [*fits[:10], "..."]))
                raise OptionError("heads", f"{heads} can't share --width {width}; allowed: {shown}")

    @property
    def axis(self) -> str:
        """What differs between the networks: ``width`` or ``depth``."""
        return "depth" if len(self.depth) > 1 else "width"

    @property
    def scales(self) -> tuple[int, ...]:
        """The widths, or the depths, smallest first."""
        return self.depth if self.axis == "depth" else self.width

    @property
    def adaptive(self) -> bool:
        """Whether the optimizer divides the gradient by its size."""
        return self.optimizer in ADAPTIVE

    def network(self, width: int, depth: int) -> Spec:
        """Return the description of one of the networks, by the engine's own names."""
        if self.arch == "mlp":
            return NetworkSpec(
                depth=depth, width=width, activation=self.activation, norm=self.norm, residual=self.residual
            )
        return TransformerSpec(
            blocks=depth, model_width=width, activation=self.activation, norm=self.norm, tied=False,
            heads=self.heads or 1, tokens=self.tokens or 1, norm_placement=self.norm_placement or "pre",
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}


def transfer_specs(options: Mapping[str, Any]) -> tuple[TransferSpec, DataSpec]:
    """Return what options describe, and the batch; None means that an option wasn't given.

    Raises
    ------
    OptionError
        A value, or a combination of values, that isn't possible.
    """
    said = {name: plain(value) for name, value in options.items() if value is not None}
    arch = said["arch"] = OF_TRANSFERS["arch"].check(said.get("arch", "mlp"))
    _check_arch(arch, said)
    scales: dict[str, Any] = {name: _scales(name, said[name]) for name in ("width", "depth") if name in said}
    if len(scales.get("width", ())) > 1 and len(scales.get("depth", ())) > 1:
        raise OptionError("depth", "and --width have several values: compare widths, or depths; give one of them one")
    in_depth = len(scales.get("depth", ())) > 1
    values: dict[str, Any] = {**USUAL[arch], **(IN_DEPTH[arch] if in_depth else {}), **said, **scales}
    if not in_depth and len(values["width"]) < 2:
        raise OptionError("width", f"{values['width'][0]} is one width: to compare, give several, as in 64,256,1024")
    values.setdefault("residual", in_depth or arch == "transformer")
    if in_depth and not values["residual"]:
        raise OptionError("residual", "is what several depths are compared with: drop --no-residual")
    values.setdefault("gain", math.sqrt(2) if values["activation"] in HALVING else 1.0)
    values.setdefault("lr", RATES[OF_TRANSFERS["optimizer"].check(values.get("optimizer", "adam"))])
    values.setdefault("param", OF_TRANSFERS["param"].default)
    for name in ("width", "depth"):
        values.setdefault(f"base_{name}", values[name][0])
    spec, data = TransferSpec(**pick(TransferSpec, values)), DataSpec(**pick(DataSpec, values))
    spec.network(spec.width[0], spec.depth[0]).check_batch(data.batch_size)
    return spec, data


def _check_arch(arch: str, said: Mapping[str, Any]) -> None:
    """Raise the error of an option that a network of this kind hasn't."""
    if arch == "transformer":
        if said.get("residual") is False:
            raise OptionError("residual", "streams are what a transformer is made of: drop --no-residual")
        return
    for name in OF_TRANSFORMERS:
        if name in said:
            raise OptionError(name, f"{said[name]} goes with --arch transformer; a perceptron has none")


def _scales(option: str, value: Sequence[int] | int) -> tuple[int, ...]:
    """Return widths or depths, smallest first, or say what is wrong with them."""
    row = OF_TRANSFERS[option]
    values = sorted({row.check(one) for one in (value if isinstance(value, list | tuple) else [value])})
    if not values:
        raise OptionError(option, "is empty; give several, as in 64,256,1024")
    return tuple(values)
