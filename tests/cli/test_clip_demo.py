"""``gradcheck clip-demo`` as its users meet it."""

import csv
import io
import json
import os
import re
import shlex
from pathlib import Path

import pytest

from gradcheck import clip_demo
from gradcheck.spec.clip_libraries import LIBRARIES
from gradcheck.spec.clip_rules import CHOICES, RULES

SMALL = "clip-demo --width 8 --epochs 1 --batch-size 256"
MLP = "clip-demo --network mlp --depth 2 --width 8 --activation tanh --epochs 1 --batch-size 256"

OVERFLOW = f"{MLP} --activation relu --gain 1e200"

FORMATS = ["text", "json", "csv", "markdown"]

full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def document(printed, strictly):
    """A command line ↦ its JSON."""
    return lambda line: strictly(printed(f"{line} --format json"))


# ---- formats


@pytest.mark.parametrize("line", [SMALL, MLP])
def test_all_formats_tell_of_the_same_strategies(line, printed, document):
    rules = [one["rule"] for one in document(line)["strategies"]]
    assert [rule.partition(":")[0] for rule in rules] == list(RULES)
    assert [record["rule"] for record in csv.DictReader(io.StringIO(printed(f"{line} --format csv")))] == rules
    rows = re.findall(r"^\| ([^|]+?) \|", printed(f"{line} --format markdown"), re.MULTILINE)
    assert rows == ["strategy", "---", *rules]
    text = printed(f"{line} --format text")
    assert [len(re.findall(rf"^  {rule}  ", text, re.MULTILINE)) for rule in rules] == [3] * len(rules)


@pytest.mark.parametrize("line", [SMALL, MLP])
def test_json_is_short_for_format_json_and_ascii(line, printed):
    assert printed(f"{line} --json") == printed(f"{line} --format json")
    assert printed(f"{line} --format json").isascii()


def test_json_has_the_whole_of_every_run(document):
    found = document(SMALL)
    assert (found["command"], found["complete"]) == ("clip-demo", True)
    assert {one["steps"] for one in found["strategies"]} == {7}
    assert {len(series) for one in found["strategies"] for series in one["series"].values()} == {7}


@pytest.mark.parametrize("line", [SMALL, MLP])
def test_another_seed_gives_other_numbers(line, printed):
    assert printed(f"{line} --format json --seed 1") != printed(f"{line} --format json")


def test_the_command_prints_what_the_function_returns(document):
    assert clip_demo(width=8, epochs=1, batch_size=256).to_dict() == document(SMALL)


def test_the_last_line_is_a_command_that_runs(printed, document):
    *_, last = printed(f"{SMALL} --format text").splitlines()
    program, *words = shlex.split(last)
    assert program == "gradcheck"
    config = document(SMALL)["config"]
    again = document(shlex.join(words))["config"]
    changed = {name for name in config if config[name] != again[name]}
    assert changed
    assert changed <= {"clip", "seed", "lr", "epochs"}


def test_clipping_as_a_library_does_is_said_and_typed_again(printed, document):
    line = "clip-demo --network mlp --depth 1 --width 4 --epochs 1 --batch-size 512 --as keras --clip norm:1"
    config = document(line)["config"]
    assert (config["library"], config["nonfinite"]) == ("keras", "apply")
    text = printed(line)
    assert "clipped as keras does" in " ".join(text.split())
    assert "--as keras" in text.splitlines()[-1]
    assert "--nonfinite" not in text.splitlines()[-1]
    assert document(f"{line} --nonfinite stop")["config"]["nonfinite"] == "stop"


def test_without_a_rule_those_are_tried_that_the_library_has(document):
    line = "clip-demo --network mlp --depth 1 --width 4 --epochs 1 --batch-size 512 --as"
    for library, rules in {"mlx": ["none", "global-norm"], "keras": ["none", "value", "norm", "global-norm"]}.items():
        assert [one["name"] for one in document(f"{line} {library}")["strategies"]] == rules


