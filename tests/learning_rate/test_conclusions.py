"""The verdict, and its reasons."""

import math

import pytest

from gradcheck.learning_rate.conclusions import CODES, NO_RATE, Evidence, conclude
from gradcheck.learning_rate.rules import Rule

RULE = Rule(start=1.0, best=1.0, ceiling=4.0, band=2.0, within=0.87, networks=100)

ILL = Evidence("vanishing", "layers 1 to 45 get less than 1/1000", 0.1, 2.3)

#: Best at 0.1, and training fails from 0.4 on.
GOOD = {0.025: 1.5, 0.1: 1.0, 0.4: 1.5}


def concluded(made, asked=None, evidence=None):
    return conclude([made], RULE, "SGD", asked, evidence)


@pytest.mark.parametrize(
    ("asked", "status"),
    [(0.1, "fits"), (0.011, "fits"), (0.39, "fits"), (0.41, "too-high"), (0.0099, "too-low"), (None, "found")],
)
def test_a_rate_fits_between_a_tenth_of_the_best_and_the_ceiling(asked, status, draw):
    found = concluded(draw(GOOD), asked)
    assert found.status == status
    assert (found.reasons[0].code == "asked") == (asked is not None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (0.1, None), (0.06, None), (0.19, None),
        (0.04, "that is below the band of the best rate, 0.050 to 0.20"),
        (0.3, "that is above the band of the best rate, 0.050 to 0.20: nearer to where training fails"),
        (0.0099, None), (0.41, None),
    ],
)  # fmt: skip
def test_a_rate_that_trains_outside_the_band_is_told_so(asked, said, draw):
    found = [one for one in concluded(draw(GOOD), asked).reasons if one.code == "outside-band"]
    assert [one.text for one in found] == ([] if said is None else [said])


def test_how_a_rate_compares_is_said_in_words(draw):
    assert concluded(draw(GOOD), 0.8).reasons[0].text == (
        "0.8 is above 0.40, from where on training fails, and 8.0 times the best rate, 0.10"
    )
    assert concluded(draw(GOOD), 5e-324).reasons[0].text.startswith("4.94066e-324 is 1/2.0e+322 of the best rate")
    assert concluded(draw(GOOD), 1e308).reasons[0].text.endswith("1.0e+309 times the best rate, 0.10")
    assert concluded(draw(GOOD), 0.001).reasons[0].text.startswith("0.001 is 1/100 of the best rate, 0.10: ")


def test_the_answer_says_what_it_was_checked_on(draw):
    codes = {one.code: one.text for one in concluded(draw(GOOD)).reasons}
    assert list(codes) == ["best", "ceiling", "warm-up", "checked"]
    assert codes["best"] == "the best rate of SGD is about 0.10, between 0.050 and 0.20"
    assert "100 networks" in codes["checked"]
    assert "87 %" in codes["checked"]


@pytest.mark.parametrize(("runs", "said"), [({0.1: 1.5, 0.2: 1.0}, "above"), ({0.1: 1.0, 0.2: 1.5}, "below")])
def test_a_best_run_at_the_edge_is_called_that(runs, said, draw):
    texts = [one.text for one in concluded(draw(runs)).reasons if one.code == "edge"]
    assert len(texts) == 1
    assert texts[0].endswith(f"got furthest: the best one may be {said} it")


def test_a_ceiling_that_no_run_has_shown_is_called_that(draw):
    shown, ruled = (
        next(one.text for one in concluded(draw(runs)).reasons if one.code == "ceiling")
        for runs in ({0.025: 1.5, 0.1: 1.0, 0.4: math.inf}, GOOD)
    )
    assert shown == "training fails above about 0.20"
    assert ruled == "training fails above about 0.40, as a rule; no run has shown it"


def test_a_network_that_is_ill_and_makes_no_progress_has_no_rate(draw):
    found = concluded(draw({0.1: 1.97}), evidence=ILL)
    assert (found.status, found.answer) == ("no-rate", None)
    assert [one.code for one in found.reasons] == ["untrainable", "no-progress"]
    assert found.reasons[0].text.startswith("simulate calls it vanishing: layers 1 to 45")


