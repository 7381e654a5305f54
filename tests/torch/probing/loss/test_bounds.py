"""What the function at a model's end can give."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cosine_similarity, normalize  # noqa: E402

from gradcheck.torch.probing.loss.bounds import cosines, range_of  # noqa: E402


def drawn(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), requires_grad=True, **options)


@pytest.mark.parametrize("product", [
    lambda a, b: normalize(a, dim=-1) @ normalize(b, dim=-1).T,
    lambda a, b: torch.bmm(normalize(a, dim=-1)[None], normalize(b, dim=-1).T[None]),
    lambda a, b: cosine_similarity(a, b, dim=-1),
    lambda a, b: (normalize(a, dim=-1) * normalize(b, dim=-1)).sum(-1),
])  # fmt: skip
def test_a_cosine_lies_between_minus_one_and_one(product):
    low, high = range_of(product(drawn(5, 8), drawn(5, 8, seed=1)).grad_fn)
    assert (low, high) == pytest.approx((-1, 1), rel=1e-3)


def test_products_of_vectors_of_one_length_lie_between_the_lengths_product():
    product = (3 * normalize(drawn(5, 8), dim=-1)) @ (2 * normalize(drawn(5, 8, seed=1), dim=-1)).T
    assert cosines(product.grad_fn) == pytest.approx((-6, 6), rel=1e-3)


def test_products_of_vectors_of_other_lengths_have_no_bounds():
    assert cosines((drawn(5, 8) @ normalize(drawn(5, 8, seed=1), dim=-1).T).grad_fn) is None


def test_of_two_vectors_one_length_may_be_chance():
    product = normalize(drawn(2, 8), dim=-1) @ normalize(drawn(2, 8, seed=1), dim=-1).T
    assert cosines(product.grad_fn) is None


def test_complex_vectors_have_no_bounds():
    assert cosines((drawn(5, 8, dtype=torch.complex64) @ drawn(8, 5, dtype=torch.complex64)).grad_fn) is None


def test_a_function_with_a_range_has_it():
    assert range_of(drawn(3).sigmoid().grad_fn) == (0, 1)
    assert range_of(drawn(3).relu().grad_fn) == (0, math.inf)
    assert range_of(drawn(3).exp().sin().grad_fn) is None
