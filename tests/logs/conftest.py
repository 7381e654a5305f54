"""A log as bytes ↦ what is read of it."""

import pytest

from gradcheck.logs.reading import read_log
from gradcheck.logs.series import Series


@pytest.fixture
def read(tmp_path):
    """Bytes, and perhaps a name ↦ the log."""

    def run(content, name="run.log", **how):
        path = tmp_path / name
        path.write_bytes(content)
        return read_log(path, **how)

    return run


@pytest.fixture
def series(read):
    """Bytes ↦ the series of the log."""
    return lambda content, name="run.log": Series(read(content, name))
