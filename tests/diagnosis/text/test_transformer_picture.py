import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.diagnosis.text import as_text
from gradcheck.engine.transformer import POINTS
from gradcheck.render.bars import ASCII, BLOCKS
from gradcheck.render.page import Page

#: Columns of the names before a sparkline.
LABEL = len("attention") + 2

SMALL = {"model_width": 16, "heads": 2, "tokens": 6, "layers": "dense"}

#: Flow points that are strong, weak, silent or not reached; three a block.
GRADIENTS = st.lists(st.sampled_from([-9.0, -1.0, 0.0, 9.0, -math.inf]), min_size=3, max_size=180).map(
    lambda gradients: gradients[: len(gradients) // 3 * 3]
)


@pytest.fixture(scope="module")
def parts_of(lines_of):
    """A report and a width ↦ what stands above the sparklines, and by flow point its sparkline and its marks."""

    def parts(report, width=60, glyphs=BLOCKS):
        axis, lines, marks = [], {}, {}
        for line in lines_of(report, width, glyphs):
            name = line[:LABEL].strip()
            if name in POINTS:
                lines[name], marks[name] = line[LABEL:], ""
            elif lines:
                assert not marks[list(lines)[-1]]
                marks[list(lines)[-1]] = line[LABEL:]
            else:
                axis.append(line)
        return axis, lines, marks

    return parts


def test_each_kind_of_flow_point_has_a_line_of_its_own_all_on_one_scale(report_of, parts_of):
    _, lines, marks = parts_of(report_of([-8.0, -4.0, 0.0] * 5, arch="transformer"))
    assert tuple(lines) == POINTS
    assert lines == {
        "attention": BLOCKS.levels[0] * 5,
        "mlp": BLOCKS.levels[4] * 5,
        "residual": BLOCKS.levels[-1] * 5,
    }
    assert {name for name, mark in marks.items() if mark} == {"attention", "mlp"}


def test_the_axis_counts_blocks_over_the_sparklines_and_names_the_range(report_of, lines_of):
    axis, first, *_ = lines_of(report_of([-2.0, -1.0, 0.0] * 40, arch="transformer"), 80)
    assert axis.split() == ["block", "1", "40", "log10", "−2.0", "…", "0.0"]
    assert axis.index("block") == LABEL
    assert axis.index("40") == len(first) - 2 == LABEL + 38


def test_the_axis_takes_two_lines_where_one_is_too_short(report_of, parts_of):
    (heights, ends), lines, _ = parts_of(report_of([-2.0, -1.0, 0.0] * 90, arch="transformer"), 36)
    assert heights == " " * LABEL + "log10 −2.0 … 0.0"
    assert ends == " " * LABEL + "block 1".ljust(23) + "90"
    assert {len(line) for line in lines.values()} == {36 - LABEL}


def test_marks_stand_under_the_flow_points_that_are_flagged_and_under_no_others(report_of, parts_of):
    gradients = [-9.0, 0.0, 0.0] * 4 + [0.0] * 12 + [0.0, 9.0, 0.0] * 2 + [0.0] * 36
    _, _, marks = parts_of(report_of(gradients, arch="transformer"))
    assert marks == {"attention": "└──┘ vanishing", "mlp": " " * 8 + "└┘ exploding", "residual": ""}


def test_a_block_that_is_reached_in_part_is_missing_where_it_is_not(report_of, parts_of):
    _, lines, marks = parts_of(report_of([0.0, 0.0, 0.0, 0.0, None, None], arch="transformer"))
    full = BLOCKS.levels[-1]
    assert lines == {"attention": full * 2, "mlp": full + BLOCKS.missing, "residual": full + BLOCKS.missing}
    assert marks == {"attention": "", "mlp": " ╵ nonfinite", "residual": " ╵ nonfinite"}


def test_one_block_is_named_once(report_of, lines_of):
    assert lines_of(report_of([-2.0, -1.0, 0.0], arch="transformer"))[0].strip() == "block 1   log10 −2.0 … 0.0"


@given(GRADIENTS, st.integers(0, 7), st.integers(20, 140), st.sampled_from([BLOCKS, ASCII]))
def test_three_sparklines_stand_under_one_another_at_any_width(report_of, parts_of, gradients, missing, width, glyphs):
    gradients = gradients + [None] * (3 * missing)
    report = report_of(gradients, arch="transformer")
    axis, lines, _ = parts_of(report, width, glyphs)
    assert tuple(lines) == POINTS
    assert {len(line) for line in lines.values()} == {min(len(gradients) // 3, width - LABEL)}
    assert all(set(line) <= {*glyphs.levels, glyphs.zero, glyphs.missing} for line in lines.values())
    assert f"block 1 {len(gradients) // 3}".split()[:2] == axis[-1].split()[:2]


@given(GRADIENTS, st.integers(0, 7), st.integers(20, 140), st.sampled_from([BLOCKS, ASCII]))
def test_every_flagged_column_is_marked_and_the_marks_are_no_wider_than_their_room(
    report_of, parts_of, gradients, missing, width, glyphs
):
    report = report_of(gradients + [None] * (3 * missing), arch="transformer")
    _, lines, marks = parts_of(report, width, glyphs)
    for index, name in enumerate(POINTS):
        flags = [layer.flag for layer in report.layers[index::3]]
        line, mark = lines[name], marks[name].ljust(len(lines[name]))
        assert len(mark) <= width - LABEL
        edges = [len(flags) * column // len(line) for column in range(len(line) + 1)]
        flagged = [set(flags[first:last]) != {"ok"} for first, last in pairwise(edges)]
        assert all(mark[column] != " " for column, one in enumerate(flagged) if one)
        assert bool(mark.strip()) == any(flagged)


@pytest.fixture(scope="module")
def vanishing_transformer(report_of):
    """Thirty blocks, the first ten with too little gradient, and one that is not reached."""
    gradients = [-9.0, -5.0, -4.0] * 10 + [-0.5, -0.25, 0.0] * 20 + [None] * 3
    return report_of(gradients, arch="transformer")


@given(st.tuples(st.integers(20, 140), st.just("utf-8")) | st.tuples(st.sampled_from([40, 80, 140]), st.just("ascii")))
def test_nothing_of_a_transformers_report_but_what_is_to_be_copied_is_wider_than_the_terminal(
    vanishing_transformer, terminal
):
    shown = as_text(vanishing_transformer, Page(*terminal)).rpartition("\n\n")[0].splitlines()
    assert max(map(len, shown)) <= terminal[0]
    assert [line[2:LABEL].strip() for line in shown if line[2:LABEL].strip() in POINTS] == [*POINTS]


@pytest.mark.parametrize("width", [30, 40, 80])
def test_the_range_can_be_read_on_a_narrow_terminal_too(vanishing_transformer, width):
    assert "log10 −9.0 … 0.0" in as_text(vanishing_transformer, Page(width))


def test_other_networks_have_a_single_line_without_a_name(report_of, lines_of):
    for arch in ("mlp", "rnn", "lstm", "gru"):
        lines = lines_of(report_of([-9.0, -4.5, 0.0] * 3, arch=arch))
        assert not any(name in line for name in POINTS for line in lines), arch
        assert [set(line) <= {*BLOCKS.levels} for line in lines].count(True) == 1, arch


@pytest.mark.parametrize("options", [{}, {"norm": "none", "gain": 2.0, "blocks": 8}, {"activation": "step"}])
def test_the_picture_of_a_real_transformer_has_a_column_a_block(options, parts_of):
    report = gradcheck.simulate(arch="transformer", **{"blocks": 3, **SMALL, **options})
    _, lines, marks = parts_of(report)
    assert {name: len(line) for name, line in lines.items()} == dict.fromkeys(POINTS, report.config.blocks)
    flagged = {name for index, name in enumerate(POINTS) if {one.flag for one in report.layers[index::3]} != {"ok"}}
    assert {name for name, mark in marks.items() if mark} == flagged
