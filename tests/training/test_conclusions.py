import math
import re

import numpy as np
import pytest

from gradcheck.clipping import clip
from gradcheck.clipping.effect import ClipReport
from gradcheck.spec.clip_rules import Rule, parse_rule
from gradcheck.spec.names import POLICIES
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.conclusions import CODES, SMALL, VERDICTS, conclude, conclusion_of, warnings
from gradcheck.training.sgd import Evaluation, TrainingStep
from gradcheck.training.strategy import judge_run

NAN = math.nan

#: Loss and accuracy that go with a status.
FINAL = {
    "learned": (0.2, 0.95),
    "learning": (1.0, 0.5),
    "stuck": (2.3, 0.1),
    "diverged": (9.0, 0.1),
    "stopped": (2.3, 0.1),
}

UNCLIPPED = ClipReport(False, 2.0, 2.0, None, 1.0, 1.0, 1.0)
BROKEN = ClipReport(False, NAN, NAN, None, NAN, NAN, NAN, (0,))


def clipped(cosine=1.0, global_cosine=1.0, kept=0.25):
    return ClipReport(True, 8.0, 2.0, 2.0, cosine, global_cosine, kept)


def run(rule, status="learned", reports=(UNCLIPPED, UNCLIPPED), final=None, last_loss=None):
    """A strategy of that status, one step a report."""
    loss, accuracy = final or FINAL[status]
    losses = [2.3] * len(reports)
    if status == "diverged" or last_loss is not None:
        losses[-1] = last_loss or 9.0
    steps = [
        TrainingStep(loss, report, "W_h" if report is BROKEN else "")
        for loss, report in zip(losses, reports, strict=True)
    ]
    made = judge_run(parse_rule(rule), steps, Evaluation(loss, accuracy), stopped=status == "stopped", chance=0.1)
    assert made.status == status
    return made


def said(rule, status="learned", reports=(UNCLIPPED, UNCLIPPED), policy="skip", **more):
    return conclusion_of(run(rule, status, reports, **more), TrainingSpec(lr=0.1, nonfinite=policy))


# ---- the whole


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ({"none": "diverged", "norm": "learned"}, "saved"),
        ({"none": "stuck", "norm": "learned", "value": "diverged"}, "saved"),
        ({"none": "learning", "norm": "learned"}, "saved"),
        ({"none": "stopped", "value": "learning", "norm": "learned"}, "saved"),
        ({"none": "learned", "norm": "learned", "value": "learned"}, "unneeded"),
        ({"none": "learned", "norm": "learned", "value": "stuck"}, "ruined"),
        ({"none": "learned", "norm": "learning"}, "unneeded"),
        ({"none": "diverged", "norm": "diverged"}, "lost"),
        ({"none": "stuck", "norm": "diverged", "value": "stopped"}, "lost"),
        ({"none": "stuck", "norm": "learning", "value": "stopped"}, "early"),
        ({"none": "learning", "norm": "learning"}, "early"),
        ({"none": "diverged"}, "unclipped"),
        ({"none": "learned"}, "unclipped"),
        ({"norm": "learned"}, "clipped"),
        ({"norm": "diverged", "value": "learned"}, "clipped"),
    ],
    ids=str,
)
def test_the_verdict_is_what_the_runs_come_to(runs, verdict):
    assert conclude([run(rule, status) for rule, status in runs.items()]).status == verdict
    assert verdict in VERDICTS


def test_every_verdict_can_be_reached():
    reached = test_the_verdict_is_what_the_runs_come_to.pytestmark[0].args[1]
    assert {verdict for _, verdict in reached} == set(VERDICTS)


@pytest.mark.parametrize("order", [1, -1])
def test_the_verdict_does_not_depend_on_the_order(order):
    runs = [run("none", "diverged"), run("norm:1", final=(0.1, 0.99)), run("norm:2"), run("value", "stuck")][::order]
    found = conclude(runs)
    assert (found.status, found.best) == ("saved", "norm:1")


def test_the_best_has_the_best_accuracy_then_the_least_loss():
    runs = [run("norm:1", final=(0.3, 0.9)), run("norm:2", final=(0.2, 0.9)), run("norm:3", final=(0.1, 0.89))]
    assert conclude(runs).best == "norm:2"
    runs = [run("norm:1", "stuck", final=(NAN, 0.1)), run("norm:2", "stuck", final=(9.0, 0.1))]
    assert conclude(runs).best == "norm:2"


