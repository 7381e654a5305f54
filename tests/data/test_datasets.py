import csv
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.data.datasets import DIGITS, FEATURES, DataSpec, load_dataset
from gradcheck.errors import GradcheckError, InputError, OptionError


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


# ---- bad files


def torn(path):
    np.savez(path, x=np.arange(4000.0).reshape(40, 100))
    path.write_bytes(path.read_bytes()[:2000])


def with_member(name, content):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)

    return write


def promising(shape):
    """A .npy whose header promises more than there is."""

    def write(path):
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
            file.write(bytes(800))

    return write


def npz_named_npy(path):
    np.savez(path.with_suffix(".npz"), x=np.eye(3))
    path.with_suffix(".npz").rename(path)


def npy_named_npz(path):
    np.save(path.with_suffix(".npy"), np.eye(3))
    path.with_suffix(".npy").rename(path)


def flagged(at, value):
    """A zip archive whose directory has `value` in byte `at`: 8 says how it is encrypted, 10 how compressed."""

    def write(path):
        np.savez(path, x=np.eye(3))
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\1\2") + at] = value
        path.write_bytes(content)

    return write


def headed(header):
    """A .npy with this header."""
    return raw(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def array(value):
    return lambda path: np.save(path, value)


def arrays(**values):
    return lambda path: np.savez(path, **values)


def text(content):
    return lambda path: path.write_text(content)


def raw(content):
    return lambda path: path.write_bytes(content)


X = np.arange(12.0).reshape(4, 3)
OBJECTS = np.array([[1, "a"], [2, "b"]], dtype=object)

BAD = {
    "no file": ("a.npy", lambda path: None, "no such file"),
    "a folder": ("a.csv", Path.mkdir, "is a folder"),
    "empty npy": ("a.npy", raw(b""), "can't be read as .npy"),
    "empty npz": ("a.npz", raw(b""), "can't be read as .npz"),
    "empty csv": ("a.csv", raw(b""), "is empty"),
    "no examples": ("a.npy", array(np.zeros((0, 3))), "is empty"),
    "no features": ("a.npy", array(np.zeros((3, 0))), "is empty"),
    "only a header": ("a.csv", text("a,b,c\n"), "no examples"),
    "only labels": ("labels.csv", text("0\n1\n"), "is empty"),
    "no dimension": ("a.npy", array(3.0), "shape ()"),
    "one dimension": ("a.npy", array(np.arange(5.0)), "shape (5,)"),
    "one dimension in x": ("a.npz", arrays(x=np.arange(5.0)), "shape (5,)"),
    "ragged": ("a.csv", text("1,2,3\n4,5\n"), "ragged"),
    "words": ("a.csv", text("1,2\n3,four\n"), "not numeric"),
    "a missing cell": ("a.csv", text("1,2\n3,\n"), "not numeric"),
    "semicolons": ("a.csv", text("1;2\n3;4\n"), "not numeric"),
    "not utf-8": ("a.csv", raw(b"\xff\xfe1,2\n"), "can't be read as .csv"),
    "a zero byte": ("a.csv", raw(b"1,2\n\x00,4\n"), "not numeric"),
    "nan": ("a.npy", array([[1.0, 2.0], [np.nan, 3.0]]), "NaN or infinity (first in example 1)"),
    "infinity": ("a.npz", arrays(x=[[1.0, -np.inf]]), "NaN or infinity (first in example 0)"),
    "nan in text": ("a.csv", text("1,2\n3,4\nnan,5\n"), "NaN or infinity (first in example 2)"),
    "text": ("a.npy", array([["a", "b"]]), "real numbers"),
    "complex": ("a.npz", arrays(x=X + 1j), "real numbers"),
    "dates": ("a.npy", array(np.array([["2020-01-01"]], "datetime64[D]")), "real numbers"),
    "pickled": ("a.npy", array(OBJECTS), "pickled"),
    "pickled x": ("a.npz", arrays(x=OBJECTS), "pickled"),
    "pickled labels": ("a.npz", arrays(x=X, y=OBJECTS), "pickled"),
    "a pickle": ("a.npy", raw(b"\x80\x04K\x01."), "pickled"),
    "no x": ("a.npz", arrays(images=X, y=np.arange(4)), "no array x (it has: images, y)"),
    "nothing": ("a.npz", lambda path: zipfile.ZipFile(path, "w").close(), "no array x (it has: nothing)"),
    "no array": ("a.npz", with_member("x", b"hello"), ""),
    "fractional labels": ("a.npz", arrays(x=X, y=[0, 1, 1.5, 2]), "label 1.5 of example 2"),
    "negative labels": ("a.npz", arrays(x=X, y=[0, -1, 1, 2]), "label -1 of example 1"),
    "labels not a number": ("a.npz", arrays(x=X, y=[0, 1, 1, np.nan]), "label nan of example 3"),
    "huge labels": ("a.npz", arrays(x=X, y=[0, 1, 2**40, 2]), "of example 2"),
    "too few labels": ("a.npz", arrays(x=X, y=[0, 1, 2]), "3 labels for 4 examples"),
    "one-hot labels": ("a.npz", arrays(x=X, y=np.eye(4)), "16 labels for 4 examples"),
    "labels in words": ("a.npz", arrays(x=X, y=["a", "b", "c", "d"]), "real numbers"),
    "labels that are no classes": ("labels.csv", text("1,2,0\n3,4,0.25\n"), "label 0.25 of example 1"),
    "all equal": ("a.npy", array(np.full((3, 3), 7.0)), "all values are equal"),
    "all equal but for rounding": ("a.npy", array(np.full((7, 3), 0.1)), "all values are equal"),
    "huge and equal": ("a.npy", array(np.full((7, 3), 1e300)), "all values are equal"),
    "values that overflow": ("a.npy", array([[1.7e308, -1.7e308], [1e308, 0.0]]), "overflow"),
    "promises a little more": ("a.npy", promising((101, 1)), "can't be read as .npy"),
    "promises more than any memory": ("a.npy", promising((10**15, 64)), "can't be read as .npy"),
    "promises more than any number": ("a.npy", promising((10**30, 64)), "can't be read as .npy"),
    "torn": ("a.npz", torn, "can't be read as .npz"),
    "npz named npy": ("a.npy", npz_named_npy, ".npz"),
    "npy named npz": ("a.npz", npy_named_npz, ".npy"),
    "encrypted": ("a.npz", flagged(8, 1), "can't be read as .npz"),
    "compressed in an unknown way": ("a.npz", flagged(10, 99), "can't be read as .npz"),
    "no header": ("a.npy", headed(b"{'descr': '<f8', 'shape': (2"), "can't be read as .npy"),
    "a header of another kind": ("a.npy", headed(b"[1, 2]"), "can't be read as .npy"),
    "other bytes": ("a.npz", raw(b"PK but no archive"), ""),
}


@pytest.mark.parametrize(("name", "write", "problem"), [*BAD.values()], ids=[*BAD])
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path, name, write, problem):
    path = tmp_path / name
    write(path)
    with pytest.raises(InputError) as caught:
        load(path, labels=name == "labels.csv")
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.floats(-1e12, 1e12), st.integers(1, 40), st.integers(1, 40))
def test_constant_data_is_refused_whatever_the_constant(tmp_path_factory, value, examples, features):
    path = tmp_path_factory.getbasetemp() / "constant.npy"
    np.save(path, np.full((examples, features), value))
    with pytest.raises(InputError, match="all values are equal"):
        load(path)


