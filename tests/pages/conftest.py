"""A page of every kind, each made once: what the tests of HTML look at, in Python and in a browser."""

import json
import math
import random
from contextlib import chdir
from functools import cache
from importlib import import_module

import pytest

import gradcheck
from gradcheck.diagnosis.html import as_html
from gradcheck.spec.grid import Grid
from gradcheck.spec.thresholds import Thresholds
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.rows import Task, failed

#: Names that a page must show, not obey.
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\u2028\x1b[31m"

#: Layers and steps of the long log.
LAYERS, STEPS = 24, 10_000


def row(index, options):
    """An invented row of a comparison: healthy where gain^depth stays near 1."""
    depth, gain = options["depth"], options["gain"]
    span = abs(math.log10(gain)) * depth
    status = "healthy" if span < 2.3 else "vanishing" if gain < 1 else "exploding"
    return {
        "index": index, "options": options, "status": status, "trainable": span < 2.3,
        "score": 1 / (1 + math.exp(2 * (span - 2.3))), "flags": ["ok"], "gradient_span": span, "mean_local_gain": gain,
        "effective_rank_last": 5.0, "weight_gradient_span": span, "effective_rank_least": 4.0, "sensitivity": 0.1,
        "log10_gradient": [math.log10(gain) * (depth - layer) for layer in range(depth)], "error": None,
    }  # fmt: skip


def comparison(depths=100, gains=100):
    grid = Grid({"depth": list(range(2, 2 + depths)), "gain": [round(0.5 + 0.01 * one, 2) for one in range(gains)]})
    rows = [row(index, options) for index, options in enumerate(grid)]
    rows[-1] = failed(Task(len(rows) - 1, rows[-1]["options"], {}), f"its worker was lost: {HOSTILE}")
    made = Comparison(grid, {"seed": 0, "seeds": 1, **Thresholds().to_dict()}, lambda _: iter(rows))
    assert len(list(made)) == depths * gains
    return made


def log_file(folder, steps=STEPS, layers=LAYERS):
    """A log that explodes in its last part, with one spike."""
    draw = random.Random(0)
    path = folder / "long.jsonl"
    with path.open("w") as file:
        for step in range(steps):
            norm = math.exp(0.2 * draw.gauss(0, 1)) * 10 ** max(0, 8 * (step / steps - 0.85) / 0.15)
            record = {"step": step, "loss": 0.4 + 2 * math.exp(-6 * step / steps) + 0.02 * draw.gauss(0, 1)}
            for layer in range(layers):
                record[f"grad_norm/layer{layer}"] = round(norm * 10 ** (-layer / layers), 5)
            if step == steps // 3:
                record["grad_norm/layer5"] *= 500
            file.write(json.dumps(record) + "\n")
    return path


def diagnosed(folder):
    file = log_file(folder)
    with chdir(folder):
        return gradcheck.diagnose(file.name)


def probed():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [part for _ in range(12) for part in (torch.nn.Linear(32, 32), torch.nn.Sigmoid())]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(32, 5))
    batch = torch.randn(16, 32), torch.randint(0, 5, (16,))
    return import_module("gradcheck.torch").probe(model, batch, steps=5, trial=False)


MADE = {
    "simulate": lambda _: gradcheck.simulate(depth=50, activation="sigmoid", init="xavier"),
    "transformer": lambda _: gradcheck.simulate(preset="gpt2", suggest=False),
    "gpt3": lambda _: gradcheck.simulate(preset="gpt3", suggest=False),
    "attention": lambda _: gradcheck.theory(preset="gpt2", phase_diagram=True),
    "theory": lambda _: gradcheck.theory(depth=20, activation="tanh", phase_diagram=True),
    "compare": lambda _: comparison(),
    "clip-demo": lambda _: gradcheck.clip_demo(epochs=2, clip=("none", "norm:0.07", "global-norm:0.15")),
    "rate": lambda _: gradcheck.rate(depth=3, width=16, activation="tanh", seeds=2),
    "transfer": lambda _: gradcheck.transfer(width=(16, 32, 64), param="standard", seeds=2, steps=3),
    "probe": lambda _: probed(),
    "diagnose": lambda folder: diagnosed(folder),
    "verify": lambda _: gradcheck.verify(only=("activation", "norm")),
}
ROOMS = {
    "theory": "mean_field", "attention": "mean_field", "compare": "sweep", "clip-demo": "training",
    "rate": "learning_rate", "transfer": "parametrization", "diagnose": "logs", "verify": "checking",
}  # fmt: skip


@pytest.fixture(scope="session")
def hostile():
    return HOSTILE


@pytest.fixture(scope="session")
def make_comparison():
    return comparison


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """Name ↦ the report of that kind."""
    folder = tmp_path_factory.mktemp("logs")
    return cache(lambda name: MADE[name](folder))


@pytest.fixture(scope="session")
def html(report):
    """Name ↦ the page of that kind, as text."""

    @cache
    def made(name):
        room = ROOMS.get(name)
        return (import_module(f"gradcheck.{room}.html").as_html if room else as_html)(report(name))

    return made


@pytest.fixture(scope="session")
def data(html):
    """Name ↦ what the page's script draws."""

    @cache
    def read(name):
        text = html(name).partition('id="data">')[2].partition("</script>")[0]
        return unpacked(json.loads(text))

    return read


def unpacked(data):
    """What ``gradcheck.pages.packing`` has packed, as the page's script sees it."""
    lists = [
        [value for value, count in one["runs"] for _ in range(count)] if "runs" in one else one
        for one in data.pop("arrays")
    ]

    def filled(value):
        if isinstance(value, dict):
            return lists[value["array"]] if "array" in value else {name: filled(one) for name, one in value.items()}
        return list(map(filled, value)) if isinstance(value, list) else value

    return filled(data)


@pytest.fixture(name="unpacked")
def _unpacked():
    return unpacked


@pytest.fixture
def column(data):
    """A page, a table, a title ↦ the cells of that column."""

    def find(name, table, title):
        tables = {one["name"]: one for one in data(name)["tables"]}
        return next(one["cells"] for one in tables[table]["columns"] if one["title"] == title)

    return find
