import math
import re
import shlex
from dataclasses import replace

import pytest
import typer

from gradcheck.base.record import Frozen
from gradcheck.cli.app import app
from gradcheck.clipping.effect import ClipReport
from gradcheck.render.bars import ASCII, BLOCKS
from gradcheck.render.page import Page
from gradcheck.spec.clip_rules import parse_rule
from gradcheck.training.demonstration import Demonstration
from gradcheck.training.sgd import Evaluation, TrainingStep
from gradcheck.training.strategy import judge_run
from gradcheck.training.text import LABELS, as_text, heading, next_command

COMMAND = typer.main.get_command(app).commands["clip-demo"]

SMALL = {"width": 4, "batch_size": 8, "epochs": 2}

#: Final accuracy that goes with a status.
ACCURACY = {"learned": 0.95, "learning": 0.5, "stuck": 0.1, "diverged": 0.1, "stopped": 0.1}

BROKEN = ClipReport(False, math.nan, math.nan, None, math.nan, math.nan, math.nan, (0,))


def clipped(norm=8.0, limit=2.0):
    return ClipReport(norm > limit, norm, min(norm, limit), limit, 1.0, 1.0, min(1.0, limit / norm))


def run(rule, status="learned", losses=None, reports=None, steps=40):
    """A strategy of that status; its losses fall unless they are given."""
    losses = losses or [2.3 / (1 + step / 9) for step in range(steps)]
    losses = [*losses[:-4], *[99.0] * 4] if status == "diverged" else losses
    reports = reports or [clipped()] * len(losses)
    made = [
        TrainingStep(loss, report, "W_h" if report is BROKEN else "")
        for loss, report in zip(losses, reports, strict=True)
    ]
    final = Evaluation(losses[-1], ACCURACY[status])
    found = judge_run(parse_rule(rule), made, final, stopped=status == "stopped", chance=0.1)
    assert found.status == status
    return found


def report_of(*runs, finished=None, **options):
    """The report on strategies that are made by hand."""
    rules = [str(one.rule) for one in runs]
    return Demonstration.from_options(SMALL | options | {"clip": rules}).report(runs[:finished])


SAVED = (run("none", "diverged"), run("value:0.5", "learning"), run("global-norm:0.25"), run("zscore", "stuck"))


@pytest.fixture(scope="module")
def saved():
    return report_of(*SAVED)


def rows(text):
    """The lines that begin with a rule, in the runs, in the table and in the conclusions."""
    return [re.findall(rf"^  {re.escape(str(one.rule))}  .*$", text, re.MULTILINE) for one in SAVED]


def sparklines(text):
    """The columns of loss and norm, by rule."""
    found = re.findall(rf"^  (\S+) +([{BLOCKS.levels}×_]+) +([{BLOCKS.levels}×_]+)$", text, re.MULTILINE)
    return {rule: lines for rule, *lines in found}


# ---- what is said, in which order


def test_the_order_is_what_was_run_the_verdict_the_runs_the_table_the_conclusions_the_command(saved):
    text = as_text(saved, Page(100))
    parts = ["tanh rnn · ", "CLIPPING SAVES IT", "gradient norm ", "strategy ", "  none  ", "gradcheck clip-demo"]
    places = [text.index(part) for part in parts]
    assert places[:4] == sorted(places[:4])
    assert places[5] == max(places)
    last = text.rindex("diverges at step 37")
    assert places[3] < last < places[5]
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_first_line_says_what_was_run(saved):
    first = as_text(saved, Page(160)).splitlines()[0]
    assert first == heading(saved)
    assert first.startswith("tanh rnn · orthogonal, recurrent × 5 · 8 steps of width 4 · digits, batch 8 · seed 0 · ")
    assert first.endswith("2 epochs (40 steps)")


def test_one_epoch_is_one():
    assert " 1 epoch (" in heading(report_of(run("none"), epochs=1))


@pytest.mark.parametrize(
    ("statuses", "label"),
    [
        ({"none": "diverged", "norm": "learned"}, LABELS["saved"][0]),
        ({"none": "learned", "norm": "learned"}, LABELS["unneeded"][0]),
        ({"none": "learning", "norm": "stuck"}, LABELS["early"][0]),
        ({"none": "learned", "norm": "stuck"}, LABELS["ruined"][0]),
        ({"none": "diverged", "norm": "diverged"}, LABELS["lost"][0]),
        ({"none": "diverged"}, "DIVERGED"),
        ({"norm": "learning"}, "LEARNING"),
        ({"norm": "learned", "value": "diverged"}, "LEARNED"),
    ],
    ids=str,
)
def test_the_verdict_is_a_word_or_a_few(statuses, label):
    text = as_text(report_of(*(run(rule, status) for rule, status in statuses.items())))
    assert f" {label} " in text


