"""Numbers in text, read together: each is the float that Python reads, or is left to Python."""

import json
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.logs.decimals import decimals, number_runs

#: Numbers with a point and many digits: half way between two floats, and as near to that as some digits are.
HALVES = st.builds(
    lambda whole, bits, more: f"{whole}.{5**bits:0{bits}d}{more}",
    st.integers(2**52, 10**17), st.integers(1, 2), st.sampled_from(["", "0", "1"]),
)  # fmt: skip

WRITTEN = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e6, 1e6).map(repr),
    st.floats(-100, 100, width=32).map(repr),
    st.builds(lambda value, places: f"{value:.{places}f}", st.floats(-1e4, 1e4), st.integers(0, 18)),
    st.integers(-(10**20), 10**20).map(str),
    st.text("0123456789+-.eE", min_size=1, max_size=8),
    HALVES,
)


def read(texts):
    """What is read of numbers with a word between them, None of what is left out."""
    text = ("".join(f"name{one}: " for one in ["", *texts]) + "x").replace("name", "na me ").encode()
    runs = number_runs(text)
    values, known = decimals(text, runs)
    spans = [text[start:end].decode() for start, end in zip(runs.starts, runs.ends, strict=True)]
    return {span: value if good else None for span, value, good in zip(spans, values.tolist(), known, strict=True)}


@given(st.lists(WRITTEN, max_size=20))
def test_what_is_read_is_to_the_bit_what_json_reads(texts):
    for text, value in read(texts).items():
        if value is not None:
            expected = float(json.loads(text))
            assert struct.pack("d", value) == struct.pack("d", expected) or value == expected == 0


@given(st.lists(st.floats(0.001, 1e4), min_size=200, max_size=200))
def test_nearly_all_numbers_as_python_writes_them_are_read(numbers):
    found = read(list(map(repr, numbers)))
    assert sum(found[repr(one)] is None for one in numbers) <= 6


def test_small_numbers_of_digits_are_always_read():
    texts = ["0", "7", "-3", "0.5", "-0.25", "12345678", "123456789", "1.23456789012", "90071992.54740992", "10.00"]
    assert {text: value for text, value in read(texts).items() if text != "e"} == {one: float(one) for one in texts}


def test_other_texts_than_those_of_json_are_left_to_others():
    texts = [
        "01",
        "+1",
        ".5",
        "1.",
        "-.5",
        "-",
        "1..2",
        "1-2",
        "1e5",
        "--1",
        "1.5.",
        "99999999999999999999",
        "-01",
        "e5",
    ]
    assert set(read(texts).values()) == {None}


def test_a_text_without_numbers_has_none():
    values, known = decimals(b"no x", number_runs(b"no x"))
    assert len(values) == len(known) == 0
    np.testing.assert_array_equal(number_runs(b"a1b").starts, [1])
