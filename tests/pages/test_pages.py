import math
from importlib import import_module

import pytest

import gradcheck
from gradcheck.diagnosis.html import as_html

pytest.importorskip("jinja2")

NAMES = ["simulate", "transformer", "theory", "compare", "clip-demo", "rate", "transfer", "diagnose", "verify"]

#: No page is larger, in bytes.
LARGEST = 1_500_000


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small(name, html):
    assert len(html(name).encode()) < LARGEST


def test_a_page_of_200_layers_is_small():
    assert len(as_html(gradcheck.simulate(depth=200, width=8, seeds=2)).encode()) < LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_a_page_begins_with_the_reports_verdict(name, html, report):
    one = report(name)
    said = one.verdict.reasons[0] if "verdict" in dir(one) and one.verdict.reasons else ""
    head = html(name).partition("</h1>")[0]
    assert "<h1>" in head
    assert said.replace("'", "&#39;").replace("&", "&amp;").replace("&amp;#39;", "&#39;").split(";")[0] in html(name)


def test_every_layer_is_in_the_table_with_its_numbers(column, report):
    layers = report("simulate").layers
    assert column("simulate", "layers", "flag") == [layer.flag for layer in layers]
    assert column("simulate", "layers", "ratio") == pytest.approx(
        [layer.log10_gradient_ratio for layer in layers], rel=1e-4, abs=1e-12
    )


def test_the_gradients_chart_has_measurement_theory_with_its_band_thresholds_and_regions(data, report):
    chart, config = data("simulate")["charts"][0], report("simulate").config
    measured, theory = chart["lines"]
    assert len(measured["y"]) == len(theory["y"]) == len(theory["low"]) == 50
    assert theory["dashed"]
    assert theory["y"][0] == pytest.approx(report("simulate").prediction.log10_gradient_ratio, rel=1e-4)
    assert [one["value"] for one in chart["limits"]] == [
        math.log10(config.vanish_below), math.log10(config.explode_above),
    ]  # fmt: skip
    spans = [(one["label"], one["start"], one["end"]) for one in chart["spans"]]
    regions = report("simulate").regions
    assert spans == [(one.flag, one.first_layer - 0.5, one.last_layer + 0.5) for one in regions]


def test_a_transformer_has_a_line_for_each_flow_point_and_one_for_the_theory(data):
    lines = data("transformer")["charts"][0]["lines"]
    assert [line["dashed"] for line in lines] == [False, False, False, True]


def test_what_was_drawn_several_times_has_a_band():
    page = import_module("gradcheck.diagnosis.html").page_of(gradcheck.simulate(depth=4, width=8, seeds=3))
    measured = page.charts[0].lines[0]
    assert all(low <= middle <= high for low, middle, high in zip(measured.low, measured.y, measured.high, strict=True))


def test_a_predictions_numbers_stay_out_of_the_json(report):
    assert "log10_gradient_ratios" not in report("simulate").to_dict()["prediction"]


def test_every_row_of_a_comparison_is_in_its_table(column, report):
    rows = report("compare").rows
    assert column("compare", "rows", "index") == [row["index"] for row in rows]
    assert column("compare", "rows", "gain") == [row["options"]["gain"] for row in rows]
    assert column("compare", "rows", "verdict")[-1] == "error"


def test_a_comparisons_page_shows_the_best_rows_alone_if_asked_to(make_comparison):
    page = import_module("gradcheck.sweep.html")
    text = page.as_html(make_comparison(3, 4), top=2, group_by="depth")
    assert "2 rows, best first" in text
    assert "By depth" in text


def test_a_logs_charts_have_the_same_steps(data):
    norm, loss, layers = data("diagnose")["charts"]
    assert norm["lines"][0]["x"][-1] == loss["lines"][0]["x"][-1] == layers["last"] == 9999
    assert {norm["group"], loss["group"], layers["group"]} == {"steps"}
    assert norm["spans"][0]["label"] == "exploding"


def test_a_logs_heat_map_has_every_layer_and_its_spike(data):
    chart = data("diagnose")["charts"][2]
    assert chart["y"]["names"] == [f"layer{layer}" for layer in range(24)]
    line = chart["cells"][5]
    usual = sorted(line)[len(line) // 2]
    assert max(line[: len(line) // 2]) > usual + 2


def test_the_courses_stay_out_of_a_logs_json(report):
    assert set(report("diagnose").to_dict()["curves"]) == {"grad_norm", "loss"}


def test_a_layer_whose_gradient_is_exactly_zero_is_shown_as_zero():
    rows = [{"step": step, "loss": 1.0, "grad_norm/a": 1.0, "grad_norm/b": 0.0} for step in range(30)]
    text = import_module("gradcheck.logs.html").as_html(gradcheck.diagnose(rows))
    assert '["0","0",' in text


def test_a_log_of_names_that_are_markup_shows_them(hostile):
    rows = [{"step": step, "loss": 1.0, f"grad_norm/{hostile}": 10.0 ** (step / 9)} for step in range(60)]
    text = import_module("gradcheck.logs.html").as_html(gradcheck.diagnose(rows))
    assert text.count("<img") == 0
    assert text.count("<script>window") == 0


def test_a_demonstrations_strategies_have_one_colour_in_all_charts(data):
    names = [[line["name"] for line in chart["lines"]] for chart in data("clip-demo")["charts"]]
    assert all(one == names[0] for one in names)


def test_a_verifications_checks_are_points_beside_their_limit(data, report):
    chart = data("verify")["charts"][0]
    assert len(chart["lines"][0]["y"]) == len(report("verify").checks)
    assert [one["value"] for one in chart["limits"]] == [-6]


def test_the_phase_diagram_has_the_critical_line_and_the_networks_point(data):
    chart = data("theory")["charts"][2]
    line, own = chart["lines"]
    for column, row in zip(line["x"], line["y"], strict=True):
        left = int(column - 0.5)
        here, following = chart["cells"][int(row)][left : left + 2]
        assert here <= 0 <= following
    assert float(chart["x"]["names"][round(own["x"][0] - 0.5)]) == pytest.approx(1, abs=0.03)
    assert chart["y"]["names"][round(own["y"][0] - 0.5)] == "0"


def test_a_quantity_that_is_zero_everywhere_has_no_chart(data):
    titles = [chart["title"] for chart in data("transformer")["charts"]]
    assert "Activations" in titles
    assert "Dead units" not in titles


def test_the_phase_diagram_has_a_cell_for_each_pair_of_scales(data, report):
    plane, chart = report("theory").phase_diagram, data("theory")["charts"][2]
    assert (len(chart["cells"]), len(chart["cells"][0])) == (len(plane.sigma_b), len(plane.sigma_w))
