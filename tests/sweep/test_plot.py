"""The figure of a comparison: a heat map of two options, bars of the best rows, or groups."""

import numpy as np
import pytest

import gradcheck


@pytest.fixture(scope="module", autouse=True)
def mpl():
    return pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def pairs():
    comparison = gradcheck.compare({"activation": ["tanh", "relu", "sigmoid"], "depth": [2, 9], "width": 8}, seeds=2)
    assert len(comparison.rows) == 6
    return comparison


def test_two_options_are_a_heat_map_of_their_scores(pairs):
    ax = pairs.plot()
    scores = {(row["options"]["activation"], row["options"]["depth"]): row["score"] for row in pairs.rows}
    (mesh,) = ax.collections
    expected = [[scores[activation, depth] for depth in (2, 9)] for activation in ("tanh", "relu", "sigmoid")]
    np.testing.assert_array_equal(np.reshape(mesh.get_array(), (3, 2)), expected)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["tanh", "relu", "sigmoid"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2", "9"]
    assert len(ax.texts) == 6
    assert ax.figure.axes[1].get_xlabel() == "probability that plain SGD trains it"


def test_the_best_rows_are_bars_the_best_on_top(pairs):
    ax = pairs.plot(top=4)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [row["score"] for row in pairs.rows[:4]]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert "the best 4 of 6" in ax.get_xlabel()
    assert "span" in ax.texts[0].get_text()


def test_groups_are_bars_of_their_medians_with_a_line_to_the_worst(pairs):
    ax = pairs.plot(group_by="activation")
    groups = pairs.to_dict("activation")["groups"]
    assert [bar.get_width() for bar in ax.patches] == [group["median_score"] for group in groups]
    assert [one.get_xdata()[0] for one in ax.lines] == [group["worst_score"] for group in groups]


def test_a_row_that_could_not_be_simulated_says_so_in_its_cell_and_on_its_bar():
    comparison = gradcheck.compare({"norm": ["none", "batch"], "batch_size": [1, 8], "width": 4, "depth": 2}, seeds=1)
    assert [row["error"] for row in comparison.rows].count(None) == 3
    assert "!" in [text.get_text() for text in comparison.plot().texts]
    assert comparison.plot(top=9).texts[-1].get_text().startswith("error: ")
