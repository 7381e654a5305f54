"""Thousands of random command lines of every command, right and wrong ones mixed: do they end as promised?

    python benchmarks/command_lines.py [LINES] [SEED]

The options come from the command line itself, their values from the tables and from what people mistype. Each line is
run in a process of its own, in a folder with good and bad files. Printed: how many ended with which exit code, and each
that broke a promise: the exit code is 0, 1 (only with --fail-on) or 2; an error is one line on stderr, with nothing on
stdout; no traceback and no warning; what is called JSON is JSON.
"""

import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import typer

import gradcheck
from gradcheck import cli
from gradcheck.cli.app import app
from gradcheck.spec.options.option import Names
from gradcheck.spec.options.simulation import OF_SIMULATIONS
from gradcheck.spec.options.training import OF_DEMONSTRATIONS

#: Bytes of address space, and seconds: a line that asks for more is ended, and counted apart.
ADDRESSES, PATIENCE = 6 * 2**30, 30

#: Sizes that come first, so that most lines take no time; what follows may overrule them.
SMALL = {
    "simulate": "--depth 3 --width 8 --batch-size 8",
    "theory": "--depth 3 --width 8",
    "compare": "--depth 2,3 --width 4 --batch-size 4 --workers 1",
    "clip-demo": "--network mlp --depth 2 --width 4 --epochs 1 --batch-size 512",
    "probe": "model.py:build --input 4x8 --no-trial",
    "diagnose": "run.jsonl",
}

#: What waits for more.
FOREVER = ("--follow", "-f", "--scheduler")

WORDS = ["relu", "tanh", "he", "xavier", "layer", "none", "digits", "gaussian", "mlp", "rnn", "gru", "transformer",
         "float32", "json", "csv", "html", "markdown", "jsonl", "text", "vanishing", "any", "adam", "sgd", "eval",
         "global-norm:1", "value:0.1", "loss=loss", "eps=1e-4", "score", "spikes", "4x8", "mlp:2x3", "cross-entropy",
         "fp16,bf16", "depth", "torch", "float64"]  # fmt: skip
NUMBERS = ["0", "1", "2", "3", "8", "0.5", "1e-3", "-1", "1e300", "5e-324", "nan", "inf", "-inf", "1e999", "2.0",
           "1,2", "2:4", "2:10:2", "1:1000000000", "9" * 30, "0x10", "1_000", "١"]  # fmt: skip
RUBBISH = ["", " ", "é", "a b", "--", "-", "=", ",", ":", "\x1b[31m", "'", '"', "{}", "[", "%s", "{0}", "..", "/",
           "/dev/null", "a" * 300, "\udcff", "=1+1", "<b>", "relu tanh", "rleu", "None", "true"]  # fmt: skip
FILES = ["run.jsonl", "x.npy", "w.npz", "r.json", "model.py:build", "model:nothing", "empty.jsonl", "missing.csv",
         "torn.json", "folder", "out.json", "out.html", "out.svg", "out.txt", "no/such/out.json"]  # fmt: skip

#: The names that an option takes.
NAMES = {
    f"--{name.replace('_', '-')}": list(row.range.names)
    for name, row in (OF_SIMULATIONS | OF_DEMONSTRATIONS).items()
    if isinstance(row.range, Names)
} | {"--format": ["text", "json", "jsonl", "csv", "markdown", "html"]}

MODEL = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))\n"


