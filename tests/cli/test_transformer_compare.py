"""``gradcheck compare`` of transformers as its users meet it."""

import re
import shlex

import pytest

SMALL = "--arch transformer --blocks 2 --model-width 16 --heads 2 --tokens 6"

TINY = "--model-width 16 --heads 2 --vocabulary 256"

GRID = f"--preset transformer-base --blocks 1,2 {TINY} --norm-placement pre,post --seeds 1 --workers 1"

ONE = f"compare --workers 1 --seeds 1 --blocks 1 {TINY}"

#: Sweeps whose command below the table has to name what is not as usual.
OF_THE_BEST = {
    "an initialisation": f"{ONE} --preset gpt2 --init orthogonal",
    "blocks": f"{ONE} --preset bert-base",
    "no preset": f"{ONE} --arch transformer --norm-placement post --causal no",
    "patches": f"{ONE} --arch transformer --patch 8 --tied no --data digits",
    "what a preset changes, as usual again": f"{ONE} --preset gpt2 --residual-scale 1",
    "the usual initialisation in place of a preset's": f"{ONE} --preset gpt2 --init xavier",
    "no norm in place of a preset's": f"{ONE} --preset gpt2 --norm none",
    "the architecture beside a preset": f"{ONE} --preset gpt2 --arch transformer",
    "a batch of a preset": f"{ONE} --preset gpt2 --batch-size 2",
    "stored matrices of a wide one": "compare --workers 1 --seeds 1 --depth 2 --width 1024 --init he --layers dense",
}


@pytest.fixture(scope="module")
def swept(gradcheck):
    """A sweep ↦ how it ended."""
    return lambda line: gradcheck(line)


@pytest.fixture(scope="module")
def baseline(gradcheck, tmp_path_factory):
    """A folder with the report on a small transformer, `old.json`."""
    folder = tmp_path_factory.mktemp("baseline")
    assert gradcheck(f"simulate --json {SMALL} --output old.json", cwd=folder).returncode == 0
    return folder


# ---- the sweep


def test_every_combination_is_a_row_without_an_error(printed, strictly):
    rows = [strictly(line) for line in printed(f"compare {GRID} --format jsonl").splitlines()]
    assert sorted(row["index"] for row in rows) == [0, 1, 2, 3]
    assert [row["error"] for row in rows] == [None] * 4
    places = {(row["options"]["blocks"], row["options"]["norm_placement"]) for row in rows}
    assert places == {(blocks, placement) for blocks in (1, 2) for placement in ("pre", "post")}
    for row in rows:
        assert row["options"]["preset"] == "transformer-base"
        assert len(row["log10_gradient"]) == 3 * row["options"]["blocks"]


def test_rows_have_the_numbers_of_single_runs(printed, strictly, report):
    for row in map(strictly, printed(f"compare {GRID} --format jsonl").splitlines()):
        blocks, placement = row["options"]["blocks"], row["options"]["norm_placement"]
        alone = report(f"--preset transformer-base --blocks {blocks} {TINY} --norm-placement {placement}")
        assert [layer["log10_gradient_rms"] for layer in alone["layers"]] == row["log10_gradient"]
        assert alone["verdict"]["status"] == row["status"]
        assert alone["summary"]["effective_rank_last"] == row["effective_rank_last"]


def test_the_text_has_four_rows_and_a_map_of_both_options(printed):
    text = printed(f"compare {GRID}")
    assert text.startswith("4 networks: 2 blocks × 2 norm-placement · --preset transformer-base\n")
    assert "\n  4 healthy\n" in text
    assert "error" not in text
    assert re.search(r"^  blocks \\ norm-placement +pre +post$", text, flags=re.MULTILINE)
    assert [int(place) for place in re.findall(r"^  +(\d)  healthy  ", text, flags=re.MULTILINE)] == [1, 2, 3, 4]
    assert text.splitlines()[-1].startswith("  gradcheck simulate --preset transformer-base --blocks ")


def test_json_and_jsonl_have_the_same_rows(printed, strictly):
    document = strictly(printed(f"compare {GRID} --json"))
    lines = [strictly(line) for line in printed(f"compare {GRID} --format jsonl").splitlines()]
    assert sorted(document["rows"], key=lambda row: row["index"]) == sorted(lines, key=lambda row: row["index"])
    assert document["config"]["grid"]["norm_placement"] == ["pre", "post"]


