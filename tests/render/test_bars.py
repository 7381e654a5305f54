import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gradcheck.render.bars import ASCII, BLOCKS, Scale, bar, bracket, columns, common_scale, sparkline

SHARES = st.floats(0, 1)
WIDTHS = st.integers(1, 60)
LOGARITHM = st.floats(-7000, 7000)
GLYPHS = pytest.mark.parametrize("glyphs", [BLOCKS, ASCII], ids=["blocks", "ascii"])


# ---- glyphs


def test_ascii_glyphs_are_ascii_and_blocks_are_not():
    assert "".join(ASCII).isascii()
    assert all(len(one) == 1 and not one.isascii() for one in BLOCKS.levels)


@GLYPHS
def test_marks_are_one_column_wide_and_tell_zero_missing_and_levels_apart(glyphs):
    assert {
        len(one) for one in (glyphs.left, glyphs.line, glyphs.right, glyphs.single, glyphs.zero, glyphs.missing)
    } == {1}
    assert len({*glyphs.levels, glyphs.missing}) == len(glyphs.levels) + 1
    assert glyphs.zero not in glyphs.levels


def test_both_sets_have_as_many_levels():
    assert len(BLOCKS.levels) == len(ASCII.levels) == 8


# ---- scales


@given(st.lists(st.none() | LOGARITHM | st.sampled_from([math.inf, -math.inf, math.nan]), max_size=20))
def test_a_scale_holds_every_finite_number_and_is_at_least_a_decade_wide(logarithms):
    scale = common_scale(logarithms)
    finite = [value for value in logarithms if value is not None and math.isfinite(value)]
    assert all(scale.low <= value <= scale.high for value in finite)
    assert scale.high - scale.low >= 1 - 1e-9
    assert not finite or scale.high == max(finite)


@given(LOGARITHM, LOGARITHM)
def test_a_share_lies_between_0_and_1_and_grows_with_the_logarithm(one, other):
    scale = Scale(-3.0, 4.0)
    low, high = scale.share(min(one, other)), scale.share(max(one, other))
    assert 0 <= low <= high <= 1


def test_a_scale_of_less_than_a_decade_reaches_one_decade_down():
    assert common_scale([3.0, 2.75]) == (2.0, 3.0)
    assert common_scale([3.0, 1.5]) == (1.5, 3.0)


def test_the_ends_of_a_scale_are_0_and_1():
    assert [Scale(-2.0, 2.0).share(value) for value in (-2, 0, 2, -9, 9)] == [0, 0.5, 1, 0, 1]


# ---- bars


@GLYPHS
@given(share=SHARES, width=WIDTHS)
@example(share=0.0, width=1)
@example(share=1.0, width=60)
def test_a_bar_is_never_empty_and_never_wider_than_its_room(glyphs, share, width):
    text = bar(share, width, glyphs)
    assert 1 <= len(text) <= width
    assert set(text[:-1]) <= {glyphs.eighths[-1]}
    assert text[-1] in glyphs.eighths


def eighths(text, glyphs):
    """The length of a bar in parts of a cell."""
    return (len(text) - 1) * len(glyphs.eighths) + glyphs.eighths.index(text[-1]) + 1


@GLYPHS
@given(one=SHARES, other=SHARES, width=WIDTHS)
def test_a_larger_share_never_has_a_shorter_bar(glyphs, one, other, width):
    short, long = (eighths(bar(share, width, glyphs), glyphs) for share in sorted((one, other)))
    assert short <= long


@GLYPHS
@given(share=SHARES, width=WIDTHS)
def test_a_bar_is_right_to_half_of_its_finest_step(glyphs, share, width):
    steps = width * len(glyphs.eighths)
    length = eighths(bar(share, width, glyphs), glyphs)
    assert abs(length - share * steps) <= 0.5 + 1e-9 or length == 1


