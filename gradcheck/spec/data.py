"""Which batch goes through the network: a frozen, validated description."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gradcheck.errors import OptionError
from gradcheck.spec.names import DATA_NAMES
from gradcheck.spec.options.measurement import OF_DATA
from gradcheck.spec.options.option import canonical, settle

FEATURES = 64  # of gaussian, as many as the digits have
OUTPUTS = 10  # of the read-out where there are no labels, as many as there are digits


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Which batch goes through the network."""

    data: str = "digits"  # ``digits``, ``gaussian``, or the path of a .npy, .npz or .csv file
    labels: bool = OF_DATA["labels"].default  # the last column of a .csv file holds the labels
    batch_size: int = 64  # examples in the one forward and backward pass
    shuffle: bool = OF_DATA["shuffle"].default  # take them after a shuffle by the seed, not from the start

    def __post_init__(self) -> None:
        settle(OF_DATA, self)
        object.__setattr__(self, "data", canonical(self.data, DATA_NAMES))
        if self.labels and Path(self.data).suffix.lower() != ".csv":
            problem = f"names the last column of a .csv file; {self.data} is none (a .npz has its labels in y)"
            raise OptionError("labels", problem)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return asdict(self)
