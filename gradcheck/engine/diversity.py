"""How different a layer's outputs still are from one example to the next."""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.engine.magnitude import sum_of_squares
from gradcheck.engine.types import Array

#: Differences below this many units of rounding, relative to the outputs, are taken for rounding.
ROUNDING = 64


#: Below this share of differences among the outputs, taking the mean away from their products loses too many digits.
CANCELS = 0.01

#: Rows up to which cosine and rank come from one matrix of products.
FEW = 128


class Diversity(NamedTuple):
    """How different outputs are."""

    mean_cosine: float = math.nan
    effective_rank: float = math.nan


def diversity(outputs: Array) -> Diversity:
    """Return mean cosine and effective rank; of few examples both from one product of the outputs with themselves.

    Parameters
    ----------
    outputs : Array
        (batch, units), free of over- and underflow.

    Notes
    -----
    G = X Xᵀ has the squared lengths on its diagonal and the products of pairs beside it; without its means of rows and
    of columns it is the Gram matrix of the centred outputs.
    """
    batch, units = outputs.shape
    if not 2 <= batch <= min(FEW, units):
        return Diversity(mean_cosine(outputs), effective_rank(outputs))
    products = (outputs @ outputs.T).astype(np.float64)
    squares = products.diagonal()
    centred = products - products.mean(0) - products.mean(1)[:, None] + products.mean()
    if not squares.all() or not np.trace(centred) > CANCELS * squares.sum():
        return Diversity(mean_cosine(outputs), effective_rank(outputs))
    inverse = 1 / np.sqrt(squares)
    cosine = (float(inverse @ products @ inverse) - batch) / (batch * (batch - 1))
    return Diversity(min(1.0, cosine), _entropy_rank(np.linalg.eigvalsh(centred)))


def mean_cosine(outputs: Array) -> float:
    """Return the mean cosine between distinct examples.

    Parameters
    ----------
    outputs : Array
        (batch, units), free of over- and underflow.

    Returns
    -------
    float
        In [−1, 1]; nan for a single example, or where an output is all zero.

    Notes
    -----
    With unit vectors u_i, Σ_{i≠j} u_i·u_j = ‖Σ u_i‖² − batch: no matrix of pairs is needed.
    """
    batch = len(outputs)
    lengths = np.sqrt(np.einsum("ij,ij->i", outputs, outputs))
    if batch < 2 or not lengths.all():
        return math.nan
    total = (1 / lengths) @ outputs  # (units,)
    return min(1.0, float(total @ total - batch) / (batch * (batch - 1)))


def effective_rank(outputs: Array) -> float:
    """Return exp of the entropy of the normalised squared singular values of the batch-centred outputs.

    Parameters
    ----------
    outputs : Array
        (batch, units), free of over- and underflow.

    Returns
    -------
    float
        In [1, min(batch − 1, units)]; 1 where the examples don't differ, or by rounding only; nan for a single
        example.

    Notes
    -----
    Roy & Vetterli 2007, with squared singular values: they are the eigenvalues of the smaller Gram matrix.
    """
    if len(outputs) < 2:
        return math.nan
    centred = outputs - outputs.mean(0)
    rounding = (ROUNDING * np.finfo(outputs.dtype).eps) ** 2 * sum_of_squares(outputs)
    if sum_of_squares(centred) <= rounding:
        return 1.0
    wide = centred.shape[1] > centred.shape[0]
    return _entropy_rank(np.linalg.eigvalsh(centred @ centred.T if wide else centred.T @ centred))


def _entropy_rank(variances: Array) -> float:
    """Return exp of the entropy of variances, in shares of their sum."""
    shares = variances[variances > 0] / variances[variances > 0].sum()
    return max(1.0, math.exp(-float(shares @ np.log(shares))))
