"""How many threads a command has; to be settled before NumPy is imported.

A BLAS that splits a product among its threads rounds it differently for each number of them, and its threads spin
while others work. A command therefore gives BLAS one thread and shares large products out itself
(``gradcheck.engine.pieces``): the numbers are the same on any number of threads.

NumPy asks for huge pages for large arrays. On a virtual machine whose host takes free memory back, getting one costs
four times as much as getting as many small ones, and what is computed gains nothing by it: a command does without.
"""

import os

#: The threads of the engine, where BLAS has been given one: only then are products shared out here.
OWN_THREADS = "GRADCHECK_NUM_THREADS"

#: The variables that set the threads of the BLAS libraries.
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

#: Where NumPy reads, as it is imported, whether to ask for huge pages.
HUGE_PAGES = "NUMPY_MADVISE_HUGEPAGE"


def threads() -> int:
    """Return how many threads may work: as many as the environment says, else the cores."""
    for variable in (OWN_THREADS, *BLAS_THREADS):
        if os.environ.get(variable, "").isdecimal():
            return max(1, int(os.environ[variable]))
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def settle_threads() -> None:
    """Take the threads that the environment gives to BLAS, all cores if it says nothing, for the engine itself."""
    os.environ.setdefault(HUGE_PAGES, "0")
    os.environ[OWN_THREADS] = str(threads())
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))


def wait_asleep() -> None:
    """Have PyTorch's threads sleep while they wait, unless the environment says otherwise.

    As a rule they spin, which takes the cores from whoever has work: a small model on a busy machine takes five times
    as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def one_thread() -> None:
    """Have one thread, unless the environment says otherwise: other processes work beside this one.

    What it says is the engine's own, as of a command: a BLAS with several would round to other numbers.
    """
    said = any(os.environ.get(variable, "").isdecimal() for variable in (OWN_THREADS, *BLAS_THREADS))
    os.environ[OWN_THREADS] = str(threads()) if said else "1"
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
