"""Pages in a real browser without a network: drawn, pointed at, zoomed, sorted, by keyboard, for everybody."""

import os
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed"),
    # Playwright's own loop leaves these behind.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

NAMES = [
    "simulate", "transformer", "theory", "compare", "clip-demo", "rate", "transfer", "probe", "diagnose", "verify",
]  # fmt: skip

IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


@pytest.fixture(scope="session")
def saved(html, tmp_path_factory):
    """Name ↦ the file of that page."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def save(name):
        path = folder / f"{name}.html"
        path.write_text(html(name), encoding="utf-8")
        return path

    return save


def open_window(browser, path, **how):
    """Open a file in a window of its own without a network: its page, with what it said and what it asked for."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **how})
    context.set_offline(True)
    page = context.new_page()
    page.said, page.asked_for = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked_for.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]", state="attached")
    return page


@pytest.fixture
def opened(browser, saved):
    """Open a page, or a file, for this test alone."""
    pages = []

    def open_page(name, **how):
        pages.append(open_window(browser, name if isinstance(name, Path) else saved(name), **how))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()


@pytest.fixture(scope="session")
def seen(browser, saved):
    """Name ↦ that page, opened once for all tests that do nothing but look."""
    return cache(lambda name: open_window(browser, saved(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_from_the_disk_asks_for_nothing_and_complains_of_nothing(name, seen, saved):
    page = seen(name)
    assert page.said == []
    assert [url for url in page.asked_for if not url.startswith("data:")] == [saved(name).as_uri()]


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_has_the_marks_of_its_data(name, seen, data):
    drawn = seen(name).evaluate(
        "[...document.querySelectorAll('figure')].map(one => ({image: one.querySelectorAll('.plot image').length,"
        " dot: one.querySelectorAll('.plot circle').length, path: one.querySelectorAll('.plot path').length}))"
    )
    assert len(drawn) == len(data(name)["charts"])
    for chart, marks in zip(data(name)["charts"], drawn, strict=True):
        if chart["kind"] != "lines":
            assert marks["image"] == 1
            continue
        lines = [line for line in chart["lines"] if any(one is not None for one in line["y"])]
        assert marks["path"] >= sum(not line["dots"] for line in lines)
        few = [
            one
            for line in lines
            if not line["dashed"]
            for one in line["y"]
            if one is not None and len(line["y"]) <= 150
        ]
        assert marks["dot"] >= len(few)


def test_a_heat_map_has_a_pixel_for_each_cell(seen, data):
    page, chart = seen("diagnose"), data("diagnose")["charts"][2]
    source = page.locator("figure").nth(2).locator("image").get_attribute("href")
    size = page.evaluate(
        "async source => {const one = new Image(); one.src = source; await one.decode();"
        " return [one.width, one.height]}",
        source,
    )
    assert size == [len(chart["cells"][0]), len(chart["cells"])]


def test_the_legend_of_a_heat_map_has_the_numbers_at_its_ends(seen):
    key = seen("diagnose").locator("figure").nth(2).locator(".key").inner_text()
    assert re.fullmatch(r"gradient norm\s+0\.\d+\s+\d\.\d+e7", key)


def test_networks_in_a_heat_map_are_told_apart_and_named_beside_their_spots(seen, data):
    chart = seen("attention").locator("figure", has_text="Attention and branches")
    names = [line["name"] for line in data("attention")["charts"][-1]["lines"] if line["dots"]]
    assert set(names) <= set(chart.locator("svg text").all_text_contents())
    spots = "all => all.map(one => one.getAttribute('d') + getComputedStyle(one).fill)"
    assert len(set(chart.locator(".plot path[transform]").evaluate_all(spots))) >= len(names)


def test_the_last_name_along_a_heat_map_isnt_cut_off(seen):
    svg = seen("attention").locator("figure", has_text="Attention and branches").locator(".plot svg")
    right = "(svg) => Math.max(...[...svg.querySelectorAll('text')].map(one => one.getBoundingClientRect().right))"
    assert svg.evaluate(right) <= svg.evaluate("(svg) => svg.getBoundingClientRect().right")


def test_the_last_name_along_a_chart_isnt_cut_off_on_a_phone(opened):
    svg = opened("probe", viewport={"width": 390, "height": 800}).locator("figure").first.locator(".plot svg")
    right = "(svg) => Math.max(...[...svg.querySelectorAll('text')].map(one => one.getBoundingClientRect().right))"
    assert svg.evaluate(right) <= svg.evaluate("(svg) => svg.getBoundingClientRect().right")


def test_labels_of_findings_that_begin_together_stand_one_below_the_other(opened, tmp_path):
    import gradcheck
    from gradcheck.logs.html import as_html

    rows = [
        {"step": step, "loss": 2.3 - step / 1e4} | {f"grad_norm/{layer}": 10.0**layer for layer in range(-5, 1)}
        | {f"update_ratio/{layer}": 1e-7 for layer in range(-5, 1)}
        for step in range(100)
    ]  # fmt: skip
    path = tmp_path / "two.html"
    path.write_text(as_html(gradcheck.diagnose(rows)), encoding="utf-8")
    labels = opened(path).locator("figure").first.locator(".plot g[font-weight='600'] text")
    assert labels.count() == 2
    (one, other) = (label.bounding_box() for label in labels.all())
    assert other["y"] >= one["y"] + 0.8 * one["height"]


def test_letters_in_a_heat_map_stand_out_from_its_colours(seen):
    letters = seen("compare").locator("figure").first.locator(".plot g[stroke-width='2'] text")
    drawn = letters.evaluate_all("all => all.map(one => getComputedStyle(one)).map(one => [one.fill, one.stroke])")
    assert all(fill != stroke for fill, stroke in drawn)


def test_a_cell_of_several_verdicts_has_a_letter_that_the_legend_explains(opened, tmp_path):
    import gradcheck
    from gradcheck.sweep.html import as_html

    varied = {"activation": ["relu", "tanh"], "init": ["he", "xavier"], "norm": ["none", "layer"], "depth": 20}
    path = tmp_path / "mixed.html"
    comparison = gradcheck.compare({**varied, "width": 32}, seeds=1)
    assert len(list(comparison)) == 8
    path.write_text(as_html(comparison), encoding="utf-8")
    figure = opened(path).locator("figure").first
    letters = figure.locator(".plot g[stroke-width='2'] text").all_text_contents()
    assert "M" in letters
    assert "M several of them" in figure.locator(".key").all_inner_texts()[0]


def test_an_axis_of_a_models_layers_has_their_names(seen, data):
    names = data("probe")["charts"][0]["x"]["names"]
    texts = seen("probe").locator("figure").first.locator(".plot svg text").all_text_contents()
    assert [text for text in texts if text in names] == names


@pytest.mark.parametrize(("name", "chart"), [("theory", 0), ("clip-demo", 0), ("simulate", 2)])
def test_the_ticks_of_a_log_axis_are_round_numbers(name, chart, seen):
    texts = seen(name).locator("figure").nth(chart).locator(".plot svg text[y='0.32em']").all_text_contents()
    assert len(texts) >= 3
    digits = [text.replace("0", "").replace(".", "") for text in texts]
    assert all(len(one) == 1 or one.endswith("5") for one in digits), texts


def test_a_log_axis_across_has_the_values_themselves(seen):
    texts = seen("transfer").locator("figure").nth(1).locator(".plot svg text").all_text_contents()
    assert {"20", "30", "40", "50", "60"} <= set(texts)


def readout(page, chart=0):
    """What a chart reads out: name ↦ value."""
    one = page.locator("figure").nth(chart).locator(".readout")
    return dict(zip(one.locator("dt").all_inner_texts(), one.locator("dd").all_inner_texts(), strict=True))


def point_at(page, chart, across, down=0.5):
    box = page.locator("figure").nth(chart).locator(".plot svg").bounding_box()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    return box


def ticks(page, chart):
    """The numbers at the horizontal axis of a chart."""
    texts = page.locator("figure").nth(chart).locator(".plot svg text").all_text_contents()
    return [text for text in texts if re.fullmatch(r"[\d.e+-]+", text)]


def test_pointing_at_a_layer_shows_all_its_numbers_and_what_theory_says(opened, data):
    page = opened("simulate")
    point_at(page, 0, 0.5)
    told = readout(page)
    titles = [column["title"] for column in data("simulate")["tables"][0]["columns"]]
    assert set(titles) <= set(told)
    assert {"predicted gain", "predicted ratio ± its standard deviation"} <= set(told)
    row = page.locator("tbody tr").nth(int(told["layer"]) - 1).locator("td").all_inner_texts()
    assert row == [told[title] for title in titles]


def test_dragging_zooms_all_charts_of_the_same_axis_and_a_button_shows_all_again(opened):
    page = opened("diagnose")
    before = [ticks(page, chart) for chart in (0, 1, 2)]
    box = point_at(page, 0, 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=4)
    page.mouse.up()
    zoomed = [ticks(page, chart) for chart in (0, 1, 2)]
    assert all(one != other for one, other in zip(before, zoomed, strict=True))
    page.get_by_role("button", name="Loss: show all").click()
    assert [ticks(page, chart) for chart in (0, 1, 2)] == before


def test_a_chart_is_used_by_keys_alone(opened):
    page = opened("simulate")
    chart = page.locator(".plot").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert readout(page)["layer"] == "2"
    page.keyboard.press("Enter")
    assert page.locator("tr.marked td").first.inner_text() == "2"
    before = ticks(page, 0)
    page.keyboard.press("+")
    assert ticks(page, 0) != before
    page.keyboard.press("0")
    assert ticks(page, 0) == before


def test_a_tables_header_sorts_one_way_and_the_other(opened, report):
    page = opened("simulate")
    gains = [layer.local_gain for layer in report("simulate").layers if layer.local_gain is not None]
    head = page.get_by_role("columnheader", name="gain").first
    first = page.locator("tbody tr").first
    place = head.evaluate("one => one.cellIndex")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert float(first.locator("td").nth(place).inner_text()) == pytest.approx(min(gains), rel=1e-3)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert float(first.locator("td").nth(place).inner_text()) == pytest.approx(max(gains), rel=1e-3)


def test_a_click_into_the_heat_map_of_a_comparison_marks_its_row(opened):
    page = opened("compare")
    point_at(page, 0, 0.4, 0.5)
    told = readout(page)
    page.mouse.down()
    page.mouse.up()
    assert page.locator("tr.marked td").nth(1).inner_text() == told["depth"]
    assert page.locator("tr.marked td").nth(2).inner_text() == told["gain"]


def test_a_long_table_shows_a_part_and_more_if_asked_to_and_finds_a_row(opened):
    page = opened("compare")
    assert page.locator("tbody tr").count() == 100
    page.get_by_role("searchbox").fill("worker was lost")
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Show 100 more").click()
    assert page.locator("tbody tr").count() == 200


def test_names_that_are_markup_are_shown_and_run_nothing(opened, tmp_path, hostile):
    import gradcheck
    from gradcheck.logs.html import as_html

    rows = [{"step": step, "loss": 1.0, f"grad_norm/{hostile}": 10.0 ** (step / 9)} for step in range(60)]
    path = tmp_path / "hostile.html"
    path.write_text(as_html(gradcheck.diagnose(rows)), encoding="utf-8")
    page = opened(path)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert "onerror=window.hacked=1" in page.locator("tbody td").first.inner_text()
    assert page.said == []


def test_a_page_is_dark_where_the_system_is_and_where_its_reader_wants_it(opened):
    def paper(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = (opened("verify", color_scheme=scheme) for scheme in ("light", "dark"))
    assert (paper(light), paper(dark)) == ("rgb(255, 255, 255)", "rgb(20, 23, 27)")
    for expected in ("rgb(255, 255, 255)", "rgb(20, 23, 27)"):
        light.locator("#theme").click()
        assert paper(light) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_phone(name, seen):
    page = seen(name)
    page.set_viewport_size({"width": 390, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1200, "height": 900})
    assert width <= 390


def test_a_printed_page_has_the_verdict_the_charts_and_no_buttons(opened):
    page = opened("simulate", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#theme").is_visible()
    assert page.locator(".plot svg").first.is_visible()
    assert page.locator("h1").is_visible()


@pytest.mark.parametrize("name", NAMES)
def test_everybody_can_use_a_page_light_or_dark(name, seen):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = seen(name)
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.emulate_media(color_scheme="dark")
    found += axe.run(page, options={"runOnly": ["color-contrast"], "resultTypes": ["violations"]}).response[
        "violations"
    ]
    page.emulate_media(color_scheme="light")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


@pytest.mark.parametrize(
    ("picture", "name", "scheme", "chart", "across"),
    [
        ("simulate", "simulate", "light", 0, 0.35), ("transformer", "gpt3", "dark", 0, 0.6),
        ("compare", "compare", "light", 0, 0.62), ("diagnose", "diagnose", "dark", 2, 0.36),
        ("probe", "probe", "light", 0, 0.4), ("clip-demo", "clip-demo", "dark", 0, 0.5),
    ],
)  # fmt: skip
def test_the_documents_have_a_small_picture_of_the_page(picture, name, scheme, chart, across, opened):
    path = IMAGES / f"html-{picture}.png"
    if os.environ.get("GRADCHECK_UPDATE_IMAGES") == "1":
        page = opened(name, color_scheme=scheme, viewport={"width": 1000, "height": 940 if name == "diagnose" else 700})
        page.locator("figure").nth(chart).scroll_into_view_if_needed()
        point_at(page, chart, across)
        page.screenshot(path=path)
    assert 10_000 < path.stat().st_size < 150_000
