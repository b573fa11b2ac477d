"""Many small positive definite systems at once, one a column: J J^T for every chain.

LAPACK calls on thousands of q x q matrices are mostly overhead; here each step of the Cholesky factorisation
runs over all chains. What is kept is A = L^{-1}, so that (J J^T)^{-1} = A^T A is applied by two products.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def gram(jacobian: Array) -> Array:
    """Return J J^T for every chain: (q, n, k) -> (q, q, k)."""
    q, _, k = jacobian.shape
    if q <= 3:
        return np.asarray(np.einsum("anc,bnc->abc", jacobian, jacobian))
    product = np.empty((q, q, k))
    for a in range(q):
        np.einsum("nc,bnc->bc", jacobian[a], jacobian[: a + 1], out=product[a, : a + 1])
        product[:a, a] = product[a, :a]
    return product


def factor(matrix: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return A = L^{-1}, log det and where all pivots were positive, for M = L L^T: (q, q, k).

    Columns with a pivot that is not positive get a 1 there; they must not be used.
    """
    q, _, k = matrix.shape
    if q == 1:
        good = matrix[0, 0] > 0
        safe = np.where(good, matrix[0, 0], 1.0)
        return (1 / np.sqrt(safe))[None, None], np.log(safe), good
    lower = np.zeros_like(matrix)
    inverse = np.zeros_like(matrix)
    good = np.ones(k, dtype=bool)
    log_det = np.zeros(k)
    for j in range(q):
        column = matrix[j:, j].copy()
        if j:
            column -= np.einsum("iac,ac->ic", lower[j:, :j], lower[j, :j])
        fine = column[0] > 0
        good &= fine
        pivot = np.sqrt(np.where(fine, column[0], 1.0))
        log_det += 2 * np.log(pivot)
        column /= pivot
        column[0] = pivot
        lower[j:, j] = column
        inverse[j, j] = 1 / pivot
        if j:
            inverse[j, :j] = np.einsum("ac,abc->bc", lower[j, :j], inverse[:j, :j])
            inverse[j, :j] /= -pivot
    return inverse, log_det, good


def solve(inverse: Array, right: Array) -> Array:
    """Return (J J^T)^{-1} right = A^T (A right): (q, q, k), (q, k) -> (q, k)."""
    if len(inverse) == 1:
        return np.asarray(inverse[0] * inverse[0] * right)
    return np.asarray(np.einsum("abc,ac->bc", inverse, np.einsum("abc,bc->ac", inverse, right)))


def push(jacobian: Array, vector: Array) -> Array:
    """Return J v: (q, n, k), (n, k) -> (q, k)."""
    return np.asarray(np.einsum("qnc,nc->qc", jacobian, vector))


def pull(jacobian: Array, multiplier: Array) -> Array:
    """Return J^T l: (q, n, k), (q, k) -> (n, k)."""
    return np.asarray(np.einsum("qnc,qc->nc", jacobian, multiplier))
