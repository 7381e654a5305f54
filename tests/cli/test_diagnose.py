"""``gradcheck diagnose`` as its users meet it."""

import json
import re
from functools import cache

import jsonschema
import pytest

import gradcheck
from gradcheck.base.schema import schema_of
from gradcheck.logs.report import LogFinding

LAYERS = ("fc1", "fc2", "fc3")

#: A noise that is the same on every machine.
NOISE = [((37 * step) % 101 - 50) / 300 for step in range(101)]


def run(decades=lambda step: 0.0, loss=lambda step: 2.0 / (1 + step / 50), steps=200, first="fc3", **more):
    """A log of `steps` steps whose gradient has so many decades; one layer is ten steps ahead of the others."""
    for step in range(steps):
        noise = NOISE[step % 101]
        norms = {f"grad_norm/{name}": 0.5 * 10 ** (decades(step + 10 * (name == first)) + noise) for name in LAYERS}
        yield {"step": step, "loss": loss(step), "lr": 0.1, "grad_norm": 10 ** (decades(step) + noise)} | norms | more


LOGS = {
    "healthy": list(run()),
    "exploding": list(run(lambda step: max(0, step - 120) / 15, lambda step: 2.0 if step < 120 else 2.0 + step - 120)),
    "spikes": list(run(lambda step: 3.0 if step == 90 else 0.0, first="")),
    "nonfinite": [row | ({"loss": float("nan")} if row["step"] >= 150 else {}) for row in run()],
    "always-clipped": list(run(max_norm=0.01)),
    "never-clipped": list(run(max_norm=100.0)),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder of logs."""
    folder = tmp_path_factory.mktemp("logs")
    for name, rows in LOGS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    hostile = "\x1b[31mred\x07\u202e" + "x" * 99
    rows = [json.dumps({f"grad_norm/{hostile}": 0.0, **row}) + "\n" for row in LOGS["exploding"]]
    (folder / "hostile.jsonl").write_text("".join(rows))
    (folder / "torn.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LOGS["healthy"]) + '{"step": 2')
    (folder / "nothing.csv").write_text("a,b\n1,2\n")
    return folder


@pytest.fixture(scope="session")
def diagnosed(gradcheck, folder):
    """The words behind ``gradcheck diagnose`` ↦ how it ended, in the folder of the logs. Run once for all tests."""
    return cache(lambda line, **how: gradcheck(f"diagnose {line}", cwd=folder, **how))


# ---- the text

TEXTS = {
    "healthy.txt": ("healthy.jsonl", {}),
    "exploding.txt": ("exploding.jsonl", {}),
    "exploding_60.txt": ("exploding.jsonl", {"COLUMNS": "60"}),
    "exploding_140.txt": ("exploding.jsonl", {"COLUMNS": "140"}),
    "exploding_ascii.txt": ("exploding.jsonl", {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}),
    "exploding_colour.txt": ("exploding.jsonl", {"FORCE_COLOR": "1", "TERM": "xterm"}),
    "nonfinite.txt": ("nonfinite.jsonl", {}),
    "spikes.txt": ("spikes.jsonl", {}),
    "always_clipped.txt": ("always-clipped.jsonl", {}),
    "hostile.txt": ("hostile.jsonl", {}),
    "exploding.md": ("exploding.jsonl --format markdown", {}),
    "exploding.csv": ("exploding.jsonl --format csv", {}),
    "exploding.github": ("exploding.jsonl --format github", {}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_document_is_the_one_that_is_kept(name, diagnosed, golden):
    line, variables = TEXTS[name]
    ended = diagnosed(line, **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    golden(f"../golden_logs/{name}", ended.stdout)


def test_the_text_keeps_to_the_columns_but_for_the_command_to_copy(diagnosed):
    for columns in (40, 60, 80, 140):
        shown = diagnosed("exploding.jsonl", COLUMNS=str(columns)).stdout.splitlines()
        assert max(map(len, shown[:-1])) <= columns, columns


def test_ascii_has_no_question_marks(diagnosed):
    for kind in LOGS:
        text = diagnosed(f"{kind}.jsonl", PYTHONIOENCODING="ascii", LANG="C").stdout
        assert text.isascii(), kind
        assert "?" not in text, kind


def test_a_pipe_and_no_color_get_no_colours(diagnosed, terminal, folder):
    assert "\x1b" not in diagnosed("exploding.jsonl").stdout
    assert "\x1b" not in terminal("diagnose exploding.jsonl", NO_COLOR="1", cwd=folder).shown
    assert "\x1b[" in terminal("diagnose exploding.jsonl", cwd=folder).shown


@pytest.mark.parametrize("form", ["text", "markdown", "github"])
def test_control_characters_of_a_layer_are_shown_and_not_obeyed(form, diagnosed):
    document = diagnosed(f"hostile.jsonl --format {form}").stdout
    assert "no-gradient" in document
    assert not [one for one in document if not one.isprintable() and one != "\n"]


def test_the_verdict_comes_first(diagnosed):
    for kind in LOGS:
        status = "gradients ok" if kind in ("healthy", "never-clipped") else kind
        assert diagnosed(f"{kind}.jsonl").stdout.splitlines()[2].strip().startswith(status.upper()), kind


def test_the_next_command_can_be_run(diagnosed, gradcheck, folder):
    for kind in LOGS:
        command = diagnosed(f"{kind}.jsonl").stdout.splitlines()[-1].strip()
        assert command.startswith("gradcheck "), kind
        assert gradcheck(command.removeprefix("gradcheck "), cwd=folder).returncode in (0, 1), kind


# ---- what is read


def test_a_column_is_named_on_the_command_line(diagnosed, folder, strictly):
    (folder / "named.log").write_text("".join(f"step {step} ppl {30 - step / 10} g2 1.0\n" for step in range(60)))
    log = strictly(diagnosed("named.log --column loss=ppl --column grad_norm=g2 --json").stdout)["log"]
    assert {one["quantity"]: one["name"] for one in log["columns"]} == {
        "loss": "ppl",
        "grad_norm": "g2",
        "step": "step",
    }
    assert (log["rows"], log["rows_found"]) == (60, 60)


@pytest.mark.parametrize(("asked", "said"), [("los=ppl", "did you mean 'loss'"), ("loss", "QUANTITY=NAME")])
def test_a_column_that_names_no_quantity_is_one_line_of_error(asked, said, diagnosed):
    ended = diagnosed(f"healthy.jsonl --column {asked}")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert said in ended.stderr


def test_several_runs_are_told_in_the_text(diagnosed, folder):
    rows = [*LOGS["nonfinite"], *LOGS["healthy"]]
    (folder / "two.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = diagnosed("two.jsonl")
    assert "it holds 2 runs" in ended.stderr
    assert "judged: run 2 of 2, the last one" in ended.stdout
    assert "run 1 of 2, 200 rows to step 199: nonfinite" in ended.stdout


def test_another_run_without_a_gradient_norm_has_a_healthy_loss_and_no_more(diagnosed, folder):
    lines = "".join(f"epoch {epoch} loss {2 - epoch / 50:.4f}\n" for epoch in range(50))
    (folder / "twice.log").write_text(lines * 2)
    assert "run 1 of 2, 50 rows to step 49: loss ok" in diagnosed("twice.log").stdout


def test_what_was_taken_for_what_is_in_the_text(diagnosed):
    assert "loss ← loss · gradient norm ← grad_norm · step ← step" in diagnosed("healthy.jsonl").stdout


# ---- other formats


def test_json_is_strict_and_keeps_to_its_schema(diagnosed, strictly):
    for kind in LOGS:
        document = strictly(diagnosed(f"{kind}.jsonl --json").stdout)
        jsonschema.Draft202012Validator(gradcheck.json_schema("diagnose")).validate(document)
        assert document["verdict"]["status"] == ("healthy" if kind == "never-clipped" else kind), kind


def test_json_lines_have_a_finding_each(diagnosed, strictly):
    for kind in LOGS:
        lines = [strictly(line) for line in diagnosed(f"{kind}.jsonl --format jsonl").stdout.splitlines()]
        assert [one["kind"] for one in lines] == ([] if kind == "healthy" else [kind]), kind
        for line in lines:
            jsonschema.Draft202012Validator(schema_of(LogFinding)).validate(line)


def test_the_command_and_the_function_say_the_same(diagnosed, strictly, folder, monkeypatch):
    monkeypatch.chdir(folder)
    report = gradcheck.diagnose("exploding.jsonl")
    assert report.to_dict() == strictly(diagnosed("exploding.jsonl --json").stdout)
    assert str(report) == diagnosed("exploding.jsonl").stdout


def test_annotations_are_ten_at_most_and_their_properties_hold_no_separators(diagnosed, folder):
    (folder / "a,b:c%.jsonl").write_bytes((folder / "exploding.jsonl").read_bytes())
    (annotation,) = diagnosed("'a,b:c%.jsonl' --format github").stdout.splitlines()
    assert re.match(r"::error file=a%2Cb%3Ac%25\.jsonl,title=gradcheck exploding::from step 1\d\d", annotation)


def test_a_healthy_run_has_no_annotation(diagnosed):
    assert diagnosed("healthy.jsonl --format github").stdout == ""


# ---- what scripts rely on


def test_fail_on_asks_for_findings(diagnosed):
    for kind, asked, code in [
        ("healthy", "any", 0),
        ("exploding", "any", 1),
        ("exploding", "exploding", 1),
        ("exploding", "spikes", 0),
        ("exploding", "spikes exploding", 1),
        ("nonfinite", "nonfinite", 1),
        ("nonfinite", "NaN", 1),
        ("never-clipped", "any", 0),
        ("never-clipped", "never-clipped", 1),
    ]:
        words = " ".join(f"--fail-on {one}" for one in asked.split())
        ended = diagnosed(f"{kind}.jsonl {words}")
        assert ended.returncode == code, (kind, asked)
        assert ended.stdout == diagnosed(f"{kind}.jsonl").stdout, kind


def test_fail_on_asks_all_runs_of_a_file(diagnosed, folder):
    ill, well = ((folder / f"{kind}.jsonl").read_text() for kind in ("exploding", "healthy"))
    (folder / "two.jsonl").write_text(ill + well)
    assert [diagnosed(f"two.jsonl --fail-on {kind}").returncode for kind in ("any", "exploding", "spikes")] == [1, 1, 0]
    assert diagnosed("healthy.jsonl --fail-on any").returncode == 0
    (annotation,) = diagnosed("two.jsonl --format github").stdout.splitlines()
    assert annotation.startswith(
        "::error file=two.jsonl,title=gradcheck exploding::run 1 of 2: the gradient norm grows"
    )


def test_the_threshold_can_be_given(diagnosed):
    assert "always-clipped" in diagnosed("healthy.jsonl --max-norm 0.001").stdout
    assert "never-clipped" in diagnosed("healthy.jsonl --max-norm 1000").stdout


def test_a_torn_last_line_is_a_warning_on_stderr(diagnosed):
    ended = diagnosed("torn.jsonl")
    assert ended.returncode == 0
    assert ended.stderr == "warning: torn.jsonl: line 201 is not JSON, cut off: left out\n"
    assert diagnosed("torn.jsonl --quiet").stderr == ""


def test_quiet_leaves_the_exit_code_and_the_file(diagnosed, folder):
    ended = diagnosed("exploding.jsonl --quiet --fail-on any")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")
    assert diagnosed("exploding.jsonl --quiet --json --output out.json").stdout == ""
    assert json.loads((folder / "out.json").read_text())["verdict"]["status"] == "exploding"


def test_bad_input_is_one_line_and_ends_with_two(diagnosed):
    for line, told in [
        ("missing.jsonl", "error: missing.jsonl: can't be read: no such file or directory"),
        ("nothing.csv", "error: nothing.csv: has neither a loss nor a gradient norm (its columns are a, b)"),
        ("healthy.jsonl --fail-on vanish", "error: --fail-on 'vanish' is unknown; did you mean 'vanishing'?"),
        ("healthy.jsonl --format yaml", "error: --format 'yaml' is unknown"),
        ("healthy.jsonl --max-norm -1", "error: --max-norm -1.0 is not a finite number above 0"),
        ("", "error: FILE is missing: gradcheck diagnose FILE"),
    ]:
        ended = diagnosed(line)
        assert (ended.returncode, ended.stdout) == (2, ""), line
        assert ended.stderr.startswith(told), line
        assert ended.stderr.count("\n") == 1, line


def test_the_standard_input_is_read(in_bash, folder, diagnosed):
    ended = in_bash("cat exploding.jsonl | gradcheck diagnose - --fail-on exploding", cwd=folder)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[2:-1] == diagnosed("exploding.jsonl").stdout.splitlines()[2:-1]


def test_every_kept_document_is_compared():
    from pathlib import Path

    assert {path.name for path in Path(__file__).with_name("golden_logs").iterdir()} == set(TEXTS)


def test_another_log_is_held_against_the_first(diagnosed, strictly):
    said = "against spikes.jsonl: they part at step 90, in the gradient norm first: "
    assert said in " ".join(diagnosed("healthy.jsonl spikes.jsonl").stdout.split())
    document = strictly(diagnosed("healthy.jsonl spikes.jsonl --json").stdout)
    jsonschema.validate(document, gradcheck.json_schema("diagnose"))
    assert (document["against"]["first_step"], document["against"]["quantity"]) == (90, "grad_norm")
    assert said.partition(": ")[2] in diagnosed("healthy.jsonl spikes.jsonl --format markdown").stdout


def test_two_logs_are_not_followed(diagnosed):
    ended = diagnosed("healthy.jsonl spikes.jsonl --follow")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: --follow watches one log; leave the other one out\n"


@pytest.mark.parametrize("logs", ["run.jsonl", "other.jsonl run.jsonl"])
def test_a_log_is_not_written_over(logs, gradcheck, tmp_path):
    for name in logs.split():
        (tmp_path / name).write_text('{"step": 1, "loss": 2.0, "grad_norm": 1.0}\n')
    done = gradcheck(f"diagnose {logs} --output run.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "is the log that is read" in done.stderr
    assert (tmp_path / "run.jsonl").read_text().startswith('{"step": 1')
