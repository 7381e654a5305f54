"""Casts to formats of low precision, against those of ml_dtypes: from float32, which that rounds once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.engine.initializers import Law
from gradcheck.engine.linear import Beside, Dense
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.network import weightless_maps
from gradcheck.engine.number_formats import FORMATS, SCALES, Counts, counts, lost_updates, rounded, tensor_scale
from gradcheck.flow.number_formats import weight_rows

ml_dtypes = pytest.importorskip("ml_dtypes")

CASTS = {
    "fp16": np.float16, "bf16": ml_dtypes.bfloat16, "fp8-e4m3": ml_dtypes.float8_e4m3fn,
    "fp8-e5m2": ml_dtypes.float8_e5m2,
}  # fmt: skip

every_format = pytest.mark.parametrize("name", CASTS)

TENSORS = st.builds(
    lambda seed, rows, columns, decades, size: np.float32(
        10.0**size * np.random.default_rng(seed).standard_normal((rows, columns))
        * 10.0 ** np.random.default_rng(seed + 1).uniform(-decades, 0, (rows, columns))
    ),
    st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 70), st.floats(0, 12), st.floats(-12, 12),
)  # fmt: skip


def cast(values, name):
    with np.errstate(all="ignore"):
        return np.float32(values).astype(CASTS[name]).astype(np.float64)


def counted(values, form, made):
    """What a cast did to values, by looking at what it made of them."""
    size = np.abs(made)
    alive = values != 0
    return Counts(
        int(alive.sum()),
        int((alive & (size == 0)).sum()),
        int(((size > 0) & (size < form.smallest_normal)).sum()),
        int((~np.isfinite(made)).sum()),
    )


def every_number(name):
    """All finite numbers of a format from zero on."""
    dtype = np.dtype(CASTS[name])
    codes = np.arange(2 ** (8 * dtype.itemsize - 1), dtype=f"u{dtype.itemsize}")
    with np.errstate(all="ignore"):
        numbers = codes.view(dtype).astype(np.float64)
    return numbers[np.isfinite(numbers)]


@every_format
def test_a_format_ends_where_its_numbers_do(name):
    numbers, form = every_number(name), FORMATS[name]
    info = ml_dtypes.finfo(CASTS[name])
    assert form.largest == numbers.max() == float(info.max)
    assert form.smallest_subnormal == numbers[1] == float(info.smallest_subnormal)
    assert form.smallest_normal == float(info.smallest_normal)


@every_format
def test_each_number_of_a_format_halfway_points_and_their_neighbours_are_cast_alike(name):
    numbers, form = every_number(name), FORMATS[name]
    spacing = numbers[-1] - numbers[-2]
    halfway = np.float32((numbers + np.append(numbers[1:], numbers[-1] + spacing)) / 2)
    sides = np.nextafter(halfway, np.float32(0)), np.nextafter(halfway, np.float32(np.inf))
    for values in (np.float32(numbers), halfway, *sides):
        made, finite = cast(values, name), np.isfinite(cast(values, name))
        assert np.array_equal(rounded(np.float64(values), form)[finite], made[finite])
        ends = [slice(0, 2**form.precision), slice(-4, None)]  # from zero to normal numbers, and where it ends
        for one in (value for end in ends for value in values[end]):
            single = np.array([[one]], np.float64)
            assert counts(Scaled(single), form) == counted(single, form, cast(single, name)), one


@every_format
@given(TENSORS, st.integers(-20, 20))
def test_counts_are_those_of_the_cast(name, tensor, scale):
    form, values = FORMATS[name], np.ldexp(tensor, scale)
    assert counts(Scaled(tensor), form, scale) == counted(values, form, cast(values, name))
    assert counts(Scaled(tensor, scale), form) == counts(Scaled(tensor), form, scale)


@every_format
@given(TENSORS)
def test_the_scale_of_a_tensor_is_the_largest_power_of_two_that_keeps_its_largest_entry(name, tensor):
    form, scale = FORMATS[name], tensor_scale(Scaled(tensor), FORMATS[name])
    largest = float(np.abs(np.float64(tensor)).max())
    if not largest or not SCALES[0] < scale < SCALES[1]:
        return
    assert math.ldexp(largest, scale) <= form.largest < math.ldexp(largest, scale + 1)
    assert tensor_scale(Scaled(tensor, 7), form) == scale - 7


def mx_cast(tensor):
    """The conversion of the OCP Microscaling specification, block by block, with E8M0 scales and E4M3 elements."""
    made = np.zeros(tensor.shape)
    for row, start in np.ndindex(len(tensor), -(-tensor.shape[1] // 32)):
        block = np.float64(tensor[row, 32 * start : 32 * start + 32])
        largest = np.abs(block).max()
        if largest:
            exponent = np.clip(math.floor(math.log2(largest)) - 8, -127, 127)
            scale = float(np.float32(2.0**exponent).astype(ml_dtypes.float8_e8m0fnu))
            made[row, 32 * start : 32 * start + 32] = cast(block / scale, "fp8-e4m3")
    return made


@given(TENSORS)
def test_counts_of_blocks_are_those_of_the_specifications_conversion(tensor):
    assert counts(Scaled(tensor), FORMATS["mxfp8"]) == counted(tensor, FORMATS["mxfp8"], mx_cast(tensor))


def test_a_block_may_lose_its_largest_entries_and_a_scaled_tensor_none():
    block = np.full((1, 32), 1.9)
    assert counts(Scaled(block), FORMATS["mxfp8"]) == Counts(32, 0, 0, 32)
    scale = tensor_scale(Scaled(block), FORMATS["fp8-e4m3"])
    assert counts(Scaled(block), FORMATS["fp8-e4m3"], scale) == Counts(32, 0, 0, 0)


@pytest.mark.parametrize("exponent", [-5000, -1100, 1100, 5000])
@pytest.mark.parametrize("name", FORMATS)
def test_tensors_beyond_the_range_of_floats_are_lost_whole(name, exponent):
    tensor = Scaled(np.array([[0.0, 0.75, -1.5]]), exponent)
    assert counts(tensor, FORMATS[name]) == (Counts(2, 2, 0, 0) if exponent < 0 else Counts(2, 0, 0, 2))


@given(TENSORS, st.floats(-6, 1), st.integers(-10, 10))
def test_updates_lost_are_those_that_leave_a_weight_of_ml_dtypes_as_it_was(tensor, decades, exponent):
    rng, rate = np.random.default_rng(0), 10.0**decades
    weights = np.float32(rng.standard_normal(tensor.shape) * np.abs(tensor).max())
    kept = weights.astype(ml_dtypes.bfloat16)
    step = np.ldexp(rate * np.float64(tensor), exponent)
    after = np.float32(np.float64(kept) - step)
    clear = np.float64(after) == np.float64(kept) - step  # ml_dtypes rounds float64 twice: to float32 first
    weights, tensor = np.where(clear, weights, 0), np.where(clear, tensor, 0)
    stays = after.astype(ml_dtypes.bfloat16) == kept
    found = lost_updates(weights, Scaled(tensor, exponent), rate, FORMATS["bf16"])
    assert found == (int((stays & (tensor != 0)).sum()), int((tensor != 0).sum()))


@pytest.mark.parametrize(("step", "lost"), [(2**-9, 1), (2**-9 + 2**-40, 0), (-(2**-8), 1), (-(2**-8) - 2**-40, 0)])
def test_half_the_distance_to_the_next_number_is_where_an_update_is_lost(step, lost):
    """Below 1 the numbers of bf16 are 2**-8 apart, above it 2**-7; 1 is even, so that ties stay."""
    found = lost_updates(np.ones((1, 1)), Scaled(np.array([[step / 0.5]])), 0.5, FORMATS["bf16"])
    assert found == (lost, 1)


def test_rows_of_a_stored_matrix_are_its_own_and_of_maps_side_by_side_all():
    rng = np.random.default_rng(0)
    one, other = (Dense(rng.standard_normal((6, width))) for width in (2, 3))
    order = np.array([4, 0, 2, 1, 3])
    both = np.concatenate([one.weight, other.weight], axis=1)
    assert np.array_equal(weight_rows(one, slice(None, None, 2)), one.weight[::2])
    assert np.array_equal(weight_rows(Beside((one, other)), slice(None)), both)
    x = rng.standard_normal((3, 6))
    mixed = Beside((one, other), order)
    assert np.allclose(x @ weight_rows(mixed, slice(None)), mixed(x)[0])


def test_rows_of_weights_that_are_not_there_have_their_law():
    drawn = weight_rows(weightless_maps(Law("he"), (512, 256, 1), 0)(1), slice(None, None, 2))
    assert drawn.shape == (256, 256)
    assert drawn.std() == pytest.approx(math.sqrt(2 / 512), rel=0.01)
    frame = weight_rows(weightless_maps(Law("orthogonal", 3.0), (64, 256, 1), 0)(1), slice(None))
    assert np.allclose(frame @ frame.T, 9 * np.eye(64))
