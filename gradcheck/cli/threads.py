"""How many threads NumPy's BLAS gets; to be settled before NumPy is imported."""

import os

#: From this width on a second thread saves more than it costs (benchmarks/speed.py).
WIDE = 512

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def one_thread_if_narrow(width: int | tuple[int, ...] | None) -> None:
    """Keep BLAS from splitting small products, which would take longer, unless the environment has settled it."""
    widths = width if isinstance(width, tuple) else (width or 0,)
    if max(widths) < WIDE and not any(variable in os.environ for variable in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES, "1"))
