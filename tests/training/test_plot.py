"""The figure of a demonstration: the courses of all runs, and how they ended."""

import math

import pytest

import gradcheck
from gradcheck.training.text import label_of


@pytest.fixture(scope="module")
def demo():
    pytest.importorskip("matplotlib")
    return gradcheck.clip_demo(clip=["none", "value:0.1"], width=4, epochs=1)


def test_loss_norm_and_accuracy_of_each_strategy_are_drawn(demo):
    losses, norms, accuracies = demo.plot().figure.axes
    for one, loss, norm in zip(demo.strategies, losses.lines, norms.lines, strict=False):
        assert loss.get_ydata() == pytest.approx([math.nan if v is None else v for v in one.series.loss], nan_ok=True)
        assert norm.get_ydata() == pytest.approx(
            [math.nan if v is None else v for v in one.series.gradient_norm], nan_ok=True
        )
        assert str(loss.get_label()).startswith(one.rule)
    assert [bar.get_width() for bar in accuracies.patches] == [one.final_accuracy for one in demo.strategies]
    assert (losses.get_yscale(), norms.get_yscale()) == ("log", "log")


def test_what_a_rule_left_of_the_norm_is_a_dotted_line(demo):
    norms = demo.plot().figure.axes[1]
    (dotted,) = [one for one in norms.lines if one.get_linestyle() == ":"]
    assert dotted.get_ydata() == pytest.approx(demo.strategies[1].series.clipped_norm)
    assert norms.get_ylim()[0] < min(dotted.get_ydata())


def test_the_title_calls_the_verdict_as_the_text_does(demo):
    assert demo.plot().get_title(loc="left").startswith(f"{label_of(demo, demo.verdict)[0].upper()}: ")
