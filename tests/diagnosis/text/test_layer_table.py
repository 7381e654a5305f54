import math
from dataclasses import replace

import pytest
from rich.console import Console

from gradcheck.diagnosis.report import PredictionRecord
from gradcheck.diagnosis.text.layer_table import COLUMNS, LAYOUTS, layer_table
from gradcheck.render.bars import BLOCKS
from gradcheck.render.page import Page


@pytest.fixture
def lines_of():
    """A report and a width ↦ the table's lines, the header first."""

    def lines(report, width=80, encoding="utf-8", all_layers=False):
        console = Console(width=width, highlight=False, color_system=None)
        with console.capture() as capture:
            console.print(*layer_table(report, Page(width, encoding), all_layers), sep="\n")
        return [line.rstrip() for line in capture.get().splitlines() if line.strip()]

    return lines


def test_each_layer_has_a_row_with_its_numbers(report_of, lines_of):
    report = report_of([-9.5, -4.0, 0.0])
    header, *rows = lines_of(report)
    assert header.split() == ["layer", "gradient", "ratio", "gain", "activation", "rank", "flag"]
    assert [row.split()[:7] for row in rows] == [
        ["1", "3.2e-10", "3.2e-10", "3.2e-06", "0.50", "9.0", "vanishing"],
        ["2", "1.0e-04", "1.0e-04", "0.00010", "0.50", "9.0", "vanishing"],
        ["3", "1.0e+00", "1.0e+00", "-", "0.50", "9.0", "ok"],
    ]


def test_bars_share_one_log_scale(report_of, lines_of):
    _, *rows = lines_of(report_of([-20.0, -10.0, 0.0]))
    bars = [row.split()[-1] for row in rows]
    assert bars[0] == BLOCKS.eighths[0]
    assert set(bars[2]) == {"█"}
    assert len(bars[1]) == math.ceil(len(bars[2]) / 2)


def test_a_layer_without_gradient_has_no_bar(report_of, lines_of):
    _, zero, fine, missing = lines_of(report_of([-math.inf, 0.0, None]))
    assert zero.endswith("vanishing")
    assert fine.endswith("█")
    assert missing.endswith("nonfinite")
    assert (zero.split()[1], missing.split()[1]) == ("0", "-")


def test_a_wide_terminal_shows_every_column_and_a_narrow_one_the_most_telling(report_of, lines_of):
    for least, names in LAYOUTS:
        report = report_of([-1.0, 0.0])
        nothing = dict.fromkeys(PredictionRecord.__dataclass_fields__)
        prediction = PredictionRecord(**nothing | {"local_gains": [0.5, None]})
        predicted = replace(report, prediction=prediction)
        assert lines_of(predicted, width=max(least, 40))[0].split() == " ".join(names).split()
        bare = " ".join(name for name in names if name != "theory")
        assert lines_of(report, width=max(least, 40))[0].split() == bare.split()
    assert LAYOUTS[0][1] == tuple(COLUMNS)
    assert all({"layer", "gradient", "flag"} <= set(names) for _, names in LAYOUTS)


def test_columns_come_as_soon_as_there_is_room_for_them(healthy, lines_of):
    for width, count in ((47, 3), (48, 4), (71, 4), (72, 7), (97, 7), (98, 10), (117, 10), (118, 12)):
        assert len(lines_of(healthy, width)[0].replace("weight gradient", "weight-gradient").split()) == count, width


def test_a_bar_is_no_longer_than_it_need_be(healthy, lines_of):
    assert max(line.count("█") for line in lines_of(healthy, 200)) == 24


def test_rows_are_never_wider_than_the_terminal(vanishing, lines_of):
    for width in (36, 48, 72, 80, 98, 118, 140, 200):
        assert max(map(len, lines_of(vanishing, width, all_layers=True))) <= width, width


