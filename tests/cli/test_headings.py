"""Each heading of a table that a command prints is a word that ``gradcheck explain`` answers."""

import re
from typing import get_args

import pytest
import rich.table

from gradcheck import explain
from gradcheck.diagnosis.text.number_table import PARTS
from gradcheck.explanations import TOPICS
from gradcheck.explanations.catalogue import LISTS
from gradcheck.learning_rate.cells import COLUMNS as OF_RUNS
from gradcheck.learning_rate.conclusions import VERDICTS as OF_RATES
from gradcheck.logs.findings.finding import FINDING_KINDS
from gradcheck.mean_field.text import BEYOND, NO_ANSWER
from gradcheck.mean_field.text.blocks import COLUMNS as OF_BLOCKS
from gradcheck.parametrization.cells import SHOWN, TITLES
from gradcheck.parametrization.judging import Course, Status

#: A command ↦ headings that its tables have: whoever changes a command so that it has no such table sees it here.
COMMANDS = {
    "simulate --depth 3 --width 8": "weight gradient",
    "simulate --depth 3 --width 8 --number-format fp16": "to zero",
    "simulate --arch transformer --blocks 1 --model-width 8 --heads 2 --tokens 4": "block",
    "compare --depth 2,3 --width 8 --workers 1": "differs from the best by",
    "compare --depth 2,3 --width 8 --workers 1 --group-by depth": "at worst",
    "compare now.json --baseline before.json": "moved",
    "clip-demo --epochs 1 --steps 2 --clip none": "largest norm",
    "rate --depth 1 --width 8 --updates 5": "rate",
    "transfer --width 4,8 --seeds 1 --steps 1": "own update",
    "explain chain-rule": "product",
    "diagnose run.jsonl": "as threshold",
    "verify --only loss": "limit",
    **{f"list {name}": "source" for name in LISTS},
}

#: What stands before or after the columns that measure something.
NO_COLUMNS = {"", "source"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with two reports and a log that explodes."""
    from gradcheck import simulate

    folder = tmp_path_factory.mktemp("files")
    for name, gain in (("before", 1), ("now", 2)):
        (folder / f"{name}.json").write_text(simulate(depth=3, width=8, gain=gain).to_json())
    norms = [1.0 + 0.1 * (step % 7) for step in range(60)] + [1.5**step for step in range(40)]
    lines = (f'{{"step": {step}, "loss": 1.0, "grad_norm": {norm}}}' for step, norm in enumerate(norms))
    (folder / "run.jsonl").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("line", COMMANDS)
def test_every_heading_that_a_command_prints_has_its_page(line, files, gradcheck, monkeypatch):
    headings = []
    add_column = rich.table.Table.add_column

    def noting(table, header="", *others, **options):
        headings.append(str(header))
        return add_column(table, header, *others, **options)

    monkeypatch.setattr(rich.table.Table, "add_column", noting)
    assert gradcheck(line, cwd=files, COLUMNS="200").stderr == ""
    assert COMMANDS[line] in headings
    words = {one for one in headings if re.fullmatch(r"[a-z' -]*", one.strip())} - NO_COLUMNS  # no values or ranges
    assert [one for one in sorted(words) if one.strip() and explain(one).topic.name not in TOPICS] == []


@pytest.mark.parametrize(
    "word", [*OF_BLOCKS, *OF_RUNS, *(title for name, title in TITLES.items() if name in SHOWN), *PARTS.values()]
)
def test_every_heading_that_a_table_of_the_code_has_has_its_page(word):
    assert explain(word).topic.name in TOPICS


@pytest.mark.parametrize("word", [*BEYOND, "steady", NO_ANSWER, "ordered", "chaotic", "critical"])
def test_every_verdict_of_theory_has_its_page(word):
    assert explain(word).topic.name in ("growing", "theory")


def test_every_other_verdict_and_every_kind_of_finding_has_its_page():
    for word in (*OF_RATES, *get_args(Status), *get_args(Course), *FINDING_KINDS):
        assert explain(word).topic.name in TOPICS, word
