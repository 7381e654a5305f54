"""A table whose columns are of very different size, so that one of them is all that tells its rows apart."""

from collections.abc import Iterable

import numpy as np

from gradcheck.diagnosis.causes import Cause
from gradcheck.engine.diversity import effective_rank
from gradcheck.engine.types import Array
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.spec.thresholds import USUAL

#: Of fewer rows nobody knows how much a column varies; more than these add nothing.
FEWEST, MOST = 8, 1024

#: Of more columns than these no single one is called by its number.
WIDEST = 4096

#: A column drowns the others where it varies so many times as much as a typical one of them. Of two columns the rank is
#: low as soon as one varies half again as much as the other: a network bears that.
DROWNS = 10.0


def alike_by_columns(tables: Iterable[Array], flow: ModelFlow) -> Cause | None:
    """Return that the examples look alike from the table's layer on as one column of it is larger than the others.

    That is the first one, but for embeddings: these are given no table.
    """
    at = next((at for at, one in enumerate(flow.kinds) if one.name != "embedding"), 0)
    alike = flow.layers[at].effective_rank < USUAL.min_rank and not flow.normalized[at]
    return columns_apart(tables) if alike else None


def columns_apart(tables: Iterable[Array]) -> Cause | None:
    """Return that the rows of a table look alike as it is, and don't once each column is divided by its deviation.

    Where its value is below its limit that is no fault: the rows have few directions, and a network needs no more.
    """
    for table in tables:
        if table.ndim != 2 or len(table) < FEWEST or not 2 <= table.shape[1] <= WIDEST or table.dtype.kind != "f":
            continue
        rows = table[:MOST].astype(np.float64)
        spreads = rows.std(0)
        varying = spreads > 0
        if not np.isfinite(spreads).all() or varying.sum() < 2:
            continue
        largest = int(spreads.argmax())
        times = float(spreads[largest] / np.median(np.delete(spreads, largest)[np.delete(varying, largest)]))
        rank = effective_rank((rows - rows.mean(0)) / spreads[largest])
        if rank < USUAL.min_rank <= effective_rank((rows[:, varying] - rows[:, varying].mean(0)) / spreads[varying]):
            return Cause("features-apart", None, times, DROWNS, {"column": largest + 1, "rank": rank})
    return None
