"""Names of files and of models, of any characters: an answer, or one line that says what is wrong."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

#: How many are made; a longer search is ``GRADCHECK_GENERATED=500 pytest`` with this file.
MANY = settings(
    max_examples=int(os.environ.get("GRADCHECK_GENERATED", "30")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

TINY = "--depth 2 --width 4 --batch-size 4"

#: What takes the name of a file, each before the name.
TAKE_A_FILE = (
    f"simulate {TINY} --no-suggest --data=",
    f"simulate {TINY} --no-suggest --weights=",
    f"simulate {TINY} --no-suggest --save-weights=",
    f"compare {TINY} --seeds 1 --workers 1 --data=",
    f"compare {TINY} --seeds 1 --workers 1 --weights=",
    f"compare {TINY} --seeds 1 --workers 1 --journal=",
    f"compare {TINY} --seeds 1 --baseline=",
    "compare --baseline old.json ",
    f"theory {TINY} -o ",
    f"theory {TINY} --json --output=",
    "diagnose ",
)

#: Some that stand for what a file system has: a loop, a folder, a file of each kind, one below a file, and too long.
THERE = ("loop", "folder", "folder/", "old.json", "log.jsonl", "data.npy", "loop/x.npz", "log.jsonl/x.json", "a" * 300)

TEXTS = st.text(max_size=12)

ENDS = st.sampled_from(["", ".npy", ".npz", ".csv", ".json", ".jsonl", ".html", ".safetensors", ".log", ".md"])

#: Unpaired surrogates are how Python shows the bytes of a name that are no UTF-8.
BYTES = st.binary(max_size=6).map(os.fsdecode)

FILE_NAMES = st.one_of(st.sampled_from(THERE), st.builds(lambda *parts: "".join(parts), TEXTS | BYTES, ENDS))

MODULE = """
from torch import nn

def build(depth=1, **rest):
    return nn.Sequential(*(nn.Linear(8, 8) for _ in range(depth % 5)))

model = build(2)
"""

PIECES = st.lists(
    st.sampled_from(["m", "os", ":", ".", "/", "build", "model", "py", "__dict__", "0"]) | TEXTS, max_size=5
)

TARGETS = st.one_of(st.sampled_from(["own_model:build", "own_model:model"]), PIECES.map("".join), TEXTS)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS | st.just("depth"), inner, max_size=2),
    max_leaves=4,
)

ARGUMENTS = st.one_of(TEXTS, JSON.map(json.dumps), st.sampled_from(["[" * 100_000, "{}", '{"depth": 3}']))

SIZES = st.sampled_from(["0", "1", "4", "8", "-1", "1e3", str(10**12), str(10**18), str(10**30), "", "٣"])

SHAPES = st.one_of(
    st.just("4x8"),
    TEXTS,
    st.builds(
        lambda sizes, kind: "x".join(sizes) + kind,
        st.lists(SIZES, max_size=3),
        st.sampled_from(["", ":int64", ":int64<5", ":int64<0", ":bool", ":", ":float16", ":complex64", "<5"]) | TEXTS,
    ),
)


def answers(ended):
    """Whether a command ended with an answer or with one line that says what is wrong."""
    if ended.returncode == 0:
        return ended.stdout or not ended.stderr.startswith("error")
    one_line = ended.stderr.startswith(("error: ", "Usage: ")) and ended.stderr.count("\n") == 1
    return ended.returncode == 2 and not ended.stdout and one_line


@pytest.fixture
def folder(tmp_path, gradcheck):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "log.jsonl").write_text('{"step": 0, "grad_norm": 1.0}\n' * 30)
    (tmp_path / "data.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "own_model.py").write_text(MODULE)
    assert gradcheck(f"simulate {TINY} --json -o old.json", cwd=tmp_path).returncode == 0
    return tmp_path


@MANY
@given(line=st.sampled_from(TAKE_A_FILE), name=FILE_NAMES)
def test_a_file_of_any_name_is_read_written_or_refused_in_one_line(line, name, gradcheck, folder):
    name = name.lstrip("/").replace("..", ". .")  # nothing outside the folder
    line, _, option = line.rpartition(" ")
    words = [option + name] if option else ["--", name]
    ended = gradcheck(line, *words, cwd=folder)
    assert answers(ended), (ended.returncode, ended.stderr)


@MANY
@given(target=TARGETS, kwargs=st.none() | ARGUMENTS, shapes=st.lists(SHAPES, max_size=2))
def test_a_model_of_any_name_with_any_arguments_is_probed_or_refused_in_one_line(
    target, kwargs, shapes, gradcheck, folder
):
    pytest.importorskip("torch")
    words = [*([] if kwargs is None else [f"--kwargs={kwargs}"]), *(f"--input={shape}" for shape in shapes)]
    ended = gradcheck("probe", *words, "--", target, cwd=folder)
    assert answers(ended), (ended.returncode, ended.stderr)
