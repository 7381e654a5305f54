"""A search as text, Markdown, CSV, a page and a figure: all tell of the same."""

import csv
import io
from dataclasses import replace
from itertools import pairwise

import pytest

import gradcheck
from gradcheck.learning_rate.cells import heading, label_of, next_command
from gradcheck.learning_rate.formats import as_csv, as_markdown
from gradcheck.learning_rate.text import as_text
from gradcheck.render.numbers import significant
from gradcheck.render.page import Page

SMALL = {"depth": 3, "width": 16, "activation": "tanh", "init": "lecun", "batch_size": 32}


@pytest.fixture(scope="module")
def report():
    return gradcheck.rate(**SMALL, seeds=2, updates=12)


@pytest.fixture(scope="module")
def none(without_rate):
    return without_rate[1]


def test_text_has_its_parts_from_top_to_bottom(report):
    best = significant(report.answer.best_rate)
    parts = ["tanh · lecun", f"RATE {best}", "training fails above", "of seed 0, by rate", "of seed 1, by rate",
             "loss along the first update", "gradcheck explain learning-rate"]  # fmt: skip
    text = str(report)
    assert [text.index(part, text.index(before)) >= 0 for before, part in pairwise(parts)]


@pytest.mark.parametrize("width", [40, 80, 140])
def test_text_stays_within_the_page(width, report, none):
    for one in (report, none):
        *lines, last = as_text(one, Page(width=width)).rstrip("\n").split("\n")
        assert max(map(len, lines)) <= width
        assert last.startswith("  gradcheck ")


def test_without_a_rate_no_number_is_made_up(none):
    text = str(none)
    assert "NO RATE HELPS" in text
    assert "the best rate of SGD is about" not in text.partition("it trains")[0]


@pytest.fixture(scope="module")
def fallen(none):
    """No rate helps, though the losses of one run fall."""
    first, *others = none.runs
    return replace(none, runs=(replace(first, status="falls"), *others))


def test_where_no_rate_helps_no_run_is_marked_as_one_that_falls(fallen):
    for text in (str(fallen), as_markdown(fallen), as_text(fallen, Page(width=40))):
        assert "no better than guessing" in text
        assert "falls" not in text


def test_a_run_whose_loss_is_below_a_guess_is_not_called_no_better(fallen):
    below = str(replace(fallen, runs=tuple(replace(one, loss=0.5) for one in fallen.runs)))
    assert "hardly any progress" in below
    assert "no better than guessing" not in below


def test_nor_is_it_on_the_page(fallen):
    pytest.importorskip("jinja2")
    assert "no better than guessing" in fallen.to_html()
    assert "falls" not in fallen.to_html()


def test_where_a_rate_is_found_runs_that_fall_are_marked_so(report):
    assert "falls" in str(report)
    assert "no better than guessing" not in str(report)


def test_what_heals_a_network_is_searched_next_and_without_it_the_network_is_simulated(none):
    assert next_command(none).startswith("gradcheck rate --updates 6 --depth 30 --width 8 --")
    assert next_command(replace(none, cure=None)) == "gradcheck simulate --depth 30 --width 8"


def test_runs_that_were_made_again_with_more_updates_are_called_that():
    again = gradcheck.rate(**SMALL | {"depth": 20}, updates=5)
    assert heading(again).endswith(" · runs of 5 to 20 updates")
    assert "mean loss of the last 40 % of runs of 20 updates, by rate" in str(again)


def test_runs_whose_band_longer_ones_make_narrower_are_named(report, none):
    assert report.verdict.reasons[-1].startswith("that is the factor of runs of 12 updates: of 100 it is ")
    assert "that factor" not in str(none)


def test_csv_has_one_line_a_run(report):
    records = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [(one["seed"], float(one["rate"])) for one in records] == [(str(one.seed), one.rate) for one in report.runs]
    assert [one["status"] for one in records] == [one.status for one in report.runs]


def test_markdown_has_the_reasons_and_a_line_for_each_run(report):
    text = as_markdown(report)
    assert text.startswith(f"**rate {significant(report.answer.best_rate)}** - tanh")
    assert text.count("\n| 0 |") + text.count("\n| 1 |") == len(report.runs)
    assert all(reason in text for reason in report.verdict.reasons)


def test_a_rate_that_does_not_fit_leads_to_one_that_does():
    asked = gradcheck.rate(**SMALL, updates=6, lr=1e6)
    best = float(significant(asked.answer.best_rate))
    assert next_command(asked) == f"gradcheck rate --lr {best:g} --updates 6 {NETWORK}"
    assert next_command(gradcheck.rate(**SMALL, updates=6)) == f"gradcheck rate --updates 6 {NETWORK} --seeds 5"


NETWORK = "--depth 3 --width 16 --activation tanh --init lecun --batch-size 32"


def test_the_page_has_a_line_for_each_seed_and_one_for_each_run(report):
    pytest.importorskip("jinja2")
    text = report.to_html()
    assert text.count('"name":"seed 0"') == 2
    of_first = [one for one in report.runs if one.seed == 0]
    assert text.count('"name":"rate ') == len(of_first)


@pytest.mark.parametrize(("share", "label"), [(0.2, "RATE TRAINS, LOW"), (1.0, "RATE FITS")])
def test_the_headline_and_the_band_agree_and_the_next_command_has_a_rate_within_it(share, label, report):
    asked = gradcheck.rate(**SMALL, updates=12, lr=share * report.answer.best_rate)
    assert asked.verdict.status == "fits"
    assert label_of(asked)[0] == label
    within = asked.answer.low <= asked.config.lr <= asked.answer.high
    assert within == (label == "RATE FITS")
    assert (f"--lr {significant(asked.answer.best_rate)}" in next_command(asked)) != within


def test_a_run_that_diverges_does_not_flatten_the_courses_of_the_others():
    pytest.importorskip("matplotlib")
    report = gradcheck.rate(depth=3, width=32, activation="tanh", updates=25)
    losses = [loss for one in report.runs for loss in one.losses if loss is not None]
    first, best = report.draws[0].first_loss, min(report.runs, key=lambda one: one.loss or 1e9)
    assert max(losses) > 2 * first
    _, top = report.plot().figure.axes[1].get_ylim()
    assert top == pytest.approx(max(2 * first, *best.losses))


def test_the_figure_has_the_runs_their_courses_and_the_first_update(report, none):
    pytest.importorskip("matplotlib")
    by_rate, courses, along = report.plot().figure.axes
    of_first = [one for one in report.runs if one.seed == 0]
    assert list(by_rate.lines[0].get_xdata()) == pytest.approx([one.rate for one in of_first])
    assert len(courses.lines) == len(of_first)
    assert list(along.lines[0].get_xdata()) == pytest.approx(report.draws[0].rates)
    assert none.plot().figure.axes
