"""How many threads a command has; to be settled before NumPy is imported.

A BLAS that splits a product among its threads rounds it differently for each number of them, and its threads spin
while others work. A command therefore gives BLAS one thread and shares large products out itself
(``gradcheck.engine.pieces``): the numbers are the same on any number of threads.
"""

import os

from gradcheck.engine.pieces import BLAS_THREADS, OWN_THREADS, threads


def settle_threads() -> None:
    """Take the threads that the environment gives to BLAS, all cores if it says nothing, for the engine itself."""
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
    said = any(os.environ.get(variable, "").isdigit() for variable in (OWN_THREADS, *BLAS_THREADS))
    os.environ[OWN_THREADS] = str(threads()) if said else "1"
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
