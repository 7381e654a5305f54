import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.diagnosis.text import as_text
from gradcheck.render.bars import ASCII, BLOCKS
from gradcheck.render.numbers import percent
from gradcheck.render.page import Page

GRADIENTS = st.lists(st.floats(-100, 100) | st.just(-math.inf), min_size=1, max_size=60)
ENCODINGS = st.sampled_from(["utf-8", "ascii", "latin-1"])
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

RUNS = {
    "vanishing": {"depth": 50},
    "healthy": {"depth": 4, "activation": "tanh", "init": "lecun"},
    "exploding": {"depth": 45, "activation": "relu", "init": "he", "gain": 3.0},
    "overflow": {"depth": 60, "activation": "linear", "init": "normal", "weight_std": 1e8},
    "zero": {"depth": 45, "activation": "step"},
    "one layer": {"depth": 1, "width": 1},
    "several draws": {"depth": 12, "seeds": 3},
}


@pytest.fixture(scope="module", params=RUNS)
def real(request):
    """A report; of some networks with suggestions."""
    suggest = request.param in ("vanishing", "zero", "several draws")
    return gradcheck.simulate(suggest=suggest, **({"width": 16, "batch_size": 16} | RUNS[request.param]))


@given(GRADIENTS, st.integers(0, 5), st.integers(20, 200), ENCODINGS, st.booleans())
def test_any_report_can_be_shown_at_any_width(report_of, gradients, missing, width, encoding, all_layers):
    report = report_of(gradients + [None] * missing)
    text = as_text(report, Page(width, encoding), all_layers=all_layers)
    assert report.verdict.status.upper() in text
    assert text.endswith("\n")
    text.encode(encoding)


@given(st.integers(20, 200), ENCODINGS, st.sampled_from([None, "standard", "256", "truecolor"]))
def test_a_network_with_suggestions_can_be_shown_at_any_width(report_of, suggestion_of, width, encoding, colours):
    suggestions = tuple(suggestion_of(residual=True, residual_scale=scale) for scale in (1.0, 0.125))
    report = report_of([-9.0, 0.0], suggestions=suggestions, data="größe.npy")
    as_text(report, Page(width, encoding, colours)).encode(encoding)


def test_where_there_are_no_blocks_all_is_ascii(real):
    assert as_text(real, Page(80, "ascii")).isascii()


def test_there_are_none_in_other_encodings_of_one_byte(vanishing):
    for encoding in ("latin-1", "cp1252", "nonsense"):
        assert as_text(vanishing, Page(80, encoding)) == as_text(vanishing, Page(80, "ascii")), encoding


def test_nothing_but_what_is_there_to_be_copied_is_wider_than_the_terminal(real):
    for width, encoding in [*((width, "utf-8") for width in (40, 60, 80, 120)), (40, "ascii")]:
        text = as_text(real, Page(width, encoding))
        shown, *to_copy = text.split("\n\n  What would fix it") if real.suggestions else text.rsplit("\n\n", 1)
        assert max(map(len, shown.splitlines())) <= width, (encoding, width)
        commands = text.rpartition("\n\n")[2].splitlines()
        explained = [f"  gradcheck explain {real.verdict.status}"] if real.verdict.status != "healthy" else []
        assert commands[0].startswith("  gradcheck simulate"), (encoding, width)
        assert commands[1:] == explained, (encoding, width)
        assert len(to_copy) == 1, (encoding, width)


@pytest.mark.parametrize("width", [40, 80])
def test_every_suggestion_can_be_read_on_a_narrow_terminal_too(report_of, suggestion_of, width):
    one = suggestion_of(score=0.87, residual=True, residual_scale=0.125)
    text = as_text(report_of([-9.0, 0.0], suggestions=(one,)), Page(width))
    assert " ".join(text.split()).count("--residual --residual-scale 0.125 span 0.5 trains: 87 %") == 1


def test_the_text_has_the_order_of_the_contract(report_of, suggestion_of):
    report = report_of([(layer - 49) / 2 for layer in range(50)], suggestions=(suggestion_of(norm="batch"),))
    text = as_text(report)
    landmarks = [
        "sigmoid · xavier · 50 layers",
        "VANISHING",
        report.verdict.reasons[0],
        "plain SGD trains it",
        "log10 −24.5 … 0.0",
        "▁",
        "─ vanishing ─",
        "  layer  gradient",
        "layers shown; --all-layers shows the rest",
        "What would fix it",
        "--norm batch",
        "gradcheck simulate --norm batch",
    ]
    places = [text.index(landmark) for landmark in landmarks]
    assert places == sorted(places)


