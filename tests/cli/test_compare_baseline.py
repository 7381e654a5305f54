"""``gradcheck compare --baseline``: a report, held against another or against a network."""

import json

import jsonschema
import pytest

from gradcheck import __version__, json_schema

SMALL = "--width 8 --batch-size 8 --seeds 1 --workers 1"

#: Two varied options; one row is healthy, some vanish, some can't be built.
MIXED = f"--depth 2,12 --init he,normal --activation sigmoid {SMALL}"


@pytest.fixture(scope="module")
def reports(tmp_path_factory, compare, gradcheck):
    """A folder of reports: a network, the same moved, worse, deeper, and one without a gradient."""
    folder = tmp_path_factory.mktemp("reports")
    network = "--width 32 --batch-size 16 --activation tanh"
    for name, options in {
        "old": "--depth 4", "moved": "--depth 4 --gain 1.5", "worse": "--depth 4 --max-span 0.001",
        "deeper": "--depth 6", "dead": "--depth 4 --activation step",
        "overflow": "--depth 4 --gain 1e200 --activation linear",
    }.items():  # fmt: skip
        line = f"simulate --json --output {folder / name}.json {network} {options}"
        assert gradcheck(line).returncode == 0
    assert gradcheck(f"simulate --json --output {folder / 'lstm'}.json --arch lstm --steps 8 --width 8").returncode == 0
    (folder / "model.json").write_text((folder / "old.json").read_text().replace('"simulate"', '"probe"', 1))
    (folder / "torn.json").write_bytes((folder / "old.json").read_bytes()[:100])
    (folder / "foreign.json").write_text('{"name": "gradcheck"}')
    (folder / "sweep.json").write_text(compare(f"{MIXED} --json").stdout)
    return folder


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("old.json", 0, "NO REGRESSION"),
        ("old.json --fail-on regression", 0, "NO REGRESSION"),
        ("old.json --fail-on any", 0, "NO REGRESSION"),
        ("moved.json", 0, " REGRESSION"),
        ("moved.json --fail-on regression", 1, " REGRESSION"),
        ("moved.json --fail-on regression --tolerance 5", 0, "NO REGRESSION"),
        ("moved.json --fail-on vanishing", 0, " REGRESSION"),
        ("worse.json --fail-on regression", 1, "healthy → vanishing"),
        ("worse.json --fail-on vanishing", 1, "healthy → vanishing"),
        ("worse.json", 0, "0 of 4 layers moved"),
        ("deeper.json --tolerance 9 --fail-on regression", 0, "only in the new report: hidden 5, hidden 6"),
        ("dead.json --fail-on regression", 1, "healthy → dead"),
        ("overflow.json --fail-on regression", 1, "healthy → nonfinite"),
    ],
)
def test_a_report_is_held_against_its_baseline(line, code, said, reports, compare):
    ended = compare(f"--baseline old.json {line}", cwd=reports)
    assert (ended.returncode, ended.stderr) == (code, "")
    assert said in ended.stdout
    assert (said == "NO REGRESSION") == ("NO REGRESSION" in ended.stdout) or "REGRESSION" not in said


@pytest.mark.parametrize("name", ["dead", "overflow"])
def test_a_network_without_a_gradient_is_no_regression_of_itself(name, reports, compare):
    ended = compare(f"--baseline {name}.json {name}.json --fail-on regression", cwd=reports)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "NO REGRESSION" in ended.stdout


def test_what_it_fails_on_without_a_regression_is_told(reports, compare):
    ended = compare("--baseline worse.json worse.json --fail-on vanishing", cwd=reports)
    assert (ended.returncode, "NO REGRESSION" in ended.stdout) == (1, True)
    assert ended.stderr.startswith("note: the new report has vanishing")


def test_network_options_take_the_place_of_the_new_report(reports, compare):
    network = "--depth 4 --width 32 --batch-size 16 --activation tanh --fail-on regression"
    assert compare(f"--baseline old.json {network} --seeds 1", cwd=reports).returncode == 0
    assert compare(f"--baseline old.json {network} --seeds 1 --gain 1.5", cwd=reports).returncode == 1


