"""What looks ill is trained before it is accused, and what looks healthy with large inputs before it is acquitted."""

from collections.abc import Callable

from gradcheck.probing.doubts import may_be_slow, status_of
from gradcheck.probing.first_loss import FAR_TOO_LARGE, FirstLoss
from gradcheck.probing.judgement import Found, Judgement
from gradcheck.probing.trial import COLLAPSED_FALLS_BY, FALLS_BY, HALF, NEARLY, Lesson, explodes_with_sgd, hold_trial
from gradcheck.spec.thresholds import USUAL


def tried(
    judgement: Judgement[Found],
    lesson: Lesson,
    first: FirstLoss,
    tick: Callable[[float], None] | None = None,
    *,
    from_zero: bool = True,
) -> Judgement[Found]:
    """Return the judgement after a trial, where one is due.

    The lesson is the model's, which is put back after each try; of the first loss is known what constant answers cost.
    """
    verdict, doubt = judgement.diagnosis.verdict, judgement.doubt
    if judgement.is_suspicion:
        status = status_of(doubt) if doubt else verdict.status
        collapsed = verdict.status == "collapsed" and judgement.found.columns is None  # or the batch is so
        apart = judgement.summary.gradient_span > USUAL.max_span
        trial = hold_trial(
            lesson,
            first,
            COLLAPSED_FALLS_BY if collapsed else FALLS_BY,
            tick,
            from_zero=from_zero,
            patient=may_be_slow(judgement.found),
            under_way=NEARLY if collapsed and not apart else HALF,
            fades=status != "exploding" and (apart or status != "collapsed"),
            from_afar=first.pair_width > 0,
        )
        if trial is not None:
            return judgement.after(trial)
    explodes = judgement.has_large_inputs and explodes_with_sgd(lesson, first.constant_answer, from_zero=from_zero)
    if explodes and not judgement.found.first_rms > FAR_TOO_LARGE:  # the logarithms of a spectrum are as large
        trial = hold_trial(lesson, first, tick=tick, from_zero=from_zero, patient=True)
        if trial is not None and trial.learns:
            return judgement.with_large_inputs(trial)
    return judgement.exploding_by_inputs() if explodes else judgement
