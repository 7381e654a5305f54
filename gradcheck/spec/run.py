"""How often and how precisely a network is measured."""

from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.spec.options.measurement import OF_DRAWS
from gradcheck.spec.options.option import settle


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """How often, how precisely."""

    # how random layers are represented: ``dense`` (stored matrices), ``weightless``, or ``auto``, the cheaper one
    layers: str = OF_DRAWS["layers"].default
    # seed, seeds: first seed; number of independent draws
    seed: int = OF_DRAWS["seed"].default
    seeds: int = OF_DRAWS["seeds"].default
    dtype: str = OF_DRAWS["dtype"].default  # ``float64`` or ``float32``

    def __post_init__(self) -> None:
        settle(OF_DRAWS, self)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return asdict(self)