def test_a_combination_that_no_transformer_can_have_is_a_row_with_an_error(gradcheck, strictly):
    grid = "--norm-placement pre,post --residual-scale 0.5,gpt2,deepnorm --heads 2,7 --causal both"
    options = f"{SMALL.replace(' --heads 2', '')} {grid} --seeds 1 --workers 1 --format jsonl"
    ended = gradcheck(f"compare {options}")
    assert (ended.returncode, ended.stderr) == (0, "")
    rows = [strictly(line) for line in ended.stdout.splitlines()]
    assert len(rows) == 2 * 3 * 2 * 2
    for row in rows:
        own = row["options"]
        fits = own["heads"] == 2 and (own["norm_placement"], own["residual_scale"]) != ("pre", "deepnorm")
        assert (row["error"] is None) == fits
    assert {row["error"].split()[0] for row in rows if row["error"]} == {"--heads", "--residual-scale"}


# ---- the command below the table


def best(ended):
    """The command below the table."""
    assert (ended.returncode, ended.stderr) == (0, "")
    command = ended.stdout.splitlines()[-1].strip()
    assert command.startswith("gradcheck simulate ")
    return command


def check(line, swept, gradcheck, strictly):
    """The command below the table simulates the network of its best row."""
    words = shlex.split(best(swept(line)))
    alone = strictly(gradcheck(f"{shlex.join(words[1:])} --json").stdout)
    (row,) = map(strictly, gradcheck(f"{line} --format jsonl").stdout.splitlines())
    assert [layer["log10_gradient_rms"] for layer in alone["layers"]] == row["log10_gradient"]


@pytest.mark.parametrize("line", OF_THE_BEST.values(), ids=OF_THE_BEST)
def test_the_command_below_the_table_simulates_the_best_row(line, swept, gradcheck, strictly):
    check(line, swept, gradcheck, strictly)


# ---- the regression test


def test_the_same_transformer_has_not_moved(baseline, gradcheck):
    ended = gradcheck(f"compare --baseline old.json {SMALL} --fail-on regression", cwd=baseline, COLUMNS="120")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == ("  NO REGRESSION   healthy → healthy, 0 of 6 flow points moved by more than 0.1 decades\n")


def test_another_transformer_has_moved_and_its_flow_points_are_named(baseline, gradcheck):
    line = f"compare --baseline old.json {SMALL.replace('--blocks 2', '--blocks 3')} --gain 4 --fail-on regression"
    ended = gradcheck(line, cwd=baseline, COLUMNS="120")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("  REGRESSION   healthy → ")
    assert re.search(r"^  flow point +log10 gradient, baseline +now +moved$", ended.stdout, flags=re.MULTILINE)
    assert re.search(r"^  block 1 attention +-\d\.\d\d +-\d\.\d\d +[+-]\d\.\d\d$", ended.stdout, flags=re.MULTILINE)
    assert "  only in the new report: block 3 attention, block 3 mlp, block 3 residual\n" in ended.stdout


def test_a_report_is_held_against_a_report(baseline, gradcheck, strictly):
    gradcheck(f"simulate --json {SMALL} --layers weightless --output new.json", cwd=baseline)
    ended = gradcheck("compare --baseline old.json new.json --json --tolerance 9", cwd=baseline)
    assert (ended.returncode, ended.stderr) == (0, "")
    document = strictly(ended.stdout)
    assert (document["regression"], document["only_before"], document["only_after"]) == (False, [], [])
    assert [layer["name"] for layer in document["layers"]][:2] == ["block 1 attention", "block 1 mlp"]


def test_a_perceptron_has_no_layer_in_common_with_a_transformer(baseline, gradcheck):
    ended = gradcheck("compare --baseline old.json --arch mlp --depth 2 --width 16", cwd=baseline, COLUMNS="120")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "has no layer of the new report (block 1 attention … then, hidden 1 … now)" in ended.stderr


def test_a_baseline_is_of_one_transformer(baseline, gradcheck):
    ended = gradcheck(f"compare --baseline old.json {SMALL} --causal both", cwd=baseline)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: --baseline is held against one network, but --causal gives several; give one value each\n"
    )
