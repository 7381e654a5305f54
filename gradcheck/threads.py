"""How many threads NumPy's BLAS gets; to be settled before NumPy is imported."""

import os

#: The variables by which the BLAS libraries are told.
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

#: From this width on a second thread saves more than it costs (benchmarks/speed.py).
WIDE = 512


def one_thread() -> None:
    """Give BLAS one thread, where the environment has not settled it otherwise."""
    for variable in BLAS_THREADS:
        os.environ.setdefault(variable, "1")


def one_thread_if_narrow(width: int | tuple[int, ...] | None) -> None:
    """Keep BLAS from splitting small products, which would take longer, unless the environment has settled it."""
    widths = width if isinstance(width, tuple) else (width or 0,)
    if max(widths) < WIDE and not any(variable in os.environ for variable in BLAS_THREADS):
        one_thread()
