import numpy as np
import pytest

from gradcheck.engine.initializers import haar_frame
from gradcheck.engine.subspaces import gram_root, orthonormalised, row_space, triangular_roots

N = 40
POWERS = 10.0 ** -np.arange(0, 14, 2)[:, None]


def gaussian(*shape, seed=7):
    return np.random.default_rng(seed).standard_normal(shape)


def nearly_alike(distance, examples=6):
    """Examples that differ by `distance` of their length."""
    return gaussian(1, N, seed=1) + distance * gaussian(examples, N)


#: x, and its rank once each example has been brought to one length.
BATCHES = {
    "a few examples": (gaussian(7, N), 7),
    "a batch of one": (gaussian(1, N), 1),
    "one feature": (gaussian(5, 1), 1),
    "two identical examples": (gaussian(4, N)[[0, 1, 1, 2, 3]], 4),
    "identical examples only": (gaussian(1, N)[[0, 0, 0]], 1),
    "opposite examples": (gaussian(2, N)[[0, 1, 0]] * [[1], [1], [-2]], 2),
    "a sum of the others": (np.vstack([gaussian(4, N), gaussian(4, N).sum(0)]), 4),
    "zeros among others": (gaussian(6, N) * [[1], [0], [1], [1], [0], [1]], 4),
    "zeros only": (np.zeros((3, N)), 0),
    "as many examples as features": (gaussian(N, N), N),
    "more examples than features": (gaussian(3 * N, N), N),
    "many more examples than features": (gaussian(600, 20), 20),
    "positive, more examples than features": (np.random.default_rng(3).uniform(1, 2, (3 * N, N)), N),
    "lengths of 1 to 1e-12": (gaussian(7, N) * POWERS, 7),
    "lengths of 1e-12 beside 1": (gaussian(6, N) * [[1], [1e-12], [1], [1e-12], [1e-12], [1]], 6),
    "alike up to 1e-3": (nearly_alike(1e-3), 6),
    "alike up to 1e-6": (nearly_alike(1e-6), 6),
    "alike up to 1e-9": (nearly_alike(1e-9), 6),
    "a pair alike up to 1e-9": (np.vstack([gaussian(4, N, seed=2), nearly_alike(0, 1), nearly_alike(1e-9, 1)]), 6),
    "features of 1 to 1e-12": (gaussian(7, 7) @ np.diag(POWERS[:, 0]), 7),
    "entries of 1e200": (1e200 * gaussian(5, N), 5),
    "entries of 1e-200": (1e-200 * gaussian(5, N), 5),
}


@pytest.fixture(scope="module")
def reduced():
    """x ↦ its examples, each divided by its largest entry; zeros as they are."""

    def examples(x):
        largest = np.abs(x).max(1, keepdims=True)
        return x.astype(float) / np.where(largest > 0, largest, 1)

    return examples


@pytest.fixture(scope="module")
def off_orthonormal():
    """Rows ↦ how far their Gram matrix is from the identity."""

    def error(rows):
        wide = rows.astype(float)
        return float(np.abs(wide @ wide.T - np.eye(len(rows))).max(initial=0))

    return error


def test_coordinates_times_basis_are_the_batch(relative_error):
    for name, (x, _) in BATCHES.items():
        C, Q, _ = row_space(x)
        lengths = np.abs(x).max(1, keepdims=True)
        for example, again, length in zip(x, C @ Q, lengths, strict=True):
            assert relative_error(again / (length or 1), example / (length or 1)) < 1e-12, name


def test_the_basis_is_orthonormal(off_orthonormal):
    for name, (x, _) in BATCHES.items():
        assert off_orthonormal(row_space(x)[1]) < 1e-9, name


def test_the_rank_is_that_of_singular_values(reduced):
    for name, (x, rank) in BATCHES.items():
        C, Q, _ = row_space(x)
        assert C.shape == (len(x), rank), name
        assert Q.shape == (rank, x.shape[1]), name
        assert np.linalg.matrix_rank(reduced(x), tol=1e-12) == rank, name


def test_the_span_is_that_of_singular_vectors(reduced):
    """Both ways: the basis lies in the examples' space and as many singular vectors lie in its own."""
    for name, (x, rank) in BATCHES.items():
        Q = row_space(x)[1]
        vectors = np.linalg.svd(reduced(x), full_matrices=False)[2][:rank]
        blurred = 1e-14 / min(1.0, np.linalg.svd(reduced(x), compute_uv=False)[rank - 1]) if rank else 0
        np.testing.assert_allclose(Q - Q @ vectors.T @ vectors, 0, atol=1e-11 + 100 * blurred, err_msg=name)
        np.testing.assert_allclose(vectors - vectors @ Q.T @ Q, 0, atol=1e-11 + 100 * blurred, err_msg=name)


