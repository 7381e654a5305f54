"""What the tests of a sweep share."""

import signal

import pytest

from gradcheck.engine.threads import BLAS_THREADS
from gradcheck.sweep import rows as sweep


@pytest.fixture
def measured(monkeypatch):
    """Indices of the rows that were measured, in order."""
    indices, measure_row = [], sweep.measure_row

    def counted(task):
        indices.append(task.number)
        return measure_row(task)

    monkeypatch.setattr(sweep, "measure_row", counted)
    return indices


@pytest.fixture(autouse=True)
def interruptible():
    """Let interrupts interrupt, even where pytest itself was told to ignore them, as ``nohup`` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """What a sweep sets for its workers is gone after the test."""
    for name in BLAS_THREADS:
        monkeypatch.setenv(name, "1")
