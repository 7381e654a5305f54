"""How different a layer's outputs still are from one example to the next."""

import math
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from gradcheck.engine.gram import gram, is_wide
from gradcheck.engine.magnitude import mean, sum_of_squares
from gradcheck.engine.types import Array

#: Differences below this many units of rounding, relative to the outputs, are taken for rounding.
ROUNDING = 64

#: The part of the outputs' squares from which on the Gram matrix knows their differences to the last digits but two.
DIFFERING = 1 / 32


#: Below this share of differences among the outputs, taking the mean away from their products loses too many digits.
CANCELS = 0.01

#: Rows up to which cosine and rank come from one matrix of products.
FEW = 128


class Diversity(NamedTuple):
    """How different outputs are."""

    mean_cosine: float = math.nan
    effective_rank: float = math.nan


def measure_diversity(outputs: Array) -> Diversity:
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
    centred = products - mean(products, 0) - mean(products, 1)[:, None] + mean(products)
    if not squares.all() or not np.trace(centred) > CANCELS * squares.sum():
        return Diversity(mean_cosine(outputs), effective_rank(outputs))
    inverse = 1 / np.sqrt(squares)
    cosine = (float(inverse @ products @ inverse) - batch) / (batch * (batch - 1))
    return Diversity(min(1.0, cosine), _rank_of(centred))


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
    products = _centred_gram(outputs)
    return products if isinstance(products, float) else _rank_of(products)


def _centred_gram(outputs: Array) -> Array | float:
    """Return the smaller Gram matrix of the batch-centred outputs, or their effective rank where that needs none.

    Of wide outputs it is the Gram matrix without its means, unless the examples differ so little that it loses digits.
    """
    if len(outputs) < 2:
        return math.nan
    if is_wide(outputs):
        whole = gram(outputs)
        means = np.add.reduce(whole) / len(whole)
        products: Array = whole - means
        products -= (means - means.sum() / len(whole))[:, None]
        if float(products.trace()) > DIFFERING * sum_of_squares(outputs):
            return products
    centred = outputs - mean(outputs, 0)
    rounding = (ROUNDING * np.finfo(outputs.dtype).eps) ** 2 * sum_of_squares(outputs)
    if sum_of_squares(centred) <= rounding:
        return 1.0
    smaller: Array = centred @ centred.T if is_wide(outputs) else centred.T @ centred
    return smaller


def _rank_of(products: Array) -> float:
    """Return exp of the entropy of the eigenvalues' shares of their sum."""
    variances = np.linalg.eigvalsh(products)
    positive = variances[variances > 0]
    shares = positive / positive.sum()
    shares = shares[shares > 0]  # a share that underflows has no logarithm, and adds nothing
    return max(1.0, math.exp(-float(shares @ np.log(shares))))


class LeastRank:
    """The least effective rank of many layers, with as few eigendecompositions as prove that it is the least.

    Each layer's rank has a lower bound that costs a product (``rank_at_least``). The layers are decomposed in the order
    of their bounds until the next one's lies above the least rank that is known.
    """

    #: Layers that wait for their decomposition: their Gram matrices are held.
    WAITING = 64

    def __init__(self) -> None:
        self.known: dict[int, float] = {}
        self._least = math.inf
        self._waiting: list[tuple[float, int, Array]] = []  # a heap: bound, layer, Gram matrix

    def add(self, layer: int, outputs: Array, exact: bool = False) -> None:
        """Take a layer's outputs (batch, units), free of over- and underflow; `exact` asks for its own rank."""
        products = _centred_gram(outputs)
        if isinstance(products, float):
            self._know(layer, products)
        elif exact:
            self._know(layer, _rank_of(products))
        else:
            heappush(self._waiting, (rank_at_least(products), layer, products))
            while len(self._waiting) > self.WAITING:
                self._settle()

    def ranks(self) -> dict[int, float]:
        """Return the rank of each layer that may have the least, and of those that were asked for."""
        while self._waiting:
            self._settle()
        return self.known

    def _settle(self) -> None:
        """Decompose the layer with the least bound, unless that lies above a rank that is known."""
        bound, layer, products = heappop(self._waiting)
        if not bound > self._least:
            self._know(layer, _rank_of(products))

    def _know(self, layer: int, rank: float) -> None:
        self.known[layer] = rank
        self._least = min(self._least, rank) if rank == rank else self._least


def rank_at_least(products: Array) -> float:
    """Return a lower bound of the effective rank that a Gram matrix has, without its eigenvalues.

    Notes
    -----
    With shares pᵢ of the eigenvalues' sum, the rank is exp E[−ln p] for a p that takes pᵢ with probability pᵢ. Its
    moments E[p^k] = tr G^(k+1)/(tr G)^(k+1) need no eigenvalues, and Gauss's quadrature with two nodes, which has the
    first four, lies below E[−ln p] as the even derivatives of −ln are positive (Golub & Meurant 2010, theorem 6.6).
    """
    shares = products / np.trace(products)
    square = shares @ shares
    pairs = (shares, shares), (shares, square), (square, square)
    first, second, third = (float(np.vdot(one, other)) for one, other in pairs)
    variance = second - first**2
    low, high, weight = first, first, 1.0  # one node, the mean, where they are nearly equal
    if variance > 1e-3 * first**2:
        half = (third - first * second) / variance / 2
        root = math.sqrt(max(0.0, half**2 - (first * third - second**2) / variance))
        low, high = half - root, half + root
        weight = (high - first) / (high - low)
    if not low > 0:
        return 0.0
    bound = math.exp(-weight * math.log(low) - (1 - weight) * math.log(high))
    return bound * (1 - 1e-6)  # rounding stays below that
