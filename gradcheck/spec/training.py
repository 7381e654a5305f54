"""How a network is trained: a frozen, validated description. Loads no NumPy."""

from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.errors import OptionError
from gradcheck.spec.options.option import settle
from gradcheck.spec.options.training import OF_DEMONSTRATIONS


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """How a network is trained."""

    # lr, momentum: v ← momentum·v + g, θ ← θ − lr·v, as ``torch.optim.SGD``
    lr: float = OF_DEMONSTRATIONS["lr"].default
    momentum: float = OF_DEMONSTRATIONS["momentum"].default
    epochs: int = OF_DEMONSTRATIONS["epochs"].default  # passes over the data
    library: str | None = None  # the library as which it clips; None for gradcheck's own rules
    # ``skip``, ``stop``, ``zero`` or ``apply``: a step with a non-finite gradient is skipped, ends the run, is taken
    # with zeros in place of the entries that are not finite, or with what clipping makes of it. ``apply`` unless it is
    # given with a library, else ``skip``
    nonfinite: str | None = None

    def __post_init__(self) -> None:
        if self.nonfinite is None:
            object.__setattr__(self, "nonfinite", "skip" if self.library is None else "apply")
        settle({name: row for name, row in OF_DEMONSTRATIONS.items() if getattr(self, name, None) is not None}, self)
        if self.momentum >= 1:
            problem = f"{self.momentum:g} would never forget a step; allowed: from 0 to below 1; 0.9 is usual"
            raise OptionError("momentum", problem)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return asdict(self)
