"""Where batches come from, and what is said of those that don't come."""

import pytest

torch = pytest.importorskip("torch")

from gradcheck import GradcheckError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402
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


def test_a_batch_that_was_made_in_inference_mode_is_as_good_as_any(models):
    with torch.inference_mode():
        made = models.rows()
    model = models.mlp(depth=2)
    assert probe(model, made, steps=2).layers == probe(model, made.clone(), steps=2).layers


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_a_nested_tensor_is_refused(layout, models):
    nested = torch.nested.nested_tensor([torch.randn(3, 8), torch.randn(5, 8)], layout=layout)
    with pytest.raises(GradcheckError, match="has a nested tensor, whose examples differ in shape: pad them"):
        probe(models.mlp(depth=2), nested)