def test_every_option_reaches_the_config(document):
    line = (
        "clip-demo --network lstm --clip zscore:3 --clip none --lr 0.05 --momentum 0.5 --epochs 1 --nonfinite zero"
        " --sequence pixels --width 4 --init he --gain 0.5 --recurrent-gain 0.9 --forget-bias 2 --bias-std 0.1"
        " --batch-size 512 --no-shuffle --seed 3 --dtype float32"
    )
    config = document(line)["config"]
    expected = {
        "network": "lstm", "arch": "lstm", "clip": ["zscore:3", "none"], "lr": 0.05, "momentum": 0.5, "epochs": 1,
        "nonfinite": "zero", "sequence": "pixels", "steps": 64, "width": 4, "init": "he", "gain": 0.5,
        "recurrent_gain": 0.9, "forget_bias": 2, "bias_std": 0.1, "batch_size": 512, "shuffle": False,
        "seed": 3, "dtype": "float32",
    }  # fmt: skip
    assert config.items() >= expected.items()


def test_each_series_stands_on_a_line_of_the_json(printed, document):
    line = "clip-demo --network mlp --depth 1 --width 4 --epochs 1 --batch-size 512 --clip none --clip value:1"
    lines = [text.strip().rstrip(",") for text in printed(f"{line} --format json").splitlines()]
    for strategy in document(line)["strategies"]:
        for name, series in strategy["series"].items():
            assert f"{json.dumps(name)}: {json.dumps(series)}" in lines


def test_it_has_no_option_for_how_layers_are_represented(gradcheck):
    ended = gradcheck("clip-demo --layers dense")
    assert ended.returncode == 2
    assert "--layers is no option of gradcheck clip-demo" in ended.stderr


def test_a_file_of_one_s_own_is_trained_on(gradcheck, user_files, strictly):
    for options in ("--data labelled.csv --labels", "--data good.npz", "--data good.npy"):
        line = f"clip-demo --network mlp --depth 1 --width 4 --epochs 2 --batch-size 5 --json {options}"
        ended = gradcheck(line, cwd=user_files)
        assert (ended.returncode, ended.stderr) == (0, "")
        found = strictly(ended.stdout)
        assert {one["steps"] for one in found["strategies"]} == {8}
        assert [one["final_accuracy"] is None for one in found["strategies"]] == [options.endswith("npy")] * 7


# ---- streams


@pytest.mark.parametrize("columns", ["40", "80", "140"])
def test_text_keeps_to_the_columns(columns, printed):
    *lines, last = printed(f"{SMALL} --format text", COLUMNS=columns).splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert last.startswith("  gradcheck clip-demo ")


def test_text_is_ascii_where_nothing_else_can_be_shown(printed):
    text = printed(OVERFLOW, LANG="C", PYTHONIOENCODING="ascii")
    assert text.isascii()
    assert "?" not in text


def test_a_terminal_gets_colours_and_a_pipe_none(terminal, printed):
    assert "\x1b[" in terminal(SMALL).shown
    assert "\x1b[" not in printed(f"{SMALL} --format text")


@pytest.mark.usefixtures("impatient")
def test_progress_shows_on_the_terminal_and_is_wiped(terminal, printed):
    ended = terminal(f"{SMALL} --json", piped=True)
    assert ended.returncode == 0
    assert " of 49 steps · none, " in ended.shown
    assert ended.shown.endswith("\r\x1b[K")
    assert "\n" not in ended.shown
    assert json.loads(ended.stdout) == json.loads(printed(f"{SMALL} --format json"))


@pytest.mark.usefixtures("impatient")
def test_quiet_shows_neither_progress_nor_text(terminal, printed):
    ended = terminal(f"{SMALL} --quiet", piped=True)
    assert (ended.returncode, ended.shown, ended.stdout) == (0, "", "")
    assert printed(f"{SMALL} --quiet --json") == printed(f"{SMALL} --format json")


@pytest.mark.parametrize("form", FORMATS)
def test_a_pipe_that_is_closed_from_the_start_ends_silently(form, gradcheck):
    there, here = os.pipe()
    os.close(there)
    with os.fdopen(here, "w") as stdout:
        ended = gradcheck(f"{SMALL} --format {form}", stdout=stdout)
    assert (ended.returncode, ended.stderr) == (0, "")