@pytest.mark.parametrize("distance", [1e-4, 1e-7, 1e-10, 1e-12])
def test_the_difference_of_two_examples_that_are_all_but_alike_is_found(distance, relative_error):
    common, other = gaussian(2, N)
    x = np.stack([common, common + distance * other])
    C, Q, _ = row_space(x)
    assert len(Q) == 2
    difference = x[1] - x[0]
    assert relative_error((C[1] - C[0]) @ Q, difference) < max(1e-13, 1e-14 / distance)


def test_what_two_examples_differ_by_in_the_last_digits_is_rounding():
    common, other = gaussian(2, N)
    assert len(row_space(np.stack([common, common * (1 + 1e-15 * other)]))[1]) == 1


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize(("distance", "rank"), [(1.0, 6), (1e-2, 6), (0.0, 1)])
def test_single_precision_stays_single_and_has_its_own_rounding(size, distance, rank, off_orthonormal, relative_error):
    x = (size * nearly_alike(distance)).astype(np.float32)
    C, Q, _ = row_space(x)
    assert (C.dtype, Q.dtype, len(Q)) == (np.float32, np.float32, rank)
    assert relative_error((C / size) @ Q, x / size) < 1e-6
    assert off_orthonormal(Q) < 1e-5


def test_the_batch_is_left_alone():
    x = nearly_alike(1e-7)
    row_space(x), gram_root(x), orthonormalised(x, against=np.eye(3, N))
    np.testing.assert_array_equal(x, nearly_alike(1e-7))


# ---- gram_root


def test_a_gram_root_has_the_gram_matrix_of_the_batch():
    for name, (x, _) in BATCHES.items():
        size = np.abs(x).max() or 1.0
        C, x = gram_root(x) / size, x / size
        lengths = np.linalg.norm(x, axis=1)
        off = np.abs(C @ C.T - x @ x.T) / np.where(lengths > 0, lengths, 1) / np.where(lengths > 0, lengths, 1)[:, None]
        assert off.max() < 1e-14 * len(x) + 1e-13, name


def test_an_example_of_zeros_is_exactly_zero_in_a_gram_root():
    """A dead example among others: what is drawn for it would not be zero otherwise."""
    x = gaussian(6, N) * [[1], [0], [1], [1], [0], [1]]
    for root in (gram_root(x), row_space(x, beside=x)[0], row_space(x, beside=x + 1)[0]):
        np.testing.assert_array_equal(root.any(axis=1), x.any(axis=1))


def test_what_is_rounding_beside_another_batch_is_left_out():
    x = gaussian(4, N)
    assert row_space(x, beside=x)[0].shape == (4, 4)
    assert row_space(1e-15 * x)[0].shape == gram_root(1e-15 * x).shape == (4, 4)
    assert row_space(1e-15 * x, beside=x)[0].shape == (4, 0)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_a_batch_beside_itself_has_no_more_directions_than_its_rank(rank):
    """The frame that is drawn for it has to fit into what is left of the space."""
    x = gaussian(12, rank) @ gaussian(rank, N, seed=8)
    C, *_ = row_space(x, beside=x)
    assert C.shape == (12, rank)
    np.testing.assert_allclose(C @ C.T, x @ x.T, rtol=1e-12, atol=1e-12)


def test_of_more_directions_than_there_is_room_for_the_largest_are_kept():
    x = np.diag([3.0, 1.0, 2.0]) @ np.eye(3, N)
    C, Q, _ = row_space(x, beside=np.full((3, N), 1.0), most=2)
    np.testing.assert_allclose(C @ Q, np.diag([3.0, 0.0, 2.0]) @ np.eye(3, N), atol=1e-12)


@pytest.mark.parametrize("size", [1e-250, 1e-160, 1.0, 1e160, 1e250])
def test_a_batch_beside_another_has_its_size(size):
    x = gaussian(3, N)
    C, *_ = row_space(size * x, beside=size * gaussian(3, N, seed=8))
    np.testing.assert_allclose((C / size) @ (C / size).T, x @ x.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-250, 1.0, 1e250])
def test_nothing_beside_anything_has_no_directions(size):
    assert row_space(np.zeros((3, 4)), beside=np.full((3, 4), size))[0].shape == (3, 0)
    assert not gram_root(np.zeros((3, 4))).any()


