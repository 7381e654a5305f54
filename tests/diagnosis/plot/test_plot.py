"""The figure of a report holds what the report says: numbers, bands, thresholds, theory, regions."""

import math

import numpy as np
import pytest

import gradcheck


@pytest.fixture(scope="module", autouse=True)
def mpl():
    return pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def vanishing():
    return gradcheck.simulate(depth=12, width=16, seeds=3)


@pytest.fixture(scope="module")
def drawn(mpl, vanishing):
    return vanishing.plot()


def line(ax, label):
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return found


def band(ax, label):
    """The lower and the upper end of a band, a layer each."""
    (found,) = [one for one in ax.collections if one.get_label() == label]
    points = found.get_paths()[0].vertices
    places = sorted(set(points[:, 0]))
    return np.array([[end(points[points[:, 0] == place, 1]) for place in places] for end in (np.min, np.max)])


def test_the_measured_line_is_the_ratio_of_every_layer(vanishing, drawn):
    heights = line(drawn, "measured").get_ydata()
    np.testing.assert_allclose(heights, [layer.gradient_ratio for layer in vanishing.layers], rtol=1e-12)
    assert drawn.get_yscale() == "log"
    assert drawn.get_ylabel() == "RMS of ∂loss/∂z\nover that of the last layer"
    assert drawn.get_xlabel() == "layer, first to last"


def test_the_band_of_several_seeds_is_low_to_high(vanishing, drawn):
    low, high = band(drawn, "3 seeds: low to high")
    np.testing.assert_allclose(low, [layer.gradient_ratio_low for layer in vanishing.layers], rtol=1e-9)
    np.testing.assert_allclose(high, [layer.gradient_ratio_high for layer in vanishing.layers], rtol=1e-9)


def test_theory_and_its_deviations_stand_beside_the_measurement(vanishing, drawn):
    theory = vanishing.prediction
    np.testing.assert_allclose(np.log10(line(drawn, "theory").get_ydata()), theory.log10_gradient_ratios, atol=1e-12)
    low, high = np.log10(band(drawn, "theory ± std at this width"))
    np.testing.assert_allclose((high - low) / 2, [std or 0 for std in theory.log10_gradient_ratio_stds], atol=1e-9)
    assert theory.log10_gradient_ratio_stds[0] == theory.log10_gradient_ratio_std


def test_thresholds_are_lines_and_regions_are_shaded(vanishing, drawn):
    assert set(line(drawn, "vanishes below 0.001").get_ydata()) == {1e-3}
    assert set(line(drawn, "explodes above 1000").get_ydata()) == {1e3}
    (region,) = vanishing.regions
    (patch,) = drawn.patches
    assert (patch.get_x(), patch.get_x() + patch.get_width()) == (region.first_layer - 0.5, region.last_layer + 0.5)
    assert patch.get_label() == region.flag == "vanishing"


def test_the_title_is_the_verdict_and_what_was_run(vanishing, drawn):
    first, *rest = drawn.get_title(loc="left").split("\n")
    assert first.startswith("VANISHING: layers 1 to ")
    assert rest[-1].startswith("sigmoid · xavier · 12 layers of 16")


def test_a_threshold_of_zero_has_no_line(mpl):
    ax = gradcheck.simulate(depth=3, width=8, vanish_below=0.0).plot()
    assert not [one for one in ax.lines if "vanishes" in str(one.get_label())]


def test_a_thousand_layers_are_drawn_beyond_the_range_of_floats():
    report = gradcheck.simulate(depth=1000, width=8)
    ax = report.plot()
    assert line(ax, "measured").get_ydata()[0] == pytest.approx(report.layers[0].log10_gradient_ratio)
    assert ax.get_ylim()[0] < report.layers[0].log10_gradient_ratio < -400


def test_one_layer_is_a_point_among_whole_numbers():
    ax = gradcheck.simulate(depth=1, width=8).plot()
    assert list(line(ax, "measured").get_xdata()) == [1]
    assert {tick for tick in ax.get_xticks() if 0.5 <= tick <= 1.5} == {1}


def test_layers_without_any_gradient_are_marked_at_the_edge():
    report = gradcheck.simulate(activation="step", depth=4, width=8)
    ax = report.plot()
    assert ax.get_ylabel() == "RMS of ∂loss/∂z"
    assert list(line(ax, "exactly zero").get_xdata()) == [1, 2, 3, 4]


def test_layers_that_are_not_finite_are_marked_and_break_the_line():
    report = gradcheck.simulate(activation="linear", depth=300, init="normal", weight_std=30.0, width=8)
    ax = report.plot()
    lost = [layer.index for layer in report.layers if layer.log10_gradient_ratio is None]
    assert lost
    assert list(line(ax, "not finite").get_xdata()) == lost
    assert [index + 1 for index, height in enumerate(line(ax, "measured").get_ydata()) if math.isnan(height)] == lost
    assert len(ax.patches) == len(report.regions)


def test_a_transformer_has_a_line_for_each_flow_point_along_its_blocks():
    report = gradcheck.simulate(arch="transformer", blocks=3, model_width=16, heads=2)
    ax = report.plot()
    for index, name in enumerate(report.points):
        ratios = [layer.gradient_ratio for layer in report.layers[index :: len(report.points)]]
        np.testing.assert_allclose(line(ax, name).get_ydata(), ratios, rtol=1e-12)
    assert ax.get_xlabel() == "block, first to last"


def test_a_models_layers_have_their_names_and_its_steps_a_panel():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential()
    for index in range(3):
        model.add_module(f"fc_$x^{index}$", torch.nn.Linear(8, 8))
        model.add_module(f"act{index}", torch.nn.Tanh())
    batch = torch.randn(16, 8), torch.randn(16, 8)
    report = gradcheck.torch.probe(model, batch, steps=3)
    ax = report.plot()
    assert [label.get_text().replace("\\", "") for label in ax.get_xticklabels()] == [one.name for one in report.layers]
    below = ax.figure.axes[1]
    np.testing.assert_allclose(line(below, "loss").get_ydata(), report.model.training.losses)
    assert "fc_$x^0$" in ax._repr_svg_()


def test_what_number_formats_lose_has_a_panel():
    report = gradcheck.simulate(depth=20, width=8, batch_size=8, number_format="fp16,mxfp8")
    below = report.plot().figure.axes[1]
    lost = [layer.gradients.to_zero + layer.gradients.overflow for layer in report.number_formats.formats[0].layers]
    np.testing.assert_allclose(line(below, "fp16, loss scale 65,536").get_ydata(), lost)
    assert max(lost) > 0.9
    updates = [one.lost for one in report.number_formats.updates]
    np.testing.assert_allclose(line(below, "bf16 updates, rate 0.1").get_ydata(), updates)
