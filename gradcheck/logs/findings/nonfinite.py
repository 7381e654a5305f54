"""Numbers that aren't finite, and their story: what grew before, the last that were finite, what else shows it.

| constant | value | reason |
|---|---|---|
| ``SCALER`` | 1 % of the rows | a dynamic loss scale is doubled every 2,000 steps, and overflows as often by design |
| ``GREW`` | 0.5 decades, 5 deviations | noise of one row to the next stays below |
| ``COMES_DOWN`` | 0.05 decades, 1 deviation | growth may pause, not turn |
| ``STEADY`` | 0.3 decades | the last norm is as usual: nothing announced it |
| ``USUAL`` | 128 | a static loss scale of many recipes: at the beginning of a log the search for one may end here |
| ``FALLEN`` | 64-fold | a loss scale that is halved six times in a row has found no scale that fits |
| ``BATCHES`` | 5 % of the rows | so few, and no two in a row, are single batches; three rows after them show that |
| ``FULL`` | 65,536 | a scale beyond half precision's largest number comes down by design, from wherever it begins |
"""

import re

import numpy as np

from gradcheck.logs.columns import PART, Column
from gradcheck.logs.console.context import SKIPPED
from gradcheck.logs.console.lines import is_of_unfit, step_within
from gradcheck.logs.findings.elsewhere import find_elsewhere
from gradcheck.logs.findings.falling_scale import find_falling_scale, onset
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.growth import magnitude
from gradcheck.logs.findings.sentences import WORDS
from gradcheck.logs.robust import deviation, distinct, median
from gradcheck.logs.runs import Nonfinite
from gradcheck.logs.series import Series

SCALER, GREW, GREW_DEVIATIONS, COMES_DOWN, STEADY, FALLEN, FULL = 0.01, 0.5, 5.0, 0.05, 0.3, 64.0, 65536.0

USUAL = 128.0

BATCHES, FEWEST_AFTER = 0.05, 3

#: So many steps skipped in a row halve a scale by more than any search for one does.
FEWEST_OVERFLOWS = 8

#: The same where the scale is 1 or less.
FEWEST_AT_ONE = 3

#: How a program says that no loss scale is small enough.
GIVEN_UP = re.compile(r"(?i)minimum loss scale|loss scale.{0,20}at minimum")

#: Rows before the first that isn't finite in which growth is looked for.
LOOK_BACK = 200


def find_nonfinite(series: Series) -> list[Finding]:
    """Find the first loss or gradient that is infinite or not a number, and tell how it came to that."""
    found = series.run.nonfinite
    if found is None:
        others = _find_overflows, _find_skipped, _find_said, find_falling_scale, find_elsewhere
        return next((told for told in (find(series) for find in others) if told), [])
    what, layers = _source(found)
    value = max(number for column, number in found.values.items() if column.quantity == what)
    scaled, skipped = not np.isnan(series.values("loss_scale")).all(), _are_skipped(series)
    stuck = _scale_is_stuck(series) and not skipped
    seldom = scaled and found.rows <= max(1.0, SCALER * series.run.rows) and found.last_step < series.ends[1]
    before, growth = _last_finite(series, found.first_step), _growth_before(series, found.first_step)
    counts = series.run.nonfinite_of
    each = [(one.quantity, counts[one].first_step, counts[one].rows) for one in counts if not one.layer]
    signs = [
        *_signs_of_the_loss(series),
        *(["scale-at-minimum"] if stuck else []),
        *_signs(found, what, growth, series.ends[1]),
    ]
    gap = found.first_step - before.get("last_finite_step", found.first_step) > 1
    signs += ["between-rows"] * (gap and not {"grew-before", "one-row"} & set(signs))
    rows = counts[Column(what)].rows if Column(what) in counts else found.rows
    sound = 0 if "grew-before" in signs or stuck else _sound_after(series)
    signs = ["batch-alone", *signs] if sound else signs
    numbers = {"rows": float(rows)} | before | {name: number for name, number in growth.items() if number}
    numbers |= {"sound_after": float(sound)} if sound else {}
    good = growth.get("growth_step", before.get("last_finite_step", found.first_step))
    saved = [step for step in series.log.reader.checkpoints if step <= good and series.has_steps]
    numbers |= {"checkpoint": max(saved)} if saved else {}
    numbers |= onset(series) if stuck else {}
    part = next((column.layer for column in found.values if column.quantity == PART), "") if what == "loss" else ""
    shared = len(distinct(series.steps)) < len(series.steps)
    details = {"what": what, "value": value, "each": each, "signs": tuple(signs), "part": part, "shared": shared}
    details["is_last"] = found.last_step >= series.ends[1]
    ends = found.first_step, found.last_step
    if skipped or (seldom and not stuck):
        return [Finding("nonfinite", *ends, layers, numbers, None, details, NOTE, ("scale-settles",))]
    return [Finding("nonfinite", *ends, layers, numbers, None, details, signs=tuple(signs))]


