"""How freed memory is kept for the next step."""

import numpy as np

#: Bytes of the largest block that is kept when it is freed: just below the 32 MiB up to which glibc keeps any.
KEPT = 31 * 2**20


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks of up to 31 MiB instead of giving their pages back to the system.

    A training step frees some megabytes that the next one asks for again; getting fresh pages takes longer than
    computing with them (a step of the default demonstration a third longer). Freeing a large block once raises glibc's
    thresholds (mallopt(3), "dynamic mmap threshold"); elsewhere this does nothing.
    """
    np.empty(KEPT, np.uint8)