@full_disk
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_disk_is_one_line(form, gradcheck):
    with Path("/dev/full").open("w") as full:
        ended = gradcheck(f"{SMALL} --format {form}", stdout=full)
    assert (ended.returncode, ended.stderr) == (2, "error: stdout: can't be written: no space left on device\n")


def test_a_tiny_threshold_is_warned_about_on_stderr(gradcheck, strictly):
    line = f"{SMALL} --clip global-norm:1e-5 --clip global-norm:1e-7 --clip norm:1e-9"
    ended = gradcheck(f"{line} --json")
    warnings = ended.stderr.splitlines()
    assert ended.returncode == 0
    assert [re.match(r"warning: (global-norm:1e-0\d): .* over-clips: ", one)[1] for one in warnings] == [
        "global-norm:1e-05", "global-norm:1e-07",
    ]  # fmt: skip
    assert [f"warning: {one}" for one in strictly(ended.stdout)["warnings"]] == warnings
    quiet = gradcheck(f"{line} --json --quiet")
    assert (quiet.stderr, quiet.stdout) == ("", ended.stdout)


def test_usual_thresholds_are_not_warned_about(document):
    assert document(SMALL)["warnings"] == []


# ---- files


@pytest.mark.parametrize("form", FORMATS)
def test_output_takes_the_document_and_stdout_nothing(form, gradcheck, printed, tmp_path, contents):
    ended = gradcheck(f"{SMALL} --format {form} --output out", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert contents(tmp_path) == {"out": printed(f"{SMALL} --format {form}").encode()}


def test_quiet_with_output_writes_the_file(gradcheck, printed, tmp_path):
    gradcheck(f"{SMALL} --quiet --output out", cwd=tmp_path)
    assert (tmp_path / "out").read_text(encoding="utf-8") == printed(f"{SMALL} --format text")


@pytest.mark.parametrize("path", ["none/out", "."])
def test_a_place_that_cannot_be_written_is_refused_before_any_training(path, gradcheck, tmp_path):
    ended = gradcheck("clip-demo --epochs 100000 --output", path, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


# ---- exit codes


CODES = {
    f"{MLP} --clip none --fail-on any": 0,
    f"{MLP} --clip none --fail-on diverged --fail-on nonfinite": 0,
    f"{SMALL} --lr 1e300 --clip none --fail-on diverged": 1,
    f"{SMALL} --lr 1e300 --clip none --fail-on any --quiet": 1,
    f"{SMALL} --lr 1e300 --clip none --fail-on nonfinite": 0,
    f"{SMALL} --lr 1e300 --clip norm:1e-306 --clip none --fail-on diverged": 1,
    f"{OVERFLOW} --clip none --fail-on nonfinite": 1,
    f"{OVERFLOW} --clip none --nonfinite stop --fail-on nonfinite --json": 1,
    f"{OVERFLOW} --clip none --nonfinite zero --fail-on diverged --fail-on nonfinite": 1,
    f"{OVERFLOW} --clip none": 0,
}


def test_fail_on_asks_for_causes(gradcheck):
    for line in CODES:
        ended = gradcheck(line)
        assert (ended.returncode, ended.stderr) == (CODES[line], ""), line


def test_what_fails_is_shown_all_the_same(gradcheck, printed):
    ended = gradcheck(f"{OVERFLOW} --json --fail-on any")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, printed(f"{OVERFLOW} --format json"), "")


# ---- interrupted

THREE = "clip-demo --width 4 --batch-size 512 --clip none --clip norm:1 --clip agc"


def test_an_interrupt_reports_the_strategies_that_are_finished(on_terminal, impatient_program, strictly):
    words = f"{THREE} --epochs 60 --json".split()
    ended = on_terminal(*impatient_program, *words, piped=True, interrupt_at="· norm:1")
    assert ended.returncode == 130
    assert "Traceback" not in ended.shown
    found = strictly(ended.stdout)
    rules = [one["rule"] for one in found["strategies"]]
    assert rules == found["config"]["clip"][: len(rules)]
    assert 1 <= len(rules) < 3
    assert found["complete"] is False
    assert found["strategies"][0]["steps"] == 60 * 3


def test_an_interrupt_reports_them_in_text(terminal, interrupt_at):
    interrupt_at("· norm:1")
    ended = terminal(f"{THREE} --epochs 2", piped=True)
    assert ended.returncode == 130
    assert ended.shown.endswith("\r\x1b[Kinterrupted: 1 of 3 strategies are finished\n")
    assert "interrupted: 1 of 3 strategies are finished" in " ".join(ended.stdout.split())
    *_, last = ended.stdout.splitlines()
    options = "--epochs 2 --width 4 --batch-size 512"
    assert last == f"  gradcheck clip-demo {options} --clip none --clip norm:1 --clip agc:0.01"


def test_an_interrupt_writes_them_to_the_output(terminal, interrupt_at, tmp_path, contents, strictly):
    interrupt_at("· norm:1")
    ended = terminal(f"{THREE} --epochs 2 --json --output out", piped=True, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (130, "")
    [(name, content)] = contents(tmp_path).items()
    assert name == "out"
    assert strictly(content)["complete"] is False


def test_an_interrupt_before_anything_is_finished_writes_nothing(terminal, interrupt_at, tmp_path, contents):
    (tmp_path / "out").write_text("precious")
    interrupt_at(" steps · none")
    ended = terminal("clip-demo --clip none --epochs 100000 --output out", cwd=tmp_path)
    assert ended.returncode == 130
    assert "Traceback" not in ended.shown
    assert contents(tmp_path) == {"out": b"precious"}


# ---- help


def test_the_help_names_every_rule_policy_and_reading(printed):
    text = " ".join(printed("clip-demo --help").split())
    assert f"{' '.join(CHOICES)}." in text
    assert "skip stop zero apply." in text
    assert f"{' '.join(LIBRARIES)}." in text
    assert "rows pixels." in text
    assert "mlp rnn lstm gru." in text


OPTIONS = [
    "network", "arch", "clip", "lr", "momentum", "epochs", "as", "nonfinite", "sequence", "depth", "steps", "width",
    "activation", "init", "gain", "recurrent-gain", "forget-bias", "weight-std", "bias-std", "norm", "residual",
    "residual-scale", "data", "labels", "batch-size", "shuffle", "weights", "seed", "dtype", "format", "json",
    "output", "fail-on", "quiet",
]  # fmt: skip


def test_the_help_has_every_option(printed):
    for option in OPTIONS:
        assert re.search(rf"(^| |, )--{option}\b", printed("clip-demo --help"), re.MULTILINE), option


def test_the_defaults_of_the_help_are_those_of_the_config(printed, document):
    text = " ".join(printed("clip-demo --help").split())
    config = document("clip-demo --epochs 1 --clip none")["config"]
    for option in ("network", "lr", "momentum", "batch-size", "seed", "dtype", "data"):
        value = config[option.replace("-", "_")]
        stated = re.search(rf"--{option}[ ,][^\[]*\[default: \(?([^\];]*?)\)?\]", text)[1]
        assert stated.split()[0] == str(value), option
    assert f"[default: {config['nonfinite']}; with --as, apply]" in text
    assert f"[default: {config['width']}; 128 of an mlp]" in text
    assert f"[default: {config['recurrent_gain']:g}, which explodes]" in text
    assert f"[default: {config['sequence']}]" in text
    assert f"[default: {config['init']}; xavier of an mlp]" in text


def test_completion_offers_what_fits(gradcheck):
    for line, offered in [
        ("clip-d", ["clip-demo"]),
        ("clip-demo --clip glo", ["global-norm"]),
        ("clip-demo --clip s", ["suggest"]),
        ("clip-demo --nonfinite s", ["skip", "stop"]),
        ("clip-demo --sequence p", ["pixels"]),
        ("clip-demo --network l", ["lstm"]),
        ("clip-demo --fail-on d", ["diverged"]),
    ]:
        count = str(len(line.split()))
        asked = {"_GRADCHECK_COMPLETE": "complete_bash", "COMP_WORDS": f"gradcheck {line}", "COMP_CWORD": count}
        assert gradcheck("", **asked).stdout.split() == offered, line
