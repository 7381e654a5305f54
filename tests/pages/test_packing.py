"""What a page draws is written shorter, and nothing of it is lost."""

from gradcheck.pages.packing import packed

LONG = [float(one) for one in range(100)]


def test_a_list_that_is_used_twice_stands_once_and_comes_back(unpacked):
    data = {"charts": [{"x": LONG, "y": LONG}, {"x": LONG, "y": [None] * 100}], "tables": [{"cells": ["8"] * 100}]}
    short = packed(data)
    assert short["arrays"] == [LONG, {"runs": [[None, 100]]}, {"runs": [["8", 100]]}]
    assert unpacked(short) == data


def test_a_list_that_is_short_or_stands_once_stays_where_it_is():
    data = {"charts": [{"x": LONG, "y": [1, 2, 2]}, {"y": [1, 2, 2]}]}
    assert packed(data) == data | {"arrays": []}


def test_lists_that_look_alike_stay_apart(unpacked):
    data = {"a": [1.0] * 60, "b": ["1.0"] * 60, "c": [1.5, *LONG], "d": [None, *LONG]}
    assert unpacked(packed(data)) == data
