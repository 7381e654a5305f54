"""Logs of real runs, small ones, made with the engine and a loop of a few lines; and courses laid out by hand."""

import io
import json

import numpy as np
import pytest

from gradcheck.engine.loss import loss_of
from gradcheck.families import drawn_network, trainable
from gradcheck.logs.findings.criteria import find_all
from gradcheck.logs.lines import Problems, chunks, whole_lines
from gradcheck.logs.log import Log
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.series import Series, Track
from gradcheck.logs.table import Table
from gradcheck.spec import NetworkSpec

FEATURES, CLASSES = 16, 4


@pytest.fixture(scope="session")
def trained():
    """Train a small perceptron on four clouds of points ↦ a record for each step.

    `lr`, `batch` are functions of the step (or one for all); `classes=False` pulls the outputs towards zero instead;
    `change` may alter the inputs of a step; `only` names the end of what is trained.
    """

    def run(steps=300, *, lr=0.1, batch=32, classes=True, change=None, clip=None, only="", seed=0, **fields):
        generator = np.random.default_rng(seed)
        spec = NetworkSpec(**({"depth": 3, "width": 16, "activation": "tanh", "init": "lecun"} | fields))
        network = trainable(spec, drawn_network(spec, FEATURES, CLASSES, seed, "float64"), FEATURES)
        named = [pair for names, arrays in network.maps for pair in zip(names, arrays, strict=True)]
        centres = 1.5 * generator.standard_normal((CLASSES, FEATURES))
        whole = generator.integers(0, CLASSES, 256)
        points = centres[whole] + generator.standard_normal((256, FEATURES))
        records = []
        for step in range(1, steps + 1):
            chosen = generator.integers(0, 256, batch) if batch else slice(None)
            inputs = points[chosen] if change is None else change(step, points[chosen], generator)
            rate = lr(step) if callable(lr) else lr
            with np.errstate(all="ignore"):
                loss, _, gradients = network.gradient(inputs, loss_of(whole[chosen] if classes else None))
                norm = np.linalg.norm([np.linalg.norm(gradient) for gradient in gradients])
                factor = min(1.0, clip / max(norm, 1e-300)) if clip else 1.0
                records.append(_record(step, loss, rate * factor, named, gradients, clip))
                for (name, array), gradient in zip(named, gradients, strict=True):
                    if name.endswith(only) and np.isfinite(gradient).all():
                        array -= rate * factor * gradient
        return records

    return run


def _record(step, loss, rate, named, gradients, clip):
    norms = [float(np.linalg.norm(gradient)) for gradient in gradients]
    weights = [float(np.linalg.norm(array)) for _, array in named]
    whole = float(np.linalg.norm(norms))
    record = {"step": step, "loss": float(loss), "lr": rate, "grad_norm": whole}
    if clip:
        record["grad_norm_after"] = min(whole, clip)
    for (name, _), norm, weight in zip(named, norms, weights, strict=True):
        record[f"grad_norm/{name}"] = norm
        if name.startswith("W"):
            record[f"update_ratio/{name}"] = rate * norm / weight
    return record


@pytest.fixture(scope="session")
def series_of():
    """Records ↦ their series, by way of a file."""

    def read(records):
        text = "".join(json.dumps(record) + "\n" for record in records)
        problems = Problems()
        reader, table = JsonRecords(problems), Table(problems)
        for row in reader.rows(whole_lines(chunks(io.BytesIO(text.encode())), problems)):
            table.add(row)
        assert not problems.found
        return Series(Log(reader, table, problems))

    return read


@pytest.fixture(scope="session")
def found(series_of):
    """Records ↦ what is found in them."""
    return lambda records, max_norm=None: find_all(series_of(records), max_norm)


# ---- courses laid out by hand, for the edge of a criterion


@pytest.fixture(scope="session")
def zigzag():
    """Rows, a deviation ↦ noise of just that deviation, as `robust.deviation` has it, about zero in each ten rows."""
    pattern = np.array([0, 1, 1, 0, 0, 1, 1, 0, 1, 0]) - 0.5

    def noise(rows, deviation):
        return np.resize(pattern, rows) * deviation * 2**0.5 / 1.4826

    return noise


@pytest.fixture(scope="session")
def track_of():
    """Levels ↦ the track that has them, a row a step."""

    def track(levels):
        levels = np.asarray(levels, dtype=float)
        return Track(np.arange(float(len(levels))), levels, levels)

    return track


@pytest.fixture(scope="session")
def course(series_of):
    """Decades of the gradient norm, losses, and decades of layers by name ↦ the series that has them, a row a step."""

    def series(decades=None, loss=None, **layers):
        columns = {"grad_norm": decades} | {f"grad_norm/{name}": levels for name, levels in layers.items()}
        numbers = {name: 10.0 ** np.asarray(levels, float) for name, levels in columns.items() if levels is not None}
        if loss is not None:
            numbers["loss"] = np.asarray(loss, float)
        rows = range(len(next(iter(numbers.values()))))
        return series_of(
            [{"step": row} | {name: float(values[row]) for name, values in numbers.items()} for row in rows]
        )

    return series