def _find_overflows(series: Series) -> list[Finding]:
    """Find steps that are skipped one after the other to the end, while the loss scale falls to its minimum."""
    skipped, given_up = series.values("overflow"), bool(GIVEN_UP.search(series.log.reader.last_word))
    over = distinct(series.steps[skipped > 0])
    over = over if len(over) or not given_up else np.array(series.ends[1:])
    if not len(over) or not (given_up or _scale_is_stuck(series)):
        return []
    gaps = np.diff(over)
    usual = float(gaps.min(initial=np.inf))
    begin = int(np.flatnonzero(gaps > 2 * usual)[-1]) + 1 if (gaps > 2 * usual).any() else 0
    count = float(np.sum(skipped[(skipped > 0) & (series.steps >= over[begin])])) or 1.0
    fewest = FEWEST_AT_ONE if _is_no_scale(series) else FEWEST_OVERFLOWS
    lasting = count >= fewest and over[-1] + (2 * usual if len(gaps) else 0.0) >= series.ends[1]
    scales = series.values("loss_scale")
    known = scales[~np.isnan(scales)]
    searching = len(known) > 0 and known[-1] >= USUAL and not _last_finite(series, float(over[begin]))
    if not given_up and (searching or not lasting):
        return []
    numbers = {"overflows": count, "rows": count}
    numbers |= {"loss_scale": float(known[-1])} if len(known) else {}
    signs = ("scale-at-minimum",)
    return [Finding("nonfinite", float(over[begin]), float(over[-1]), (), numbers, signs=signs)]


def _find_skipped(series: Series) -> list[Finding]:
    """Find steps that the program says it skipped for their gradients: a note, unless hardly one is left at last."""
    if series.names.get(Column("overflow")) != SKIPPED:
        return []
    counts = series.values("overflow")
    over, counts = series.steps[counts > 0], counts[counts > 0]
    if not len(over):
        return []
    begin = len(over) - 1
    while begin and over[begin] - over[begin - 1] <= 2 * counts[begin]:  # at least every other step is skipped
        begin -= 1
    since = float(over[begin])
    all_ = float(counts[begin:].sum())
    lasting = all_ >= FEWEST_OVERFLOWS and series.ends[1] - over[-1] <= counts[-1]
    first, number = (since, all_) if lasting else (float(over[0]), float(counts.sum()))
    numbers = {"skipped": number, "rows": number} | _last_finite(series, first)
    return [Finding("nonfinite", first, float(over[-1]), (), numbers, severity="" if lasting else NOTE)]


def _find_said(series: Series) -> list[Finding]:
    """Find that the program ended because a number isn't finite, and says so, though no row shows it."""
    word = series.log.reader.last_word
    if not is_of_unfit(word):
        return []
    said, last = step_within(word), series.ends[1]
    step = said if said >= last else last
    details = {"said": word, "is_named": said >= last}
    return [Finding("nonfinite", step, step, (), {"rows": 1.0} | _last_finite(series, step + 1), None, details)]


def _source(found: Nonfinite) -> tuple[str, tuple[str, ...]]:
    """Return the quantity that isn't finite, and its layers: of a signal the first first, of a gradient the last."""
    signals = [column.layer for column in found.values if column.quantity in ("activation_rms", "weight_norm")]
    gradients = [column.layer for column in found.values if column.quantity == "grad_norm" and column.layer]
    layers = tuple(dict.fromkeys([*signals, *reversed(gradients)]))
    quantities = {column.quantity for column in found.values}
    return next(name for name in (*WORDS, *quantities) if name in quantities), layers


def _last_finite(series: Series, step: float) -> dict[str, float]:
    """Return the last step before with a finite number, and the numbers there."""
    numbers = {"last_loss": series.values("loss"), "last_norm": series.norms}
    some = ~np.all([np.isnan(values) for values in numbers.values()], axis=0)
    first, after = np.searchsorted(series.steps, (step, np.nextafter(step, np.inf)))
    wrong = np.isinf(series.samples[first:after]).any(1)  # several rows may share the step of a bar
    rows = np.flatnonzero(some[: first + int(np.argmax(wrong)) if wrong.any() else first])
    if not len(rows):
        return {}
    last = int(rows[-1])
    known = {name: float(values[last]) for name, values in numbers.items() if not np.isnan(values[last])}
    return {"last_finite_step": float(series.steps[last])} | known


