"""Files of data that are refused, torn or hostile."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.data.datasets import load_dataset
from gradcheck.errors import GradcheckError, InputError
from gradcheck.spec.data import DataSpec


def load(path, **fields):
    return load_dataset(DataSpec(data=str(path), batch_size=1, **fields))


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
    "values that underflow": ("a.npy", array([[1e-320, -1e-320], [3e-320, 0.0]]), "underflow"),
    "values that overflow": ("a.npy", array([[1.7e308, -1.7e308], [1e308, 0.0]]), "overflow"),
    "promises a little more": ("a.npy", promising((101, 1)), "can't be read as .npy"),
    "promises more than any memory": ("a.npy", promising((10**15, 64)), "can't be read as .npy"),
    "promises more than any number": ("a.npy", promising((10**30, 64)), "can't be read as .npy"),
    "promises so much that NumPy warns": ("a.npy", promising((10**11, 10**8)), "(mmap length"),
    "torn": ("a.npz", torn, "can't be read as .npz"),
    "npz named npy": ("a.npy", npz_named_npy, ".npz"),
    "npy named npz": ("a.npz", npy_named_npz, ".npy"),
    "encrypted": ("a.npz", flagged(8, 1), "can't be read as .npz"),
    "compressed in an unknown way": ("a.npz", flagged(10, 99), "can't be read as .npz"),
    "no header": ("a.npy", headed(b"{'descr': '<f8', 'shape': (2"), "can't be read as .npy"),
    "a header of another kind": ("a.npy", headed(b"[1, 2]"), "can't be read as .npy"),
    "other bytes": ("a.npz", raw(b"PK but no archive"), ""),
}


def refusal(path, **fields):
    """What is said of a file that is refused; nothing of one that is read."""
    try:
        load(path, **fields)
    except InputError as error:
        return str(error)
    return ""


def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path):
    for case, (name, write, problem) in BAD.items():
        path = tmp_path / case / name
        path.parent.mkdir()
        write(path)
        said = refusal(path, labels=name == "labels.csv")
        assert said.startswith(f"{path}: "), case
        assert problem in said, case
        assert "\n" not in said, case


@settings(max_examples=20)
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

    @settings(max_examples=20)
    @given(st.integers(0, len(good) - 1), st.binary(max_size=3), st.integers(0, 3))
    def check(at, new, dropped):
        path.write_bytes(good[:at] + new + good[at + dropped :])
        assert np.isfinite(inputs_unless_refused(path)).all()

    check()


@settings(max_examples=20)
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