def prepare(folder: Path) -> None:
    """Write the files that the lines name."""
    import numpy as np

    rows = ({"step": step, "loss": 2 / (1 + step), "grad_norm": 1.0 + step % 3} for step in range(60))
    (folder / "run.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(8, 4)))
    gradcheck.simulate(depth=2, width=4, batch_size=4, save_weights=folder / "w.npz").to_json(folder / "r.json")
    (folder / "model.py").write_text(MODEL)
    (folder / "empty.jsonl").touch()
    (folder / "torn.json").write_text('{"layers": [{"ind')
    (folder / "folder").mkdir()


def made(commands: dict[str, Any], draw: random.Random) -> list[str]:
    """Return a random command line."""
    name = draw.choice(list(commands))
    line = [name, *shlex.split(SMALL.get(name, ""))] if draw.random() < 0.8 else [name]
    parameters = commands[name].params
    for one in draw.choices(parameters, k=draw.choice([0, 1, 1, 2, 3, 5])):
        kind = draw.random()
        if kind < 0.05:
            line.append(draw.choice(["--nope", "--dpeth", "-x", "--json=1", "-", draw.choice(RUBBISH)]))
            continue
        flag = draw.choice([*one.opts, *one.secondary_opts])
        if flag in FOREVER:
            continue
        line += [flag] if flag.startswith("-") else []
        if not getattr(one, "is_flag", False):
            line += [_value(one, draw)] if kind < 0.97 else []
    return [word.replace("\0", "") for word in line]


def _value(parameter: Any, draw: random.Random) -> str:  # noqa: ANN401  (of a class that Typer doesn't name)
    """Return a value for an option: mostly of its kind."""
    kind = type(parameter.type).__name__
    fitting = NUMBERS if kind.startswith(("Int", "Float")) else FILES if "Path" in kind else [*WORDS, *NUMBERS, *FILES]
    fitting = NAMES.get(parameter.opts[0], fitting)
    return draw.choice(fitting if draw.random() < 0.9 else [*WORDS, *NUMBERS, *RUBBISH, *FILES])


def run(line: list[str], folder: Path) -> tuple[int, str, str]:
    """Run a line in a child process: its exit code (less than 0: it was ended), stdout and stderr."""
    streams = [folder.with_name(name) for name in ("stdout", "stderr")]
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams, start=1):
            os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        sys.argv = ["gradcheck", *line]
        code = 70  # of an exception that nobody caught
        try:
            code = cli.run()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out, err = (stream.read_text("utf-8", "replace") for stream in streams)
    return code, out, err


def broken(line: list[str], code: int, out: str, err: str) -> str:
    """Return the promise that an end breaks, or nothing."""
    if code == -signal.SIGALRM:
        return ""
    if code not in (0, 1, 2) or (code == 1 and not {"--fail-on", "verify", "--any-healthy"} & set(line)):
        return f"exit code {code}"
    if re.search(r"Traceback|\w+Warning: ", out + err):
        return "a traceback or a warning"
    if code == 2:
        return "" if not out and err.count("\n") == 1 and err.startswith("error: ") else "not one line on stderr"
    if out.startswith("{") and "--json" in line:
        try:
            for document in [out] if out.startswith("{\n") else out.splitlines():
                json.loads(document, parse_constant=lambda name: 1 / 0)
        except (ValueError, ZeroDivisionError):
            return "not JSON"
    return ""


def main() -> None:
    """Run the lines and print what became of them."""
    count, seed = map(int, [*sys.argv[1:], *["5000", "0"][len(sys.argv) - 1 :]])
    draw, ends, slowest = random.Random(seed), Counter[int](), (0.0, [""])
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as kept:
        for number in range(count):
            folder = Path(kept, "here")
            if number % 100 == 0:  # what the lines wrote is in nobody's way for long
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                prepare(folder)
            line = made(commands, draw)
            start = time.perf_counter()
            code, out, err = run(line, folder)
            slowest = max(slowest, (time.perf_counter() - start, line))
            ends[code] += 1
            promise = broken(line, code, out, err)
            if promise:
                print(f"{promise}: {shlex.join(line)!a}\n    {err[-300:]!a}", flush=True)
    print(f"{count:,} lines: {dict(sorted(ends.items()))} (-14: ended after {PATIENCE} s)")
    print(f"slowest: {slowest[0]:.1f} s, {shlex.join(slowest[1])!a}")


if __name__ == "__main__":
    main()