def inputs_unless_refused(path):
    """The inputs of a file, or none if it is refused by its name."""
    try:
        return load(path).inputs
    except GradcheckError as error:
        problem = str(error)
    assert str(path) in problem
    return []


def valid(suffix):
    """The bytes of a small good file."""
    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, X)
    elif suffix == ".npz":
        np.savez(buffer, x=X, y=np.arange(4))
    else:
        buffer.write(b"a,b\n1,2\n3.5,4\n")
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path, suffix):
    good, path = valid(suffix), tmp_path / f"a{suffix}"

    @given(st.integers(0, len(good) - 1), st.binary(max_size=3), st.integers(0, 3))
    def check(at, new, dropped):
        path.write_bytes(good[:at] + new + good[at + dropped :])
        assert np.isfinite(inputs_unless_refused(path)).all()

    check()


@given(st.text("0123456789.,-+eE \n\t\"'abnif_x\ufeff\u0661", max_size=40))
def test_any_text_in_a_csv_is_refused_or_read_but_never_crashes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(content, encoding="utf-8")
    assert np.isfinite(inputs_unless_refused(path)).all()


def test_pickled_objects_are_never_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    np.save(tmp_path / "a.npy", np.array([Harmful()], dtype=object))
    np.savez(tmp_path / "a.npz", x=X, y=np.array([Harmful()], dtype=object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match="pickled"):
            load(tmp_path / name)
    assert not (tmp_path / "harm").exists()


# ---- bad options


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("digit", "did you mean 'digits'?"),
        ("Gaussian", "did you mean 'gaussian'?"),
        ("images.png", ".npy, .npz, .csv"),
        ("", ".csv"),
    ],
)
def test_an_unknown_data_set_is_refused_with_what_is_allowed(name, advice):
    with pytest.raises(OptionError) as caught:
        load_dataset(DataSpec(data=name))
    assert str(caught.value).startswith("--data ")
    assert advice in str(caught.value)


def test_a_batch_larger_than_the_data_is_refused(tmp_path, table):
    np.save(tmp_path / "a.npy", table)
    with pytest.raises(OptionError, match="--batch-size 7 is more than the 6 examples"):
        load_dataset(DataSpec(data=str(tmp_path / "a.npy"), batch_size=7))
    assert load_dataset(DataSpec(data=str(tmp_path / "a.npy"), batch_size=6)).inputs.shape == (6, 4)


@pytest.mark.parametrize("size", [0, -1, 2.5, "8", True])
def test_a_batch_size_is_a_whole_number_from_1(size):
    with pytest.raises(OptionError, match="--batch-size"):
        DataSpec(batch_size=size)


@pytest.mark.parametrize("data", ["digits", "gaussian", "a.npz", "a.npy"])
def test_labels_in_the_last_column_are_for_csv_files_only(data):
    with pytest.raises(OptionError, match=f"--labels names the last column of a .csv file; {data} is none"):
        DataSpec(data=data, labels=True)


def test_the_description_has_every_field():
    assert DataSpec().to_dict() == {"data": "digits", "labels": False, "batch_size": 64, "shuffle": True}
