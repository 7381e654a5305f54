"""The parametrisations: how variance, multiplier and learning rate of each kind of matrix follow width and depth.

One table, as powers of what the width is over the base width, at which all of them are the same network.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

#: A matrix by which of its sides grow: ``input`` its outputs (embeddings of tokens and positions too), ``hidden`` both,
#: ``output`` its inputs; a ``bias``, or a norm's gain, of units that grow, and of those that don't.
Role = Literal["input", "hidden", "output", "bias", "output bias"]


class Law(NamedTuple):
    """How one kind of matrix follows the width n: each number is a power of n over the base width."""

    variance: float = 0.0  # of an initial weight
    multiplier: float = 0.0  # of what multiplies the matrix where it is used
    # sgd, adam: of the learning rate
    sgd: float = 0.0
    adam: float = 0.0

    def deviation(self, ratio: float) -> float:
        """Return what multiplies the initial standard deviation of the matrix as it is used."""
        return float(ratio ** (self.variance / 2 + self.multiplier))

    def rate(self, ratio: float, adaptive: bool) -> float:
        """Return what multiplies the learning rate of the matrix as it is used.

        A multiplier c of a weight w is the same as W = c·w alone with the rate times c² under SGD (∂𝓛/∂w = c ∂𝓛/∂W,
        and ΔW = c Δw), times c under Adam, which normalises the first of the two away (Yang & Hu et al. 2022, lemma
        J.1; as far as Adam's ε is small).
        """
        return float(ratio ** (self.adam + self.multiplier if adaptive else self.sgd + 2 * self.multiplier))


class Depth(NamedTuple):
    """How residual branches follow the depth L: powers of L over the base depth."""

    branch: float = 0.0  # of what multiplies a branch's output
    # sgd, adam: of the learning rate within branches
    sgd: float = 0.0
    adam: float = 0.0


class Parametrization(NamedTuple):
    """How a network follows its width and its depth."""

    laws: Mapping[Role, Law]  # of each kind of matrix
    scores: float  # the power of a head's width that multiplies attention's scores
    depth: Depth | None  # None where it says nothing of the depth
    source: str


PARAMETRIZATIONS: Mapping[str, Parametrization] = {
    "mup": Parametrization(
        {
            "input": Law(sgd=1),
            "hidden": Law(variance=-1, adam=-1),
            "output": Law(multiplier=-1, sgd=1),
            "bias": Law(sgd=1),
            "output bias": Law(),
        },
        scores=-1.0,
        depth=Depth(branch=-1 / 2, adam=-1 / 2),
        source="Yang & Hu 2021; Yang, Hu et al. 2022, table 8; in depth Yang, Yu et al. 2023, Bordelon et al. 2023",
    ),
    "standard": Parametrization(
        {
            "input": Law(),
            "hidden": Law(variance=-1),
            "output": Law(variance=-1),
            "bias": Law(),
            "output bias": Law(),
        },
        scores=-1 / 2,
        depth=Depth(),
        source="what frameworks do: variance 1/fan_in, one learning rate for all",
    ),
    "ntk": Parametrization(
        {
            "input": Law(adam=-1 / 2),
            "hidden": Law(multiplier=-1 / 2, adam=-1),
            "output": Law(multiplier=-1 / 2, adam=-1 / 2),
            "bias": Law(adam=-1 / 2),
            "output bias": Law(),
        },
        scores=-1 / 2,
        depth=None,
        source="Jacot, Gabriel & Hongler 2018; under Adam Yang & Littwin 2023",
    ),
}
