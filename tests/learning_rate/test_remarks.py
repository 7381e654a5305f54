"""What else is to be said of a search."""

from gradcheck.learning_rate.remarks import learnt_little
from gradcheck.learning_rate.runs import Draw, Run
from gradcheck.learning_rate.search import CriticalRate


def ended(*losses):
    return Draw(None, CriticalRate("found", 1.0, losses[0]), (Run(0.1, losses, diverged=False),))


def test_runs_that_end_before_much_is_learnt_are_called_that():
    assert learnt_little(ended(2.0, 1.9), 3.0).code == "learnt-little"
    assert learnt_little(ended(2.0, 1.0), 3.0) is None
    assert learnt_little(ended(2.0, 1.0), 1.1) is not None  # a constant answer costs hardly more