def test_a_deep_network_is_sampled_and_the_table_says_so(vanishing, lines_of):
    *rows, last = lines_of(vanishing)[1:]
    shown = [int(row.split()[0]) for row in rows]
    assert {1, 2, 49, 50} <= set(shown)
    region = vanishing.regions[0]
    assert {region.last_layer, region.last_layer + 1} <= set(shown)
    assert last == f"  {len(shown)} of 50 layers shown; --all-layers shows the rest"


def test_all_layers_are_shown_if_asked(vanishing, lines_of):
    rows = lines_of(vanishing, all_layers=True)[1:]
    assert [int(row.split()[0]) for row in rows] == list(range(1, 51))


def test_ascii_bars_are_ascii(vanishing, lines_of):
    assert "".join(lines_of(vanishing, encoding="ascii")).isascii()


def test_of_a_recurrence_the_table_has_steps(report_of, lines_of):
    gradients = [-step / 9 for step in range(49, -1, -1)]
    layers, steps = lines_of(report_of(gradients)), lines_of(report_of(gradients, arch="lstm"))
    assert layers[0].split()[0] == "layer"
    assert steps[0].split() == ["step", *layers[0].split()[1:]]
    assert [row.split() for row in steps[1:-1]] == [row.split() for row in layers[1:-1]]
    assert steps[-1] == layers[-1].replace("50 layers", "50 steps")


def test_steps_head_their_column_at_every_width(report_of, lines_of):
    for width in [least for least, _ in LAYOUTS]:
        assert lines_of(report_of([-1.0, 0.0], arch="gru"), max(width, 40))[0].split()[0] == "step", width


def test_of_a_transformer_the_table_has_blocks_and_their_flow_points(report_of, lines_of):
    header, *rows = lines_of(report_of([-9.5, -1.0, -0.5, -4.0, -0.25, 0.0], arch="transformer"))
    assert header.split() == ["block", "gradient", "ratio", "gain", "activation", "rank", "flag"]
    assert [row.split()[:2] for row in rows] == [
        [block, point] for block in ("1", "2") for point in ("attention", "mlp", "residual")
    ]
    assert [row.split()[7] for row in rows] == ["vanishing", "ok", "ok", "vanishing", "ok", "ok"]
    assert {row.index(row.split()[0]) for row in (header, *rows)} == {2}  # on the left, as words stand


def test_blocks_head_their_column_at_every_width(report_of, lines_of):
    for width in [least for least, _ in LAYOUTS]:
        header, first, *_ = lines_of(report_of([-1.0, 0.0, 0.0], arch="transformer"), max(width, 40))
        assert header.split()[0] == "block", width
        assert first.split()[:2] == ["1", "attention"], width


def test_rows_of_a_transformer_are_never_wider_than_the_terminal(report_of, lines_of):
    for width in (36, 48, 72, 80, 98, 118, 140, 200):
        report = report_of([-step / 9 for step in range(299, -1, -1)], arch="transformer")
        assert max(map(len, lines_of(report, width))) <= width, width


def test_no_cell_of_a_transformers_table_is_cut_at_the_widths_from_which_a_set_of_columns_fits(report_of, lines_of):
    for width in (40, 48, 72, 80, 98, 118, 121, 140):
        report = report_of([-step / 9 for step in range(299, -1, -1)], arch="transformer")
        assert "…" not in "".join(lines_of(report, width)), width


def test_a_deep_transformer_is_sampled_by_its_flow_points(report_of, lines_of):
    report = report_of([-step / 9 for step in range(299, -1, -1)], arch="transformer")
    *rows, last = lines_of(report)[1:]
    shown = [tuple(row.split()[:2]) for row in rows]
    assert {("1", "attention"), ("1", "mlp"), ("100", "mlp"), ("100", "residual")} <= set(shown)
    assert last == f"  {len(shown)} of 300 flow points shown; --all-layers shows the rest"
    assert len(lines_of(report, all_layers=True)) == 1 + 300