def test_a_gram_root_of_single_precision_is_single():
    x = gaussian(4, N).astype(np.float32)
    C = gram_root(x)
    assert C.dtype == np.float32
    np.testing.assert_allclose(C @ C.T, x @ x.T, rtol=1e-5, atol=1e-5)


# ---- orthonormalised


@pytest.mark.parametrize("rows", [0, 1, 5, N - 1, N])
def test_a_frame_is_orthonormal_and_spans_what_it_is_made_of(rows, off_orthonormal, relative_error):
    x = gaussian(rows, N)
    frame = orthonormalised(x)
    assert frame.shape == (rows, N)
    assert off_orthonormal(frame) < 1e-12
    assert relative_error((x @ frame.T) @ frame, x) < 1e-12


@pytest.mark.parametrize("rows", [1, 5, N - 1])
def test_the_frame_is_the_nearest_one(rows):
    """The orthogonal factor of the polar decomposition: U Vᵀ of the singular value decomposition."""
    x = gaussian(rows, N)
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(orthonormalised(x), u @ vt, atol=1e-9)


@pytest.mark.parametrize(("rows", "against"), [(1, 1), (3, 7), (N - 7, 7), (1, N - 1), (0, 4), (5, 0)])
def test_a_frame_is_orthogonal_to_what_it_is_taken_against(rows, against, off_orthonormal):
    others = haar_frame(np.random.default_rng(3), against, N) if against else np.empty((0, N))
    frame = orthonormalised(gaussian(rows, N), against=others)
    assert frame.shape == (rows, N)
    assert off_orthonormal(np.vstack([others, frame])) < 1e-12


@pytest.mark.parametrize("smallest", [1e-1, 1e-4, 1e-7])
def test_a_frame_of_rows_that_are_nearly_dependent_is_orthonormal_all_the_same(smallest, off_orthonormal):
    generator = np.random.default_rng(5)
    turned = haar_frame(generator, 6, 6) * np.geomspace(1, smallest, 6)
    assert off_orthonormal(orthonormalised(turned @ haar_frame(generator, 6, N))) < 1e-12


def test_a_frame_of_single_precision_is_single(off_orthonormal):
    frame = orthonormalised(gaussian(N, N).astype(np.float32), against=np.empty((0, N), np.float32))
    assert frame.dtype == np.float32
    assert off_orthonormal(frame) < 1e-4


@pytest.mark.parametrize(
    ("rows", "n"), [(2, 4), (4, 4), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((1, 3), (3, 12)))]
)
def test_entries_of_frames_of_normal_numbers_are_distributed_as_those_of_a_qr(rows, n, ks_p_value):
    generator = np.random.default_rng(11)
    ours = np.array([orthonormalised(generator.standard_normal((rows, n))) for _ in range(1500)])
    theirs = np.array([haar_frame(generator, rows, n) for _ in range(1500)])
    for row, column in {(0, 0), (rows - 1, n - 1), (rows - 1, 0)}:
        assert ks_p_value(ours[:, row, column], theirs[:, row, column]) > 1e-3
    if rows > 1:  # two rows know of each other
        assert ks_p_value(ours[:, 0, 0] * ours[:, 1, 0], theirs[:, 0, 0] * theirs[:, 1, 0]) > 1e-3


def test_frames_in_a_complement_are_uniform_there(ks_p_value):
    generator = np.random.default_rng(12)
    whole = haar_frame(generator, 5, 5)
    against, rest = whole[:2], whole[2:]
    ours = np.array([orthonormalised(generator.standard_normal((2, 5)), against) @ rest.T for _ in range(1500)])
    theirs = np.array([haar_frame(generator, 2, 3) for _ in range(1500)])
    for row, column in [(0, 0), (0, 2), (1, 1)]:
        assert ks_p_value(ours[:, row, column], theirs[:, row, column]) > 1e-3


# ---- triangular_roots


@pytest.mark.parametrize("lengths", [1.0, POWERS], ids=["alike", "1 to 1e-12"])
def test_triangular_roots_make_an_orthonormal_basis(lengths, off_orthonormal):
    x = gaussian(7, N) * lengths
    C, inverse = triangular_roots(x)
    assert (np.triu(C, 1) == 0).all()
    np.testing.assert_allclose(C @ (inverse @ x), x, rtol=1e-11, atol=1e-11 * np.abs(x).max(1).min())
    assert off_orthonormal(inverse @ x) < 1e-12


@pytest.mark.parametrize(
    "name", ["two identical examples", "a sum of the others", "zeros among others", "alike up to 1e-6", "one feature"]
)
def test_dependent_examples_have_no_triangular_roots(name):
    assert triangular_roots(BATCHES[name][0]) is None
