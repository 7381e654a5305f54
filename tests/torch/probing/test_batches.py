"""Where batches come from, and what is said of those that don't come."""

import pytest

torch = pytest.importorskip("torch")

from gradcheck import GradcheckError  # noqa: E402
from gradcheck.torch.probing.batches import Batches  # noqa: E402


def fails():
    raise ZeroDivisionError("division by zero")


def ends():
    raise StopIteration


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (fails, r"^the function of batches failed: ZeroDivisionError: division by zero"),
        (ends, r"ran out of batches: it has to give 1 at least$"),
        (lambda: None, r"is None: give \(inputs, targets\), or inputs alone$"),
    ],
)
def test_a_function_that_gives_no_batch_is_an_error_in_one_line(batch, said):
    with pytest.raises(GradcheckError, match=said):
        Batches(batch).take(0)


def test_nothing_in_place_of_a_batch_is_said():
    with pytest.raises(GradcheckError, match="is None"):
        Batches(None)


def test_lists_and_tuples_within_a_batch_stay_what_they_are():
    batch = Batches({"shapes": [[(1, 4, 4)]], "sizes": (2, [3])}).take(0)
    assert batch.keywords == {"shapes": [[(1, 4, 4)]], "sizes": (2, [3])}
