import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.data.datasets import DIGITS, FEATURES, load_dataset
from gradcheck.errors import OptionError
from gradcheck.spec.data import DataSpec


@pytest.fixture(scope="module")
def digits():
    return load_dataset(DataSpec())


@pytest.fixture
def table(rng):
    return rng.integers(0, 100, (6, 4)).astype(float)


def load(path, **fields):
    return load_dataset(DataSpec(data=str(path), batch_size=1, **fields))


def standardised(array):
    flat = np.asarray(array, float).reshape(len(array), -1)
    return (flat - flat.mean()) / flat.std()


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


# ---- digits


def test_digits_are_1797_images_of_64_pixels_with_labels_0_to_9(digits):
    assert digits.inputs.shape == (1797, 64)
    assert digits.labels.shape == (1797,)
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # the UCI page's
    assert (digits.features, digits.outputs) == (64, 10)


def test_the_shipped_file_is_below_100_kilobytes():
    assert DIGITS.stat().st_size < 100_000


def test_digits_are_scikit_learns_copy():
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    with np.load(DIGITS) as shipped:
        np.testing.assert_array_equal(shipped["x"], images)
        np.testing.assert_array_equal(shipped["y"], labels)


def test_inputs_have_one_global_mean_of_0_and_one_global_standard_deviation_of_1(digits):
    assert digits.inputs.mean() == pytest.approx(0, abs=1e-12)
    assert np.square(digits.inputs).mean() == pytest.approx(1, rel=1e-12)
    assert abs(digits.inputs.mean(0)).max() > 0.5  # a pixel keeps its own mean
    assert len(np.unique(digits.inputs)) == 17  # and its 17 grey levels


# ---- batches


def test_a_seed_picks_its_batch_and_picks_it_again(digits):
    spec = DataSpec(batch_size=32)
    first, again, other = (digits.batch(spec, seed, "float64") for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.inputs, other.inputs)


def test_a_batch_holds_different_examples_each_with_its_own_label(digits):
    batch = digits.batch(DataSpec(batch_size=200), 3, "float64")
    label_of = {row.tobytes(): label for row, label in zip(digits.inputs, digits.labels, strict=True)}
    assert len({row.tobytes() for row in batch.inputs}) == 200
    assert [label_of[row.tobytes()] for row in batch.inputs] == batch.labels.tolist()


def test_without_a_shuffle_the_batch_is_the_first_examples_whatever_the_seed(digits):
    for seed in (0, 9):
        batch = digits.batch(DataSpec(batch_size=5, shuffle=False), seed, "float64")
        np.testing.assert_array_equal(batch.inputs, digits.inputs[:5])
        assert batch.labels.tolist() == [0, 1, 2, 3, 4]


def test_a_batch_of_all_examples_is_a_permutation_of_them(digits):
    batch = digits.batch(DataSpec(batch_size=1797), 0, "float64")
    np.testing.assert_array_equal(np.sort(batch.labels), np.sort(digits.labels))
    assert not np.array_equal(batch.labels, digits.labels)


