import math

from hypothesis import given
from hypothesis import strategies as st

from gradcheck.render.bars import ASCII, BLOCKS


def test_the_numbers_name_the_ends_and_the_range(vanishing, lines_of):
    axis, line, marks = lines_of(vanishing, 80)
    assert axis.split() == ["layer", "1", "50", "log10", "−23.4", "…", "0.0"]
    assert axis.index("50") == len(line) - 2 == 48
    assert marks.strip("└─┘ ") == "vanishing"


def test_the_numbers_take_two_lines_where_one_is_too_short(vanishing, lines_of):
    heights, ends, line, _ = lines_of(vanishing, 40)
    assert heights == "log10 −23.4 … 0.0"
    assert ends.startswith("layer 1 ")
    assert len(ends) == len(line) == 40


def test_a_bracket_spans_the_columns_of_its_region(report_of, lines_of):
    gradients = [-9.0] * 20 + [0.0] * 5 + [9.0] * 15 + [0.0]
    _, line, marks = lines_of(report_of(gradients))
    assert len(line) == 41
    assert marks == "└" + " vanishing ".center(18, "─") + "┘" + " " * 5 + "└" + " exploding ".center(13, "─") + "┘"


def test_a_name_too_long_for_its_bracket_stands_behind_it(report_of, lines_of):
    *_, marks = lines_of(report_of([-9.0, -9.0] + [0.0] * 30))
    assert marks == "└┘ vanishing"


def test_a_name_stands_behind_its_bracket_only_where_there_is_room(report_of, lines_of):
    *_, marks = lines_of(report_of([0.0] * 30 + [-9.0] * 2 + [0.0] * 3 + [9.0] * 2 + [0.0] * 20))
    assert marks == " " * 30 + "└┘   └┘ exploding"
    *_, marks = lines_of(report_of([-9.0, -9.0, 9.0, 9.0] + [0.0] * 30))
    assert marks == "└┘└┘ exploding"


def test_a_healthy_network_has_no_marks(healthy, lines_of):
    assert len(lines_of(healthy)) == 2


def test_zero_and_missing_layers_are_marked(report_of, lines_of):
    line = lines_of(report_of([-math.inf, 0.0, None]))[-2]
    assert line == BLOCKS.zero + BLOCKS.levels[-1] + BLOCKS.missing


def test_without_any_gradient_there_is_no_range(report_of, lines_of):
    assert "no gradient" in lines_of(report_of([-math.inf, -math.inf]))[0]


def test_one_layer_is_named_once(report_of, lines_of):
    axis = lines_of(report_of([-2.0]))[0]
    assert axis == "layer 1   log10 −2.0 … −2.0"


@given(
    st.lists(st.sampled_from([-9.0, -1.0, 0.0, 9.0, -math.inf]), min_size=1, max_size=90),
    st.integers(0, 5),
    st.integers(4, 120),
    st.sampled_from([BLOCKS, ASCII]),
)
def test_marks_stand_under_the_flagged_columns_and_nothing_is_wider_than_its_room(
    report_of, lines_of, gradients, missing, width, glyphs
):
    lines = lines_of(report_of(gradients + [None] * missing), width, glyphs)
    count = len(gradients) + missing
    line = next(one for one in lines if set(one) <= {*glyphs.levels, glyphs.zero, glyphs.missing})
    assert len(line) == min(count, width)
    marks = lines[lines.index(line) + 1 :]
    assert len(marks) <= 1
    assert all(len(mark) <= max(width, len(line)) for mark in marks)


def test_of_a_recurrence_the_ends_are_steps(report_of, lines_of):
    gradients = [(step - 49) * math.log10(3) for step in range(50)]
    axis, _, marks = lines_of(report_of(gradients, arch="rnn"), 80)
    assert axis.split() == ["step", "1", "50", "log10", "−23.4", "…", "0.0"]
    assert axis.index("50") == 48
    assert marks.strip("└─┘ ") == "vanishing"
