"""``gradcheck probe`` and models whose code does what it likes: it ends the program, forks, closes and writes."""

import json
import re

import pytest

pytest.importorskip("torch")

HOSTILE = """
import os, sys, torch
from torch import nn

class Leaves(torch.autograd.Function):
    @staticmethod
    def forward(context, inputs): return inputs.clone()
    @staticmethod
    def backward(context, gradient): sys.exit(0)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 4)
    def forward(self, inputs): return self.b(self.between(torch.relu(self.a(inputs))))
    def between(self, inputs): return inputs

class InForward(Net):
    def between(self, inputs): sys.exit(0)

class InBackward(Net):
    def between(self, inputs): return Leaves.apply(inputs)

class InLaterPass(Net):
    passes = 0
    def between(self, inputs):
        self.passes += 1
        if self.passes > 1: sys.exit(0)
        return 1e-9 * inputs

class InTrain(Net):
    def train(self, mode=True): sys.exit()

class Writes(Net):
    def between(self, inputs):
        os.write(1, b"to the descriptor")
        os.system("echo from a child")
        return inputs

class Equal(Net):
    def __eq__(self, other): return True

class Forks(Net):
    def between(self, inputs):
        if not os.fork(): pass
        return inputs

class Closes(Net):
    def between(self, inputs):
        os.closerange(3, 4096)
        return inputs

class Unsaid(Exception):
    def __str__(self): raise RuntimeError("no text")

class Mute(Net):
    def between(self, inputs): raise Unsaid

class Warns(Net):
    def between(self, inputs):
        import warnings
        warnings.warn("\\x1b[31mred\\x07")
        return inputs

class Numbered(Net):
    def __init__(self):
        super().__init__()
        self._modules[7] = nn.Linear(4, 4)

class NumberedWeight(Net):
    def __init__(self):
        super().__init__()
        self._parameters[7] = nn.Parameter(torch.ones(2))

class Own(BaseException): pass

def in_build(): raise Own("mine")
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, gradcheck):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile.py").write_text(HOSTILE)
    return lambda target, *words: gradcheck(f"probe --input 4x8 --json --fail-on any {target}", *words, cwd=folder)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("hostile:InForward", "SystemExit: 0"),
        ("hostile:InBackward", "the gradient can't go back: SystemExit: 0"),
        ("hostile:InLaterPass", "the model ends the process: SystemExit: 0 (hostile.py, line 28)"),
        ("hostile:InLaterPass --rate", "the model ends the process: SystemExit: 0 (hostile.py, line 28)"),
        ("hostile:InTrain", "InTrain.train(True): SystemExit: it says nothing (hostile.py, line 32)"),
        ("hostile:in_build", "TARGET hostile:in_build failed: Own: mine"),
        ("hostile:Equal", "needs __hash__ = nn.Module.__hash__"),
        ("hostile:Mute", "Unsaid: its text can't be made, its __str__ fails"),
        ("hostile:Numbered", "has a part whose name is no text"),
        ("hostile:NumberedWeight", "has a part whose name is no text"),
        ("random:build", "it is Python's own random: give your module another name"),
        ("''", "TARGET '' is not module:attribute"),
        (".", "TARGET '.' is not module:attribute"),
        ("/:x", "TARGET '/:x' is not module:attribute"),
        ("hostile:Net --loss :", "--loss ':' is not module:attribute"),
        (f"hostile:Net --kwargs {'[' * 20_000}", "--kwargs is not JSON"),
        *((f"hostile:Net --input {size}x64", "not enough memory") for size in (10**12, 10**16, 10**20)),
        ("hostile:Net --lr 3", "--lr is of the steps of training: say how many with --steps N"),
    ],
    ids=lambda text: text[:30],
)
def test_what_ends_the_program_is_an_error_of_the_model(target, words, hostile):
    ended = hostile(target)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_is_written_to_the_descriptor_of_stdout_goes_to_stderr(process, tmp_path):
    (tmp_path / "hostile.py").write_text(HOSTILE)
    ended = process("probe hostile:Writes --input 4x8 --json", cwd=tmp_path)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["command"] == "probe"
    assert "to the descriptor" in ended.stderr
    assert "from a child" in ended.stderr


@pytest.fixture(scope="module")
def hostile_process(tmp_path_factory, in_bash):
    folder = tmp_path_factory.mktemp("processes")
    (folder / "hostile.py").write_text(HOSTILE)
    return lambda name, redirected="": in_bash(
        f"gradcheck probe hostile:{name} --input 4x8 --json {redirected}", cwd=folder
    )


def test_a_process_that_the_model_forks_prints_no_second_document(hostile_process):
    ended = hostile_process("Forks")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["command"] == "probe"


def test_a_model_that_closes_every_descriptor_is_an_error_of_the_model(hostile_process):
    ended = hostile_process("Closes")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: the model's code closed file descriptors that it didn't open")


@pytest.mark.parametrize(("closed", "document"), [(">&-", False), ("2>&-", True)])
def test_a_model_may_write_to_stdout_where_a_stream_is_closed(closed, document, hostile_process):
    ended = hostile_process("Writes", closed)
    assert ended.returncode == 0
    assert ended.stdout.startswith("{") == document
    assert ("to the descriptor" in ended.stderr) != document


def test_warnings_of_the_model_show_control_characters_instead_of_obeying_them(hostile_process):
    ended = hostile_process("Warns")
    assert "UserWarning: \\x1b[31mred\\x07\n" in ended.stderr
    assert "\x1b" not in ended.stderr


def test_names_of_modules_are_neutral_in_a_table_of_markdown_and_in_csv(gradcheck, tmp_path):
    (tmp_path / "named.py").write_text(
        "from torch import nn\nmodel = nn.Sequential()\n"
        "for name in ('d|`*_[x](http:e)<b>', '@org/team', 'e\\x1b[31m', 'end'):\n"
        "    model.add_module(name, nn.Linear(8, 8))\n"
    )
    table = gradcheck("probe named:model --input 4x8 --format markdown", cwd=tmp_path).stdout
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}
    assert "@org" not in table
    assert "<b>" not in table.replace("\\<b\\>", "")
    document = gradcheck("probe named:model --input 4x8 --format csv", cwd=tmp_path).stdout
    assert all(one.isprintable() or one == "\n" for one in document)
