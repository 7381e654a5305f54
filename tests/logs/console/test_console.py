"""The text of a console: the same run in every shape has the same numbers."""

import math
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

SHAPES = run_path(str(Path(__file__).with_name("shapes.py")))
CONSOLES, EPOCHS, rows = (SHAPES[name] for name in ("CONSOLES", "EPOCHS", "rows"))

every_console = pytest.mark.parametrize("name", CONSOLES)
every_epoch = pytest.mark.parametrize("name", EPOCHS)


@pytest.fixture
def series(series):
    """A text ↦ its series."""
    return lambda text: series(text.encode())


def finite(values):
    return values[~np.isnan(values)].tolist()


def total(name):
    """By how much the loss of a shape is that of the run: parts of a loss are added up."""
    return {"two counters in brackets": 2, "an epoch of Ultralytics": 3}.get(name, 1)


@every_console
def test_every_shape_has_the_steps_losses_and_norms_of_the_run_and_no_others(name, series):
    read = series(CONSOLES[name]())
    assert read.steps.tolist() == list(range(10, 610, 10))
    assert finite(read.values("loss")) == pytest.approx([total(name) * row.loss for row in rows()], abs=2e-4)
    norms = finite(read.norms)
    assert norms == pytest.approx([row.norm for row in rows()], abs=1e-3) or not norms


@every_console
def test_what_is_not_finite_begins_at_its_step_in_every_shape(name, series):
    found = series(CONSOLES[name](nan_from=310)).run.nonfinite
    assert (found.first_step, found.last_step, found.rows) == (310, 600, 30)


@every_epoch
def test_epochs_are_the_steps_where_each_has_a_row(name, series):
    read = series(EPOCHS[name]())
    assert read.steps.tolist() == list(range(1, 61))
    expected = [total(name) * row.loss for row in rows(every=1)]
    assert finite(read.values("loss")) == pytest.approx(expected, abs=2e-4)
    assert series(EPOCHS[name](nan_from=31)).run.nonfinite.first_step == 31


def test_a_norm_is_read_in_most_shapes(series):
    without = {name for name, text in CONSOLES.items() if not len(series(text()).norm)}
    assert len(without) < 0.4 * len(CONSOLES)
    assert not math.isnan(series(CONSOLES["Megatron's"]()).norms[0])
