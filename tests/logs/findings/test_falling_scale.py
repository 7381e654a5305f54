"""A loss scale that falls to the end: from which step on, whether anything else is not finite or not."""

import pytest

from gradcheck import diagnose


def rows(scale_of, nan_from=1000):
    return [
        {"step": 10 * row, "loss": 2 - row / 300 if row < nan_from else float("nan"), "loss_scale": scale_of(row)}
        for row in range(300)
    ]


def falls(row):
    return 65536.0 / 2 ** max(0, row - 200)


def test_a_loss_that_is_no_number_comes_with_the_step_from_which_the_scale_falls():
    (found,) = diagnose(rows(falls, 220)).findings
    assert (found.kind, found.first_step, found.numbers["scale_step"]) == ("nonfinite", 2200, 2010)
    assert "the loss scale falls from step 2,010 on, from 65536 to" in found.message


def test_a_scale_that_falls_to_the_end_is_a_finding_by_itself():
    report = diagnose(rows(falls))
    assert (report.verdict.status, report.verdict.first_step) == ("nonfinite", 2010)
    assert "hardly a step is taken since" in report.verdict.reasons[0]


@pytest.mark.parametrize(
    "scale_of",
    [
        lambda row: 65536.0 / 2 ** min(row, 8),  # the search at the start
        lambda row: 65536.0 / 2 ** (row // 40),  # as seldom as it is doubled elsewhere
        lambda row: 65536.0 / 2 ** min(8, max(0, row - 200)),  # found again, at 256
        lambda row: falls(row) if row < 220 else falls(220) * 2 ** (row - 220),  # comes back
    ],
)
def test_a_scale_that_settles_comes_back_or_falls_seldom_is_none(scale_of):
    assert not diagnose(rows(scale_of)).findings