def test_no_progress_is_measured_by_the_untrained_loss_where_that_is_below_a_guess(draw):
    (*_, less), (*_, more) = (
        concluded(draw({0.1: 1.97}), evidence=ILL._replace(constant=constant)).reasons for constant in (2.3, 1.99)
    )
    assert less.text == "the loss is 1.97 after 10 updates at the best of 1 rate; it is 2.00 without any"
    assert more.text.endswith("; an answer that is the same for all examples costs 1.99")


def test_a_network_that_is_healthy_and_unlikely_to_train_is_called_that(draw):
    found = concluded(draw({0.1: 1.97}), evidence=ILL._replace(status="healthy", score=0.2))
    assert found.reasons[0].text == "simulate gives it little chance to train: 20 %"


def test_a_network_that_is_called_ill_and_learns_all_the_same_has_one(draw):
    assert concluded(draw({0.1: 1.9}), evidence=ILL).status == "found"


def test_without_labels_the_simulation_alone_decides(draw):
    unlabelled = ILL._replace(constant=math.nan)
    found = concluded(draw(GOOD), evidence=unlabelled)
    assert [one.code for one in found.reasons] == ["untrainable"]
    assert concluded(draw(GOOD), evidence=unlabelled._replace(score=0.9)).status == "found"


@pytest.mark.parametrize("end", NO_RATE)
def test_a_search_without_a_rate_says_how_it_ended(end, draw):
    found = concluded(draw({}, status=end))
    assert (found.status, [one.code for one in found.reasons]) == ("no-rate", [end])
    assert found.reasons[0].text == NO_RATE[end]


def test_where_no_run_lowers_the_loss_there_is_no_rate(draw):
    found = concluded(draw({0.1: 2.5, 0.4: math.inf}))
    assert [one.code for one in found.reasons] == ["no-run"]
    assert found.reasons[0].text == "no run lowers the loss: 2.00 at first, 2.50 in the end at best"


def test_a_warm_up_is_said_with_its_length_and_why(draw):
    made = draw(GOOD, course=(3.0, 2.5, 1.0))
    texts = [one.text for one in concluded(made).reasons if one.code == "warm-up"]
    assert texts == ["warm up over the first 2 updates: at such a rate the loss rises to 1.5 times its start first"]


def test_every_code_is_among_the_codes(draw):
    some = (concluded(draw(GOOD), 0.1), concluded(draw(GOOD), evidence=ILL), concluded(draw({}, status="flat")))
    assert {one.code for found in some for one in found.reasons} <= set(CODES)


HEALTHY = Evidence("healthy", "0.5 decades", 0.9, 1.0)


@pytest.mark.parametrize(("by", "option"), [("simulate", "--updates 40"), ("probe", "--rate-updates 40")])
def test_runs_that_get_no_lower_than_a_constant_answer_are_not_told_apart(by, option, draw):
    plateau = concluded(draw({0.025: 1.01, 0.1: 1.0, 0.4: 1.01}), evidence=HEALTHY._replace(by=by))
    codes = {one.code: one.text for one in plateau.reasons}
    assert option in codes["plateau"]
    assert "checked" not in codes
    assert plateau.answer.low <= 0.025 / RULE.band
    assert plateau.answer.high == plateau.answer.ceiling
    learns = concluded(draw({0.025: 0.7, 0.1: 0.5, 0.4: 0.7}), evidence=HEALTHY)
    assert "plateau" not in {one.code for one in learns.reasons}
    assert learns.answer.low == pytest.approx(0.05, rel=0.1)


def test_a_loss_that_starts_far_above_guessing_takes_the_checked_share_away(draw):
    far = concluded(draw({0.025: 1.5, 0.1: 1.0, 0.4: 1.5}), evidence=HEALTHY._replace(constant=0.1))
    codes = {one.code: one.text for one in far.reasons}
    assert "20 times what guessing costs (0.100)" in codes["starts-far"]
    assert {"checked", "plateau"}.isdisjoint(codes)
    near = concluded(draw(GOOD), evidence=HEALTHY._replace(constant=1.9))
    assert "starts-far" not in {one.code for one in near.reasons}


def test_a_rate_at_which_the_gradient_is_lost_is_named(draw):
    made = draw(GOOD)
    made = made._replace(runs=(*made.runs[:2], made.runs[2]._replace(fades=True)))
    found = concluded(made)
    assert "at 0.40 the gradient of most layers is lost" in next(
        one.text for one in found.reasons if one.code == "fades"
    )
    assert found.answer.ceiling < 0.4
