"""A diagnosed log on the screen and for other programs, from reports made by hand."""

import csv
import io
from xml.etree import ElementTree

import pytest
from rich.console import Console

from gradcheck.logs.curves import Curve, Curves
from gradcheck.logs.findings.causes import CAUSES, advice_on
from gradcheck.logs.findings.finding import ERROR, FINDING_KINDS, NOTE, WARNING
from gradcheck.logs.findings.phrases import factor_text, step_text
from gradcheck.logs.findings.sentences import SENTENCES
from gradcheck.logs.formats import as_csv, as_github, as_junit, as_markdown
from gradcheck.logs.report import LogConfig, LogFinding, LogReport, LogVerdict, diagnose
from gradcheck.logs.text import as_text, heading, next_command, where
from gradcheck.logs.text.live import live_view
from gradcheck.logs.what_was_read import LogRead
from gradcheck.render.page import Page
from gradcheck.render.style import LOG_STYLES


def finding(kind="exploding", layers=("fc1", "fc2"), first_step=120, last_step=200, message="it grows", numbers=None):
    return LogFinding(
        kind=kind, severity=FINDING_KINDS[kind].severity, message=message, first_step=first_step, last_step=last_step,
        layer=layers[0] if layers else None, layers=layers, numbers=numbers or {},
        advice=advice_on(kind),
    )  # fmt: skip


def report(*findings, file="run.jsonl", rows_per_sample=1, norms=(1.0, 2.0, None, 0.0), losses=(), thresholds=()):
    worst = next((one for one in findings if one.severity != NOTE), None)
    return LogReport(
        command="diagnose",
        config=LogConfig(file=file, max_norm=None),
        log=LogRead(
            format="JSON Lines", rows=1, first_step=0, last_step=1200, layers=2, rows_per_sample=rows_per_sample
        ),
        verdict=LogVerdict(
            status=worst.kind if worst else "healthy", first_step=worst and worst.first_step,
            layer=worst and worst.layer, reasons=(), causes=(),
        ),
        findings=findings,
        thresholds=thresholds,
        replays=(),
        curves=Curves(
            grad_norm=Curve(step=list(range(len(norms))), value=norms),
            loss=Curve(step=list(range(len(losses))), value=losses),
        ),
        warnings=(),
    )  # fmt: skip


def test_every_kind_has_a_colour_a_meaning_a_sentence_and_advice():
    assert set(LOG_STYLES) == {"healthy", *FINDING_KINDS}
    assert set(SENTENCES) == set(CAUSES) == set(FINDING_KINDS)
    for name, kind in FINDING_KINDS.items():
        assert kind.severity in (ERROR, WARNING, NOTE)
        assert kind.meaning
        assert advice_on(name)


def test_the_first_line_says_what_was_read():
    expected = "run.jsonl · JSON Lines, 1 row · steps 0 to 1,200 · 2 layers"
    assert heading(report()) == expected
    assert heading(report(rows_per_sample=16)) == f"{expected} · 16 rows merged into one"


def test_the_verdict_is_that_of_the_weightiest_and_names_the_others():
    lines = as_text(report(finding(), finding("spikes"), finding("never-clipped"))).splitlines()
    assert lines[2] == "  EXPLODING   from step 120 on, layer fc1 first"
    assert lines[3].strip() == "also spikes, never-clipped"


def test_a_note_leaves_a_run_healthy():
    lines = as_text(report(finding("never-clipped"))).splitlines()
    assert lines[2].startswith("  GRADIENTS OK")
    assert lines[3].strip() == "but for a note: never-clipped"


def test_a_healthy_verdict_is_about_what_was_logged():
    assert "nothing in the gradients of this run" in as_text(report())
    assert "nothing in the loss of this run" in as_text(report(norms=(), losses=(2.0, 1.0)))


def test_one_spike_is_at_its_step_and_in_a_layer():
    text = as_text(report(finding("spikes", ("fc1",), first_step=7, last_step=7)))
    assert "at step 7, most in fc1" in text


def test_layers_that_did_not_move_are_not_said_to_be_first():
    assert "from step 120 on, in fc1, fc2\n" in as_text(report(finding("update-ratio")))


def test_many_layers_are_counted():
    text = as_text(report(finding(layers=[f"fc{layer}" for layer in range(1234)])))
    assert "fc0, fc1, fc2, fc3 and 1,230 more" in text


def test_the_curve_marks_zeros_and_what_is_not_finite():
    assert "  ▆█×_" in as_text(report()).splitlines()


