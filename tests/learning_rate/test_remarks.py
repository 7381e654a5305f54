"""What else is to be said of a search."""

from gradcheck.learning_rate.remarks import learnt_little, short_runs
from gradcheck.learning_rate.rules import RULES, rule_of
from gradcheck.learning_rate.runs import Draw, Run
from gradcheck.learning_rate.search import CriticalRate


def ended(*losses):
    return Draw(None, CriticalRate("found", 1.0, losses[0]), (Run(0.1, losses, diverged=False),))


def test_runs_that_end_before_much_is_learnt_are_called_that():
    assert learnt_little(ended(2.0, 1.9), 3.0).code == "learnt-little"
    assert learnt_little(ended(2.0, 1.0), 3.0) is None
    assert learnt_little(ended(2.0, 1.0), 1.1) is not None  # a constant answer costs hardly more


def test_fewer_updates_widen_the_band():
    momentum, adam = (
        [rule_of(name, updates).band for updates in (5, 8, 12, 24, 25, 50)] for name in ("momentum", "adam")
    )
    assert momentum == [4.0, 4.0, 3.4, 3.4, 2.4, 2.4]
    assert adam == [2.4] * 4 + [RULES["adam"].band] * 2


def test_a_wider_band_of_fewer_updates_is_named():
    assert "these have 8" in short_runs(8, 25).text
    assert "of 25, that factor is 1.7 times smaller" in short_runs(8, 25, 5 / 3).text