@pytest.mark.parametrize("data", ["digits", "gaussian"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_batch_has_the_type_asked_for(data, dtype):
    spec = DataSpec(data=data)
    assert load_dataset(spec).batch(spec, 0, dtype).inputs.dtype == dtype


def test_gaussian_is_drawn_anew_for_each_seed_and_has_no_labels():
    spec = DataSpec(data="gaussian", batch_size=4000)  # more than the digits: there is no end to it
    dataset = load_dataset(spec)
    batch, other = (dataset.batch(spec, seed, "float64") for seed in (0, 1))
    assert batch.labels is None
    assert batch.inputs.shape == (4000, FEATURES)
    assert (dataset.features, dataset.outputs) == (FEATURES, 10)
    assert not np.isin(batch.inputs, other.inputs).any()
    assert batch.inputs.mean() == pytest.approx(0, abs=4 / np.sqrt(batch.inputs.size))
    assert batch.inputs.var() == pytest.approx(1, abs=4 * np.sqrt(2 / batch.inputs.size))


# ---- the user's files


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8", "int64", "bool"])
def test_a_npy_holds_examples_of_any_real_kind(tmp_path, table, dtype):
    np.save(tmp_path / "a.npy", (table > 40 if dtype == "bool" else table).astype(dtype))
    expected = standardised(table > 40 if dtype == "bool" else table)
    dataset = load(tmp_path / "a.npy")
    np.testing.assert_allclose(dataset.inputs, expected, rtol=1e-12)
    assert dataset.labels is None
    assert dataset.outputs == 10


def test_images_are_flattened(tmp_path, rng):
    images = rng.integers(0, 255, (5, 8, 6, 3))
    np.save(tmp_path / "images.npy", images)
    dataset = load(tmp_path / "images.npy")
    assert dataset.features == 144
    np.testing.assert_allclose(dataset.inputs, standardised(images), rtol=1e-12)


def test_a_npz_holds_examples_in_x_and_labels_in_y(tmp_path, table):
    dataset = load(saved(tmp_path / "a.npz", x=table, y=np.array([0, 1, 2, 2, 1, 6]), z=np.zeros(3)))
    np.testing.assert_allclose(dataset.inputs, standardised(table), rtol=1e-12)
    assert dataset.labels.tolist() == [0, 1, 2, 2, 1, 6]
    assert dataset.outputs == 7


def test_a_npz_may_have_no_labels(tmp_path, table):
    assert load(saved(tmp_path / "a.npz", x=table)).labels is None


@pytest.mark.parametrize("labels", [np.ones(6), np.ones((6, 1), np.uint8), np.ones(6, bool)])
def test_labels_may_be_a_column_and_of_any_real_kind(tmp_path, table, labels):
    dataset = load(saved(tmp_path / "a.npz", x=table, y=labels))
    assert dataset.labels.tolist() == [1] * 6


def test_labels_of_one_class_only_still_give_two_outputs(tmp_path, table):
    assert load(saved(tmp_path / "a.npz", x=table, y=np.zeros(6))).outputs == 2


@pytest.mark.parametrize("header", ["", "a,b,c,d\n", '"width","height","x","y"\n', "\ufeffa,b,c,d\n", "\ufeff"])
def test_a_csv_may_have_a_header_or_none(tmp_path, table, header):
    text = header + "".join(",".join(map(str, row)) + "\n" for row in table)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    np.testing.assert_allclose(load(tmp_path / "a.csv").inputs, standardised(table), rtol=1e-12)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_a_csv_may_have_any_line_ends_blank_lines_and_none_at_its_end(tmp_path, end):
    (tmp_path / "a.csv").write_bytes(end.join(["1,2", "3,4", "5,6"]).encode())
    np.testing.assert_allclose(load(tmp_path / "a.csv").inputs, standardised([[1, 2], [3, 4], [5, 6]]), rtol=1e-12)


def test_a_csv_may_begin_with_a_blank_line(tmp_path):
    (tmp_path / "a.csv").write_text("\n1,2\n3,4\n")
    assert load(tmp_path / "a.csv").inputs.shape == (2, 2)


def test_the_last_column_of_a_csv_holds_the_labels_if_asked(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,label\n1,2,0\n3,4,1\n5,6,1\n")
    dataset = load(tmp_path / "a.csv", labels=True)
    np.testing.assert_allclose(dataset.inputs, standardised([[1, 2], [3, 4], [5, 6]]), rtol=1e-12)
    assert dataset.labels.tolist() == [0, 1, 1]
    assert load(tmp_path / "a.csv").features == 3


def test_a_suffix_in_capitals_is_the_same(tmp_path, table):
    np.save(tmp_path / "a.npy", table)
    capitals = (tmp_path / "a.npy").rename(tmp_path / "A.NPY")
    assert load(capitals).features == 4


@settings(max_examples=20)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=2, max_size=9).filter(lambda rows: np.ptp(rows) > 1))
def test_csv_npy_and_npz_of_the_same_numbers_give_the_same_examples(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    with (folder / "same.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    np.save(folder / "same.npy", rows)
    np.savez(folder / "same.npz", x=rows)
    first, *others = (load(folder / name).inputs for name in ("same.npy", "same.npz", "same.csv"))
    np.testing.assert_allclose(first, standardised(rows), rtol=1e-9, atol=1e-9)
    for other in others:
        np.testing.assert_array_equal(other, first)


# ---- bad options


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("digit", "did you mean 'digits'?"),
        ("Gausian", "did you mean 'gaussian'?"),
        ("images.png", ".npy, .npz, .csv"),
        ("", ".csv"),
    ],
)
def test_an_unknown_data_set_is_refused_with_what_is_allowed(name, advice):
    with pytest.raises(OptionError) as caught:
        load_dataset(DataSpec(data=name))
    assert str(caught.value).startswith("data=")
    assert advice in str(caught.value)


def test_a_batch_larger_than_the_data_is_refused(tmp_path, table):
    np.save(tmp_path / "a.npy", table)
    with pytest.raises(OptionError, match="batch_size=7 is more than the 6 examples"):
        load_dataset(DataSpec(data=str(tmp_path / "a.npy"), batch_size=7))
    assert load_dataset(DataSpec(data=str(tmp_path / "a.npy"), batch_size=6)).inputs.shape == (6, 4)


@pytest.mark.parametrize("size", [0, -1, 2.5, "8", True])
def test_a_batch_size_is_a_whole_number_from_1(size):
    with pytest.raises(OptionError, match="batch_size"):
        DataSpec(batch_size=size)


@pytest.mark.parametrize("data", ["digits", "gaussian", "a.npz", "a.npy"])
def test_labels_in_the_last_column_are_for_csv_files_only(data):
    with pytest.raises(OptionError, match=f"labels names the last column of a .csv file; {data} is none"):
        DataSpec(data=data, labels=True)


def test_the_description_has_every_field():
    assert DataSpec().to_dict() == {"data": "digits", "labels": False, "batch_size": 64, "shuffle": True}
