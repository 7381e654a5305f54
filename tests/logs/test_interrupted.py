"""What records a run is told when nothing runs it any more."""

from gradcheck.logs.interrupted import begins, ends


class Recording:
    """Counts how often it was left."""

    left = 0

    def leave(self):
        self.left += 1


class Trainer:
    """Runs what it is given, as a trainer runs its callbacks."""

    def train(self, *recordings, then=lambda: None):
        run = object()
        for recording in recordings:
            begins(recording, self, run)
        then()


def test_a_run_whose_trainer_returned_is_left_once_when_another_one_begins():
    trainer, other, held, new = Trainer(), Trainer(), Recording(), Recording()
    trainer.train(held)
    other.train(new)
    assert (held.left, new.left) == (1, 0)
    other.train(Recording())
    assert (held.left, new.left) == (1, 1)


def test_a_run_of_a_trainer_that_still_runs_goes_on():
    outer, inner = Recording(), Recording()
    Trainer().train(outer, then=lambda: Trainer().train(inner))
    assert (outer.left, inner.left) == (0, 0)


def test_all_that_record_one_run_go_on_together():
    pair = Recording(), Recording()
    Trainer().train(*pair)
    assert [one.left for one in pair] == [0, 0]


def test_a_run_that_ended_properly_is_not_left():
    trainer, ended = Trainer(), Recording()
    trainer.train(ended, then=lambda: ends(ended))
    trainer.train(Recording())
    assert ended.left == 0
