"""The pages of a verification: made-up numbers, for real ones differ between machines."""

import csv
import io
import json
import re

import pytest

from gradcheck.checking.environment import Environment
from gradcheck.checking.formats import as_csv, as_markdown
from gradcheck.checking.text import as_text
from gradcheck.checking.verification import CheckResult, Verification, VerificationConfig, summarize_checks
from gradcheck.render.documents import as_json
from gradcheck.render.page import Page

WHERE = Environment(
    python="3.11.7", numpy="2.4.6", blas="openblas", blas_version="0.3", machine="x86_64", threads=2, epsilon=2**-52
)


def check(kind, name, error, *, problem=None, note=None, limit=1e-6):
    passed = error is not None and error <= limit
    return CheckResult(
        kind=kind, name=name, method="differences", error=error, limit=limit, passed=passed, problem=problem, note=note
    )


GOOD = [
    check("activation", "step", 0.0, note="derivative 0 wherever there is one, and so are its differences"),
    check("activation", "gelu", 1.3e-12),
    check("network", "transformer", 6.66e-11),
    check("map", "weightless-orthogonal", 1.6e-16, limit=1e-10),
]
BAD = [check("cell", "lstm", 0.0123), check("loss", "mean-square", None, problem="ValueError: *a* shape")]


@pytest.fixture
def verification():
    """Checks ↦ their verification."""
    config = VerificationConfig(seed=3, dtype="float64", only=())

    def verified(*checks):
        summary = summarize_checks(checks, 0.42)
        return Verification(command="verify", config=config, environment=WHERE, summary=summary, checks=checks)

    return verified


PASSING = """\
  ALL 4 CHECKS PASS   worst: 6.7e-11 (network transformer), limit 1e-6, 0.4 s
float64, epsilon 2.2e-16 · seed 3 · NumPy 2.4.6 · openblas 0.3 · 2 threads ·
Python 3.11.7, x86_64

  kind        check                    error  limit
  activation  step                         0   1e-6  ok                │
  activation  gelu                   1.3e-12   1e-6  ok  █████▌        │
  network     transformer            6.7e-11   1e-6  ok  ████████      │
  map         weightless-orthogonal  1.6e-16  1e-10  ok  ▏       │

  bars: from epsilon to 1 on a log scale, │ the limit
  step: derivative 0 wherever there is one, and so are its differences
"""

FAILING = """\
  2 OF 3 CHECKS FAIL   worst: no number (loss mean-square), limit 1e-6, 0.4 s
                       cell lstm: error 0.012, limit 1e-6
                       loss mean-square: ValueError: *a* shape
float64, epsilon 2.2e-16 - seed 3 - NumPy 2.4.6 - openblas 0.3 - 2 threads -
Python 3.11.7, x86_64

  kind        check          error  limit
  activation  gelu         1.3e-12   1e-6  ok    #######            |
  cell        lstm           0.012   1e-6  FAIL  ###########################
  loss        mean-square        -   1e-6  FAIL  ###############################

  bars: from epsilon to 1 on a log scale, | the limit
"""

NARROW = """\
  THE CHECK PASSES   worst: 1.6e-16 (map
                     weightless-orthogon
                     al), limit 1e-10,
                     0.4 s
float64, epsilon 2.2e-16 · seed 3 ·
NumPy 2.4.6 · openblas 0.3 · 2 threads ·
Python 3.11.7, x86_64

  check                    error
  weightless-orthogonal  1.6e-16  ok
"""


def test_what_passes_says_so_first_and_marks_the_limit_in_every_bar(verification):
    assert as_text(verification(*GOOD)) == PASSING
    assert str(verification(*GOOD)) == PASSING


def test_what_fails_is_named_first_and_its_bar_passes_the_limit(verification):
    assert as_text(verification(GOOD[1], *BAD), Page(80, "ascii")) == FAILING


def test_a_narrow_terminal_does_without_bars_limits_and_kinds(verification):
    assert as_text(verification(GOOD[3]), Page(40)) == NARROW


@pytest.mark.parametrize("width", [40, 50, 60, 72, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_cut(width, verification):
    text = as_text(verification(*GOOD, *BAD), Page(width))
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    table = re.split(r"^ +(?:kind +)?check .*$", text, flags=re.MULTILINE)[1]
    assert all(f"{one.name} " in table for one in (*GOOD, *BAD))


def test_of_many_that_fail_the_first_are_named_above_the_table_and_all_in_it(verification):
    many = [check("cell", f"cell{index}", 0.5) for index in range(9)]
    above, _, table = as_text(verification(*many)).partition("\n\n")
    assert above.count("error 0.50, limit 1e-6") == 6
    assert "and 3 more" in above
    assert table.count("FAIL") == 9


def test_colours_say_what_passes_and_what_fails(verification):
    text = as_text(verification(*GOOD, *BAD), Page(80, colours=True))
    assert "\x1b[7;31m 2 OF 6 CHECKS FAIL " in text
    assert text.count("\x1b[32mok") == 4
    assert text.count("\x1b[1;31mFAIL") == 2


def test_markdown_has_the_answer_the_complaints_and_a_row_for_each_check(verification):
    assert as_markdown(verification(GOOD[0], *BAD)) == (
        "**2 of 3 checks fail** - worst: no number (loss mean-square), limit 1e-6, 0.4 s\n\n"
        "- float64, epsilon 2.2e-16, seed 3, NumPy 2.4.6, openblas 0.3, 2 threads, Python 3.11.7, x86\\_64\n"
        "- cell lstm: error 0.012, limit 1e-6\n"
        "- loss mean-square: ValueError: \\*a\\* shape\n"
        "- step: derivative 0 wherever there is one, and so are its differences\n\n"
        "| kind | check | error | limit | result |\n"
        "| --- | --- | ---: | ---: | --- |\n"
        "| activation | step | 0 | 1e-6 | ok |\n"
        "| cell | lstm | 0.012 | 1e-6 | FAIL |\n"
        "| loss | mean-square | - | 1e-6 | FAIL |\n"
    )


def test_csv_has_a_row_for_each_check_with_all_digits(verification):
    rows = list(csv.DictReader(io.StringIO(as_csv(verification(*GOOD, *BAD)))))
    assert [row["name"] for row in rows] == [one.name for one in (*GOOD, *BAD)]
    assert [row["error"] for row in rows] == ["" if one.error is None else repr(one.error) for one in (*GOOD, *BAD)]


def test_json_is_the_dict(verification):
    found = verification(*GOOD, *BAD)
    assert json.loads(as_json(found)) == found.to_dict()
    assert as_json(found).isascii()
