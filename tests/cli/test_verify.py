"""``gradcheck verify`` as its users meet it."""

import csv
import io
import re

import pytest

from gradcheck import verify
from gradcheck.checking.text import as_text
from gradcheck.engine.activations import ACTIVATIONS, gelu
from gradcheck.render.page import Page

#: The checks of two kinds: the command as it is without an option takes half a second.
SOME = "verify --only activation --only cell"


@pytest.fixture(scope="module")
def every(shared):
    """All checks, by the function."""
    return shared("verified", verify)


@pytest.fixture
def broken(gradcheck, monkeypatch):
    """Options ↦ how the command ends when the derivative of gelu is one percent wrong."""

    def wrong(z):
        value, slope = gelu(z)
        return value, 1.01 * slope

    monkeypatch.setitem(ACTIVATIONS, "gelu", ACTIVATIONS["gelu"]._replace(evaluate=wrong))
    return lambda *options: gradcheck("verify", *options)


def test_the_answer_is_the_first_line_of_eighty_columns(printed, every):
    first, *_ = printed("verify").splitlines()
    count = len(every.checks)
    assert re.fullmatch(rf"  ALL {count} CHECKS PASS   worst: \S+ \(\w+ [\w-]+\), limit 1e-6, \d\.\d s", first)
    assert len(first) <= 80


def test_all_formats_tell_of_the_same_checks(printed, strictly):
    names = [check["name"] for check in strictly(printed(f"{SOME} --format json"))["checks"]]
    assert [row["name"] for row in csv.DictReader(io.StringIO(printed(f"{SOME} --format csv")))] == names
    markdown = re.findall(r"^\| [a-z]+ \| (\S+) \| .* \| ok \|$", printed(f"{SOME} --format markdown"), re.MULTILINE)
    assert [name.replace("\\", "") for name in markdown] == names
    text = re.findall(r"^  [a-z]+ +(\S+) +\S+ +1e-\d+  ok\b", printed(f"{SOME} --format text"), re.MULTILINE)
    assert text == names


def test_the_command_finds_what_the_function_returns(printed, strictly):
    document, mine = strictly(printed(f"{SOME} --format json")), verify(only=("activation", "cell")).to_dict()
    assert document["config"] == mine["config"]
    assert [(one["name"], one["passed"]) for one in document["checks"]] == [
        (one["name"], one["passed"]) for one in mine["checks"]
    ]


def test_a_seed_gives_the_same_numbers_in_every_process(process, printed, strictly):
    again = strictly(process(f"{SOME} --json", PYTHONHASHSEED="1", OMP_NUM_THREADS="1").stdout)
    here, other = (strictly(printed(f"{SOME} --json --seed {seed}")) for seed in (0, 1))
    assert again["checks"] == here["checks"]
    assert other["checks"] != here["checks"]


def test_single_precision_is_checked_with_limits_of_its_own(printed, strictly):
    found = strictly(printed(f"{SOME} --json --dtype float32"))
    assert {check["limit"] for check in found["checks"]} == {1e-4}
    assert found["environment"]["epsilon"] == 2**-23
    assert found["summary"]["worst_error"] > 1e-8


def test_only_takes_names_and_kinds(printed, strictly):
    found = strictly(printed("verify --json --only gelu --only cell"))
    assert [check["name"] for check in found["checks"]] == ["gelu", "rnn", "lstm", "gru"]


def test_what_is_wrong_is_one_line_and_exit_code_two(gradcheck):
    for options, told in [
        ("--only geluu", "error: --only 'geluu' is unknown; did you mean 'gelu' or"),
        ("--dtype float16", "error: --dtype 'float16' is unknown"),
        ("--seed -1", "error: --seed -1 is not"),
        ("--format yaml", "error: --format 'yaml' is unknown"),
        ("--output no/such/folder.txt", "error: no/such/folder.txt: can't be written"),
    ]:
        ended = gradcheck(f"verify {options}")
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), options
        assert ended.stderr.startswith(told), options


def test_an_engine_that_is_broken_is_exit_code_one_and_named_first(broken):
    ended = broken()
    first, second, *_ = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (1, "")
    assert re.match(r"  [2-9] OF \d+ CHECKS FAIL   worst: ", first)
    assert re.fullmatch(r" +activation gelu: error 0\.0\d+, limit 1e-6", second)
    assert re.search(r"^  activation +gelu +0\.0\d+ +1e-6  FAIL", ended.stdout, re.MULTILINE)
    assert re.search(r"^  activation +relu .* ok ", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "code"), [("--quiet --only activation", 1), ("--quiet --only relu", 0), ("--json --only gelu", 1)]
)
def test_the_exit_code_tells_of_the_checks_that_were_run(options, code, broken):
    ended = broken(*options.split())
    assert (ended.returncode, ended.stderr) == (code, "")
    assert (ended.stdout == "") == ("--quiet" in options)


def test_a_file_is_written_in_place_of_stdout_even_where_checks_fail(broken, tmp_path):
    ended = broken("--only", "gelu", "--output", tmp_path / "checks.txt", "--quiet")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "CHECKS FAIL" in (tmp_path / "checks.txt").read_text()


def test_text_is_ascii_where_nothing_else_can_be_shown(every):
    text = as_text(every, Page(80, "ascii"))
    assert text.isascii()
    assert "?" not in text


def test_a_terminal_gets_colours_and_a_pipe_none(terminal, printed):
    assert "\x1b[7;32m" in terminal("verify --only norm").shown
    assert "\x1b[" not in printed("verify")


@pytest.mark.parametrize("columns", [40, 80])
def test_text_keeps_to_the_columns(columns, every):
    assert max(map(len, as_text(every, Page(columns)).splitlines())) <= columns


def test_the_help_says_what_is_checked_what_is_not_and_what_the_exit_code_is(printed):
    told = " ".join(printed("verify --help").split())
    assert "Not torch.autograd.gradcheck: it checks gradcheck's engine, not functions of your own." in told
    assert "Exits with 1 if a check fails." in told
