"""What clipping did and what it would do: percentiles of the norms, and the adaptive rules on the logged norms.

| constant | value | reason |
|---|---|---|
| ``ALWAYS`` | 95 % of the rows | only a warm-up escapes it |
| ``ENOUGH`` | 20 rows | fewer say nothing about "never" |
| ``SLACK`` | 1e-3 | the ε in the rule, and digits that a log drops |
"""

import math
from collections.abc import Sequence

import numpy as np

from gradcheck.base.record import Record, item, number
from gradcheck.base.wording import shortest
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.robust import Numbers, median, quantiles
from gradcheck.logs.series import Series
from gradcheck.spec.clip_rules import ADAPTIVE, PERCENT, RULES, Rule

ALWAYS, ENOUGH, SLACK = 0.95, 20, 1e-3

#: Percentiles of the norms that are shown as thresholds.
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)

#: Findings after which the norms say nothing about a healthy run.
GOES_WRONG = ("exploding", "nonfinite", "collapsed")

#: Ratios to the median beyond which no rule makes a difference.
EXTREME_RATIOS = (1e-150, 1e150)

#: The percentile that is taken as a threshold, and the findings against which only the highest norms are clipped.
USUAL, RARE = 90.0, ("spikes", "never-clipped")

#: Most norms on which the adaptive rules are replayed.
REPLAYED = 4096

#: Times the median beyond which a norm is no usual one.
FAR = 5.0

#: What a threshold or a rule does.
CLIPPED = "share of the steps that it would have clipped"
KEPT = "mean part of the gradient that it would have left"


class Threshold(Record):
    """A threshold of the global norm, and what it would have done."""

    percentile: float
    norm: float | None = item("of the steps before until_step")
    clipped_fraction: float | None = item(CLIPPED)
    kept: float | None = item(KEPT)
    until_step: float | None = item("where the run goes wrong; null: nowhere")


class Replay(Record):
    """An adaptive rule on the logged norms, the range of its limits, and what it would have done."""

    rule: str = item("name:threshold, as in clip-demo")
    lowest: float | None = item("lowest limit of the norm that it set")
    highest: float | None = item("highest limit of the norm that it set")
    clipped_fraction: float | None = item(CLIPPED)
    kept: float | None = item(KEPT)


def _finite_norms(series: Series, until: float | None = None) -> Numbers:
    """Return the logged norms above zero, before clipping, in the order of the steps."""
    norms = series.norms if until is None else series.norms[series.steps < until]
    return norms[norms > 0]


def find_clipping(series: Series, max_norm: float | None) -> list[Finding]:
    """Find clipping that acts always, or never."""
    norms, limits = _norms_and_limits(series, max_norm)
    if len(norms) < ENOUGH:
        return _as_counted(series)
    over = norms > limits * (1 + SLACK)
    share, kept = float(over.mean()), float(np.minimum(1.0, limits / norms).mean())
    numbers = {"clipped_fraction": share, "kept": kept, "largest_norm": float(norms.max())}
    if share >= ALWAYS:
        return [Finding("always-clipped", *series.ends, (), numbers, ALWAYS)]
    if share == 0:
        limit = median(limits)
        return [Finding("never-clipped", *series.ends, (), numbers | {"max_norm": limit}, limit)]
    return []


def _as_counted(series: Series) -> list[Finding]:
    """Return clipping that acts always by the log's own count, per cent of the steps; a note."""
    shares = series.values("clipped_percent") / PERCENT
    shares = shares[~np.isnan(shares)]
    if len(shares) < ENOUGH or shares.min() < 0 or shares.max() > 1 or median(shares) < ALWAYS:
        return []
    numbers = {"clipped_fraction": float(shares.mean())}
    return [Finding("always-clipped", *series.ends, (), numbers, ALWAYS, severity=NOTE)]


def _norms_and_limits(series: Series, max_norm: float | None) -> tuple[Numbers, Numbers]:
    """Return the norms before clipping and the limit of each, of the rows that show both."""
    before, after, logged = series.norms, series.values("grad_norm_after"), series.values("max_norm")
    if max_norm is None and series.clip and series.clip[0] in ("global-norm", "None"):
        max_norm = series.clip[1]
    if max_norm is not None:
        limits = np.full(len(before), max_norm)
    elif not np.isnan(logged).all():
        limits = logged
    else:
        limits = np.where(after < before * (1 - SLACK), after, np.where(np.isnan(after), np.nan, np.inf))
    known = (before > 0) & ~np.isnan(limits)
    return before[known], limits[known]


def clip_limit(series: Series, max_norm: float | None) -> float | None:
    """Return the limit of the global norm, as it was given or as the log says it (the usual one); None without any."""
    _, limits = _norms_and_limits(series, max_norm)
    known = limits[np.isfinite(limits)]
    return median(known) if len(known) else None


def thresholds(series: Series, found: Sequence[Finding] = ()) -> list[Threshold]:
    """Return what percentiles of the norms would do as thresholds; if the run goes wrong, of the norms before that."""
    until = min((one.first_step for one in found if one.kind in GOES_WRONG), default=None)
    norms, every = _finite_norms(series, until), _finite_norms(series)
    if len(norms) < ENOUGH:
        norms, until = every, None
    if len(norms) < ENOUGH:
        return []
    above = {percent: len(norms) * (PERCENT - percent) / PERCENT for percent in PERCENTILES}  # norms
    shares = {percent: percent / PERCENT for percent in PERCENTILES if above[percent] >= 1}
    limits = dict(zip(shares, map(float, quantiles(norms, *shares.values())), strict=True))
    return [
        Threshold(
            percentile=percent,
            norm=limit,
            clipped_fraction=number(float((every > limit).mean())),
            kept=number(float(np.minimum(1.0, limit / every).mean())),
            until_step=None if until is None else number(until),
        )
        for percent, limit in limits.items()
        if math.isfinite(limit)
    ]


def usual_threshold(kind: str, table: Sequence[Threshold]) -> Threshold | None:
    """Return the threshold that a finding's advice names: against spikes the highest of the usual norms, else one
    that clips a tenth.
    """
    if not table:
        return None
    if kind in RARE:  # beyond that a percentile is itself one of the spikes
        usual = FAR * (table[0].norm or math.inf)
        return [one for one in table if kind != "spikes" or (one.norm or 0.0) <= usual][-1]
    return next((one for one in table if one.percentile == USUAL), table[-1])


def usual_text(one: Threshold) -> str:
    """Return a threshold in two digits, as it is typed."""
    return shortest(float(f"{one.norm:.2g}"))


def replays(series: Series) -> list[Replay]:
    """Return what the adaptive rules, at their usual settings, would have done with the logged norms."""
    norms = _finite_norms(series)
    if len(norms) < ENOUGH:
        return []
    return [_replay(Rule(name, RULES[name].usual), norms[:: -(-len(norms) // REPLAYED)]) for name in ADAPTIVE]


def _replay(rule: Rule, norms: Numbers) -> Replay:
    """Clip one norm after the other as if it were the whole gradient, in units of their median."""
    from gradcheck.clipping.adaptive import replayed  # loads the engine

    unit = median(norms)
    with np.errstate(all="ignore"):
        limits, clipped, kept = replayed(rule, np.clip(norms / unit, *EXTREME_RATIOS))
        limits = limits[np.isfinite(limits)] * unit
    return Replay(
        rule=str(rule),
        lowest=number(float(min(limits, default=math.nan))),
        highest=number(float(max(limits, default=math.nan))),
        clipped_fraction=number(float(clipped.mean())),
        kept=number(float(kept.mean())),
    )
