"""README, CHANGELOG and the help say the same."""

import re
import sys
from contextlib import redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

import gradcheck
from gradcheck import Thresholds
from gradcheck.cli import run
from gradcheck.diagnosis import score as score

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

#: Options of other programs that the README shows.
FOREIGN = {"--nthreads", "--only", "--threads", "--every"}


@pytest.fixture(scope="module")
def helps():
    """Each command ↦ its help."""

    def told(*words):
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(TextIOWrapper(BytesIO())) as stdout:
            patch.setattr(sys, "argv", ["gradcheck", *words, "--help"])
            patch.setenv("COLUMNS", "80")
            patch.setenv("TYPER_USE_RICH", "0")  # which the program sets itself
            assert run() == 0
        return stdout.buffer.getvalue().decode()

    commands = re.findall(r"^  ([a-z][a-z-]+)  ", told().partition("Commands:")[2], flags=re.MULTILINE)
    return {"": told()} | {command: told(command) for command in commands}


def test_every_command_is_in_the_readme_and_in_the_changelog(helps):
    commands = [command for command in helps if command]
    assert {"simulate", "compare", "schema"} <= set(commands)
    for command in commands:
        assert f"gradcheck {command}" in README
        assert f"gradcheck {command}" in CHANGELOG


def test_every_option_that_the_documents_name_is_in_the_help(helps):
    known = {option for text in helps.values() for option in re.findall(r"--[a-z][a-z-]+", text)} | FOREIGN
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", README + CHANGELOG)) <= known


def test_the_readme_shows_the_exit_codes_of_the_contract():
    table = README.partition("| exit code | when |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE) == ["0", "1", "2", "130"]


def test_the_readme_s_picture_and_files_are_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
    assert "@@" not in README


def test_the_changelog_has_the_version_or_what_is_not_released():
    assert f"## [{gradcheck.__version__}]" in CHANGELOG or "## [Unreleased]" in CHANGELOG


def test_the_readme_says_first_what_gradcheck_is_not():
    assert "torch.autograd.gradcheck" in "\n".join(README.splitlines()[:12])


def test_the_readme_has_the_formula_of_the_score():
    formula = re.search(r"log-odds = (.*)", README)[1]
    numbers = tuple(float(number) for number in re.findall(r"[\d.]+", formula))
    assert numbers == (score.INTERCEPT, -score.SPAN, score.SPAN_CAP, score.RANK, score.RANK_CAP)
    assert f"1e-{score.OUTPUT_DECADES:g} to 1e{score.OUTPUT_DECADES:g}" in README


def test_the_readme_has_the_limits_of_the_verdict():
    limits = Thresholds()
    assert f"more than {limits.max_span:g} decades lie" in README
    assert f"effective rank below {limits.min_rank:g} " in README
    assert f"more than {limits.dead_above:.0%} of its units".replace("%", " %") in README
    assert f"more than {limits.saturated_above:.0%} of its entries".replace("%", " %") in README