def test_every_reason_stands_beside_it(saved):
    text = " ".join(as_text(saved).split())
    assert all(reason in text for reason in saved.verdict.reasons)
    assert "before training, the gradient is multiplied by" in text


def test_a_suggestion_is_among_the_reasons():
    report = Demonstration.from_options(SMALL | {"clip": ["suggest"]})
    runs = [run(str(report.rules[0]))]
    assert report.suggestion.how in " ".join(as_text(report.report(runs)).split())


def test_each_strategy_has_a_run_a_row_and_a_conclusion(saved):
    assert [len(found) for found in rows(as_text(saved, Page(140)))] == [3] * 4
    assert all(one.conclusion in as_text(saved, Page(400)) for one in saved.strategies)


def test_the_table_has_the_numbers(saved):
    _, _, row, _ = (found[1] for found in rows(as_text(saved, Page(140))))
    assert re.split(r"  +", row.strip()) == [
        "global-norm:0.25", "95.0 %", "0.43", "no", "8.0", "2.0", "100 %", "1.000", "75 %", "0",
    ]  # fmt: skip
    none, *_ = (found[1] for found in rows(as_text(saved, Page(140))))
    assert "step 37" in none


def test_numbers_that_do_not_exist_are_dashes():
    text = as_text(report_of(run("none", "stopped", [math.nan], [BROKEN])), Page(140))
    row = re.findall(r"^  none .*$", text, re.MULTILINE)[1]
    assert re.split(r"  +", row.strip()) == ["none", "10.0 %", "-", "stop at 1", "-", "-", "-", "-", "-", "1"]
    assert "nan" not in text


# ---- the runs


def test_the_runs_share_one_scale():
    low, high = run("norm:1", losses=[1.0] * 10), run("norm:2", "learned", losses=[1000.0] * 10)
    lines = sparklines(as_text(report_of(low, high)))
    assert lines["norm:1"][0] == "▁" * 10
    assert lines["norm:2"][0] == "█" * 10
    assert "loss  1.0 … 1000" in as_text(report_of(low, high), Page(120))


def test_the_norms_are_those_before_clipping():
    lines = sparklines(
        as_text(
            report_of(
                run("norm:1", losses=[1.0] * 9, reports=[clipped(1000.0)] * 9),
                run("norm:2", losses=[1.0] * 9, reports=[clipped(1.0)] * 9),
            )
        )
    )
    assert (lines["norm:1"][1], lines["norm:2"][1]) == ("█" * 9, "▁" * 9)


def test_a_run_that_was_stopped_ends_where_it_did():
    reports = [clipped()] * 9 + [BROKEN]
    stopped = run("none", "stopped", [2.0] * 10, reports)
    text = as_text(report_of(stopped, run("norm:1", steps=40)), Page(120))
    lines = sparklines(text)
    assert [len(line) for line in lines["norm:1"]] == [40, 40]
    assert [len(line) for line in lines["none"]] == [10, 10]
    assert lines["none"][1].endswith("×")
    assert "×" not in lines["none"][0] + lines["norm:1"][1]


def test_on_a_narrow_terminal_a_stopped_run_ends_where_it_did_too():
    stopped = run("none", "stopped", [2.0] * 100, [clipped()] * 99 + [BROKEN])
    lines = sparklines(as_text(report_of(stopped, run("norm:1", steps=400)), Page(80)))
    full, early = len(lines["norm:1"][0]), len(lines["none"][0])
    assert early == math.ceil(full / 4)
    assert lines["none"][1].endswith("×")


def test_a_step_that_is_not_finite_is_a_cross_even_among_others():
    reports = [clipped()] * 400
    reports[200] = BROKEN
    lines = sparklines(as_text(report_of(run("norm:1", losses=[1.0] * 400, reports=reports))))
    assert lines["norm:1"][1].count("×") == 1
    assert "×" not in lines["norm:1"][0]


def test_a_column_shows_the_largest_of_its_steps():
    losses = [1.0] * 400
    losses[200] = 1e5
    lines = sparklines(as_text(report_of(run("norm:1", losses=losses))))
    assert lines["norm:1"][0].count("█") == 1
    assert set(lines["norm:1"][0]) == {"▁", "█"}


def test_what_is_far_above_the_rest_does_not_flatten_it():
    losses = [1e250, *[10.0 ** (-step / 10) for step in range(39)]]
    text = as_text(report_of(run("norm:1", losses=losses)), Page(120))
    assert len(set(sparklines(text)["norm:1"][0])) > 4
    assert "and more" in text


@pytest.mark.parametrize("losses", [[math.nan] * 5, [0.0] * 5, [math.inf] * 5, [5e-324] * 5, [1e308] * 5])
def test_losses_of_every_size_can_be_shown(losses):
    reports = [BROKEN] * 5 if not math.isfinite(losses[0]) else None
    gone = not math.isfinite(losses[0])
    found = run("norm:1", "stopped" if gone else "learned", losses, reports)
    assert as_text(report_of(found))


