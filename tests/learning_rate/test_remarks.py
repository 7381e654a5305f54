"""What else is to be said of a search."""

import math

from gradcheck.learning_rate.remarks import learnt_little, short_runs
from gradcheck.learning_rate.rules import BY_UPDATES, CHECKED, rule_of, usual_updates
from gradcheck.learning_rate.runs import Draw, Run
from gradcheck.learning_rate.search import CriticalRate


def ended(*losses):
    return Draw(None, CriticalRate("found", 1.0, losses[0]), (Run(0.1, losses, diverged=False),))


def test_runs_that_end_before_much_is_learnt_are_called_that():
    assert learnt_little(ended(2.0, 1.9), 3.0).code == "learnt-little"
    assert learnt_little(ended(2.0, 1.0), 3.0) is None
    assert learnt_little(ended(2.0, 1.0), 1.1) is not None  # a constant answer costs hardly more
    assert learnt_little(ended(math.nan, math.nan), math.inf) is None


def test_fewer_updates_widen_the_band():
    bands = [rule_of("momentum", updates).band for updates in (5, *CHECKED, 1000)]
    assert bands == sorted(bands, reverse=True)
    assert bands[0] > bands[-1]


def test_runs_between_two_lengths_have_the_rule_of_the_shorter():
    assert rule_of("sgd", 24) == rule_of("sgd", 12) != rule_of("sgd", 25)
    assert {name: set(of) for name, of in BY_UPDATES.items()} == {name: set(CHECKED) for name in BY_UPDATES}


def test_the_dearer_a_pass_the_fewer_the_updates():
    assert [usual_updates(10.0**power) for power in (0, 7, 8, 9, 12)] == [100, 100, 50, 8, 8]


def test_a_wider_band_of_fewer_updates_is_named():
    band, narrower = (rule_of("momentum", updates).band for updates in (8, 100))
    said = f"that is the factor of runs of 8 updates: of 100 it is {narrower:g} instead of {band:g}"
    assert short_runs("momentum", 8).text == said
    assert short_runs("momentum", 100) is None
