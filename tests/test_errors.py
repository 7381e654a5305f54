import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import (
    CallError,
    GradcheckError,
    InputError,
    MissingExtraError,
    OptionError,
    OutputError,
    at_least,
    did_you_mean,
    finite,
    folded,
    one_of,
)

ERRORS = [
    OptionError("weight_std", "is wrong"),
    InputError("data.csv", "is wrong"),
    OutputError("out.json", "is wrong"),
    MissingExtraError("model.safetensors", "safetensors", "safetensors"),
    CallError("simulate", "has no option 'depht'"),
]


def test_every_error_is_a_gradcheck_error_and_the_builtin_one_that_it_specialises():
    for error, builtin in (*zip(ERRORS, [ValueError, ValueError, OSError, ImportError, TypeError], strict=True),):
        assert isinstance(error, GradcheckError), error
        assert isinstance(error, builtin), error


def test_an_error_survives_the_way_to_another_process():
    for error in ERRORS:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error), error
        assert str(copy) == str(error), error
        assert vars(copy) == vars(error), error


def test_an_option_error_names_the_option():
    error = OptionError("weight_std", "is wrong")
    assert str(error) == "weight_std is wrong"
    assert error.typed() == "--weight-std is wrong"
    assert error.option == "weight_std"


@pytest.mark.parametrize("kind", [InputError, OutputError])
def test_a_file_error_names_the_file(kind):
    error = kind("some/file", "is wrong")
    assert str(error) == "some/file: is wrong"
    assert error.path == "some/file"


def test_a_missing_extra_says_what_to_type():
    assert "pip install safetensors" in str(MissingExtraError("model", "safetensors", "safetensors"))


# ---- names


def test_one_of_returns_what_is_allowed():
    assert one_of("norm", "rms", ("none", "rms")) == "rms"


def test_all_names_that_begin_so_are_asked_after_if_they_are_few():
    formats = ("fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "mxfp8")
    assert did_you_mean("FP8", formats) == "did you mean 'fp8-e4m3' or 'fp8-e5m2'? "
    assert did_you_mean("f", formats) == ""
    assert did_you_mean("run", [f"run{number}" for number in range(9)]).count("run") == 1


def test_one_of_names_the_nearest_all_that_is_allowed_and_what_is_beside():
    with pytest.raises(OptionError) as caught:
        one_of("data", "digit", ("digits", "gaussian"), beside=", or a file")
    assert str(caught.value) == ("data='digit' is unknown; did you mean 'digits'? allowed: digits, gaussian, or a file")


@given(st.text())
def test_any_other_text_is_refused_with_the_list_of_names(text):
    if folded(text) in ("none", "rms"):
        return
    with pytest.raises(OptionError, match="allowed: none, rms"):
        one_of("norm", text, (name for name in ("none", "rms")))


# ---- whole numbers


@given(st.integers(), st.integers())
def test_at_least_takes_whole_numbers_from_its_bound_on(value, low):
    if value >= low:
        assert at_least("depth", value, low, "reason") == value
        return
    with pytest.raises(OptionError, match=f"{value} is not a whole number of at least {low}: reason"):
        at_least("depth", value, low, "reason")


@pytest.mark.parametrize("value", [True, 2.0, math.nan, math.inf, "2", None, [2], 2 + 0j])
def test_at_least_refuses_what_is_no_whole_number(value):
    with pytest.raises(OptionError, match=r"depth=.* is not a whole number"):
        at_least("depth", value, 1, "reason")


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3)])
def test_at_least_takes_numpys_whole_numbers_and_returns_plain_ones(value):
    plain = at_least("depth", value, 1, "reason")
    assert type(plain) is int
    assert plain == 3


# ---- numbers


@given(st.floats(), st.floats(-1e6, 1e6))
def test_finite_takes_finite_numbers_from_its_bound_on(value, low):
    if math.isfinite(value) and value >= low:
        assert finite("gain", value, "reason", low=low) == value
        return
    with pytest.raises(OptionError, match=r"is not a finite number of at least .*: reason"):
        finite("gain", value, "reason", low=low)


@given(st.floats(), st.floats(-1e6, 1e6))
def test_finite_excludes_the_number_that_it_must_be_above(value, above):
    if math.isfinite(value) and value > above:
        assert finite("gain", value, "reason", above=above) == value
        return
    with pytest.raises(OptionError, match=r"is not a finite number above .*: reason"):
        finite("gain", value, "reason", above=above)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "large", None, [1.0], 1j])
def test_finite_refuses_what_is_no_finite_number(value):
    with pytest.raises(OptionError, match=r"gain=.* is not a finite number: reason"):
        finite("gain", value, "reason")


@pytest.mark.parametrize("value", [3, np.float32(3), np.int64(3)])
def test_finite_returns_a_plain_float(value):
    assert type(finite("gain", value, "reason")) is float


# ---- two ways to speak


@pytest.mark.parametrize(
    ("typed", "spoken"),
    [
        ("--depth '5' is wrong", "depth='5' is wrong"),
        ("--weight-std goes with --init normal only", "weight_std goes with init normal only"),
        ("drop --seeds 3, or take --no-tied", "drop seeds=3, or take tied=False"),
        ("is 3: use --seed N --seeds 1", "is 3: use seed=N seeds=1"),
        ("to read it type gradcheck simulate --depth 5", "to read it type gradcheck simulate --depth 5"),
        ("say --column loss=train/nll", "say columns={'loss': 'train/nll'}"),
        ("'--depth' is unknown", "'--depth' is unknown"),
        ("a -- b, x--depth", "a -- b, x--depth"),
    ],
)
def test_what_is_typed_on_the_command_line_is_said_in_the_words_of_python(typed, spoken):
    error = GradcheckError(typed)
    assert error.typed() == typed
    assert str(error) == spoken


def test_a_files_name_is_kept_whatever_it_looks_like():
    assert str(InputError("a --depth 5.csv", "needs --labels")) == "a --depth 5.csv: needs labels"
    assert InputError("a --depth 5.csv", "needs --labels").typed() == "a --depth 5.csv: needs --labels"


def test_a_long_value_is_cut_and_stays_on_one_line():
    with pytest.raises(OptionError) as caught:
        at_least("depth", ["a\nb"] * 100, 1, "reason")
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
