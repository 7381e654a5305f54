"""What the numbers are computed with: NumPy, its BLAS, threads."""

import platform
from typing import Any

import numpy as np

from gradcheck.base.record import Record, item
from gradcheck.engine.threads import threads


class Environment(Record):
    """What the last digits of every number depend on."""

    python: str
    numpy: str
    blas: str | None = item("the library that NumPy was built with; null where it doesn't say")
    blas_version: str | None
    machine: str
    threads: int = item(minimum=1)
    epsilon: float = item("rounding of the arithmetic that is checked", exclusiveMinimum=0)


def describe_environment(dtype: str) -> Environment:
    """Return what the numbers are computed with, in ``float64`` or ``float32``."""
    name, version = _blas()
    return Environment(
        python=platform.python_version(),
        numpy=np.__version__,
        blas=name,
        blas_version=version,
        machine=platform.machine(),
        threads=threads(),
        epsilon=float(np.finfo(dtype).eps),
    )


def _blas() -> tuple[str | None, str | None]:
    """Return name and version of NumPy's BLAS."""
    config: Any = np.show_config(mode="dicts")
    blas = (config or {}).get("Build Dependencies", {}).get("blas", {})
    return blas.get("name"), blas.get("version")
