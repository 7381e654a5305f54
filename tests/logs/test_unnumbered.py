"""A log whose rows have no step: what is said of it names rows, as they were counted."""

import re

import pytest

from gradcheck.logs.findings.phrases import of_rows
from gradcheck.logs.formats import as_github, as_markdown
from gradcheck.logs.html import as_html
from gradcheck.logs.report import diagnose
from gradcheck.logs.text import as_text

NAMED = re.compile(r"steps? \d|\d a step")


def exploding(**numbers):
    return [
        {"loss": 2 * 0.99**row, "grad_norm": 1.3 ** max(0, row - 60) * (1 + row % 3 / 10)}
        | {name: value * row for name, value in numbers.items()}
        for row in range(90)
    ]


@pytest.mark.parametrize("form", [as_text, as_markdown, as_github, as_html])
def test_rows_that_were_counted_are_rows_in_every_form(form):
    if form is as_html:
        pytest.importorskip("jinja2")
    said = form(diagnose(exploding()))
    assert re.search(r"rows? 6\d", said)
    assert not NAMED.search(said)


@pytest.mark.parametrize("form", [as_text, as_markdown, as_github])
def test_steps_that_a_log_has_stay_steps(form):
    said = form(diagnose(exploding(step=10)))
    assert re.search(r"steps? 6\d\d", said)
    assert not re.search(r"\brows? \d", said)


def test_the_fields_of_json_are_the_same_whatever_the_numbers_are_called():
    counted, numbered = diagnose(exploding()), diagnose(exploding(step=1))
    assert counted.findings[0].keys() == numbered.findings[0].keys()
    assert counted.verdict.first_step == (numbered.verdict.first_step or 0) + 1


def test_a_step_that_the_program_names_itself_is_one(tmp_path):
    file = tmp_path / "run.log"
    lines = [f"{{'loss': {2 * 0.99**row:.4f}, 'grad_norm': 1.{row % 7}, 'epoch': 0.1}}\n" for row in range(40)]
    file.write_text("".join(lines) + "ValueError: loss is nan at step 812\n")
    said = as_text(diagnose(file))
    assert "at step 812" in said
    assert "row 812" not in said


def test_a_log_without_norms_is_judged_from_its_first_row_on():
    assert any("from row 1 on" in one for one in diagnose([{"loss": 1 / row} for row in range(1, 60)]).warnings)


def test_where_two_such_logs_part_is_a_row():
    other = [row | {"loss": row["loss"] * (1 + (at > 30))} for at, row in enumerate(exploding())]
    against = diagnose(exploding(), against=other).against
    assert against is not None
    assert "they part at row " in against.message


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("grows from step 27 to 50, by a factor of 1.3 a step", "grows from row 27 to 50, by a factor of 1.3 a row"),
        ("it clips 10 % of the steps before 27", "it clips 10 % of the rows before 27"),
        ("steps are too large from the first one on", "steps are too large from the first one on"),
        ("the program skipped 3 steps", "the program skipped 3 steps"),
    ],
)
def test_only_steps_with_a_number_become_rows(sentence, said):
    assert of_rows(sentence) == said


def test_a_threshold_of_norms_that_mostly_grew_says_so():
    early = [row | {"grad_norm": 1.3 ** max(0, at - 12) * (1 + at % 3 / 10)} for at, row in enumerate(exploding())]
    report = diagnose(early)
    assert report.thresholds[0].until_step is None
    assert any("of the steps, most of them after it began" in one for one in report.findings[0].advice)
