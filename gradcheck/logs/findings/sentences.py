"""The sentence of each kind of finding."""

import math
from collections.abc import Callable, Iterator, Mapping

from gradcheck.base.wording import as_percent
from gradcheck.logs.findings import loss_sentences
from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.phrases import counted, factor_text, of_rows, step_text
from gradcheck.logs.findings.rate_jumps import jump_sentence
from gradcheck.render.numbers import significant

#: Ratios below so many decades are ratios of an exact zero.
NOTHING = -200.0

#: What isn't finite, the earliest in a step first.
WORDS = {
    "weight_norm": "a weight", "activation_rms": "an activation", "loss": "the loss", "grad_norm": "the gradient",
    "grad_norm_after": "the clipped gradient", "update_norm": "an update", "update_ratio": "an update",
}  # fmt: skip


def sentence(found: Finding) -> str:
    """Return what, where and how much, in one line."""
    said = SENTENCES[found.kind](found) + jump_sentence(found)
    return of_rows(said) if found.details.get("counted") else said


def _exploding(found: Finding) -> str:
    numbers, ends = found.numbers, f"from step {step_text(found.first_step)} to {step_text(found.last_step)}"
    how = "at once" if found.details["at_once"] else f"by a factor of {_rate(numbers)}"
    grown = f"the {found.details['what']} grows {factor_text(numbers['log10_rise'])}-fold"
    return f"{grown} {ends}, {how}, and does not come back"


def _rate(numbers: Mapping[str, float]) -> str:
    """Return a growth from step to step; where steps are far apart, from row to row."""
    apart = numbers.get("steps_a_row", 1.0)
    if apart <= 1:
        return f"{factor_text(numbers['log10_per_step'])} a step"
    return f"{factor_text(numbers['log10_per_step'] * apart)} a row, every {step_text(apart)} steps"


def _nonfinite(found: Finding) -> str:
    if "said" in found.details:
        where = "at" if found.details["is_named"] else "after the last row, of"
        stopped = f"the program stopped because a loss or gradient is not finite {where} step"
        return f"{stopped} {step_text(found.first_step)}: {found.details['said']}"
    if "elsewhere" in found.details:
        return _elsewhere(found)
    if "skipped" in found.numbers:
        steps, where = counted(int(found.numbers["skipped"]), "step"), step_text(found.first_step)
        often = f"hardly a step is taken from step {where} on" if not found.severity else f"the first by step {where}"
        return f"the program skipped {steps}, as it says, for a gradient or loss that is not finite; {often}"
    if "scale_step" in found.numbers and "what" not in found.details and "overflows" not in found.numbers:
        return f"{_falling_scale(found)}: hardly a step is taken since"
    if "overflows" in found.numbers:
        steps = counted(int(found.numbers["overflows"]), "step")
        fallen = f"has fallen to {significant(found.numbers['loss_scale'], 3)}" if "loss_scale" in found.numbers else ""
        often = f"the gradient overflows in each of the last {steps}, from step {step_text(found.first_step)} on"
        if found.numbers["overflows"] == 1:
            often = f"the gradient overflows at step {step_text(found.first_step)}"
        return f"{often}, and the loss scale {fallen or 'is at its minimum'}: no scale fits"
    name, rows = str(found.details["what"]), int(found.numbers["rows"])
    part = str(found.details.get("part", ""))
    part = f" {part!r}" if " " in part else f" {part}" if part else ""
    what = f"{WORDS.get(name, name)}{part} is {'infinite' if found.details['value'] == math.inf else 'not a number'}"
    when = f"{'from' if rows > 1 else 'at'} step {step_text(found.first_step)}"
    alone = "in the last row" if found.details.get("is_last") else "in this row only"
    often = f"in {counted(rows, 'row')}" if rows > 1 else alone
    skipped = "the step was skipped" if rows == 1 else "the steps were skipped"
    passes = f": the loss scale was too high, and {skipped}" if found.severity else ""
    return f"{what} {when}, {often}{passes}{''.join(_story(found))}"


def _falling_scale(found: Finding) -> str:
    """Return from which step on the loss scale falls: by as much as that are steps skipped."""
    start, end = (significant(found.numbers[name], 3) for name in ("scale_from", "scale_to"))
    when = f"from step {step_text(found.numbers['scale_step'])} on"
    return f"the loss scale falls {when}, from {start} to {end}, by half with each step that is skipped"


def _elsewhere(found: Finding) -> str:
    name, value = found.details["elsewhere"], "infinite" if found.details["value"] == math.inf else "not a number"
    if found.details.get("is_part"):
        often = f"from step {step_text(found.first_step)}, in {counted(int(found.numbers['rows']), 'row')}"
        return f"{name}, a part of the loss, is {value} {often}; the loss itself is finite"
    by, place = found.details["numbered_by"], step_text(found.numbers["place"])
    where = f"at {by} {place}" if by else f"in the line number {place} of them"
    often = f"{where} for the first time, in {counted(int(found.numbers['rows']), 'row')}"
    others = "other lines of the training" if found.details["trained"] else "the lines of a validation"
    return f"{name} is {value} in {others}, {often}; the loss of the rows that are judged is finite"


