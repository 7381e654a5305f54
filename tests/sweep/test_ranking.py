import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import OptionError
from gradcheck.spec import names
from gradcheck.sweep.ranking import ORDERS, counts, differences, grouped, ranked

BEST_FIRST = {
    "score": lambda row: -row["score"],
    "span": lambda row: math.inf if row["gradient_span"] is None else row["gradient_span"],
    "gain": lambda row: math.inf if not row["mean_local_gain"] else abs(math.log(row["mean_local_gain"])),
    "rank": lambda row: math.inf if row["effective_rank_last"] is None else -row["effective_rank_last"],
    "grid": lambda row: row["index"],
}

NUMBERS = st.none() | st.sampled_from([0.0, 0.5, 1.0, 2.0]) | st.floats(0, 1e3)

MEASURED = st.fixed_dictionaries(
    {
        "options": st.fixed_dictionaries({"depth": st.sampled_from([2, 3, 4]), "residual": st.booleans()}),
        "status": st.sampled_from(["healthy", "vanishing", "dead"]),
        "score": st.sampled_from([0.1, 0.5, 0.9]) | st.floats(0, 1),
        "gradient_span": NUMBERS,
        "mean_local_gain": NUMBERS,
        "effective_rank_last": NUMBERS,
        "error": st.none(),
    }
)

FAILED = st.fixed_dictionaries(
    {
        "options": st.fixed_dictionaries({"depth": st.sampled_from([2, 3, 4]), "residual": st.booleans()}),
        **dict.fromkeys(("status", "score", "gradient_span", "mean_local_gain", "effective_rank_last"), st.none()),
        "error": st.just("too deep"),
    }
)


@st.composite
def shuffled_rows(draw):
    rows = draw(st.lists(MEASURED | FAILED, min_size=1, max_size=12))
    return draw(st.permutations([{"index": index, **row} for index, row in enumerate(rows)]))


def row(index, **more):
    return {
        "index": index, "options": {"depth": 2}, "status": "healthy", "score": 0.5, "gradient_span": 1.0,
        "mean_local_gain": 1.0, "effective_rank_last": 2.0, "error": None, **more,
    }  # fmt: skip


@pytest.mark.parametrize("order", BEST_FIRST)
@given(rows=shuffled_rows())
def test_rows_stand_best_first_ties_in_the_grid_s_order_and_errors_last(order, rows):
    good = sorted((row for row in rows if row["error"] is None), key=lambda row: row["index"])
    bad = sorted((row for row in rows if row["error"] is not None), key=lambda row: row["index"])
    assert ranked(rows, order) == sorted(good, key=BEST_FIRST[order]) + bad


def test_every_order_is_tested_and_offered_by_the_command():
    assert list(ORDERS) == list(BEST_FIRST) == list(names.ORDERS)


def test_a_gain_is_as_far_from_one_above_as_below():
    rows = [row(0, mean_local_gain=0.25), row(1, mean_local_gain=2.0), row(2, mean_local_gain=3.0)]
    assert [one["index"] for one in ranked(rows, "gain")] == [1, 2, 0]


def test_an_unknown_order_is_told_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'score'"):
        ranked([], "scor")


@pytest.mark.parametrize("option", ["depth", "residual"])
@given(rows=shuffled_rows())
def test_groups_have_the_median_and_the_worst_of_their_rows(option, rows):
    groups = grouped(rows, option)
    in_order = sorted(rows, key=lambda row: row["index"])
    assert [group["value"] for group in groups] == list(dict.fromkeys(row["options"][option] for row in in_order))
    for group in groups:
        own = [row for row in rows if row["options"][option] == group["value"]]
        good = [row for row in own if row["error"] is None]
        assert (group["option"], group["rows"], group["errors"]) == (option, len(own), len(own) - len(good))
        assert group["healthy"] == sum(row["status"] == "healthy" for row in good)
        assert_middle_and_worst(group, [-row["score"] for row in good], "score", -1)
        assert_middle_and_worst(group, [BEST_FIRST["span"](row) for row in good], "span", 1)


def assert_middle_and_worst(group, worse, name, sign):
    """`worse` grows with badness; a number that isn't finite is None."""
    ordered, count = sorted(worse), len(worse)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2 if worse else math.inf
    worst = ordered[-1] if worse else math.inf
    assert group[f"median_{name}"] == (sign * middle if math.isfinite(middle) else None)
    assert group[f"worst_{name}"] == (sign * worst if math.isfinite(worst) else None)


def test_differences_are_the_row_s_own_values():
    best, other = {"options": {"depth": 2, "init": "he"}}, {"options": {"depth": 3, "init": "he"}}
    assert differences(other, best) == {"depth": 3}
    assert differences(best, best) == {}


def test_counts_name_the_most_frequent_first_and_errors_too():
    rows = [row(0), row(1, status="dead"), row(2, status="dead"), row(3, status=None, error="no")]
    assert dict(counts(rows)) == {"dead": 2, "healthy": 1, "error": 1}
    assert next(iter(counts(rows))) == "dead"
