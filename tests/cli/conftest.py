"""The command line as its users meet it.

Most command lines run in this process, with streams, variables and a folder of their own (``gradcheck``, ``printed``,
``report``, ``terminal``): a process each would take forty times as long. Where a pipe, a signal or what is loaded is
the point, a test asks for a real one (``process``, ``python``, ``start``, ``in_bash``, ``on_terminal``).

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
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from importlib.util import cache_from_source
from io import BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest
import typer

from gradcheck import cli
from gradcheck.cli import progress

GOLDEN = Path(__file__).with_name("golden")

BIN = Path(sys.executable).parent

#: Variables that change what the text looks like.
INFLUENCES = (
    "COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE",
    "LANG", "LC_ALL", "LC_CTYPE", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED", "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip

PATIENCE = 120  # seconds after which a process counts as hung


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """A plain UTF-8 shell, with `gradcheck` on its path."""
    kept = {name: value for name, value in os.environ.items() if name not in INFLUENCES}
    path = f"{BIN}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | {"LANG": "C.UTF-8", "TERM": "xterm-256color", "PATH": path} | _compiled(tmp_path_factory)


def _compiled(tmp_path_factory):
    """Where the package isn't compiled, as in a checkout, what one process compiles, no other has to."""
    if Path(cache_from_source(cli.__file__)).exists():
        return {}
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return {"PYTHONPYCACHEPREFIX": str(shared / "compiled")}


