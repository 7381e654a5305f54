"""The figure of a diagnosed log: norm, loss and layers over the steps, findings shaded."""

import math

import numpy as np
import pytest

import gradcheck
from gradcheck.logs.findings.finding import FINDING_KINDS, NOTE


@pytest.fixture(scope="module", autouse=True)
def mpl():
    return pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def exploding():
    rows = [
        {"step": step, "loss": 2.0, "grad_norm/a$x^2$": size, "grad_norm/b": 2 * size}
        for step, size in ((step, 0.1 * 1.3 ** max(0, step - 150)) for step in range(200))
    ]
    return gradcheck.diagnose(rows, max_norm=3.0)


def named(ax):
    return {str(one.get_label()): one for one in (*ax.lines, *ax.patches)}


def test_norm_and_loss_are_those_of_the_report_on_one_axis_of_steps(exploding):
    norm, loss, *_ = exploding.plot().figure.axes
    assert named(norm)["gradient norm"].get_ydata() == pytest.approx(exploding.curves.grad_norm.value)
    assert named(loss)["loss"].get_ydata() == pytest.approx(exploding.curves.loss.value)
    assert norm.get_yscale() == "log"
    assert norm.get_shared_x_axes().joined(norm, loss)


def test_findings_are_shaded_and_the_threshold_is_a_line(exploding):
    ax = exploding.plot()
    serious = [one for one in exploding.findings if one.severity != "note"]
    assert len(ax.patches) == len(serious) > 0
    patch, first = named(ax)["exploding"], exploding.findings[0]
    assert (patch.get_x(), patch.get_x() + patch.get_width()) == (first.first_step, first.last_step)
    assert named(ax)["clipped above 3"].get_ydata() == pytest.approx([3.0, 3.0])


def test_every_finding_that_makes_a_run_unhealthy_has_a_look_of_its_own():
    from gradcheck.render.figure import LOOKS

    looks = [LOOKS[kind] for kind, one in FINDING_KINDS.items() if one.severity != NOTE and kind != "not-learning"]
    assert len(set(looks)) == len(looks)
    assert "not-learning" in LOOKS  # it shades a whole log, and nothing beside it


def test_the_layers_are_a_heat_map_by_their_names(exploding):
    layers = exploding.plot().figure.axes[2]
    (mesh,) = layers.collections
    np.testing.assert_allclose(np.reshape(mesh.get_array(), (2, -1)), exploding.curves.layers.log10_norm)
    assert [label.get_text() for label in layers.get_yticklabels()] == [r"a\$x^2\$", "b"]
    assert "a$x^2$" in layers._repr_svg_()


def test_a_healthy_log_shades_nothing_and_one_without_norms_shows_its_loss():
    healthy = gradcheck.diagnose([{"loss": 2 * 0.99**step, "grad_norm": 1.0 + step % 3} for step in range(99)])
    assert len(healthy.plot().patches) == 0
    (ax,) = gradcheck.diagnose([{"loss": 2 * 0.99**step} for step in range(99)]).plot().figure.axes
    assert ax.get_ylabel() == "loss"


def test_what_is_zero_or_not_finite_is_marked():
    rows = [{"loss": 1.0, "grad_norm": {3: 0.0, 5: math.nan}.get(step, 1.0)} for step in range(9)]
    ax = gradcheck.diagnose(rows).plot()
    zero, lost = (list(named(ax)[name].get_xdata()) for name in ("exactly zero", "not finite"))
    assert (len(zero), len(lost), lost[0] - zero[0]) == (1, 1, 2)


def test_a_layer_that_is_zero_or_not_finite_has_a_colour_of_its_own():
    odd = {2: 0.0, 4: math.inf}
    rows = [{"grad_norm/a": odd.get(step, 1.0 + step), "grad_norm/b": 1.0} for step in range(9)]
    bar = gradcheck.diagnose(rows).plot().figure.axes[-1]
    assert bar.get_xlabel() == "log10 norm, grey: zero, red: not finite"


def test_one_row_is_drawn():
    assert gradcheck.diagnose([{"loss": 1.0, "grad_norm": 2.0, "grad_norm/a": 2.0}]).plot().figure.axes