def _story(found: Finding) -> Iterator[str]:
    """Yield what else there is to say of a number that isn't finite: each part begins with its separator."""
    numbers, signs = found.numbers, found.details.get("signs", ())
    for quantity, first, rows in found.details.get("each", ()):
        if quantity != found.details["what"]:
            yield f"; {WORDS.get(quantity, quantity)} from step {step_text(first)}, in {counted(rows, 'row')}"
    if "log10_growth" in numbers:
        rows = counted(int(numbers["growth_rows"]), "row")
        yield f"; it had grown {factor_text(numbers['log10_growth'])}-fold in the {rows} before"
    if "sound_after" in numbers:
        yield f"; all {int(numbers['sound_after']):,} rows after it are finite"
    if "loss-zero" in signs:
        yield "; the loss of exactly 0 there is a NaN that the trainer hides"
    if "loss-missing" in signs:
        yield "; the loss is left out there"
    if "scale-at-minimum" in signs:
        yield (
            f"; {_falling_scale(found)}" if "scale_step" in numbers else "; the loss scale has fallen as far as it goes"
        )
    if "last_finite_step" in numbers:
        known = {"loss": numbers.get("last_loss"), "norm": numbers.get("last_norm")}
        last = ", ".join(f"{name} {significant(value, 3)}" for name, value in known.items() if value is not None)
        gap = found.first_step - numbers["last_finite_step"] > 1
        between = "; it began between the two" if gap else ""
        at = f"{'about ' * bool(found.details.get('shared'))}step {step_text(numbers['last_finite_step'])}"
        yield f"; the last finite at {at}: {last}{between}"
        if found.details.get("shared"):
            yield "; several rows share a step, so that steps are no more exact than that"
    if "checkpoint" in numbers:
        yield f"; the last checkpoint from before is that of step {step_text(numbers['checkpoint'])}"


def _vanishing(found: Finding) -> str:
    weakest, until = found.numbers["log10_weakest_ratio"], found.numbers.get("ordinary_until")
    how_weak = "nothing" if weakest < NOTHING else f"1/{factor_text(-weakest)}"
    less = f"less than 1/{factor_text(-(found.limit or 0.0))} of the last layers' gradient"
    some = f"{counted(len(found.layers), 'parameter')} from {found.layers[0]} on"
    ordinary = "" if until is None else f"; up to step {step_text(until)} none of them did"
    return f"{some} get{'s' * (len(found.layers) == 1)} {less}, the weakest {how_weak}{ordinary}"


def _collapsed(found: Finding) -> str:
    if found.details.get("zero_loss"):
        rows, before = counted(int(found.numbers["rows"]), "row"), significant(found.numbers["loss_before"], 3)
        what = "loss and gradient norm fall" if found.details["both"] else f"the {found.details['what']} falls"
        return f"{what} to exactly zero at step {step_text(found.first_step)}, from {before}, in {rows} to the end"
    if found.details.get("beside"):
        highest, since = significant(found.numbers["highest"], 3), step_text(found.first_step)
        return f"the gradient norm is exactly zero from step {since} on, beside a loss of up to {highest}"
    if "won" in found.signs:
        return loss_sentences.won(found)
    how_far = "to exactly zero" if found.details["zero"] else f"to 1/{factor_text(found.numbers['log10_fall'])}"
    if not found.details["whole"]:
        some = f"{counted(len(found.layers), 'parameter')}, {found.layers[0]} first"
        return f"the gradient of {some}, falls {how_far}{' of its share' * (not found.details['zero'])}"
    why = "and the loss gets nowhere" if found.details["got_nowhere"] else "at once"
    if found.details.get("stopped"):
        why = "from one row to the next, and the loss moves no further"
    return f"the gradient norm falls {how_far} by step {step_text(found.first_step)}, {why}"


def _no_gradient(found: Finding) -> str:
    if not found.layers:
        rows = f"{int(found.numbers['rows']):,} rows"
        return f"the gradient norm is exactly zero in all {rows}, and the loss does not move"
    some = f"{counted(len(found.layers), 'parameter')} of {found.details['of']}"
    return f"{some} never get{'s' * (len(found.layers) == 1)} a gradient"


def _dead(found: Finding) -> str:
    many = f"more than {found.limit:.0%} of the units dead at the end, up to {found.numbers['dead_fraction']:.0%}"
    return f"{counted(len(found.layers), 'layer')} with {many}"


