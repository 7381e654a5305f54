"""What README, tutorial and examples show is what one gets who types it.

Blocks of ``sh`` and ``python`` are run one after the other in a copy of the examples; a block of ``text`` is what the
one before it prints, where a line ``…`` stands for any lines. Those without such a line can be written anew::

    GRADCHECK_UPDATE_GOLDEN=1 pytest tests/cli/test_documented_commands.py
"""

import os
import re
import shlex
import shutil
import sys
from contextlib import chdir, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from runpy import run_path

import pytest
from typer.main import get_command

from gradcheck.cli.app import app

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGES = ("README.md", *(f"docs/tutorial/{path.name}" for path in sorted((ROOT / "docs/tutorial").glob("[1-9]*.md"))))
OF_PYTORCH = [page for page in PAGES if "torch" in (ROOT / page).read_text(encoding="utf-8")]
MANUAL = ("README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("[!_g]*/*.md"))),
          *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))))  # fmt: skip
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
ANY_LINES = "…\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the examples, from which Python imports."""
    copy = tmp_path_factory.mktemp("home") / "examples"
    shutil.copytree(EXAMPLES, copy)
    sys.path.insert(0, str(copy))
    yield copy
    sys.path.remove(str(copy))
    sys.modules.pop("models", None)


@pytest.fixture(scope="module")
def typed(gradcheck, folder):
    """A command line ↦ what it prints in 80 columns; each is run once, whichever page has it."""

    @cache
    def run(line):
        if line == f"cd {folder.name}":
            return ""
        program, _, words = line.partition(" ")
        assert program == "gradcheck"
        ended = gradcheck(words, cwd=folder, COLUMNS="80")
        assert (ended.returncode, ended.stderr) == (0, ""), line
        return ended.stdout

    return run


def run_python(code, names):
    """Run a block and return what it prints."""
    with redirect_stdout(StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


def fits(shown, printed):
    """Whether a block shows what is printed."""
    parts = [re.escape(part) for part in re.split(f"^{ANY_LINES}", shown, flags=re.MULTILINE)]
    return re.fullmatch(r"(?s:.*)".join(parts), printed)


def hold_to_what_is_printed(page, typed, folder):
    """Compare what a page shows with what one gets who types it, or write it anew."""
    written = (ROOT / page).read_text(encoding="utf-8")
    names, printed, anew = {}, "", written
    for kind, text in BLOCK.findall(written):
        if kind == "sh":
            printed = "".join(map(typed, text.splitlines()))
        elif kind == "python":
            with chdir(folder):
                printed = run_python(text, names)
        elif os.environ.get("GRADCHECK_UPDATE_GOLDEN") == "1" and ANY_LINES not in text:
            anew = anew.replace(f"```text\n{text}```", f"```text\n{printed}```", 1)
        else:
            assert fits(text, printed), f"{text}\n is not what is printed:\n{printed}"
    if anew != written:
        (ROOT / page).write_text(anew, encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OF_PYTORCH])
def test_what_a_page_shows_is_what_is_printed(page, typed, folder):
    hold_to_what_is_printed(page, typed, folder)


@pytest.mark.parametrize("page", OF_PYTORCH)
def test_so_is_what_a_page_shows_of_pytorch(page, typed, folder):
    pytest.importorskip("torch")
    hold_to_what_is_printed(page, typed, folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["python", "record", "own-data"])
def test_the_python_of_a_how_to_page_runs(page, folder):
    torch = pytest.importorskip("torch")
    import numpy as np
    from models import healthy

    model, batch = healthy(), (torch.randn(8, 32), torch.randint(10, (8,)))
    names = {
        "model": model, "inputs": batch[0], "targets": batch[1], "batches": [batch] * 20, "np": np,
        "torch": torch, "device": "cpu",
        "criterion": torch.nn.CrossEntropyLoss(), "optimizer": torch.optim.SGD(model.parameters(), 0.01),
        "gradients": [np.ones(3), np.ones((2, 2))],
        **dict.fromkeys(("W1", "b1", "W2", "b2", "W_out", "b_out"), np.ones(2)),
        "x": np.random.default_rng(0).uniform(0, [1, 5e4], (20, 2)), "y": np.arange(20) % 2,
    }  # fmt: skip
    with chdir(folder):
        run_path(str(folder / "train.py"))  # which leaves a log
        for kind, code in BLOCK.findall((ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8")):
            assert kind == "python"
            run_python(code, names)


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/ci-gate.md"])
def test_the_check_for_ci_on_a_page_passes(page, typed):
    for line in re.findall(r"- run: (gradcheck simulate .*)", (ROOT / page).read_text(encoding="utf-8")):
        assert "HEALTHY" in typed(line)


#: A command on a line of a block, and one in the text of a page that is whole.
TYPED = re.compile(r"^(?:- run: |  run: )?(gradcheck .*)$", flags=re.MULTILINE)
QUOTED = re.compile(r"`(gradcheck [a-z][^`…|]*)`")
FENCED = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)

#: What comes after a command on its line.
AFTER = re.compile(r" +(#|&&|\|\||>) .*")


@pytest.mark.parametrize("page", MANUAL)
def test_every_command_on_a_page_can_be_typed(page):
    commands = get_command(app).commands
    written = (ROOT / page).read_text(encoding="utf-8")
    for line in (*TYPED.findall("\n".join(FENCED.findall(written))), *QUOTED.findall(written)):
        _, name, *words = shlex.split(AFTER.sub("", line))
        assert name in commands, line
        if words and "--help" not in words and "..." not in words:  # not merely named
            commands[name].make_context(name, words)


@pytest.mark.parametrize("line", re.findall(r"`(gradcheck .*?)`", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
def test_an_example_shows_what_its_table_says(line, typed, folder):
    if "probe" in line:
        pytest.importorskip("torch")
    ill = {"models:sixteen": "VANISHING", "exploding": "EXPLODING", "spikes": "SPIKES", "softmax": "NOT-LEARNING"}
    if "run.jsonl" in line:
        pytest.importorskip("torch")
        with chdir(folder):
            run_path(str(folder / "train.py"))
    verdict = next((word for name, word in ill.items() if name in line), "GRADIENTS OK|HEALTHY")
    assert re.search(rf"^  ({verdict})   ", typed(line), flags=re.MULTILINE)


def test_the_workflow_runs(gradcheck, folder):
    pytest.importorskip("torch")
    written = (EXAMPLES / "gradcheck.yml").read_text(encoding="utf-8")
    pip, *lines = re.findall(r"run: (?!\{)(.*)", written)
    assert pip.startswith("pip install ")
    assert len(lines) == 4
    for line in lines:
        program, _, words = line.partition(" ")
        if program == "gradcheck":
            assert gradcheck(words, cwd=folder).returncode == 0, line
        else:
            assert line == "pytest test_gradients.py"
    assert (folder / "gradients.xml").is_file()


def test_the_test_of_the_examples_passes(folder):
    pytest.importorskip("torch")
    from gradcheck.torch.health import Health

    run_path(str(folder / "test_gradients.py"))["test_gradients_reach_the_first_layer"](Health())
