"""One rule of colours for every command: the environment, and whether stdout is a terminal."""

import json
from types import SimpleNamespace

import pytest

from gradcheck.cli.app import COMMANDS
from gradcheck.cli.page import has_colours

ON_TERMINALS, ALWAYS, NEVER = (False, True), (True, True), (False, False)

#: What the environment says ↦ whether there are colours on a pipe, and on a terminal.
RULE = [
    ({}, ON_TERMINALS),
    ({"TERM": "xterm"}, ON_TERMINALS),
    ({"TERM": "dumb"}, NEVER),
    ({"TERM": "Unknown"}, NEVER),
    ({"NO_COLOR": ""}, ON_TERMINALS),
    ({"NO_COLOR": "1"}, NEVER),
    ({"NO_COLOR": "0"}, NEVER),
    ({"FORCE_COLOR": "1"}, ALWAYS),
    ({"FORCE_COLOR": ""}, NEVER),
    ({"FORCE_COLOR": "0"}, NEVER),
    ({"TTY_COMPATIBLE": "1"}, ALWAYS),
    ({"TTY_COMPATIBLE": "0"}, NEVER),
    ({"TTY_COMPATIBLE": "perhaps"}, ON_TERMINALS),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, NEVER),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, NEVER),
    ({"FORCE_COLOR": "1", "TTY_COMPATIBLE": "0"}, NEVER),
    ({"TTY_COMPATIBLE": "1", "TERM": "dumb"}, NEVER),
    ({"TTY_COMPATIBLE": "1", "NO_COLOR": "1"}, NEVER),
    ({"TTY_COMPATIBLE": "1", "FORCE_COLOR": "0"}, NEVER),
    ({"TTY_COMPATIBLE": "1", "FORCE_COLOR": ""}, ALWAYS),
]

#: A short line of each command that prints text.
LINES = {
    "simulate": "simulate --depth 2 --width 4 --no-suggest",
    "theory": "theory --depth 2",
    "compare": "compare --depth 2,3 --width 4 --workers 1",
    "compare --baseline": "compare --baseline old.json --depth 2 --width 4",
    "probe": "probe model:build --input 2x3",
    "clip-demo": "clip-demo --clip none --epochs 1 --steps 2 --width 2",
    "rate": "rate --depth 2 --width 4 --updates 5",
    "transfer": "transfer --width 4,8 --steps 1 --seeds 1",
    "diagnose": "diagnose run.jsonl",
    "explain": "explain",
    "explain a topic": "explain vanishing",
    "verify": "verify --only relu",
    "list": "list norms",
}

MODEL = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, gradcheck):
    folder = tmp_path_factory.mktemp("page")
    (folder / "model.py").write_text(MODEL)
    rows = [json.dumps({"step": step, "grad_norm": 1.0}) + "\n" for step in range(40)]
    (folder / "run.jsonl").write_text("".join(rows))
    assert gradcheck("simulate --depth 2 --width 4 --json --output old.json", cwd=folder).returncode == 0
    return folder


def test_colours_follow_the_rule(monkeypatch):
    for variables, expected in RULE:
        for terminal in (False, True):
            for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
                monkeypatch.delenv(name, raising=False)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            stream = SimpleNamespace(isatty=lambda terminal=terminal: terminal)
            assert has_colours(stream) is expected[terminal], variables


#: The environment in which a command's text in a pipe is coloured, or not.
OF_PIPES = [({}, False), ({"TTY_COMPATIBLE": "1"}, True), ({"FORCE_COLOR": "1", "TERM": "dumb"}, False)]


@pytest.mark.parametrize("name", LINES)
def test_every_command_follows_the_one_rule_of_colours(name, gradcheck, folder):
    if name == "probe":
        pytest.importorskip("torch")
    for variables, coloured in OF_PIPES:
        ended = gradcheck(LINES[name], cwd=folder, **variables)
        assert (ended.returncode, ended.stderr) == (0, ""), variables
        assert ("\033[" in ended.stdout) is coloured, variables


@pytest.mark.parametrize("name", ["simulate", "theory"])
def test_force_color_0_takes_the_colours_from_a_terminal(name, terminal, folder):
    assert "\033" in terminal(LINES[name], cwd=folder).shown
    assert "\033" not in terminal(LINES[name], cwd=folder, FORCE_COLOR="0").shown


def test_every_command_that_prints_text_is_held_to_the_rule():
    assert set(COMMANDS) - {"schema"} == {name.split()[0] for name in LINES}
