"""The space that a batch spans: what a random layer needs to know of its input, and of the gradient it is given."""

import numpy as np

from gradcheck.engine.magnitude import rescaled
from gradcheck.engine.pieces import contraction, product
from gradcheck.engine.types import Array

#: Of a Gram matrix's eigenvalues, relative to the largest, those that are known well enough to divide by.
TRUSTED = 1e-6

#: What is left of an example below this many units of rounding is taken for rounding.
ROUNDING = 64


def row_space(x: Array) -> tuple[Array, Array]:
    """Return C and Q with x = C Q, the rows of Q orthonormal.

    Parameters
    ----------
    x : Array
        (batch, n), finite.

    Returns
    -------
    coordinates, basis : Array
        C (batch, rank) and Q (rank, n), in the type of x; the rank is that of x up to rounding.

    Notes
    -----
    Q = Λ^(−½) Vᵀ x by the eigendecomposition V Λ Vᵀ of the Gram matrix, in float64, many times cheaper than a QR of x.
    Squaring blurs directions below 1e-3 of the largest: where such are left, they are what remains of x once
    the strong ones are taken away, and are found the same way. Each example counts relative to its own length.
    """
    rest, exponent = rescaled(x)
    gram = _gram(rest)
    lengths = _lengths(gram)
    coordinates, basis = list[Array](), list[Array]()
    for _ in range(len(x)):
        shares, directions = np.linalg.eigh(gram / (lengths * lengths.T))
        known = shares > max(_rounding(x), TRUSTED * shares[-1])
        if not known.any():
            break
        roots = np.sqrt(shares[known])
        coordinates.append((lengths * directions[:, known] * roots).astype(x.dtype, copy=False))
        basis.append(product((directions[:, known] / (lengths * roots)).T.astype(x.dtype, copy=False), rest))
        if known.all():
            break
        rest = rest - product(coordinates[-1], basis[-1])
        gram = _gram(rest)
    if not basis:  # nothing but zeros
        return x[:, :0], x[:0]
    C, Q = (coordinates[0], basis[0]) if len(basis) == 1 else (np.hstack(coordinates), np.vstack(basis))
    return np.ldexp(C, exponent) if exponent else C, Q


def _gram(x: Array) -> Array:
    """Return x xᵀ, (batch, batch), in float64."""
    wide = x.astype(np.float64, copy=False)
    return contraction(wide, wide)


def _lengths(gram: Array) -> Array:
    """Return the length of each example, (batch, 1); 1 for one that is zero."""
    lengths = np.sqrt(np.diagonal(gram))[:, None]
    return np.where(lengths > 0, lengths, 1.0)


def _rounding(x: Array) -> float:
    """Return the part of a squared length that is taken for rounding."""
    return float((ROUNDING * np.finfo(x.dtype).eps) ** 2)


def gram_root(x: Array, lengths: Array | None = None) -> Array:
    """Return C with C Cᵀ = x xᵀ: x in coordinates of an orthonormal basis that is nobody's business.

    Parameters
    ----------
    x : Array
        (batch, n), finite.
    lengths : Array, optional
        (batch, 1); directions that are rounding beside these lengths are left out. Without it all are kept.

    Returns
    -------
    Array
        (batch, rank), in the type of x.
    """
    mantissa, exponent = rescaled(x)
    gram = _gram(mantissa)
    scale = _lengths(gram) if lengths is None else np.ldexp(np.where(lengths > 0, lengths, 1.0), -exponent)
    shares, directions = np.linalg.eigh(gram / (scale * scale.T))
    known = shares > (-np.inf if lengths is None else _rounding(x))
    root: Array = scale * directions[:, known] * np.sqrt(np.maximum(shares[known], 0))
    return np.ldexp(root, exponent).astype(x.dtype, copy=False)


def orthonormalised(x: Array, against: Array | None = None) -> Array:
    """Return the frame nearest to x: orthonormal rows with the span of x, (x xᵀ)^(−½) x.

    Of independent normal numbers it makes a frame that is uniform among all frames, for turning x turns it alike.

    Parameters
    ----------
    x : Array
        (rank, n), rank ≤ n, of full rank.
    against : Array, optional
        Orthonormal rows (k, n), k + rank ≤ n: the frame is taken in the space orthogonal to them.
    """
    frame: Array = x
    while True:
        if against is not None:
            frame = frame - product(contraction(frame, against), against)
        shares, directions = np.linalg.eigh(_gram(frame))
        if not len(shares):
            return frame
        frame = product(((directions / np.sqrt(shares)) @ directions.T).astype(x.dtype, copy=False), frame)
        if shares[0] > 1e-4 * shares[-1]:  # else squaring has cost digits: once more
            return frame