@pytest.fixture(scope="session", autouse=True)
def commands_built_once():
    """Every line that is run in this process finds the commands that the first one built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.main.get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def gradcheck(environment, measured_once):
    """Run a command line in this process, and perhaps further words that no shell should take apart.

    How it ended, stdout and stderr as text, or stdout elsewhere, in a file that is open. What another line measured
    isn't measured again, but where a test waits for signs of life.
    """

    def run(line, *words, cwd=None, stdout=None, **variables):
        encoding = variables.get("PYTHONIOENCODING", "utf-8")
        streams = [TextIOWrapper(BytesIO(), encoding, errors) for errors in (None, None, "backslashreplace")]
        streams[1] = stdout or streams[1]
        with measured_once() if progress.PATIENCE else nullcontext():
            code = _exit_code([*shlex.split(line), *map(str, words)], streams, environment | variables, cwd)
        out = "" if stdout else _written(streams[1])
        return SimpleNamespace(returncode=code, stdout=out, stderr=_written(streams[2]))

    return run


@pytest.fixture(scope="session")
def terminal(environment):
    """Run a command line in this process on a terminal: how it ended, and what the terminal got to show.

    With `piped`, stdout goes elsewhere.
    """

    def run(line, *, columns=80, piped=False, cwd=None, **variables):
        ours, theirs = _terminal(columns)
        with ThreadPoolExecutor(1) as reader:  # what nobody reads, a terminal takes a few thousand characters of
            shown = reader.submit(lambda: b"".join(iter(partial(_read, ours), b"")))
            streams = [open(theirs, how, closefd=False) for how in "rww"]  # noqa: SIM115
            streams[1] = TextIOWrapper(BytesIO(), "utf-8") if piped else streams[1]
            code = _exit_code(shlex.split(line), streams, environment | variables, cwd)
            stdout = _written(streams[1]) if piped else ""
            for stream in streams:
                stream.close()
            os.close(theirs)
        os.close(ours)
        return SimpleNamespace(returncode=code, shown=shown.result().decode().replace("\r\n", "\n"), stdout=stdout)

    return run


@pytest.fixture
def impatient(monkeypatch):
    """A sign of life from the first step on, not only after a second."""
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr(progress, "INTERVAL", 0)


@pytest.fixture
def interrupt_at(impatient, monkeypatch):
    """A text ↦ nothing; whoever waits sees it in the sign of life and interrupts the command in this process."""
    show = progress.Progress.show

    def at(text):
        def shown_and_interrupted(self, share, what):
            show(self, share, what)
            if text in what:
                raise KeyboardInterrupt

        monkeypatch.setattr(progress.Progress, "show", shown_and_interrupted)

    return at


@pytest.fixture(scope="session")
def impatient_program():
    """What Python runs in a process: the command line with a sign of life from the first step on."""
    return "-c", "from gradcheck.cli import main, progress; progress.PATIENCE = progress.INTERVAL = 0; main()"


def _exit_code(words, streams, environment, cwd):
    with _as_a_process(words, streams, environment, cwd):
        try:
            return cli.run()
        except SystemExit as left:
            return left.code or 0


@pytest.fixture(scope="session")
def compare(gradcheck):
    """Run the command compare in this process, for a page of 80 columns."""
    return lambda line, *words, cwd=None: gradcheck(f"compare {line}", *words, cwd=cwd, COLUMNS="80")


@contextmanager
def _as_a_process(words, streams, environment, cwd):
    """Give the command what a process has of its own, and take it away afterwards."""
    names = ("stdin", "stdout", "stderr", "__stdout__", "argv", "path")
    before = {name: getattr(sys, name) for name in names}
    variables, folder, modules = dict(os.environ), Path.cwd(), dict(sys.modules)
    vars(sys).update(zip(names, [*streams, streams[1], ["gradcheck", *words], [*sys.path]], strict=True))
    _set_variables(environment)
    os.chdir(cwd or folder)
    try:
        yield
    finally:
        os.chdir(folder)
        _set_variables(variables)
        for name, value in before.items():
            setattr(sys, name, value)
        if sys.modules != modules:
            _put_back_modules(modules, cwd)


def _set_variables(variables):
    now = dict(os.environ)
    for name in now.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(dict(variables.items() - now.items()))


def _put_back_modules(before, folder):
    """Forget the user's own modules, another folder may have others of these names; show what completion hides."""
    for name in sys.modules.keys() - before.keys():
        module = sys.modules[name]
        if module is None or (getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
            del sys.modules[name]
    sys.modules.update(before)


def _written(stream):
    """What stands in a stream, as a pipe would give it: ends of lines are \\n."""
    stream.flush()
    text = stream.buffer.getvalue().decode(errors="surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.fixture(scope="session")
def start(environment):
    """Start Python with the arguments in a process: a ``subprocess.Popen`` that an interrupt reaches.

    Even where pytest itself was told to ignore interrupts, as ``nohup`` does: that is inherited, a handler is not.
    """

    def popen(*arguments, variables=None, **how):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [sys.executable, *map(str, arguments)], env=environment | (variables or {}),
                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
            )  # fmt: skip
        finally:
            signal.signal(signal.SIGINT, before)

    return popen


@pytest.fixture(scope="session")
def python(start):
    """Run Python with the arguments in a process: how it ended, stdout and stderr as text."""

    def run(*arguments, cwd=None, stdin="", stdout=subprocess.PIPE, **variables):
        how = {"stdin": subprocess.PIPE, "stdout": stdout, "encoding": "utf-8", "errors": "surrogateescape"}
        with start(*arguments, variables=variables, cwd=cwd, **how) as process:
            try:
                out, err = process.communicate(stdin, timeout=PATIENCE)
            finally:
                process.kill()
        return SimpleNamespace(returncode=process.returncode, stdout=out, stderr=err)

    return run


@pytest.fixture(scope="session")
def process(python):
    """Run a command line in a process, and perhaps further words that no shell should take apart."""

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
def on_terminal(start):
    """Run Python with the arguments in a process on a terminal: how it ended, and what the terminal got to show.

    With `piped`, stdout goes elsewhere. `meanwhile` is what happens as soon as the terminal shows a text, one after the
    other: (text, what to call); last, the process is interrupted when it shows `interrupt_at`.
    """

    def run(*arguments, columns=80, piped=False, interrupt_at=None, meanwhile=(), cwd=None, **variables):
        ours, theirs = _terminal(columns)
        with TemporaryFile() as pipe:
            streams = {"stdin": theirs, "stdout": pipe if piped else theirs, "stderr": theirs}
            with start(*arguments, variables=variables, cwd=cwd, **streams) as process:
                os.close(theirs)
                hung = Timer(PATIENCE, process.kill)
                hung.start()
                interruption = (interrupt_at, partial(process.send_signal, signal.SIGINT))
                to_come = [*meanwhile, *[interruption] * bool(interrupt_at)]
                shown, looked_at = b"", 0
                while chunk := _read(ours):
                    shown += chunk
                    if to_come and to_come[0][0] in shown[looked_at:].decode(errors="replace"):
                        looked_at = len(shown)
                        to_come.pop(0)[1]()
                hung.cancel()
            os.close(ours)
            pipe.seek(0)
            text = shown.decode().replace("\r\n", "\n")
            return SimpleNamespace(returncode=process.returncode, shown=text, stdout=pipe.read().decode())

    return run


def _terminal(columns):
    """Both ends of a terminal so wide: ours, and the program's."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    return ours, theirs


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
    arrays = {"good": x, "hole": holed, "words": np.array([["a", "b"]])}
    arrays |= {"flat": x[:, 0], "nothing": x[:0], "constant": np.ones((20, 6))}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.savez(folder / "good.npz", x=x, y=y)
    np.savez(folder / "no_x.npz", inputs=x)
    np.savez(folder / "pickled.npz", x=np.array([{}, {}], dtype=object))
    for name, labels in {"half": y + 0.5, "negative": y - 1, "few": y[:7]}.items():
        np.savez(folder / f"{name}_labels.npz", x=x, y=labels)
    np.savetxt(folder / "labelled.csv", np.column_stack([x, y]), delimiter=",")
    (folder / "torn.npz").write_bytes((folder / "good.npz").read_bytes()[:100])
    texts = {"empty": "", "header": "a,b,c\n", "ragged": "1,2,3\n4,5\n", "words": "a,b\n1,two\n"}
    for name, text in (texts | {"hole": "1,2\n3,nan\n", "half_labels": "1,2,0\n3,1,0.5\n"}).items():
        (folder / f"{name}.csv").write_text(text)
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
