"""The figure of theory: what is predicted of each layer, where the signal settles, the phase diagram."""

import math

import pytest

import gradcheck


@pytest.fixture(scope="module", autouse=True)
def mpl():
    return pytest.importorskip("matplotlib")


def lines(ax):
    return {str(one.get_label()): one for one in ax.lines}


def test_the_predicted_gradient_and_the_fixed_point_are_drawn():
    report = gradcheck.theory(activation="tanh", gain=1.3, bias_std=0.1, depth=9)
    ax, below = report.plot().figure.axes
    assert lines(ax)["predicted"].get_ydata() == pytest.approx(
        [10**layer.log10_gradient_ratio for layer in report.layers]
    )
    assert ax.get_yscale() == "log"
    assert lines(below)["std of z, predicted"].get_ydata() == pytest.approx(
        [layer.preactivation_std for layer in report.layers]
    )
    settled = math.sqrt(report.fixed_point.variance)
    assert lines(below)[f"fixed point √q* = {settled:.3g}"].get_ydata() == pytest.approx([settled] * 2)


@pytest.mark.parametrize(("options", "unit"), [({"depth": 5}, "layer"), ({"arch": "rnn", "steps": 5}, "step")])
def test_the_axes_are_named_after_what_they_count(options, unit):
    ax, below = gradcheck.theory(**options).plot().figure.axes
    assert ax.get_xlabel() == below.get_xlabel() == f"{unit}, first to last"
    assert ax.get_ylabel().endswith(f"over that of the last {unit}")


def test_the_phase_diagram_has_the_line_of_criticality_and_this_network():
    report = gradcheck.theory(activation="tanh", gain=1.2, bias_std=0.1, depth=3, phase_diagram=True)
    diagram = report.plot().figure.axes[2]
    assert {"critical: χ₁ = 1", "this network"} <= set(lines(diagram))
    assert lines(diagram)["this network"].get_xydata().tolist() == [[report.config.sigma_w, report.config.sigma_b]]
    assert (diagram.get_xlabel(), diagram.get_ylabel()) == ("σ_w", "σ_b")


def test_where_theory_has_no_answer_the_figure_says_why():
    report = gradcheck.theory(activation="tanh", norm="batch")
    (ax,) = report.plot().figure.axes
    assert " ".join(ax.texts[0].get_text().split()) == str(report.reasons["network"])


def test_a_transformer_has_a_line_for_each_flow_point_its_tokens_and_its_plane():
    report = gradcheck.theory(
        arch="transformer", blocks=2, model_width=8, heads=1, tokens=3, norm_placement="post", phase_diagram=True
    )
    above, middle, plane, _ = report.plot().figure.axes
    assert {"attention", "mlp", "residual"} <= set(lines(above))
    assert middle.get_ylabel().startswith("mean cosine")
    assert {"this network", "gpt2"} <= set(lines(plane))
