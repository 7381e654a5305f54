"""How a learning rate is searched: a frozen, validated description, and the command line of it. Loads no NumPy."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.spec.command_line import command_line
from gradcheck.spec.options.learning_rate import OF_RATES, SEARCH_ONLY
from gradcheck.spec.options.option import settle

#: The weight decay that PyTorch gives an optimizer by default; the others have none.
WEIGHT_DECAY = {"adamw": 0.01}


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """How a learning rate is searched."""

    optimizer: str = OF_RATES["optimizer"].default  # ``sgd``, ``momentum`` (0.9), ``adam``, ``adamw``
    lr: float | None = None  # a rate to judge
    weight_decay: float | None = None  # as in PyTorch; None for its default
    updates: int | None = None  # of each run; None for as many as a pass of the network costs little enough for

    def __post_init__(self) -> None:
        settle({name: row for name, row in OF_RATES.items() if getattr(self, name, None) is not None}, self)
        if self.weight_decay is None:
            object.__setattr__(self, "weight_decay", WEIGHT_DECAY.get(self.optimizer, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return asdict(self)


def rate_command_line(config: Mapping[str, Any], usual: int | None = None, **changes: Any) -> str:  # noqa: ANN401
    """Return ``gradcheck rate …`` for the config of a search, some options changed; `usual`: its updates by default."""
    changed = {**config, **changes}
    own = SearchSpec(optimizer=changed["optimizer"]).to_dict() | {"optimizer": SearchSpec().optimizer, "updates": usual}
    return command_line("rate", changed, own)


def network_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a search that ``simulate`` has, too."""
    return {name: value for name, value in config.items() if name not in SEARCH_ONLY}
