"""The clipping rules by name: what they do, their thresholds, and how they are typed. Loads no NumPy."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import NamedTuple

from gradcheck.base.wording import shortest
from gradcheck.errors import OptionError, one_of
from gradcheck.spec.clip_libraries import LIBRARIES, had_by

PERCENT = 100

#: Rules that learn their limit from the norms.
ADAPTIVE = ("percentile", "zscore")

#: A global threshold at or below this is over-clipped by the ε in the rule.
SMALL = 1e-5


class RuleInfo(NamedTuple):
    """What has to be known about a rule."""

    symbol: str  # of its threshold; empty if it has none
    usual: float | None  # the threshold of the demo, and of a rule that is typed without one
    meaning: str  # what it does, in a few words
    source: str  # where it comes from


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

#: What a threshold is that doesn't bound the gradient itself.
OTHER_THRESHOLDS = {
    "agc": "it is a part of the weights' norm",
    "percentile": "it is a percentile",
    "zscore": "it counts deviations above the mean",
}

#: What a library does with a threshold of 0 or below, as its table says it, in a sentence.
AS_IN = {
    "off": "{library} then clips nothing: type none for that",
    "0": "as {library} clips, it would leave no gradient at all",
    "0 (0s: NaN)": "as {library} clips, it would leave no gradient at all, and make NaN of one that is 0",
    "reversed": "as {library} clips, it would turn every gradient round",
    "all c": "as {library} clips, it would put itself in place of every entry",
    "refused": "{library} refuses it, too",
}

#: Not a rule: means a global norm whose threshold is taken from unclipped steps.
SUGGEST = "suggest"

#: What ``--clip`` takes.
CHOICES = (*RULES, SUGGEST)


class Rule(NamedTuple):
    """A rule and its threshold."""

    name: str  # a key of ``RULES``
    threshold: float | None = None  # None for ``none``

    def __str__(self) -> str:
        return self.name if self.threshold is None else f"{self.name}:{shortest(self.threshold)}"


def parse_rule(text: str, library: str | None = None) -> Rule:
    """Return the rule that is typed as ``name:threshold``, of a library; without a threshold it gets its usual one.

    Raises
    ------
    OptionError
        There is no such rule, or no gradient could be clipped so.
    """
    name, colon, number = text.strip().partition(":")
    name = _of_library(_known(name, RULES), library)
    info = RULES[name]
    if not info.symbol:
        if colon:
            raise OptionError("clip", f"{text!r}: {name} takes no threshold; type {name}")
        return Rule(name)
    if not colon:
        return Rule(name, info.usual)
    try:
        threshold = float(number)
    except ValueError:
        problem = f"{text!r} has no number after the colon; type {name}:{info.usual:g}"
        raise OptionError("clip", problem) from None
    return Rule(name, _allowed(name, threshold, library))


def _of_library(name: str, library: str | None) -> str:
    return name if library is None else had_by(library, name)


def _known(name: str, allowed: Iterable[str]) -> str:
    """Return a rule's name if there is such a rule; a number is taken for the threshold of the usual one."""
    try:
        float(name)
    except ValueError:
        return one_of("clip", name, allowed)
    raise OptionError("clip", f"{name} is a threshold without its rule; type global-norm:{name}")


def checked(rule: Rule, library: str | None = None) -> Rule:
    """Return a rule that was made by hand, of a library, if it could have been typed.

    Raises
    ------
    OptionError
        There is no such rule, or no gradient could be clipped so.
    """
    name = _of_library(one_of("clip", rule.name, RULES), library)
    info = RULES[name]
    if bool(info.symbol) != (rule.threshold is not None):
        problem = "takes no threshold" if rule.threshold is not None else f"needs a threshold; {info.usual:g} is usual"
        raise OptionError("clip", f"{name} {problem}")
    if rule.threshold is None:
        return Rule(name)
    if isinstance(rule.threshold, bool) or not isinstance(rule.threshold, Real):
        raise OptionError("clip", f"{name} has the threshold {rule.threshold!r}; allowed: a number above 0")
    return Rule(name, _allowed(name, float(rule.threshold), library))


def _allowed(name: str, threshold: float, library: str | None) -> float:
    """Return a threshold that means something."""
    typed = f"{name}:{shortest(threshold)}"
    if not 0 < threshold < math.inf:
        usual = f"{name}:{RULES[name].usual:g} is usual"
        raise OptionError(
            "clip", f"{typed} has no finite threshold above 0: {_why_not(name, threshold, library)}; {usual}"
        )
    if name == "percentile" and threshold > PERCENT:
        raise OptionError("clip", f"{typed} is no percentile; allowed: above 0, up to 100 (10 is usual)")
    return threshold


def _why_not(name: str, threshold: float, library: str | None) -> str:
    """Say what a threshold would do to the gradient, or does to it in a library."""
    if math.isnan(threshold):
        return "it is not a number"
    if threshold > 0:
        return "it would clip nothing: type none for that"
    if library is not None:
        edges = LIBRARIES[library].rules[name]
        return AS_IN[edges.at_zero if threshold == 0 else edges.below_zero].format(library=library)
    if name in OTHER_THRESHOLDS:
        return OTHER_THRESHOLDS[name]
    if threshold == 0:
        return "it would leave no gradient at all"
    if name == "value":
        return "it would put itself in place of every entry, as torch.nn.utils.clip_grad_value_ does in silence"
    return "it would turn every gradient round, as torch.nn.utils.clip_grad_norm_ does in silence"


def parse_rules(asked: "str | Rule | Sequence[str | Rule]", library: str | None = None) -> list[Rule | None]:
    """Return the rules that are asked for, once each; None means ``suggest``.

    Without any, one of each kind; of a library those that it has.
    """
    several = [asked] if isinstance(asked, str | Rule) else asked
    if not several:
        own = RULES if library is None else ("none", *LIBRARIES[library].rules)
        return [Rule(name, info.usual) for name, info in RULES.items() if name in own]
    return list(dict.fromkeys(_parsed(one, library) for one in several))


def _parsed(one: str | Rule, library: str | None) -> Rule | None:
    """Return one rule; None for ``suggest``."""
    if not isinstance(one, str):
        return rule_of(one, library)
    name, colon, _ = one.strip().partition(":")
    if _known(name, CHOICES) != SUGGEST:
        return parse_rule(one, library)
    if colon:
        raise OptionError("clip", f"{one!r}: {SUGGEST} takes no threshold, it finds one; type {SUGGEST}")
    _of_library("global-norm", library)
    return None


def rule_of(given: str | Rule, library: str | None = None) -> Rule:
    """Return a rule that is typed, or was made by hand.

    Raises
    ------
    OptionError
        It is neither, or no gradient could be clipped so.
    """
    if isinstance(given, str):
        return parse_rule(given, library)
    if isinstance(given, Rule):
        return checked(given, library)
    raise OptionError("clip", f"{given!r} is no rule; type name:threshold, as in 'global-norm:1.0'")
