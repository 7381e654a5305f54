"""The clipping rules by name: what they do, their thresholds, and how they are typed. Loads no NumPy."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from gradcheck.errors import OptionError, one_of

PERCENT = 100


class RuleInfo(NamedTuple):
    """What has to be known about a rule.

    Attributes
    ----------
    symbol : str
        Of its threshold; empty if it has none.
    usual : float or None
        The threshold of the demo, and of a rule that is typed without one.
    meaning : str
        What it does, in a few words.
    source : str
        Where it comes from.
    """

    symbol: str
    usual: float | None
    meaning: str
    source: str


RULES: dict[str, RuleInfo] = {
    "none": RuleInfo("", None, "leaves every gradient as it is", ""),
    "value": RuleInfo("c", 0.003, "each entry to [-c, c]", "torch clip_grad_value_; Keras clipvalue"),
    "norm": RuleInfo("c", 0.07, "each tensor's norm to c", "Keras clipnorm"),
    "global-norm": RuleInfo(
        "c", 0.15, "the norm of all tensors together to c", "Pascanu et al. 2013; torch clip_grad_norm_"
    ),
    "agc": RuleInfo("λ", 0.01, "each unit's gradient to λ times its weights", "Brock et al. 2021"),
    "percentile": RuleInfo(
        "p", 10.0, "the global norm to the p-th percentile of those seen so far", "AutoClip, Seetharaman et al. 2020"
    ),
    "zscore": RuleInfo(
        "z", 2.5, "a global norm more than z deviations above the running mean", "ZClip, Kumar et al. 2025"
    ),
}

#: Not a rule: stands for a global norm whose threshold is taken from unclipped steps.
SUGGEST = "suggest"

#: What ``--clip`` takes.
CHOICES = (*RULES, SUGGEST)


class Rule(NamedTuple):
    """A rule and its threshold.

    Attributes
    ----------
    name : str
        A key of ``RULES``.
    threshold : float or None
        None for ``none``.
    """

    name: str
    threshold: float | None = None

    def __str__(self) -> str:
        return self.name if self.threshold is None else f"{self.name}:{self.threshold:g}"


def parse_rule(text: str) -> Rule:
    """Return the rule that is typed as ``name:threshold``; without a threshold it gets its usual one.

    Raises
    ------
    OptionError
        There is no such rule, or no gradient could be clipped so.
    """
    name, colon, number = text.strip().partition(":")
    info = RULES[one_of("clip", name, RULES)]
    if not info.symbol:
        if colon:
            raise OptionError("clip", f"{text!r}: {name} takes no threshold; type {name}")
        return Rule(name)
    if not colon:
        return Rule(name, info.usual)
    try:
        threshold = float(number)
    except ValueError:
        problem = f"{text!r} has no number behind the colon; type {name}:{info.usual:g}"
        raise OptionError("clip", problem) from None
    return Rule(name, _allowed(name, threshold))


def _allowed(name: str, threshold: float) -> float:
    """Return a threshold that means something."""
    if not 0 < threshold < math.inf:
        why = "0 would leave no gradient at all" if threshold == 0 else "it would clip nothing: type none for that"
        if threshold < 0:
            why = "it would turn every gradient round, as torch.nn.utils.clip_grad_norm_ does in silence"
        usual = f"{name}:{RULES[name].usual:g} is usual"
        raise OptionError("clip", f"{name}:{threshold:g} has no finite threshold above 0: {why}; {usual}")
    if name == "percentile" and threshold > PERCENT:
        raise OptionError("clip", f"{name}:{threshold:g} is no percentile; allowed: above 0, up to 100 (10 is usual)")
    return threshold


def parse_rules(texts: Sequence[str]) -> list[Rule | None]:
    """Return the rules that are typed, once each; None stands for ``suggest``. Without any, one of each kind."""
    if not texts:
        return [Rule(name, info.usual) for name, info in RULES.items()]
    for text in texts:
        one_of("clip", text.strip().partition(":")[0], CHOICES)
    return list(dict.fromkeys(None if text.strip() == SUGGEST else parse_rule(text) for text in texts))