def _growth_before(series: Series, step: float) -> dict[str, float]:
    """Return how far the norm grew without coming down up to a step, in how many rows, and how far it is from usual."""
    _, track = magnitude(series)
    levels = track.until(step).level[-LOOK_BACK:]
    if len(levels) < 3:
        return {}
    noise = deviation(levels)
    falls = np.flatnonzero(np.diff(levels) < -max(COMES_DOWN, noise))
    begin = int(falls[-1]) + 1 if len(falls) else 0
    low = np.flatnonzero(levels[begin:] <= levels[begin:].min() + max(2 * COMES_DOWN, 3 * noise))
    begin += int(low[-1])
    rise, above = float(levels[-1] - levels[begin]), float(levels[-1] - median(levels))
    if min(rise, above) <= max(GREW, GREW_DEVIATIONS * noise):
        return {"above_usual": above}
    grown = len(levels) - begin - 1
    began = float(track.until(step).steps[-grown - 1])
    return {"log10_growth": rise, "growth_rows": float(grown), "growth_step": began, "above_usual": above}


def _signs(found: Nonfinite, what: str, growth: dict[str, float], end: float) -> list[str]:
    signs = ["grew-before"] if "log10_growth" in growth else []
    if not signs and abs(growth.get("above_usual", 1.0)) < STEADY:
        signs.append("steady-before")
    if found.rows == 1 and found.last_step < end:  # what follows the last row isn't known
        signs.append("one-row")
    if what in ("update_norm", "update_ratio"):
        signs.append("update-alone")
    if what in ("weight_norm", "activation_rms"):
        signs.append("activation-first")
    return signs


def _sound_after(series: Series) -> int:
    """Return how many rows follow the last that isn't finite, where these are few and single ones; 0 elsewhere."""
    places = [series.columns[one] for one in series.run.nonfinite_of]
    wrong = np.asarray(np.isinf(series.samples[:, places]).any(1))
    rows = np.flatnonzero(wrong)
    seldom = 0 < len(rows) <= max(1, BATCHES * len(wrong)) and len(distinct(series.steps)) == len(series.steps)
    after = len(wrong) - 1 - int(rows[-1]) if seldom else 0
    return after if after >= FEWEST_AFTER and series.run.stride == 1 and not (np.diff(rows) == 1).any() else 0


def _signs_of_the_loss(series: Series) -> list[str]:
    """Return whether the loss is exactly zero, or left out, where the gradient isn't finite."""
    place, norm = series.columns.get(Column("loss")), series.columns.get(Column("grad_norm"))
    if place is None or norm is None or Column("loss") in series.run.nonfinite_of:
        return []
    losses, wrong = series.samples[:, place], np.isinf(series.samples[:, norm])
    fine = losses[~wrong]
    if not wrong.any() or not len(fine):
        return []
    beside = losses[wrong]  # where a row is a mean, the first may have sound steps in it
    if beside[-1] == 0 and not beside[1:].any() and np.mean(fine == 0) < 0.5:
        return ["loss-zero"]
    return ["loss-missing"] if np.isnan(beside).all() and np.isnan(fine).mean() < 0.1 else []


def _are_skipped(series: Series) -> bool:
    """Whether a loss scale falls after each gradient that isn't finite, until one fits: then no such step was taken.

    A search in the last row may yet succeed. Of searches that begin later than the run there may be few.
    """
    gradients = [place for column, place in series.columns.items() if column.quantity.startswith("grad_norm")]
    scales = series.values("loss_scale")
    if series.run.stride > 1 or any(not one.quantity.startswith("grad_norm") for one in series.run.nonfinite_of):
        return False
    wrong = np.isinf(series.samples[:, gradients]) @ np.ones(len(gradients), bool)
    after = np.append(np.diff(scales) < 0, wrong[-1:] & ~np.isnan(scales[-1:]))
    within = np.append(wrong[:1] & wrong[1:2].any(), np.diff(scales) < 0)  # rows with the scale of the step to come
    falls = next((one for one in (after, within) if not (wrong & ~one).any()), None)
    if not wrong.any() or falls is None:
        return False
    edges = np.diff(np.concatenate([[0], wrong, [0]]))
    begins, behind = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)[-1]
    lasting = wrong[-1] and scales[-1] * FALLEN <= min(scales[begins[-1]], FULL)
    settled = not falls[behind:].any()
    return bool(settled and not lasting and np.sum(begins > 0) <= max(1.0, SCALER * series.run.rows))


def _scale_is_stuck(series: Series) -> bool:
    """Whether the loss scale has fallen to its minimum at the end."""
    scales = series.values("loss_scale")
    scales = scales[~np.isnan(scales)]
    fallen = len(scales) > 1 and bool(scales[-1] == scales.min() and scales[-1] * FALLEN <= scales.max())
    return fallen or _is_no_scale(series)


def _is_no_scale(series: Series) -> bool:
    """Whether the loss scale is 1 or less in the end, at a step that was skipped: it is the gradient that overflows."""
    scales = series.values("loss_scale")
    last = np.flatnonzero(~np.isnan(scales))[-1:]
    return bool(len(last) and scales[last[0]] <= 1 and series.values("overflow")[last[0]] > 0)