def test_the_options_of_simulate_and_nothing_else_are_no_regression(reports, compare):
    """``simulate`` makes one draw unless asked for more; the same options have to mean the same network here."""
    ended = compare(
        "--baseline old.json --depth 4 --width 32 --batch-size 16 --activation tanh --tolerance 0 --fail-on regression",
        cwd=reports,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", ["old", "moved", "lstm", "overflow"])
def test_without_options_the_network_is_the_baselines_own(name, reports, compare):
    ended = compare(f"--baseline {name}.json --tolerance 0 --json", cwd=reports)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {layer["change"] for layer in json.loads(ended.stdout)["layers"]} <= {0.0, None}


def test_and_an_option_changes_that_network(reports, compare):
    ended = compare("--baseline old.json --gain 1.5 --json", cwd=reports)
    assert (
        json.loads(ended.stdout)["layers"]
        == json.loads(compare("--baseline old.json moved.json --json", cwd=reports).stdout)["layers"]
    )


def test_a_baseline_writes_no_file(reports, tmp_path, compare):
    report = json.loads((reports / "old.json").read_text())
    report["config"] |= {"save_weights": str(tmp_path / "weights.npz"), "suggest": True}
    (tmp_path / "saved.json").write_text(json.dumps(report))
    ended = compare("--baseline saved.json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [one.name for one in tmp_path.iterdir()] == ["saved.json"]


@pytest.mark.parametrize(
    "change",
    [{"data": {}}, {"data": True}, {"weights": 1e308}, {"init": []}, {"init": [[2]]}, {"depth": []}, {"width": [[8]]}],
    ids=str,
)
def test_a_config_that_no_report_has_is_one_line(change, reports, tmp_path, compare):
    report = json.loads((reports / "old.json").read_text())
    report["config"] |= change
    (tmp_path / "damaged.json").write_text(json.dumps(report))
    ended = compare("--baseline damaged.json", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"damaged.json: its config has {next(iter(change))}: " in ended.stderr


def test_another_architecture_takes_nothing_from_the_baseline_and_nothing_is_compared(reports, compare):
    ended = compare("--baseline old.json --arch lstm --fail-on regression", cwd=reports)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "has no layer of the new report" in ended.stderr


def test_a_workflow_is_annotated_for_each_layer_that_moved(reports, compare):
    lines = compare("--baseline old.json moved.json --format github", cwd=reports).stdout.splitlines()
    assert len(lines) == 3  # the fourth moved by less than the tolerance
    assert lines[0].startswith("::error title=gradcheck regression::healthy → ")
    assert "hidden 1 moved by" in lines[0]


def test_every_limit_reaches_the_new_network(reports, compare):
    line = "--baseline old.json --depth 4 --width 32 --batch-size 2 --activation relu --seeds 1"
    assert compare(f"{line} --dead-above 0 --fail-on dead", cwd=reports).returncode == 1
    assert compare(f"{line} --fail-on dead", cwd=reports).returncode == 0


def test_the_comparison_is_strict_json(reports, compare):
    ended = compare("--baseline old.json dead.json --json", cwd=reports)
    document = json.loads(ended.stdout, parse_constant=pytest.fail)
    assert document["regression"] is True
    assert (document["schema_version"], document["gradcheck_version"]) == (1, __version__)
    assert [layer["name"] for layer in document["layers"]] == ["hidden 1", "hidden 2", "hidden 3", "hidden 4"]
    assert (document["status_before"], document["status_after"]) == ("healthy", "dead")
    assert (document["command"], document["schema"]) == ("compare", "baseline")


def test_the_comparison_goes_to_a_file(reports, tmp_path, compare):
    ended = compare("--baseline old.json moved.json --output", tmp_path / "out.txt", cwd=reports)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert "REGRESSION" in (tmp_path / "out.txt").read_text()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--baseline nowhere.json old.json", "nowhere.json"),
        ("--baseline old.json nowhere.json", "nowhere.json"),
        ("--baseline torn.json old.json", "torn.json: is not JSON"),
        ("--baseline foreign.json old.json", "foreign.json: isn't a report"),
        ("--baseline sweep.json old.json", "sweep.json: isn't a report"),
        ("--baseline old.json foreign.json", "foreign.json: isn't a report"),
        ("--baseline . old.json", "directory"),
        ("--baseline old.json lstm.json", "there is nothing to compare"),
        ("--baseline model.json", "gradcheck probe MODEL --baseline OLD.json"),
        ("--baseline old.json model.json", "only one of the two is of probe"),
        ("--baseline old.json --depth 2,3", "--depth"),
        ("--baseline old.json --activation sigmid", "did you mean 'sigmoid'"),
        ("--baseline old.json old.json --format csv", "--format"),
        ("--baseline old.json old.json --tolerance -1", "--tolerance"),
        ("--baseline old.json old.json --tolerance nan", "--tolerance"),
        ("--baseline old.json old.json --fail-on regresion", "did you mean 'regression'"),
        ("--baseline old.json old.json --depth 3", "--depth"),
    ],
)
def test_a_bad_baseline_is_one_line(line, words, reports, compare):
    ended = compare(line, cwd=reports)
    assert (ended.returncode, ended.stdout) == (2, "")
    [said] = ended.stderr.splitlines()
    assert said.startswith("error: ")
    assert words in said


@pytest.mark.parametrize(
    "pair", ["old.json moved.json", "old.json worse.json", "old.json deeper.json", "dead.json old.json"]
)
def test_its_json_has_a_schema_of_its_own(pair, reports, compare):
    old, new = pair.split()
    document = json.loads(compare(f"--baseline {reports / old} {reports / new} --json").stdout)
    jsonschema.Draft202012Validator(json_schema("baseline")).validate(document)
    assert json_schema("baseline")["title"] == "gradcheck compare --baseline"
