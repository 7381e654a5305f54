"""Thousands of random command lines of every command, right and wrong ones mixed: do they end as promised?

    python benchmarks/command_lines.py [LINES] [SEED] [FIRST]

The options come from the command line itself, their values from the tables and from what people mistype; half of the
lines are right, and have extreme but legal values. Each line is run in a process of its own (a fork of one that has
loaded everything), in a folder with good and bad files. A line depends on the seed and its number alone: FIRST goes on
where an earlier run was stopped. Printed: each minute and at the end how many ended with which exit code, and each that
broke a promise: the exit code is 0, 1 (only with --fail-on) or 2; an error is one line on stderr, with nothing on
stdout; no traceback and no warning; what is called JSON is JSON.
"""

import gc
import importlib
import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import statistics
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
from gradcheck.spec.options.learning_rate import OF_RATES
from gradcheck.spec.options.option import Names, rows
from gradcheck.spec.options.probing import ProbeOptions
from gradcheck.spec.options.simulation import OF_SIMULATIONS
from gradcheck.spec.options.training import OF_DEMONSTRATIONS
from gradcheck.spec.options.transfer import OF_TRANSFERS

#: Bytes of address space, and seconds of the processor: a line that asks for more is ended, and counted apart.
ADDRESSES, PATIENCE = 6 * 2**30, 5
ENDED = {-signal.SIGPROF: f"{PATIENCE} s of the processor", -signal.SIGALRM: f"{120 * PATIENCE} s"}

#: Sizes that come first, one of them, so that most lines take no time; what follows may overrule them.
SMALL = {
    "simulate": [
        "--depth 3 --width 8 --batch-size 8",
        "--depth 2 --width 4 --batch-size 8 --number-format bfloat16",
        "--arch rnn --steps 4 --width 8 --batch-size 8",
        "--arch gru --steps 3 --width 4 --batch-size 8",
        "--arch transformer --blocks 1 --model-width 8 --heads 2 --tokens 4 --batch-size 4",
    ],
    "theory": ["--depth 3 --width 8", "--arch lstm --steps 4 --width 8", "--arch transformer --blocks 2 --tokens 4"],
    "compare": ["--depth 2,3 --width 4 --batch-size 4 --workers 1"],
    "rate": ["--depth 2 --width 4 --batch-size 64 --updates 2", "--depth 1 --width 4 --updates 8 --lr 0.1"],
    "clip-demo": [
        "--network mlp --depth 2 --width 4 --epochs 1 --batch-size 512",
        "--network mlp --depth 1 --width 4 --epochs 1 --batch-size 512 --as torch",
    ],
    "transfer": ["--width 4,8 --steps 1 --seeds 1 --batch-size 8", "models.py:build --width 4,8 --steps 1 --input 4x8"],
    "probe": [
        "model.py:build --input 4x8 --no-trial",
        "model.py:build --input 4x8 --no-trial --steps 2",
        "model.py:build --input 4x8 --no-suggest --no-trial --number-format float16",
    ],
    "diagnose": ["run.jsonl", "run.jsonl --max-norm 1", "run.jsonl old.jsonl"],
    "verify": ["--only tanh"],
}

#: What waits for more.
FOREVER = ("--follow", "-f", "--scheduler")

WORDS = ["relu", "tanh", "he", "xavier", "layer", "none", "digits", "gaussian", "mlp", "rnn", "gru", "transformer",
         "float32", "json", "csv", "html", "markdown", "jsonl", "text", "vanishing", "any", "adam", "sgd", "eval",
         "global-norm:1", "value:0.1", "loss=loss", "eps=1e-4", "score", "spikes", "4x8", "mlp:2x3", "cross-entropy",
         "fp16,bf16", "depth", "torch", "float64", "bfloat16"]  # fmt: skip
NUMBERS = ["0", "1", "2", "3", "8", "0.5", "1e-3", "-1", "1e300", "5e-324", "nan", "inf", "-inf", "1e999", "2.0",
           "1,2", "2:4", "2:10:2", "1:1000000000", "9" * 30, "0x10", "1_000", "١"]  # fmt: skip
EXTREMES = ["5e-324", "1e-308", "1e-200", "1e-155", "1e-8", "0", "-0.0", "0.5", "1", "2", "1e8", "1e154", "1e300",
            "1.7e308", "-1e300"]  # fmt: skip
RUBBISH = ["", " ", "é", "a b", "--", "-", "=", ",", ":", "\x1b[31m", "'", '"', "{}", "[", "%s", "{0}", "..", "/",
           "/dev/null", "a" * 300, "\udcff", "=1+1", "<b>", "relu tanh", "rleu", "None", "true"]  # fmt: skip
FILES = ["run.jsonl", "x.npy", "w.npz", "r.json", "model.py:build", "model:nothing", "empty.jsonl", "missing.csv",
         "torn.json", "folder", "out.json", "out.html", "out.svg", "out.txt", "no/such/out.json"]  # fmt: skip

