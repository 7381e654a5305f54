"""The figure of a verification: each check's error beside its limit."""

import pytest

import gradcheck


def test_each_check_is_a_point_and_its_limit_a_mark():
    pytest.importorskip("matplotlib")
    verification = gradcheck.verify(only="loss")
    ax = verification.plot()
    lines = {one.get_label(): list(one.get_xdata()) for one in ax.lines}
    assert lines["passes"] == pytest.approx([check.error for check in verification.checks])
    assert lines["limit"] == pytest.approx([check.limit for check in verification.checks])
    assert ax.get_xscale() == "log"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["loss cross-entropy", "loss mean-square"]
