"""The command line as its users meet it: real processes, real pipes, a real pseudo-terminal.

Golden outputs stand in ``tests/cli/golden``. To write them anew, and look at the difference afterwards::

    GRADCHECK_UPDATE_GOLDEN=1 pytest tests/cli/test_golden.py
"""

import fcntl
import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest

GOLDEN = Path(__file__).with_name("golden")

BIN = Path(sys.executable).parent

#: Variables that change what the text looks like.
INFLUENCES = (
    "COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE",
    "LANG", "LC_ALL", "LC_CTYPE", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED", "PYTHONUNBUFFERED",
)  # fmt: skip

PATIENCE = 120  # seconds after which a process counts as hung


@pytest.fixture(scope="session")
def environment():
    """A plain UTF-8 shell, with `gradcheck` on its path."""
    kept = {name: value for name, value in os.environ.items() if name not in INFLUENCES}
    path = f"{BIN}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | {"LANG": "C.UTF-8", "TERM": "xterm-256color", "PATH": path}


@pytest.fixture(scope="session")
def python(environment):
    """Run Python with the arguments; how it ended, stdout and stderr as text."""

    def run(*arguments, cwd=None, stdout=subprocess.PIPE, **variables):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
            encoding="utf-8", errors="surrogateescape",
            env=environment | variables, cwd=cwd, timeout=PATIENCE, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def gradcheck(python):
    """Run a command line, and perhaps further words that no shell should take apart."""

    def run(line, *words, **how):
        return python("-m", "gradcheck", *shlex.split(line), *words, **how)

    return run


@pytest.fixture(scope="session")
def printed(gradcheck):
    """A command line ↦ its document, when it ends well and says nothing else. Run once for all tests."""

    @cache
    def run(line, **variables):
        ended = gradcheck(line, **variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    return run


@pytest.fixture(scope="session")
def ahead(printed):
    """Run command lines side by side that many tests will look at: [(line, variables), …]."""

    def run(calls):
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for line, variables in calls:
                pool.submit(printed, line, **variables)  # what goes wrong does so again in the test

    return run


@pytest.fixture(scope="session")
def strictly():
    """JSON text ↦ its value; NaN, Infinity and a key that stands twice are errors."""

    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    def record(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return lambda text: json.loads(text, parse_constant=refuse, object_pairs_hook=record)


@pytest.fixture(scope="session")
def report(printed, strictly):
    """Options of simulate ↦ its JSON."""
    return lambda options: strictly(printed(f"simulate --json {options}"))


@pytest.fixture(scope="session")
def in_bash(environment):
    """Run a line of bash that fails if any part of a pipe fails."""

    def run(line, cwd=None):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
            env=environment, cwd=cwd, timeout=PATIENCE, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def on_terminal(environment):
    """Run Python with the arguments on a terminal: how it ended, and what the terminal got to show.

    With `piped`, stdout goes elsewhere. The process is interrupted as soon as the terminal shows `interrupt_at`.
    """

    def run(*arguments, columns=80, piped=False, interrupt_at=None, cwd=None, **variables):
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        with TemporaryFile() as pipe:
            with subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                stdin=theirs, stdout=pipe if piped else theirs, stderr=theirs, env=environment | variables, cwd=cwd,
            ) as process:  # fmt: skip
                os.close(theirs)
                hung = Timer(PATIENCE, process.kill)
                hung.start()
                shown = b""
                while chunk := _read(ours):
                    shown += chunk
                    if interrupt_at and interrupt_at in shown.decode(errors="replace"):
                        process.send_signal(signal.SIGINT)
                        interrupt_at = None
                hung.cancel()
            os.close(ours)
            pipe.seek(0)
            return SimpleNamespace(
                returncode=process.returncode,
                shown=shown.decode().replace("\r\n", "\n"),
                stdout=pipe.read().decode(),
            )

    return run


def _read(terminal):
    """The next bytes; none once everyone has left the other side, which Linux calls an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


@pytest.fixture
def golden():
    """Compare a text with the one that is kept."""

    def check(name, text):
        path = GOLDEN / name
        if os.environ.get("GRADCHECK_UPDATE_GOLDEN") == "1":
            path.write_bytes(text.encode())
        assert text == path.read_bytes().decode()

    return check


@pytest.fixture
def contents():
    """A folder ↦ what is in it: names and bytes."""
    return lambda folder: {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="session")
def user_files(tmp_path_factory):
    """A folder of data and weights: good ones, and each kind of bad."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((20, 6)), rng.integers(0, 3, 20)
    holed = np.where(np.arange(120).reshape(20, 6) == 27, np.nan, x)
    np.save(folder / "good.npy", x)
    np.save(folder / "hole.npy", holed)
    np.save(folder / "words.npy", np.array([["a", "b"]]))
    np.save(folder / "flat.npy", x[:, 0])
    np.save(folder / "nothing.npy", x[:0])
    np.save(folder / "constant.npy", np.ones((20, 6)))
    np.savez(folder / "good.npz", x=x, y=y)
    np.savez(folder / "no_x.npz", inputs=x)
    np.savez(folder / "pickled.npz", x=np.array([{}, {}], dtype=object))
    np.savez(folder / "half_labels.npz", x=x, y=y + 0.5)
    np.savez(folder / "negative_labels.npz", x=x, y=y - 1)
    np.savez(folder / "few_labels.npz", x=x, y=y[:7])
    np.savetxt(folder / "labelled.csv", np.column_stack([x, y]), delimiter=",")
    (folder / "torn.npz").write_bytes((folder / "good.npz").read_bytes()[:100])
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("a,b,c\n")
    (folder / "ragged.csv").write_text("1,2,3\n4,5\n")
    (folder / "words.csv").write_text("a,b\n1,two\n")
    (folder / "hole.csv").write_text("1,2\n3,nan\n")
    (folder / "half_labels.csv").write_text("1,2,0\n3,1,0.5\n")
    weight = rng.standard_normal
    np.savez(folder / "broken_chain.npz", W1=weight((64, 4)), W2=weight((5, 4)), W_out=weight((4, 10)))
    np.savez(folder / "wrong_features.npz", W1=weight((60, 4)), W_out=weight((4, 10)))
    np.savez(folder / "few_outputs.npz", W1=weight((64, 4)), W_out=weight((4, 9)))
    np.savez(folder / "one_matrix.npz", W1=weight((64, 4)))
    np.savez(folder / "wrong_bias.npz", W1=weight((64, 4)), b1=weight(5), W_out=weight((4, 10)))
    np.savez(folder / "image.npz", kernel=weight((64, 3, 3)), W_out=weight((4, 10)))
    np.savez(folder / "lstm.npz", W_x=weight((8, 16)), W_h=weight((4, 16)), W_out=weight((4, 10)))
    np.savez(folder / "weights.npz", W1=weight((64, 4)), W_out=weight((4, 10)))
    return folder
