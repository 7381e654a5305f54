"""Methods that several replace."""

from itertools import permutations

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from gradcheck.accelerate.clipping import Replacement


class Counted:
    def add(self, number):
        return number + 1


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("own", [False, True], ids=["of the class", "of the object"])
def test_replacements_end_in_any_order_and_leave_what_was_there(order, own):
    counted = Counted()
    if own:
        counted.add = lambda number: number + 2
    before = dict(vars(counted))
    replacements = [Replacement(counted, "add", lambda method, number: 10 * method(number)) for _ in range(3)]
    plain = 3 if own else 2
    for left, place in zip((100, 10, 1), order, strict=True):
        assert counted.add(1) == 10 * left * plain
        replacements[place].end()
        assert counted.add(1) == left * plain
    assert vars(counted) == before
