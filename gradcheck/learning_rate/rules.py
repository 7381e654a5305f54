"""From short runs to the rate that trains best: what networks that were really trained say of each optimizer."""

from typing import NamedTuple


class Rule(NamedTuple):
    """Where the runs begin, how the best rate follows from theirs, and how far off it was.

    Attributes
    ----------
    start : float
        The rate of the first run over that at which the loss along the first update is least.
    best : float
        The rate that is best in a longer training over the one that is best in the short runs.
    ceiling : float
        The largest rate that trains over the best one, where no run has shown it.
    band : float
        The factor within which the best rate of most networks was, up or down.
    within : float
        The share of the networks whose best rate was within that factor.
    networks : int
        How many networks were trained to find that out.
    """

    start: float
    best: float
    ceiling: float
    band: float
    within: float
    networks: int


#: Optimizer ↦ its rule, as benchmarks/learning_rates.py prints it. AdamW has Adam's.
RULES = {
    "sgd": Rule(start=1.3, best=1.26, ceiling=5.0, band=1.9, within=0.8, networks=91),
    "momentum": Rule(start=0.3, best=0.90, ceiling=13.0, band=2.4, within=0.8, networks=94),
    "adam": Rule(start=0.75, best=0.69, ceiling=22.0, band=1.9, within=0.8, networks=100),
    "adamw": Rule(start=0.75, best=0.69, ceiling=22.0, band=1.9, within=0.8, networks=100),
}

#: The updates of the runs that the rules were found with.
CHECKED = 25

#: Optimizer ↦ updates of a run ↦ the band where they are fewer, if that is wider: see docs/background/learning-rate.md.
SHORTER = {"sgd": {8: 2.2}, "momentum": {8: 4.0, 12: 3.4}, "adam": {8: 2.4}, "adamw": {8: 2.4}}


def rule_of(optimizer: str, updates: int) -> Rule:
    """Return the rule of an optimizer, its band as wide as runs of so many updates make it."""
    rule = RULES[optimizer]
    bands = SHORTER.get(optimizer, {}) | {CHECKED: rule.band}
    return rule._replace(band=bands[max((one for one in bands if one <= updates), default=min(bands))])
