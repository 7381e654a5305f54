"""How a network is trained: a frozen, validated description. Loads no NumPy."""

from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.errors import OptionError, at_least, finite, one_of

#: What becomes of a step whose gradient is not finite.
POLICIES = ("skip", "stop", "zero")


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """How a network is trained.

    Attributes
    ----------
    lr, momentum : float
        v ← momentum·v + g, θ ← θ − lr·v, as ``torch.optim.SGD``.
    epochs : int
        Passes over the data.
    nonfinite : str
        One of ``POLICIES``: a step with a non-finite gradient is skipped, ends the run, or is taken with zeros in
        place of the entries that are not finite.
    """

    lr: float = 0.3
    momentum: float = 0.9
    epochs: int = 30
    nonfinite: str = "skip"

    def __post_init__(self) -> None:
        lr = finite("lr", self.lr, "it is the learning rate; 0.01 to 1 is usual for SGD", above=0)
        momentum = finite(
            "momentum", self.momentum, "it is the share of the last step that is kept; 0.9 is usual", low=0
        )
        if momentum >= 1:
            problem = f"{momentum:g} would never forget a step; allowed: from 0 to below 1; 0.9 is usual"
            raise OptionError("momentum", problem)
        epochs = at_least("epochs", self.epochs, 1, "one pass over the data is the least")
        one_of("nonfinite", self.nonfinite, POLICIES)
        for name, value in (("lr", lr), ("momentum", momentum), ("epochs", epochs)):
            object.__setattr__(self, name, value)  # a plain number for NumPy's

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return asdict(self)
