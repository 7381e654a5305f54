"""What all figures share: panels, log axes, names as they are written, files that stay the same."""

import math
import sys

import pytest

from gradcheck.errors import MissingExtraError, OptionError


@pytest.fixture(scope="module")
def mpl():
    return pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def figure(mpl):
    from gradcheck.render import figure

    return figure


@pytest.fixture
def panel(figure):
    """Text to be drawn ↦ the axes of a figure that has it as its title."""
    return lambda text="a title": figure.draw(text, [figure.Part(figure.entitle, 2.0)])


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "gradcheck.render.figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        import gradcheck.render.figure  # noqa: F401


def test_a_log_axis_has_the_numbers_themselves(figure, panel):
    ax = panel()
    place = figure.log_axis(ax, [-12.0, None, 3.0, -math.inf])
    assert ax.get_yscale() == "log"
    assert place(-3.0) == pytest.approx(1e-3)
    assert ax.get_ylim()[0] < 1e-12 < 1e3 < ax.get_ylim()[1]
    assert math.isnan(place(None))
    assert math.isnan(place(-math.inf))


def test_a_log_axis_is_a_decade_at_least_around_what_is_drawn(figure, panel):
    ax = panel()
    figure.log_axis(ax, [0.4, 0.6])
    assert ax.get_ylim() == pytest.approx((1.0, 10.0))


def test_beyond_the_range_of_floats_an_axis_counts_exponents_and_is_labelled_alike(figure, panel):
    ax = panel()
    place = figure.log_axis(ax, [-700.0, 0.0])
    assert (ax.get_yscale(), place(-650.0)) == ("linear", -650.0)
    assert ax.yaxis.get_major_formatter()(-600.0, 0) == r"$\mathdefault{10^{-600}}$"


def test_a_per_cent_sign_stays_with_its_number_where_a_title_is_wrapped(figure, panel):
    for length in range(30, 90):
        title = panel("a" * length + " 53.5 % of it").get_title(loc="left")
        assert "\n%" not in title


@pytest.mark.parametrize("name", ["a$x^2$b", r"cost\$s", "50 % $", r"\frac{1}{2}$$", "line\nbreak", "é 層 ∇", "<b>&"])
def test_a_name_is_shown_as_it_is_written_and_never_as_a_formula(name, figure, panel):
    svg = figure.encoded(panel(name).figure, "svg").decode()
    shown = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert shown.replace("\n", " ") in svg  # a title is wrapped
    assert figure.literal("line\nbreak") == r"line\nbreak"


def test_a_name_in_letters_that_the_font_lacks_is_no_warning(figure, panel):
    assert figure.encoded(panel("中文").figure, "png")  # warnings are errors


def test_of_many_names_an_even_sample_is_written_with_both_ends(figure, panel):
    ax = panel()
    figure.name_ticks(ax, [f"{'deep.' * 20}{index}" for index in range(1_000)])
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert (ax.get_xticks()[0], ax.get_xticks()[-1]) == (1, 1_000)
    assert figure.MOST_NAMES - 2 <= len(names) <= figure.MOST_NAMES
    assert max(map(len, names)) == figure.LONGEST_NAME
    assert names[-1].endswith("deep.999")


@pytest.mark.parametrize("count", [1, 2, 30, 31, 42, 59, 60, 61])
def test_no_two_names_are_nearer_than_the_others_unless_all_are_written(count, figure, panel):
    ax = panel()
    figure.name_ticks(ax, [str(place) for place in range(count)])
    ticks = ax.get_xticks()
    assert (ticks[0], ticks[-1]) == (1, count)
    assert min(ticks[1:] - ticks[:-1], default=1) == -(-count // figure.MOST_NAMES)


def test_regions_of_one_kind_are_named_once(figure, panel):
    ax = panel()
    for first in (1, 5, 9):
        figure.shade(ax, first, first + 2, "vanishing")
    assert ax.get_legend_handles_labels()[1] == ["vanishing"]
    assert len(ax.patches) == 3


def test_no_two_lines_look_alike_in_grayscale(figure):
    assert len({(line["linestyle"], line["marker"]) for line in figure.LINES}) == len(figure.LINES)


def test_colours_of_flags_that_are_regions_are_told_apart_by_their_hatch(figure):
    hatches = [figure.LOOKS[flag][1] for flag in ("vanishing", "exploding", "dead", "saturated", "nonfinite")]
    assert len({*hatches, ""}) == 6


@pytest.mark.parametrize(("form", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-")])
def test_a_file_is_of_its_kind_and_the_same_whenever_it_is_made(form, start, figure, panel):
    first, second = (figure.encoded(panel().figure, form) for _ in range(2))
    assert first.startswith(start)
    assert first == second
    assert b"Date" not in first.replace(b"/CreationDate", b"Date" if b"/CreationDate" in first else b"")


def test_text_of_an_svg_is_text(figure, panel):
    assert "VANISHING: layers 1 to 9" in figure.encoded(panel("VANISHING: layers 1 to 9").figure, "svg").decode()


def test_a_figure_is_the_same_in_whatever_style_the_user_has_and_leaves_that_style(mpl, figure, panel):
    plain = figure.encoded(panel().figure, "svg")
    with mpl.rc_context({"lines.linewidth": 9, "axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path"}):
        assert figure.encoded(panel().figure, "svg") == plain
        assert mpl.rcParams["font.size"] == 30


def test_axes_that_are_given_get_the_first_part_alone_and_no_other_style(mpl, figure):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    drawn = figure.draw("title", [figure.Part(figure.entitle, 2.0), figure.Part(figure.entitle, 1.0)], ax)
    assert drawn is ax
    assert ax.figure.axes == [ax]
    assert ax.spines["top"].get_visible()


def test_what_is_no_axes_is_refused(figure):
    with pytest.raises(OptionError, match=r"ax=3 is no axes of matplotlib; leave it out"):
        figure.draw("title", [figure.Part(figure.entitle, 2.0)], 3)


def test_a_notebook_shows_the_figure_of_axes_as_svg(panel):
    ax = panel("shown")
    assert ax._repr_svg_().startswith("<svg")
    assert ax.figure._repr_svg_() == ax._repr_svg_()


def test_nothing_of_pyplot_is_loaded(mpl, panel):
    import subprocess

    program = "import gradcheck, sys; gradcheck.theory(depth=3).plot(); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