def test_without_labels_the_best_has_the_least_loss():
    runs = [run("norm:1", final=(0.2, NAN)), run("norm:2", final=(0.1, NAN)), run("norm:3", "stuck", final=(9.0, NAN))]
    found = conclude(runs)
    assert found.best == "norm:2"
    assert "best: norm:2, final loss 0.1" in found.reasons[0].text
    assert "accuracy" not in " ".join(one.text for one in found.reasons)


def test_the_reasons_count_the_rules_and_say_what_happens_without():
    found = conclude(
        [run("none", "diverged"), run("norm:1"), run("value", "diverged", (clipped(),) * 2), run("agc", "learning")]
    )
    rules, without, lost = (one.text for one in found.reasons)
    assert rules == "1 of 3 clipping rules learn; best: norm:1, training accuracy 95.0 %"
    assert without == "without clipping it diverges at step 2: the loss is above 4.6 in most steps to the end; " + (
        "training accuracy 10.0 %"
    )
    assert lost == f"clipped and still lost: {parse_rule('value')}"


def test_the_reasons_are_codes_and_numbers():
    found = conclude([run("none", "diverged"), run("norm:1"), run("value", "diverged", (clipped(),) * 2)])
    assert [one[:3] for one in found.reasons] == [
        ("rules-learn", 1, 2),
        ("unclipped-diverged", 9.0, 4.6),
        ("clipped-and-lost", 1, None),
    ]


def test_a_rule_that_clips_every_step_is_to_be_held_against_a_smaller_rate():
    runs = run("none", "diverged"), run("norm:1", reports=(clipped(kept=0.25),) * 2)
    assert [one.text for one in conclude(runs).reasons][2] == (
        "norm:1 clips in every step, which leaves 0.25 of the learning rate: hold it against no clipping at that rate"
    )
    sometimes = run("none", "diverged"), run("norm:1", reports=(clipped(), UNCLIPPED))
    assert len(conclude(sometimes).reasons) == 2


def test_every_code_has_a_run_that_gives_it():
    runs = [[run("none", status)] for status in FINAL]
    runs.append([run("value", "diverged", (clipped(),) * 2)])
    runs.append([run("none", "diverged"), run("norm:1", reports=(clipped(),) * 2)])
    assert {one.code for some in runs for one in conclude(some).reasons} == set(CODES)


def test_a_rule_that_clipped_nothing_is_not_called_clipped_and_lost():
    found = conclude([run("none", "diverged"), run("zscore", "diverged")])
    assert "still lost" not in " ".join(one.text for one in found.reasons)


def test_no_clipping_can_be_the_best():
    found = conclude([run("none", final=(0.1, 0.99)), run("norm:1", final=(0.2, 0.9)), run("norm:2", "stuck")])
    assert found.best == "none"
    assert found.reasons[0].text.endswith("training accuracy 99.0 %")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("learned", "without clipping it learns: training accuracy 95.0 %"),
        ("learning", "without clipping it has not learned yet: training accuracy 50.0 %"),
        ("stuck", "without clipping it stays near chance: training accuracy 10.0 %"),
        ("diverged", "without clipping it diverges at step 2: .*"),
    ],
)
def test_what_happens_without_clipping_is_said_in_words(status, words):
    [reason] = conclude([run("none", status)]).reasons
    assert reason.code == f"unclipped-{status}"
    assert re.fullmatch(words, reason.text)


def test_a_stop_is_said_with_its_step_and_tensor():
    [reason] = conclude([run("none", "stopped", (UNCLIPPED, BROKEN))]).reasons
    assert (reason.code, reason.value) == ("unclipped-stopped", 2)
    assert reason.text == "without clipping it is stopped at step 2 by a gradient that is not finite, first in W_h"


def test_a_loss_that_ends_up_not_finite_is_said_so():
    assert "diverges at step 2: the loss ends up not finite" in said("none", "diverged", last_loss=NAN)


# ---- one line a strategy


def test_a_conclusion_is_one_line():
    line = said("value", "diverged", (clipped(0.5, 0.5), BROKEN))
    assert "\n" not in line
    assert line.startswith("diverges at step 2")


def test_a_threshold_that_was_never_reached_is_said():
    assert "its threshold was never reached (largest norm 2): it does what none does" in said("norm:5")
    assert "never reached" in said("zscore", reports=(UNCLIPPED,) * 26)
    assert said("value:5").endswith("its threshold was never reached: it does what none does")