#: The names that an option takes, and what is right for some others.
NAMES = {
    f"--{name.replace('_', '-')}": list(row.range.names)
    for name, row in (OF_SIMULATIONS | OF_DEMONSTRATIONS | OF_RATES | OF_TRANSFERS | rows(ProbeOptions)).items()
    if isinstance(row.range, Names)
} | {
    "--format": ["text", "json", "jsonl", "csv", "markdown", "html"],
    "--clip": ["none", "value:0.1", "norm:1e-300", "global-norm:1", "global-norm:1e300", "agc:0.01", "zscore:2"],
    "--optimizer-option": ["eps=1e-4", "betas=[0.9, 0.999]", "weight_decay=1e300", "momentum=0.9", "nesterov=true"],
    "--column": ["loss=loss", "grad_norm=grad_norm", "step=step", "loss=lr", "norm=loss"],
    "--input": ["4x8", "1x8", "4x8:float16", "4x8:int64<50", "0x8", "8"],
    "--kwargs": ["{}", '{"width": 8}', '{"width": 1e300}'],
    "--batch": ["model.py:batch", "model.py:nothing"],
    "--width": ["4", "8", "4,8", "8,4,2", "1"],
    "topic": [page["name"] for page in gradcheck.explain()],
}

MODEL = """import torch
from torch import nn
def build(width=8):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 4))
def batch():
    return torch.ones(4, 8), torch.tensor([0, 1, 2, 3])
"""


def prepare(folder: Path) -> None:
    """Write the files that the lines name."""
    import numpy as np

    rows = ({"step": step, "loss": 2 / (1 + step), "grad_norm": 1.0 + step % 3} for step in range(60))
    (folder / "run.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(8, 4)))
    gradcheck.simulate(depth=2, width=4, batch_size=4, save_weights=folder / "w.npz").to_json(folder / "r.json")
    (folder / "old.jsonl").write_bytes((folder / "run.jsonl").read_bytes()[200:].partition(b"\n")[2])
    for name in ("model.py", "models.py"):
        (folder / name).write_text(MODEL)
    (folder / "empty.jsonl").touch()
    (folder / "torn.json").write_text('{"layers": [{"ind')
    (folder / "folder").mkdir()


def made(commands: dict[str, Any], draw: random.Random) -> list[str]:
    """Return a random command line."""
    name, legal = draw.choice(list(commands)), draw.random() < 0.5
    line = [name, *shlex.split(draw.choice(SMALL.get(name, [""])))] if legal or draw.random() < 0.8 else [name]
    parameters = commands[name].params
    for one in draw.choices(parameters, k=draw.choice([0, 1, 1, 2, 3, 5])):
        kind = draw.uniform(0.1, 0.9) if legal else draw.random()
        if kind < 0.05:
            line.append(draw.choice(["--nope", "--dpeth", "-x", "--json=1", "-", draw.choice(RUBBISH)]))
            continue
        flag = draw.choice([*one.opts, *one.secondary_opts])
        if flag in FOREVER:
            continue
        line += [flag] if flag.startswith("-") else []
        if not getattr(one, "is_flag", False):
            line += [_value(one, draw, legal)] if kind < 0.97 else []
    return [word.replace("\0", "") for word in line]


def _value(parameter: Any, draw: random.Random, legal: bool) -> str:  # noqa: ANN401  (of a class that Typer doesn't name)
    """Return a value for an option: of its kind, mostly or, on a legal line, always."""
    kind = type(parameter.type).__name__
    numbers = [*NUMBERS[1:5], "4"] if kind.startswith("Int") else EXTREMES if legal else [*EXTREMES, *NUMBERS]
    numbers = numbers if legal else [*numbers, *NUMBERS]
    fitting = numbers if kind.startswith(("Int", "Float")) else FILES if "Path" in kind else [*WORDS, *numbers, *FILES]
    fitting = NAMES.get(parameter.opts[0], fitting)
    return draw.choice(fitting if legal or draw.random() < 0.9 else [*WORDS, *NUMBERS, *RUBBISH, *FILES])


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
        for number in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        signal.alarm(120 * PATIENCE)  # what waits uses no processor
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
    if code in ENDED:
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


def say(number: int, ends: Counter[int], took: list[tuple[float, list[str]]]) -> None:
    """Print what became of the lines so far."""
    counts = ", ".join(f"{ENDED.get(code, f'exit {code}')}: {count:,}" for code, count in sorted(ends.items()))
    seconds, line = max(took)
    median = statistics.median(one for one, _ in took)
    print(
        f"{number:,} lines; {counts}; median {1e3 * median:.0f} ms, slowest {seconds:.1f} s: {shlex.join(line)!a}",
        flush=True,
    )


def main() -> None:
    """Run the lines and print what became of them."""
    count, seed, first = map(int, [*sys.argv[1:], *["5000", "0", "0"][len(sys.argv) - 1 :]])
    ends, took, said = Counter[int](), [], time.monotonic()
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    importlib.import_module("gradcheck.torch.probing")  # what most loads: a fork has it for nothing
    gc.freeze()  # nor does a fork's collector look at it
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept, "here")
        for number in range(first, count):
            if number % 100 == 0 or not folder.exists():  # what the lines wrote is in nobody's way for long
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                prepare(folder)
            line = made(commands, random.Random(f"{seed} {number}"))
            start = time.perf_counter()
            code, out, err = run(line, folder)
            took.append((time.perf_counter() - start, line))
            ends[code] += 1
            promise = broken(line, code, out, err)
            if promise:
                print(f"line {number}, {promise}: {shlex.join(line)!a}\n    {err[-300:]!a}", flush=True)
            if time.monotonic() > said + 60:
                say(number + 1, ends, took)
                said = time.monotonic()
    say(count, ends, took)


if __name__ == "__main__":
    main()