# ---- the page


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 140, 200])
def test_no_line_but_the_command_is_wider_than_the_terminal(width, saved):
    *lines, _ = as_text(saved, Page(width)).splitlines()
    assert [line for line in lines if len(line) > width] == []


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 140])
def test_no_cell_of_the_table_is_cut_off(width):
    long = (run("none", "diverged"), run("global-norm:0.00012"), run("percentile:99.5"))
    text = as_text(report_of(*long), Page(width))
    table = [line for line in text.splitlines() if re.match(r"  (strategy|\S+) +(accuracy|\d+\.\d %)", line)]
    assert len(table) == 4
    assert not [line for line in table if "…" in line]


def test_a_wide_terminal_shows_more_columns(saved):
    narrow, middle, wide = (as_text(saved, Page(width)) for width in (40, 80, 140))
    assert "cosine" not in re.sub(r"\(.*?\)", "", narrow)
    assert "cosine" in middle
    assert "non-finite" not in middle
    assert "non-finite" in wide


def test_plain_terminals_get_no_colour_and_others_do(saved):
    assert "\033" not in as_text(saved)
    assert "\033[" in as_text(saved, Page(colours=True))


def test_a_terminal_without_blocks_gets_ascii():
    stopped = run("none", "stopped", [2.0] * 10, [clipped()] * 9 + [BROKEN])
    text = as_text(report_of(stopped, run("norm:1"), run("agc")), Page(80, "ascii"))
    assert text.isascii()
    assert "?" not in text
    assert ASCII.levels[-1] in text
    assert re.search(r"^  none .*x$", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["[red]x.npy", "a\033[2J\nb.npy", ":smile:.npy"])
def test_a_file_s_name_is_neither_markup_nor_obeyed(name, saved):
    odd = replace(saved, config=Frozen({**saved.config, "data": name}))
    text = as_text(odd, Page(200))
    assert "\033" not in text
    assert name.split("\033")[0] in text


# ---- interrupted


def test_a_run_that_was_interrupted_says_how_much_is_finished():
    text = as_text(report_of(*SAVED, finished=2))
    assert "interrupted: 2 of 4 strategies are finished" in " ".join(text.split())
    assert [len(found) for found in rows(text)] == [3, 3, 0, 0]


def test_nothing_finished_is_one_line():
    assert len(as_text(report_of(*SAVED, finished=0), Page(200)).splitlines()) == 1


def test_the_next_command_of_an_interrupted_run_is_the_whole_again():
    report = report_of(*SAVED, finished=2)
    assert again(next_command(report)) == report.config


# ---- the next command


def again(command):
    """The config that the command's own options make of a command line."""
    program, name, *words = shlex.split(command)
    assert (program, name) == ("gradcheck", "clip-demo")
    options = COMMAND.make_context("clip-demo", words).params
    return Demonstration.from_options(options).report([]).config


@pytest.mark.parametrize(
    ("statuses", "change"),
    [
        ({"none": "diverged", "norm:1": "learned"}, {"clip": ["norm:1"], "seed": 1}),
        ({"norm:1": "learned"}, {"seed": 1}),
        ({"none": "learned"}, {"seed": 1}),
        ({"none": "learned", "norm:1": "learned"}, {"lr": 0.9}),
        ({"none": "diverged", "norm:1": "diverged"}, {"lr": 0.03}),
        ({"none": "stuck", "norm:1": "stopped"}, {"lr": 0.03}),
        ({"norm:1": "stopped"}, {"lr": 0.03}),
        ({"none": "diverged", "norm:1": "learning"}, {"epochs": 6}),
    ],
    ids=str,
)
def test_the_next_command_is_what_one_would_try_next(statuses, change):
    runs = [
        run(rule, status, *([[2.0] * 3, [clipped(), clipped(), BROKEN]] if status == "stopped" else []))
        for rule, status in statuses.items()
    ]
    report = report_of(*runs, lr=0.3)
    assert again(next_command(report)) == report.config.to_dict() | change


def test_the_command_is_the_last_line_whole_at_any_width(saved):
    for width in (40, 200):
        *_, last = as_text(saved, Page(width)).splitlines()
        assert last == f"  {next_command(saved)}"


@pytest.mark.parametrize("lr", [5e-324, 1e-320, 1e308])
@pytest.mark.parametrize("statuses", [{"none": "stuck"}, {"none": "learned", "norm:1": "learned"}], ids=str)
def test_the_next_command_s_learning_rate_is_one_that_can_be_typed(lr, statuses):
    report = report_of(*(run(rule, status) for rule, status in statuses.items()), lr=lr)
    assert again(next_command(report)).lr > 0
