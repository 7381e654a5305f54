"""From short runs to the rate that trains best: what networks that were really trained say of each optimizer."""

from typing import NamedTuple


class Rule(NamedTuple):
    """Where the runs begin, how the best rate follows from theirs, and how far off it was."""

    start: float  # the rate of the first run over that at which the loss along the first update is least
    best: float  # the rate that is best in a longer training over the one that is best in the short runs
    ceiling: float  # the largest rate that trains over the best one, where no run has shown it
    band: float  # the factor within which the best rate of most networks was, up or down
    within: float  # the share of the networks whose best rate was within that factor
    networks: int  # how many networks were trained to find that out


#: Optimizer ↦ what runs of any length have in common: AdamW has Adam's.
_SGD = Rule(start=1.3, best=1.0, ceiling=5.0, band=2.0, within=0.8, networks=91)
_MOMENTUM = Rule(start=0.3, best=1.0, ceiling=13.0, band=2.0, within=0.8, networks=94)
_ADAM = Rule(start=0.75, best=1.0, ceiling=22.0, band=2.0, within=0.8, networks=100)
COMMON = {"sgd": _SGD, "momentum": _MOMENTUM, "adam": _ADAM, "adamw": _ADAM}

#: Optimizer ↦ updates of a run ↦ `best` and `band`, as benchmarks/rate_lengths.py prints them: of runs of 100 the
#: search itself was asked, of shorter ones its copies.
BY_UPDATES: dict[str, dict[int, tuple[float, float]]] = {
    "sgd": {8: (1.52, 2.2), 12: (1.40, 1.9), 25: (1.20, 1.7), 50: (1.11, 1.6), 100: (1.13, 1.5)},
    "momentum": {8: (0.59, 3.5), 12: (0.70, 3.3), 25: (0.93, 2.6), 50: (1.01, 2.0), 100: (1.02, 1.8)},
    "adam": {8: (0.55, 2.3), 12: (0.56, 2.4), 25: (0.65, 1.9), 50: (0.71, 1.8), 100: (0.83, 1.5)},
}
BY_UPDATES["adamw"] = BY_UPDATES["adam"]

#: Updates of the runs that the rules were found with.
CHECKED = (8, 12, 25, 50, 100)

#: Multiplications of forward passes that a run may have by default: a second or two of one core, with the way back.
ROOM = 5e9


def usual_updates(multiplications: float) -> int:
    """Return how many updates a run has by default: the less a forward pass of a batch costs, the more.

    It isn't a time that counts: a seed gives the same answer on any machine.
    """
    return max((one for one in CHECKED if one * multiplications <= ROOM), default=CHECKED[0])


def rule_of(optimizer: str, updates: int) -> Rule:
    """Return the rule of an optimizer for runs of so many updates: that of the longest checked that aren't longer."""
    nearest = max((one for one in CHECKED if one <= updates), default=CHECKED[0])
    best, band = BY_UPDATES[optimizer][nearest]
    return COMMON[optimizer]._replace(best=best, band=band)