@pytest.mark.parametrize(("losses", "curve"), [((1.0, 1.0), "▅▅"), ((-1.0, 1.0), "▁█"), ((1.0, 1e3, 1e6), "▁▅█")])
def test_a_loss_is_drawn_between_its_ends(losses, curve):
    assert f"  {curve}" in as_text(report(losses=losses)).splitlines()


def test_a_log_without_numbers_has_no_curves():
    assert "▁" not in as_text(report(norms=(), losses=()))


def test_the_next_command_quotes_the_file():
    assert next_command(report(file="two words.csv")) == "gradcheck diagnose 'two words.csv' --fail-on any"
    assert "clip-demo" in next_command(report(file="-"))


def test_a_gradient_that_vanishes_after_ordinary_steps_needs_another_rate_and_no_other_activation():
    later, always = (finding("vanishing", numbers=numbers) for numbers in ({"ordinary_until": 0.0}, {}))
    assert next_command(report(later)).startswith("gradcheck probe ")
    assert next_command(report(later)).endswith(" --rate")
    assert next_command(report(always)).startswith("gradcheck compare --activation")


@pytest.mark.parametrize("kind", ["nonfinite", "not-learning"])
def test_what_is_explained_without_a_file_is_so_without_a_name_too(kind):
    for file in ("run.jsonl", "-"):
        assert next_command(report(finding(kind), file=file)) == f"gradcheck explain {kind}"


def test_annotations_are_ten_at_most():
    lines = as_github(report(*(finding("spikes") for _ in range(12)))).splitlines()
    assert len(lines) == 10
    assert all(line.startswith("::warning file=run.jsonl,title=gradcheck spikes::") for line in lines)


def test_nothing_in_an_annotation_can_start_another_command():
    text = as_github(report(finding(layers=("a\n::error::b%",), message="x\r\n::set-env::"), file="a:b,c\n"))
    assert text.count("\n") == 1
    assert "%0A" in text
    assert text.startswith("::error file=a%3Ab%2Cc%0A,title=")


def test_a_layer_s_name_is_no_markup():
    assert r"\[x\]\(y\)\|" in as_markdown(report(finding(layers=("[x](y)|",)))).replace("(", r"\(").replace(")", r"\)")


def test_csv_has_its_header_even_without_findings():
    assert as_csv(report()).splitlines() == ["kind,severity,first_step,last_step,layer,message"]
    (row,) = csv.DictReader(io.StringIO(as_csv(report(finding(message='a,"b"')))))
    assert (row["kind"], row["first_step"], row["message"]) == ("exploding", "120", 'a,"b"')


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_live_view_has_the_newest_numbers_and_the_verdict(encoding):
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(live_view(report(finding(), norms=(1.0, 2.5)), Page(80, encoding)))
    assert "EXPLODING" in capture.get()
    assert "1,200" in capture.get()
    assert "2.50" in capture.get()
    assert ("█" in capture.get()) == (encoding == "utf-8")


@pytest.mark.parametrize(
    ("decades", "text"), [(-1, "0.1"), (0.2, "1.58"), (1, "10"), (2.5, "320"), (5.99, "980,000"), (9.5, "3.2e+09")]
)
def test_factors_are_written_as_one_reads_them(decades, text):
    assert factor_text(decades) == text


@pytest.mark.parametrize(
    ("step", "text"), [(0, "0"), (1234567.0, "1,234,567"), (0.25, "0.25"), (2.123456789, "2.12346")]
)
def test_steps_are_written_as_one_reads_them(step, text):
    assert step_text(step) == text


def test_a_test_report_has_a_failure_for_the_verdict_and_each_finding_but_notes():
    root = ElementTree.fromstring(as_junit(report(finding(), finding("never-clipped", layers=()))))
    cases = {one.get("name"): one.find("failure") is not None for one in root.iter("testcase")}
    assert cases == {"verdict": True, "exploding": True, "never-clipped": False}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("val_accuracy", "nothing in the loss of this run is out of the ordinary"),
        ("val_loss", "nothing in the training loss of this run is out of the ordinary; val_loss is not judged"),
    ],
)
def test_a_healthy_loss_is_that_of_the_training_where_a_validation_has_one_too(name, said):
    rows = [{"epoch": row, "loss": 2 * 0.95**row, name: 1 + abs(row - 10) / 20} for row in range(40)]
    assert where(diagnose(rows)) == said


def test_a_threshold_says_what_it_clips_before_the_run_goes_wrong_and_of_all():
    rows = [{"step": row, "grad_norm": (1 + row % 10 / 10) * 1.3 ** max(0, row - 150)} for row in range(200)]
    told = diagnose(rows)
    assert "it clips 10 % of the steps before 15" in told.findings[0].advice[0]
    assert "of all)" in told.findings[0].advice[0]
    assert "clips of all" in as_text(told)
