"""README, CHANGELOG and the help say the same; what the documents name is there."""

import ast
import json
import math
import re
import sys
import tomllib
from contextlib import redirect_stdout
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from runpy import run_path

import pytest

import gradcheck
from gradcheck import Thresholds
from gradcheck.cli import run
from gradcheck.diagnosis import score as score

ROOT = Path(__file__).parents[1]
PACKAGE = Path(gradcheck.__file__).parent

#: Made by Sphinx, and made of the code.
MADE = ("docs/_build/", "docs/generated/", "docs/options.md")

#: Every page of docs/.
PAGES = [name for path in sorted((ROOT / "docs").rglob("*.md"))
         if not (name := path.relative_to(ROOT).as_posix()).startswith(MADE)]  # fmt: skip

#: Every document ↦ its text.
DOCUMENTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "examples/README.md",
        "findings/README.md", *PAGES,
    )
}  # fmt: skip
README, CHANGELOG = DOCUMENTS["README.md"], DOCUMENTS["CHANGELOG.md"]
#: The README and the pages for those who use gradcheck.
MANUAL = "\n".join(DOCUMENTS[name] for name in ("README.md", *PAGES) if name != "docs/architecture.md")
ARCHITECTURE = DOCUMENTS["docs/architecture.md"]

#: The documents about the code.
OF_CODE = ("CONTRIBUTING.md", "docs/architecture.md")

#: A file of the package or of the project as a document names it, and what of it.
FILE = re.compile(r"`([\w./-]+(?:\.py|\.json|/[\w.-]*))(?::([\w.]+))?`")

#: What the README calls the user's own, and where the user builds the pages.
YOURS = {"tests/test_gradients.py", "docs/_build", "gradcheck/KIND", "gradcheck/findings"}

#: Options of other programs that the README shows.
FOREIGN = {"--draws", "--nthreads", "--only", "--threads", "--every", "--gigabytes", "--beside", "--runs"}

#: Lines that the README may have.
LONGEST_README = 150


