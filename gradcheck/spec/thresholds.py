"""What is still healthy: the limits that the diagnosis judges by. Loads no NumPy."""

from dataclasses import asdict, dataclass
from typing import Any

from gradcheck.base.calls import public_class
from gradcheck.errors import OptionError
from gradcheck.spec.options.measurement import OF_VERDICTS
from gradcheck.spec.options.option import settle


@public_class
@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What is still healthy.

    Attributes
    ----------
    vanish_below, explode_above : float
        Bounds of a layer's ``gradient_ratio``. Of the 400 networks that were really trained, none with a layer below
        the default, and one in fifty with a layer above it, trained all the same.
    max_span : float
        Largest ``gradient_span`` in decades. The default separates best those that trained from those that didn't.
    min_rank : float
        Smallest ``effective_rank`` before the read-out; the default does the same for those whose span is small.
    dead_above, saturated_above : float
        A layer is flagged where more than this share of its units, of its entries, is dead, saturated. A ReLU's
        natural half is neither. None of the networks with a layer beyond 0.6, 0.9 trained; networks that have learned
        are sparser than these were at the start, hence 0.9 for both.

    Notes
    -----
    benchmarks/calibrate.py counts all of these on the 400 networks.
    """

    vanish_below: float = OF_VERDICTS["vanish_below"].default
    explode_above: float = OF_VERDICTS["explode_above"].default
    max_span: float = OF_VERDICTS["max_span"].default
    min_rank: float = OF_VERDICTS["min_rank"].default
    dead_above: float = OF_VERDICTS["dead_above"].default
    saturated_above: float = OF_VERDICTS["saturated_above"].default

    def __post_init__(self) -> None:
        settle(OF_VERDICTS, self)
        if self.vanish_below >= self.explode_above:
            problem = f"{self.vanish_below:g} is not below --explode-above {self.explode_above:g}: no ratio would be ok"
            raise OptionError("vanish_below", problem)

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds as plain JSON values."""
        return asdict(self)


#: Those that nobody has changed.
USUAL = Thresholds()