def _spikes(found: Finding) -> str:
    count, step = int(found.numbers["spikes"]), step_text(found.numbers["highest_step"])
    where = f"at step {step}" if count == 1 else f"the highest at step {step}"
    height = f"{factor_text(found.numbers['log10_highest'])} times its neighbours"
    spread = found.numbers.get("log10_spread")
    usual = "" if spread is None else f", which vary by {as_percent(10**spread - 1)} as a rule, and it comes back"
    return f"{counted(count, 'spike')} of the {found.details['what']}, {where}: {height}{usual}"


def _update_ratio(found: Finding) -> str:
    worst, limit = found.numbers["update_ratio"], found.limit or 0.0
    where = f"{'below' if worst < limit else 'above'} {limit:g}"
    return f"updates of {counted(len(found.layers), 'layer')} are {where} of the weights, as far as {worst:.2g}"


def _always_clipped(found: Finding) -> str:
    share, kept = as_percent(found.numbers["clipped_fraction"]), found.numbers.get("kept")
    left = "by the log's own count" if kept is None else f"{as_percent(kept)} of the learning rate is left"
    return f"{share} of the steps are clipped; {left}"


def _never_clipped(found: Finding) -> str:
    limit = found.numbers["max_norm"]
    threshold = f"the threshold {limit:.3g}" if math.isfinite(limit) else "the threshold"
    return f"{threshold} is never reached; the largest norm is {found.numbers['largest_norm']:.3g}"


def _drifting(found: Finding) -> str:
    grown = f"the gradient norm grows {factor_text(found.numbers['log10_rise'])}-fold, steadily"
    return f"{grown}, from step {step_text(found.first_step)} to the end, and is still growing there"


def _not_zeroed(found: Finding) -> str:
    if "accumulates" in found.signs:
        rows, times = int(found.numbers["rows"]), factor_text(found.numbers["log10_apart"])
        again = f"the gradient norm grows {times}-fold in {rows} rows and begins again, all along the log"
        return f"{again}: gradients of {rows} micro batches are added up, and each of them is a row"
    if "power" in found.numbers:
        return "from the first step on the norm grows as the number of steps does: as that of all gradients' sum does"
    share = as_percent(found.numbers["share"])
    return f"in {share} of the recorded steps backward() began with the gradients of the step before still there"


def _zero_gradients(found: Finding) -> str:
    zeros, rows = (int(found.numbers[name]) for name in ("zeros", "rows"))
    return f"the gradient norm is exactly zero in {zeros:,} of {rows:,} rows"


def _clipped_scaled(found: Finding) -> str:
    kept = as_percent(found.numbers["kept"])
    return f"gradients are clipped before they are divided by the loss scale: {kept} of the learning rate is left"


def _not_computed(found: Finding) -> str:
    small = ", or is too small for the digits that are printed" if "few-digits" in found.signs else ""
    rows = f"{int(found.numbers['rows']):,} rows"
    return f"the gradient norm is 0 in all {rows} while the loss moves: it was not computed{small}"


def _scaled_norms(found: Finding) -> str:
    if "accumulates" in found.signs:
        rows, low = found.details["rows"], found.details["low"]
        times = factor_text(found.numbers["log10_apart"])
        scaled = f"in {rows - low} of every {rows} rows the gradient norm is {times} times that of the others"
        return f"{scaled}: those are micro batches, whose gradients have the loss scale in them; they aren't judged"
    return "the gradient norms move with the loss scale: they are those of scaled gradients, and are divided by it here"


def _tiny(found: Finding) -> str:
    largest = significant(found.numbers["largest_norm"], 2)
    return f"the gradient norm is {largest} at most, in every row: optimizers add 1e-8 to what they divide by"


def _too_short(found: Finding) -> str:
    rows, enough = counted(int(found.numbers["rows"]), "row"), int(found.limit or 0)
    return f"{rows} with a loss or a gradient norm: a verdict takes {enough} at least"


#: Kind of finding ↦ its sentence.
SENTENCES: Mapping[str, Callable[[Finding], str]] = {
    "exploding": _exploding,
    "nonfinite": _nonfinite,
    "vanishing": _vanishing,
    "collapsed": _collapsed,
    "no-gradient": _no_gradient,
    "dead": _dead,
    "spikes": _spikes,
    "always-clipped": _always_clipped,
    "update-ratio": _update_ratio,
    "drifting": _drifting,
    "never-clipped": _never_clipped,
    "loss-rises": loss_sentences.loss_rises,
    "huge": loss_sentences.huge,
    "not-zeroed": _not_zeroed,
    "not-learning": loss_sentences.not_learning,
    "loss-jump": loss_sentences.loss_jump,
    "zeros": _zero_gradients,
    "clipped-scaled": _clipped_scaled,
    "not-computed": _not_computed,
    "scaled-norms": _scaled_norms,
    "tiny": _tiny,
    "too-short": _too_short,
}
