"""How different a layer's outputs still are from one example to the next."""

import math

import numpy as np

from gradcheck.engine.gram import gram, is_wide
from gradcheck.engine.magnitude import sum_of_squares
from gradcheck.engine.types import Array

#: Differences below this many units of rounding, relative to the outputs, are taken for rounding.
ROUNDING = 64

#: The part of the outputs' squares from which on the Gram matrix knows their differences to the last digits but two.
DIFFERING = 1 / 32


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
    With unit vectors u_i, Σ_{i≠j} u_i·u_j = ‖Σ u_i‖² − batch: no matrix of pairs is needed, but one may be there.
    """
    batch = len(outputs)
    if batch < 2:
        return math.nan
    squares = gram(outputs).diagonal() if is_wide(outputs) else np.einsum("ij,ij->i", outputs, outputs)
    if not squares.all():
        return math.nan
    inverse = 1 / np.sqrt(squares)
    if is_wide(outputs):
        square = inverse @ gram(outputs) @ inverse
    else:
        total = inverse @ outputs  # (units,)
        square = total @ total
    return min(1.0, float(square - batch) / (batch * (batch - 1)))


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
    products = _centred_products(outputs)
    if products is None:
        return 1.0
    variances = np.linalg.eigvalsh(products)
    shares = variances[variances > 0] / variances[variances > 0].sum()
    return max(1.0, math.exp(-float(shares @ np.log(shares))))


def _centred_products(outputs: Array) -> Array | None:
    """Return the smaller Gram matrix of the batch-centred outputs; None where they are rounding errors.

    Of wide outputs it is the Gram matrix without its means, unless the examples differ so little that it loses digits.
    """
    if is_wide(outputs):
        means = gram(outputs).mean(0)
        products: Array = gram(outputs) - means - means[:, None] + means.mean()
        if float(products.trace()) > DIFFERING * gram(outputs).trace():
            return products
    centred = outputs - outputs.mean(0)
    rounding = (ROUNDING * np.finfo(outputs.dtype).eps) ** 2 * sum_of_squares(outputs)
    if sum_of_squares(centred) <= rounding:
        return None
    smaller: Array = centred @ centred.T if is_wide(outputs) else centred.T @ centred
    return smaller
