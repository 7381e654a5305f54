"""How often and how precisely a network is measured."""

from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.errors import at_least, one_of
from gradcheck.spec.names import DTYPES, LAYERS


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """How often, how precisely.

    Attributes
    ----------
    layers : str
        How random layers are represented: ``dense`` (stored matrices), ``weightless``, or ``auto``, the cheaper one.
    seed, seeds : int
        First seed; number of independent draws.
    dtype : str
        ``float64`` or ``float32``.
    """

    layers: str = "auto"
    seed: int = 0
    seeds: int = 1
    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of("layers", self.layers, LAYERS)
        one_of("dtype", self.dtype, DTYPES)
        at_least("seed", self.seed, 0, "it seeds the random numbers")
        at_least("seeds", self.seeds, 1, "one draw is the least; 5 show how much draws differ")

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return asdict(self)