@GLYPHS
def test_a_whole_bar_fills_its_room_and_a_share_beyond_is_cut(glyphs):
    assert bar(1.0, 9, glyphs) == bar(3.0, 9, glyphs) == glyphs.eighths[-1] * 9
    assert bar(0.0, 9, glyphs) == bar(-3.0, 9, glyphs) == glyphs.eighths[0]


# ---- columns


@given(st.integers(1, 500), st.integers(-3, 200))
def test_columns_hold_each_layer_once_in_order_and_as_evenly_as_can_be(count, width):
    spread = columns(count, width)
    assert [layer for layers in spread for layer in layers] == list(range(count))
    assert len(spread) == min(count, max(1, width))
    sizes = {len(layers) for layers in spread}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


# ---- sparklines


@GLYPHS
@given(logarithms=st.lists(st.none() | LOGARITHM | st.just(-math.inf), min_size=1, max_size=120), width=WIDTHS)
def test_a_sparkline_has_one_known_character_a_column(glyphs, logarithms, width):
    line = sparkline(logarithms, width, glyphs)
    assert len(line) == min(len(logarithms), width)
    assert set(line) <= {*glyphs.levels, glyphs.zero, glyphs.missing}


@GLYPHS
@given(st.lists(LOGARITHM, min_size=1, max_size=120), WIDTHS)
def test_the_sparkline_of_rising_numbers_never_falls(glyphs, logarithms, width):
    levels = [glyphs.levels.index(one) for one in sparkline(sorted(logarithms), width, glyphs)]
    assert levels == sorted(levels)


@GLYPHS
def test_the_least_is_the_lowest_level_and_the_most_the_highest(glyphs):
    line = sparkline([-40.0, -20.0, 0.0], 3, glyphs)
    assert (line[0], line[2]) == (glyphs.levels[0], glyphs.levels[-1])
    assert line[1] == glyphs.levels[4]


@GLYPHS
def test_a_zero_and_a_missing_number_have_their_own_marks(glyphs):
    assert sparkline([-math.inf, None, math.nan, 0.0], 4, glyphs) == (
        glyphs.zero + glyphs.missing * 2 + glyphs.levels[-1]
    )


@GLYPHS
def test_a_column_of_several_layers_shows_the_worst_of_them(glyphs):
    assert sparkline([0.0, -8.0, 0.0, 0.0], 2, glyphs) == glyphs.levels[0] + glyphs.levels[-1]
    assert sparkline([0.0, -math.inf, 0.0, 0.0], 2, glyphs)[0] == glyphs.zero
    assert sparkline([-math.inf, None, 0.0, 0.0], 2, glyphs)[0] == glyphs.missing


def test_noise_within_a_decade_does_not_look_like_a_slope():
    assert set(sparkline([0.0, -0.05, -0.1, 0.0], 4)) == {BLOCKS.levels[-1]}


def test_nothing_but_zeros_is_drawn_as_zeros():
    assert sparkline([-math.inf] * 3, 9) == BLOCKS.zero * 3


# ---- brackets


@GLYPHS
@given(label=st.sampled_from(["ok", "vanishing", "nonfinite"]), width=st.integers(0, 80))
def test_a_bracket_is_as_wide_as_asked(glyphs, label, width):
    text = bracket(label, width, glyphs)
    assert len(text) == width
    if width > 1:
        assert (text[0], text[-1]) == (glyphs.left, glyphs.right)
        assert set(text[1:-1]) - set(f" {label} ") <= {glyphs.line}


@GLYPHS
@given(label=st.sampled_from(["ok", "vanishing", "nonfinite"]), width=st.integers(0, 80))
def test_a_label_stands_in_its_bracket_in_whole_or_not_at_all(glyphs, label, width):
    assert (f" {label} " in bracket(label, width, glyphs)) == (width >= len(label) + 4)


def test_a_label_stands_in_the_middle():
    left, right = bracket("vanishing", 40).split(" vanishing ")
    assert abs(len(left) - len(right)) <= 1


@GLYPHS
def test_a_single_column_has_a_mark_of_its_own(glyphs):
    assert bracket("dead", 1, glyphs) == glyphs.single
