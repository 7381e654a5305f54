"""A log as bytes ↦ what is read of it."""

import pytest

from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose
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


@pytest.fixture
def told(tmp_path):
    """Lines ↦ the report on them."""

    def run(*lines):
        path = tmp_path / "run.log"
        path.write_text("\n".join(lines))
        return diagnose(path)

    return run
