"""The space that a batch spans: what a random layer needs to know of its input, and of the gradient it is given."""

from typing import NamedTuple

import numpy as np

from gradcheck.engine.diversity import ROUNDING
from gradcheck.engine.gram import gram
from gradcheck.engine.magnitude import Scaled, rescaled
from gradcheck.engine.pieces import contraction, product
from gradcheck.engine.types import Array

#: Of a Gram matrix's eigenvalues, relative to the largest, those that are known well enough to divide by.
TRUSTED = 1e-6


def rescaled_with_gram(x: Array) -> Scaled:
    """Return x as ``rescaled`` does, where its Gram matrix is needed anyway: the sum of squares is read off it."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of floats it is computed once more
        gram(x)
    return rescaled(x)


class RowSpace(NamedTuple):
    """A batch x = C Q in coordinates of an orthonormal basis of its span."""

    coordinates: Array  # C, (batch, rank)
    basis: Array  # Q, (rank, n), its rows orthonormal
    # V, (rows, rank), in float64, its columns orthonormal: the eigenvectors that the basis is made of. Their signs and,
    # among equals, they themselves depend on the last bit of x; C Vᵀ and V Q don't.
    directions: Array


def row_space(x: Array, beside: Array | None = None, most: int | None = None) -> RowSpace:
    """Return C, Q and V with x = C Q, the rows of Q orthonormal.

    Parameters
    ----------
    x : Array
        (batch, n), finite.
    beside : Array, optional
        What is rounding error compared with the rows of this is left out; without it, compared with those of x.
    most : int, optional
        The rank is not larger than this; n, if not given.

    Returns
    -------
    RowSpace
        C and Q in the type of x; the rank is that of x up to rounding.

    Notes
    -----
    Q = Λ^(−½) Vᵀ x by the eigendecomposition V Λ Vᵀ of the Gram matrix, in float64, many times cheaper than a QR of x.
    Squaring blurs directions below 1e-3 of the largest: where such are left, they are what remains of x once
    the strong ones are taken away (twice, which is enough: Giraud et al. 2005), and are found the same way. Each
    example counts relative to its own length.
    """
    mantissa, exponent = rescaled_with_gram(x)
    products = gram(mantissa)
    lengths = _lengths(products)
    if beside is not None:
        theirs, power = rescaled(beside)
        lengths = np.ldexp(_lengths(gram(theirs)), power - exponent)
    rest, coordinates, basis = mantissa, mantissa[:, :0], mantissa[:0]
    turn: Array = np.empty((0, 0))
    rounding = len(x) * (ROUNDING * np.finfo(x.dtype).eps) ** 2  # of the squared lengths of all examples
    while room := (x.shape[1] if most is None else most) - len(basis):
        shares, directions = np.linalg.eigh(products / lengths / lengths.T)
        known = np.flatnonzero(shares > max(rounding, TRUSTED * shares[-1]))[-room:]
        if not known.size:
            break
        roots, directions = np.sqrt(shares[known]), directions[:, known]
        found = product((directions / (lengths * roots)).T.astype(x.dtype, copy=False), rest)
        if known.size == len(x):  # as nearly always
            coordinates, basis, turn = (lengths * directions * roots).astype(x.dtype, copy=False), found, directions
            break
        basis, turn = np.vstack([basis, found]), _block_diagonal(turn, directions)
        for _ in range(2):
            rest = rest - product(contraction(rest, basis), basis)
        coordinates, products = contraction(mantissa, basis), gram(rest)
    return RowSpace(np.ldexp(_zero_where(mantissa, coordinates), exponent), basis, turn)


class Roots(NamedTuple):
    """A triangular C with C Cᵀ = x xᵀ, and C⁻¹; both (batch, batch), in float64."""

    root: Array
    inverse: Array


def triangular_roots(x: Array) -> Roots | None:
    """Return C and C⁻¹ with x = C Q, the rows of Q = C⁻¹ x orthonormal.

    None where the examples, each relative to its length, are too near to being dependent: the squares of the
    coefficients that make Q of them would add up to more than 1/TRUSTED.
    """
    root = _cholesky(x)
    if root is None:
        return None
    lengths = _lengths(gram(x))
    inverse = np.linalg.inv(root / lengths)
    if not np.vdot(inverse, inverse) < 1 / TRUSTED:
        return None
    return Roots(root, inverse / lengths.T)


def _cholesky(x: Array) -> Array | None:
    """Return the triangular root of x xᵀ; None where an example is nearly in the span of those before it.

    It takes a tenth of the time of an eigendecomposition, and what one example's length is doesn't touch the others.
    """
    products = gram(x)
    try:
        root = np.linalg.cholesky(products)
    except np.linalg.LinAlgError:  # dependent, or not finite
        return None
    return root if (np.square(root.diagonal()) > TRUSTED * products.diagonal()).all() else None


def gram_root(x: Array) -> Array:
    """Return C, (batch, batch), with C Cᵀ = x xᵀ: x in coordinates of an orthonormal basis that need not be known.

    Where the examples are clearly independent it is triangular, else, up to their lengths, symmetric. Both are
    continuous in x, (batch, n) and finite: rounding doesn't change the draw.
    """
    mantissa, exponent = rescaled_with_gram(x)
    triangular = _cholesky(mantissa)
    if triangular is not None:
        return np.ldexp(triangular.astype(x.dtype, copy=False), exponent)
    lengths = _lengths(gram(mantissa))
    shares, directions = np.linalg.eigh(gram(mantissa) / lengths / lengths.T)
    root = (lengths * directions * np.sqrt(np.maximum(shares, 0)) @ directions.T).astype(x.dtype, copy=False)
    return np.ldexp(_zero_where(mantissa, root), exponent)


def _block_diagonal(a: Array, b: Array) -> Array:
    """Return [[a, 0], [0, b]]."""
    return np.block([[a, np.zeros((len(a), b.shape[1]))], [np.zeros((len(b), a.shape[1])), b]])


def _lengths(products: Array) -> Array:
    """Return the length of each example, (batch, 1), from the Gram matrix; 1 for one that is zero."""
    lengths = np.sqrt(np.diagonal(products))[:, None]
    return np.where(lengths > 0, lengths, 1.0)


def _zero_where(x: Array, coordinates: Array) -> Array:
    """Return the coordinates of x (batch, rank): those of an example that is zero are exactly zero."""
    alive = x.any(axis=1, keepdims=True)
    return coordinates if alive.all() else coordinates * alive


def orthonormalised(x: Array, against: Array | None = None) -> Array:
    """Return the frame nearest to x, (rank, n) of full rank: orthonormal rows with its span, (x xᵀ)^(−½) x.

    Of independent normal numbers it makes a frame that is uniform among all frames, for turning x turns it alike.
    Against other orthonormal rows it is taken in the space orthogonal to them.
    """
    frame: Array = x
    while True:
        if against is not None:
            frame = frame - product(contraction(frame, against), against)
        shares, directions = np.linalg.eigh(gram(frame))
        if not len(shares):
            return frame
        frame = product(((directions / np.sqrt(shares)) @ directions.T).astype(x.dtype, copy=False), frame)
        if shares[0] > 1e-4 * shares[-1]:  # else squaring has cost digits: once more
            return frame
