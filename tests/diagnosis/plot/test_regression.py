"""The figure of a comparison with a baseline."""

import pytest

import gradcheck
from gradcheck.diagnosis.regression import compare_reports


def test_both_gradients_are_lines_and_the_layers_that_moved_are_shaded():
    pytest.importorskip("matplotlib")
    from gradcheck.diagnosis.plot.regression import plot

    before, after = (gradcheck.simulate(depth=4, width=8, gain=gain).to_dict() for gain in (1.0, 4.0))
    regression = compare_reports(before, after, 0.1)
    ax = plot(regression)
    lines = {one.get_label(): list(one.get_ydata()) for one in ax.lines}
    assert lines["baseline"] == pytest.approx([layer["gradient_rms"] for layer in before["layers"]])
    assert lines["now"] == pytest.approx([layer["gradient_rms"] for layer in after["layers"]])
    assert len(ax.patches) == sum(move.moved for move in regression.layers) > 0
    assert "may move 0.1 decades" in ax.get_legend_handles_labels()[1]
    assert [label.get_text() for label in ax.get_xticklabels()] == [move.name for move in regression.layers]
