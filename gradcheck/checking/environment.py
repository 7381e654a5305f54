"""What the numbers are computed with: NumPy, its BLAS, threads."""

import platform
from typing import Any

import numpy as np

from gradcheck.engine.pieces import threads


def environment() -> dict[str, Any]:
    """Return what the last digits of every number depend on.

    Returns
    -------
    dict
        ``python`` and ``numpy``: versions. ``blas``, ``blas_version``: what NumPy says of the library it was built
        with, None where it doesn't. ``machine``: the processor's kind. ``threads``: how many may work.
    """
    name, version = _blas()
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": name,
        "blas_version": version,
        "machine": platform.machine(),
        "threads": threads(),
    }


def _blas() -> tuple[str | None, str | None]:
    """Return name and version of NumPy's BLAS."""
    config: Any = np.show_config(mode="dicts")
    blas = (config or {}).get("Build Dependencies", {}).get("blas", {})
    return blas.get("name"), blas.get("version")