def printed(*words):
    """What a command line prints in 80 columns."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(TextIOWrapper(BytesIO())) as stdout:
        patch.setattr(sys, "argv", ["gradcheck", *words])
        patch.setenv("COLUMNS", "80")
        patch.setenv("TYPER_USE_RICH", "0")  # which the program sets itself
        assert run() == 0
    return stdout.buffer.getvalue().decode()


@pytest.fixture(scope="module")
def helps():
    """Each command ↦ its help."""
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", printed("--help").partition("Commands:")[2], flags=re.MULTILINE)
    return {"": printed("--help")} | {command: printed(command, "--help") for command in commands}


def test_every_command_is_in_the_readme_and_in_the_changelog(helps):
    commands = [command for command in helps if command]
    assert {"simulate", "compare", "schema"} <= set(commands)
    for command in commands:
        assert f"\n| `gradcheck {command}` |" in README
        assert f"gradcheck {command}" in CHANGELOG


def test_the_readme_stays_short():
    assert len(README.splitlines()) <= LONGEST_README


def test_every_page_is_found_from_the_first_one():
    reached, todo = set(), ["docs/index.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        trees = re.findall(r"^```\{toctree\}\n(.*?)^```", DOCUMENTS.get(page, ""), flags=re.MULTILINE | re.DOTALL)
        named = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
        paths = [((ROOT / page).parent / f"{line}.md").resolve().relative_to(ROOT).as_posix() for line in named]
        assert [path for path in paths if path not in PAGES and not path.startswith(MADE)] == [], page
        todo += set(paths) - reached
    assert [page for page in PAGES if page not in reached] == [], "name it in the toctree of an index.md"


def test_every_extra_is_on_the_page_about_installing():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    words = set(re.findall(r"\w+", DOCUMENTS["docs/how-to/install.md"]))
    assert words >= set(extras) - {"dev", "browser", "benchmarks"}  # of CONTRIBUTING and benchmarks/


def test_the_python_reference_has_every_public_name():
    named = set(re.findall(r"\.\. auto\w+:: ([\w.]+)", DOCUMENTS["docs/reference/python.md"]))
    public = set(gradcheck.__all__) - {"__version__", "clipping"}
    assert named >= public | {"gradcheck.clipping", "gradcheck.torch.probe", "gradcheck.torch.Recorder"}


def test_every_option_that_the_documents_name_is_in_the_help(helps):
    known = {option for text in helps.values() for option in re.findall(r"--[a-z][a-z-]+", text)} | FOREIGN
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", MANUAL + CHANGELOG)) <= known


def test_the_manual_shows_the_exit_codes_of_the_contract():
    table = MANUAL.partition("| exit code | when |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE) == ["0", "1", "2", "3", "130"]


def test_what_a_document_links_to_is_there():
    for name in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", DOCUMENTS[name]):
            path = ((ROOT / name).parent / target).resolve()
            made = path.relative_to(ROOT).as_posix().startswith("docs/generated/")
            assert path.is_file() or made, f"{name}: {target}"


def test_tests_scripts_and_folders_that_a_document_names_are_there():
    for name in DOCUMENTS:
        named = re.findall(r"(?<![\w/.-])(?:tests|benchmarks|gradcheck|docs|findings)/[\w./-]*\w", DOCUMENTS[name])
        assert [path for path in named if not (ROOT / path).exists() and path not in YOURS] == [], name


def test_every_benchmark_is_described():
    scripts = {path.name for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(re.findall(r"`(\w+\.py)", DOCUMENTS["benchmarks/README.md"])) == scripts


def test_every_finding_is_described():
    scripts = [path.name for path in sorted((ROOT / "findings").glob("*.sh"))]
    assert re.findall(r"^\| \[([\w.-]+)\]", DOCUMENTS["findings/README.md"], flags=re.MULTILINE) == scripts


@cache
def defined(path):
    """The functions, classes and names of a file, and what is within its classes."""

    def within(body, prefix=""):
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from within(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield prefix + node.name
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (prefix + name.id for name in targets if isinstance(name, ast.Name))

    return set(within(ast.parse(path.read_text(encoding="utf-8")).body))


@pytest.mark.parametrize("name", OF_CODE)
def test_every_file_that_a_document_names_is_there_with_what_it_names_of_it(name):
    named = FILE.findall(DOCUMENTS[name])
    assert len(named) > 30
    for path, what in named:
        homes = [home / path for home in (PACKAGE, ROOT) if (home / path).exists()]
        assert homes or ("/" not in path.strip("/") and list(PACKAGE.rglob(path.strip("/")))), path
        assert not what or what in defined(homes[0]), f"{path}:{what}"


@pytest.mark.parametrize("name", OF_CODE)
def test_every_name_in_a_document_about_the_code_occurs_in_the_code(name):
    files = list(PACKAGE.rglob("*.py"))
    words = {word for path in files for word in (path.stem, *re.findall(r"\w+", path.read_text(encoding="utf-8")))}
    named = re.findall(r"`([A-Za-z_][\w.]+)(?:\(\))?`", DOCUMENTS[name])
    plain = [one for one in named if not one.endswith((".py", ".jsonl"))]
    assert [one for one in plain if set(one.split(".")) - words] == []


def test_the_table_of_rooms_is_the_one_that_the_code_is_held_to():
    held = run_path(str(ROOT / "tests" / "test_rooms.py"))
    table = ARCHITECTURE.partition("| room |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]
    shown = {room: (imports, packages) for room, _, imports, packages in cells}
    assert list(shown) == list(held["ROOMS"])
    for room, others in held["ROOMS"].items():
        assert shown[room] == (", ".join(others), ", ".join(sorted(held["OUTSIDE"].get(room, ())))), room


def test_the_walk_of_a_gradient_has_the_figures_of_its_run():
    report = gradcheck.simulate(depth=50, activation="tanh")
    span, rank = report.verdict.causes
    assert f"`span`, {span.value:.2f}, limit {span.limit:g}; `rank`, {rank.value:.1f}, limit {rank.limit:g}" in (
        " ".join(ARCHITECTURE.split())
    )
    predicted = f"{report.prediction.gradient_span:.2f} ±{report.prediction.log10_gradient_ratio_std:.2f} decades"
    assert f"{predicted}, and the measurement agrees" in " ".join(ARCHITECTURE.split())
    assert report.prediction.agrees
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", True)


def test_the_walk_of_a_row_has_the_figures_of_its_log(tmp_path):
    sizes = [0.1 * math.exp(0.24 * max(0, step - 235)) for step in range(1, 301)]
    rows = [
        {"step": step, "loss": 0.01 * size, "grad_norm/fc1": size / 2, "grad_norm/W_out": size}
        for step, size in enumerate(sizes, start=1)
    ]
    line = json.loads(ARCHITECTURE.partition("```json\n")[2].partition("\n```")[0])
    assert line == {name: float(f"{value:.3g}") for name, value in rows[260 - 1].items()}
    log = tmp_path / "run.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (finding,) = gradcheck.diagnose(log).findings
    words = " ".join(ARCHITECTURE.split())
    rise = f"from step {finding.first_step} to the end of the log, by {finding.numbers['log10_rise']:.1f} decades"
    assert f"sees in logarithms that the norm rises {rise}" in words
    assert f"`{finding.layer}` moved first" in words
    assert f"√(20.2² + 40.3²) = {math.hypot(20.2, 40.3):.1f}" in words


def test_the_changelog_has_the_version_or_what_is_not_released():
    assert f"## [{gradcheck.__version__}]" in CHANGELOG or "## [Unreleased]" in CHANGELOG


def test_the_readme_says_first_what_gradcheck_is_not():
    assert "torch.autograd.gradcheck" in "\n".join(README.splitlines()[:12])


def test_the_manual_has_the_formula_of_the_score():
    known, unknown = re.findall(r"log-odds = (.*)", MANUAL)
    numbers = tuple(float(number) for number in re.findall(r"[\d.]+", known.replace("log10", "log")))
    expected = (-score.INTERCEPT, -score.SPAN, score.SPAN_CAP, score.RANK, score.RANK_CAP, -score.SENSITIVITY)
    assert numbers == expected
    numbers = tuple(float(number) for number in re.findall(r"[\d.]+", unknown))
    assert numbers[:2] + numbers[3:4] == (score.UNKNOWN_INTERCEPT, -score.UNKNOWN_SPAN, score.UNKNOWN_RANK)
    assert f"1e-{score.OUTPUT_DECADES:g} to 1e{score.OUTPUT_DECADES:g}" in MANUAL


def test_the_manual_has_the_limits_of_the_verdict():
    limits = Thresholds()
    assert f"more than {limits.max_span:g} decades lie" in MANUAL
    assert f"effective rank below {limits.min_rank:g} " in MANUAL
    assert f"more than {limits.dead_above:.0%} of its units".replace("%", " %") in MANUAL
    assert f"more than {limits.saturated_above:.0%} of its entries".replace("%", " %") in MANUAL