def test_a_z_score_that_has_seen_too_little_to_judge_says_so():
    assert said("zscore", reports=(UNCLIPPED,) * 25).endswith("the first 25 norms set its mean and deviation")


def test_a_threshold_that_was_reached_in_every_step_is_said_with_the_learning_rate_that_is_left():
    line = said("norm:2", reports=(clipped(), clipped()))
    assert "clips in every step: what is left is a learning rate of 0.025" in line


def test_a_threshold_that_was_reached_now_and_then_is_said_with_its_share():
    line = said("norm:2", reports=(clipped(), UNCLIPPED, UNCLIPPED, UNCLIPPED))
    assert "clips 25 % of the steps, 19 % of the learning rate is lost" in line


def test_agc_s_threshold_is_no_norm():
    assert "largest norm" not in said("agc")
    assert "its threshold was never reached" in said("agc")


def test_nothing_of_that_is_said_without_a_rule():
    assert said("none") == "learns: training accuracy 95.0 %"


def test_a_turn_of_the_direction_is_said_with_its_cosine():
    assert "turns the direction (mean cosine 0.60)" in said("value", reports=(clipped(0.6, 0.5),) * 2)
    only_together = said("norm", reports=(clipped(1.0, 0.7),) * 2)
    assert "keeps each tensor's direction, but turns the whole step (cosine 0.70)" in only_together
    assert "turns" not in said("global-norm", reports=(clipped(),) * 2)


@pytest.mark.parametrize(("policy", "words"), [("skip", "skipped"), ("zero", "taken with zeros in their place")])
def test_non_finite_steps_are_said_with_the_first_tensor_and_what_was_done(policy, words):
    one = said("norm:1", reports=(UNCLIPPED, BROKEN, UNCLIPPED), policy=policy)
    two = said("norm:1", reports=(UNCLIPPED, BROKEN, BROKEN, UNCLIPPED), policy=policy)
    assert f"1 step has a non-finite gradient, first at step 2 in W_h: {words}" in one
    assert f"2 steps have a non-finite gradient, first at step 2 in W_h: {words}" in two


def test_non_finite_steps_are_said_of_no_clipping_too():
    assert "1 step has a non-finite gradient" in said("none", reports=(UNCLIPPED, BROKEN, UNCLIPPED))


@pytest.mark.parametrize("rule", ["none", "norm:1", "percentile", "agc"])
def test_a_run_without_one_finite_gradient_has_a_conclusion(rule):
    for policy in POLICIES:
        status = "stopped" if policy == "stop" else "stuck"
        line = said(rule, status, (BROKEN,), policy=policy)
        assert "nan" not in line


def test_an_adaptive_rule_that_fails_is_given_the_reason():
    why = "its limit is learned from norms that already explode"
    assert why in said("zscore", "diverged", (clipped(), UNCLIPPED))
    assert why not in said("zscore", "diverged")
    assert why not in said("norm:1", "diverged", (clipped(), UNCLIPPED))
    assert why not in said("percentile", "learned", (clipped(), UNCLIPPED))


def test_a_norm_beyond_the_range_of_floats_is_no_number_in_the_text():
    line = said("norm:1e300", reports=(UNCLIPPED._replace(norm_before=math.inf, norm_after=math.inf),) * 2)
    assert " nan" not in line


# ---- warnings


def test_a_tiny_global_threshold_is_warned_about_with_what_it_costs():
    [warning] = warnings([Rule("none"), Rule("global-norm", 1e-6), Rule("norm", 1e-6), Rule("value", 1e-9)])
    assert warning.startswith("global-norm:1e-06: the 1e-6 in the rule's denominator now over-clips: ")
    assert "a gradient of norm 1e-06 is cut to 5e-07, 50 % too much" in warning
    assert "\n" not in warning


@pytest.mark.parametrize(
    ("threshold", "warned"), [(SMALL, True), (SMALL * 1.001, False), (1e-12, True), (5e-324, True), (1.0, False)]
)
def test_a_threshold_is_tiny_at_or_below_1e_5(threshold, warned):
    assert SMALL == 1e-5
    assert bool(warnings([Rule("global-norm", threshold)])) == warned


@pytest.mark.parametrize("threshold", [1e-5, 1e-6, 1e-7])
def test_the_warning_says_what_clipping_does(threshold):
    rule = Rule("global-norm", threshold)
    left = clip([np.array([threshold])], rule)[1].norm_after
    [warning] = warnings([rule])
    assert f"cut to {left:.3g}, {100 * (1 - left / threshold):.0f} % too much" in warning
