"""Which change one is told to try first, and why."""

import pytest

from gradcheck.base.record import Frozen
from gradcheck.diagnosis.report import SuggestionRecord
from gradcheck.diagnosis.suggestions import place, said_order, starts_far


def change(score, span=1.0, loss=None, first_loss=None, **changes):
    return SuggestionRecord(
        changes=Frozen(changes), command="", status="healthy", score=score, gradient_span=span,
        effective_rank_last=2.0, loss=loss, first_loss=first_loss,
    )  # fmt: skip


NORM = change(0.99, 0.8, norm="batch")
SKIPS = change(0.997, 1.1, residual=True, residual_scale=0.141)
SELU = change(0.98, 0.8, activation="selu", init="lecun")
TANH = change(0.92, 0.1, activation="tanh")
SHALLOWER = change(0.999, 0.2, depth=5)


def test_of_changes_that_surely_train_the_smallest_comes_first_then_the_one_whose_layers_are_most_alike():
    assert sorted([TANH, SHALLOWER, SKIPS, SELU, NORM], key=place) == [NORM, SELU, SKIPS, TANH, SHALLOWER]


def test_a_change_after_which_the_loss_starts_far_above_guessing_comes_after_those_that_train_less_surely():
    far = change(0.99, 0.2, first_loss=49.4, residual=True)
    assert sorted([far, TANH], key=place) == [TANH, far]
    assert starts_far(far) == ", the loss starts at 49.4"
    assert starts_far(TANH) == ""


def test_a_change_without_a_span_comes_after_its_equals():
    unknown = change(0.97, None, norm="rms")
    assert sorted([unknown, NORM], key=place) == [NORM, unknown]


@pytest.mark.parametrize(
    ("suggestions", "said"),
    [
        ([NORM], "it is enough alone"),
        ([NORM, TANH], "each is enough alone; likeliest to train first (above 95 %: smallest change)"),
        (
            [NORM, TANH, SHALLOWER],
            "each is enough alone; likeliest to train first (above 95 %: smallest change), a smaller network last",
        ),
        ([NORM, SHALLOWER], "each is enough alone; a smaller network comes last"),
        ([change(0.9, loss=0.1, lr=0.01), change(0.9, loss=0.2, clip="norm:1")],
         "each is enough alone; the lowest loss comes first"),
    ],
)  # fmt: skip
def test_one_line_says_whether_changes_need_each_other_and_which_comes_first(suggestions, said):
    assert said_order(suggestions) == said
