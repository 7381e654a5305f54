"""From critical rates to the rate that trains best: what networks that were really trained say of each optimizer."""

from typing import NamedTuple


class Rule(NamedTuple):
    """How the best rate follows from the critical rates of the first updates, and how far off it was.

    Attributes
    ----------
    best : float
        The best rate over the median of the critical rates.
    ceiling : float
        The largest rate that trains over the same.
    band : float
        The factor within which the best rate of most networks was, up or down.
    within : float
        The share of the networks whose best rate was within that factor.
    networks : int
        How many networks were trained to find that out.
    """

    best: float
    ceiling: float
    band: float
    within: float
    networks: int


#: Optimizer ↦ its rule.
RULES = {
    "sgd": Rule(best=0.7, ceiling=1.4, band=2.0, within=0.0, networks=0),
    "momentum": Rule(best=0.25, ceiling=0.7, band=2.0, within=0.0, networks=0),
    "adam": Rule(best=0.15, ceiling=0.7, band=2.0, within=0.0, networks=0),
    "adamw": Rule(best=0.15, ceiling=0.7, band=2.0, within=0.0, networks=0),
}