WHOLE = """\
sigmoid · xavier · 14 layers of 8 · digits, batch 64 · seed 0

  VANISHING   layers 1 to 13 get less than 1/1000 of the last layer's gradient
              30.0 decades (powers of ten) lost (limit 2.3): a factor of 0.00492
              a layer
              the examples stay apart: effective rank 9.0 (limit 1.8)
              plain SGD trains it with probability below 1 %

  layer 1     14   log10 −30.0 … 0.0
  ▁▁▁▂▂▂▂▅▅▅▅▅▅█
  └ vanishing ┘

  layer  gradient    ratio     gain  activation  rank  flag
      1   1.0e-30  1.0e-30      1.0        0.50   9.0  vanishing  ▏
      2   1.0e-30  1.0e-30      1.0        0.50   9.0  vanishing  ▏
      3   1.0e-30  1.0e-30  1.0e-05        0.50   9.0  vanishing  ▏
      4   1.0e-25  1.0e-25      1.0        0.50   9.0  vanishing  ██▍
      5   1.0e-25  1.0e-25      1.0        0.50   9.0  vanishing  ██▍
      6   1.0e-25  1.0e-25      1.0        0.50   9.0  vanishing  ██▍
      7   1.0e-25  1.0e-25  3.2e-13        0.50   9.0  vanishing  ██▍
      8   3.2e-13  3.2e-13      1.0        0.50   9.0  vanishing  ████████▏
      9   3.2e-13  3.2e-13      1.0        0.50   9.0  vanishing  ████████▏
     10   3.2e-13  3.2e-13      1.0        0.50   9.0  vanishing  ████████▏
     11   3.2e-13  3.2e-13      1.0        0.50   9.0  vanishing  ████████▏
     12   3.2e-13  3.2e-13      1.0        0.50   9.0  vanishing  ████████▏
     13   3.2e-13  3.2e-13  3.2e-13        0.50   9.0  vanishing  ████████▏
     14   1.0e+00  1.0e+00        -        0.50   9.0  ok         ██████████████

  What would fix it (each simulated)
    --norm batch   span 0.5   trains: 90 %
    --residual     span 0.5   trains: 60 %
  each is enough alone; likeliest to train first (above 95 %: smallest change)

  gradcheck simulate --norm batch
  gradcheck explain vanishing
"""


def test_a_whole_text_looks_like_this(report_of, suggestion_of):
    suggestions = (suggestion_of(norm="batch"), suggestion_of(score=0.6, residual=True))
    text = as_text(report_of([-30.0] * 3 + [-25.0] * 4 + [-12.5] * 6 + [0.0], suggestions=suggestions))
    assert text == WHOLE


def test_the_verdict_has_all_its_reasons_and_the_probability(real):
    words = " ".join(as_text(real, Page(200)).split())
    for reason in real.verdict.reasons:
        assert reason in words
    assert f"probability {percent(real.verdict.score)}" in words


def test_no_line_ends_in_blanks_and_without_colours_there_is_no_escape(real):
    text = as_text(real)
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_colours_change_nothing_but_the_colours(real):
    plain = as_text(real, Page(80))
    coloured = as_text(real, Page(80, colours=True))
    assert "\x1b[" in coloured
    assert [line.rstrip() for line in ESCAPES.sub("", coloured).splitlines()] == plain.splitlines()


def test_markup_and_control_characters_in_a_files_name_are_shown_and_not_obeyed(report_of):
    text = as_text(report_of([-9.0, 0.0], data="[red]\x1b[2J\n.npy"), Page(200))
    assert "\x1b" not in text
    assert "[red]\\x1b[2J\\n.npy, batch 64" in text


def test_all_layers_of_a_deep_network_are_shown_only_if_asked(vanishing):
    numbers = re.compile(r"^ +(\d+) +\d\.\de", re.MULTILINE)
    some = numbers.findall(as_text(vanishing))
    every = numbers.findall(as_text(vanishing, all_layers=True))
    assert len(some) < 20
    assert every == [str(index) for index in range(1, 51)]


def test_the_sparkline_always_shows_the_whole_network(vanishing):
    for all_layers in (False, True):
        lines = as_text(vanishing, all_layers=all_layers).splitlines()
        assert sum(len(line.strip()) == 50 and set(line.strip()) <= set(BLOCKS.levels) for line in lines) == 1


def test_the_ascii_picture_has_ascii_levels(vanishing):
    lines = as_text(vanishing, Page(80, "ascii")).splitlines()
    assert any(len(line.strip()) == 50 and set(line.strip()) == set(ASCII.levels) for line in lines)


@pytest.mark.parametrize("arch", ["rnn", "lstm", "gru"])
def test_a_recurrence_is_told_in_steps_throughout(arch, report_of):
    for gradients in ([-step / 2 for step in range(49, -1, -1)], [9.0, 0.0], [0.0, None], [-math.inf, 0.0]):
        shown = as_text(report_of(gradients, arch=arch)).replace("--all-layers", "")
        assert "step" in shown
        assert "layer" not in shown
