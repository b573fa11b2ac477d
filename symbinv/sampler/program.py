"""One layer's derivation as array operations on a block of networks, feature-major: (rows, columns, k).

The derivation says which columns have pivots and in which order the rows are taken. Its definitions, each updated entry
w^{(p)}_{ij} = w^{(p-1)}_{ij} - k_{ip} w^{(p-1)}_{pj}, are summed up to the last p at once (Crout's order): the same
numbers with one pass over memory each. One step of iterative refinement brings the residual to rounding level. Where a
pivot vanishes or is so small that one step does not do, the rows are put in the order that partial pivoting chooses and
the same is run again; where no order of rows helps, the pivot block is singular.

References:
    N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 9 and 12.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.algebra.elimination import RowReduction
from symbinv.algebra.operation import Swap

Array = NDArray[np.float64]
SMALL_CORRECTION = 1e-8  # relative step of the refinement up to which one step reaches rounding level
INCONSISTENT = 1e-9  # relative residual of left-over equations
STRIP = 512  # networks transposed at a time, so that what is read and what is written stay in the cache

AS_DERIVED, OTHER_ORDER, SINGULAR, BROKEN_CONDITION, OUTSIDE = range(5)


class Workspace:
    """Memory that is handed out piece by piece and taken back whole, so that no block waits for new pages."""

    def __init__(self, entries: int = 0) -> None:
        self._memory = np.empty(entries)
        self._used = 0

    def take(self, *shape: int) -> Array:
        """Return an array of a shape, contents arbitrary."""
        begin, end = self._used, self._used + math.prod(shape)
        if end > len(self._memory):
            return np.empty(shape)
        self._used = end
        return self._memory[begin:end].reshape(shape)

    def clear(self) -> None:
        """Take everything back."""
        self._used = 0


@dataclass(frozen=True, eq=False)
class Factors:
    """Multipliers below and updated entries on and above the diagonal, (m, r, k), and 1 / pivot, (r, k)."""

    entries: Array
    reciprocals: Array

    def solve(self, sides: Array) -> Array:
        """Push right sides, (m, k), through the elimination and substitute back; overwrites them; (r, k)."""
        lu, (m, r) = self.entries, self.entries.shape[:2]
        for p in range(1, m):
            q = min(p, r)
            sides[p] -= np.einsum("qk,qk->k", lu[p, :q], sides[:q])
        for i in reversed(range(r)):
            if i + 1 < r:
                sides[i] -= np.einsum("qk,qk->k", lu[i, i + 1 :], sides[i + 1 : r])
            sides[i] *= self.reciprocals[i]
        return sides[:r]


@dataclass(frozen=True)
class Program:
    """The order of one layer's elimination.

    Attributes:
        order: The rows as the derivation takes them, those left without a pivot last.
        pivots: The pivot columns, in the order of their rows.
        free: The other columns.
    """

    order: tuple[int, ...]
    pivots: tuple[int, ...]
    free: tuple[int, ...]

    @classmethod
    def of(cls, reduction: RowReduction) -> "Program":
        """Return the order in which a recorded reduction works."""
        order = list(range(reduction.matrix.rows))
        for operation in reduction.operations or ():
            if isinstance(operation, Swap):
                order[operation.first], order[operation.second] = order[operation.second], order[operation.first]
        return cls(tuple(order), reduction.pivots, reduction.free)

    @property
    def has_conditions(self) -> bool:
        """Whether rows are left without a pivot."""
        return len(self.order) > len(self.pivots)

    def solve(self, matrix: Array, sides: Array, free: Array, status: NDArray[np.int8], space: Workspace) -> Array:
        """Solve a block.

        Args:
            matrix: (m, n, k), or (m, n, 1) where all share it.
            sides: (m, k) or (m, 1).
            free: (d, k) or (d, 1).
            status: (k,), raised where the block did not come out as derived.
            space: Where intermediate results are kept.

        Returns:
            The unknowns, (n, k).
        """
        count = len(status)
        if self.free:
            sides = sides - np.einsum("ijk,jk->ik", _take(matrix, self.free, 1), free)
        if self.order != tuple(range(len(self.order))):
            matrix, sides = matrix[list(self.order)], sides[list(self.order)]
        block = _take(matrix, self.pivots, 1)
        x, doubtful = _refined(block, sides, space)
        bad = np.flatnonzero(np.broadcast_to(doubtful, (count,)))
        if len(bad):
            x = np.array(np.broadcast_to(x, (x.shape[0], count)))
            part, side = (_columns(v, bad) for v in (block, sides))
            x[:, bad], found = _in_another_order(part, side)
            status[bad] = np.maximum(status[bad], found)
        if not self.free and self.pivots == tuple(range(len(self.pivots))):
            return x
        unknowns = np.empty((len(self.pivots) + len(self.free), count))
        unknowns[list(self.pivots)] = x
        unknowns[list(self.free)] = free
        return unknowns


def to_feature_major(values: Array, space: Workspace) -> Array:
    """Return an array (k, ...) as a new (..., k)."""
    flat = values.reshape(len(values), -1)
    moved = space.take(flat.shape[1], len(flat))
    for begin in range(0, len(flat), STRIP):
        moved[:, begin : begin + STRIP] = flat[begin : begin + STRIP].T
    return moved.reshape(*values.shape[1:], len(values))


def _take(values: Array, columns: Sequence[int], axis: int) -> Array:
    """Return the chosen columns, without a copy where they are neighbours."""
    begin = columns[0] if columns else 0
    if tuple(columns) == tuple(range(begin, begin + len(columns))):
        return values[:, begin : begin + len(columns)]
    return np.take(values, list(columns), axis=axis)


def _factor(block: Array, space: Workspace) -> Factors:
    """Eliminate a block, (m, r, k), pivot by pivot down the diagonal."""
    m, r, k = block.shape
    lu, reciprocals = space.take(m, r, k), space.take(r, k)
    for p in range(r):
        if p:
            np.subtract(block[p, p:], np.einsum("qk,qjk->jk", lu[p, :p], lu[:p, p:]), out=lu[p, p:])
            np.subtract(block[p + 1 :, p], np.einsum("iqk,qk->ik", lu[p + 1 :, :p], lu[:p, p]), out=lu[p + 1 :, p])
        else:
            lu[0], lu[1:, 0] = block[0], block[1:, 0]
        np.divide(1.0, lu[p, p], out=reciprocals[p])
        lu[p + 1 :, p] *= reciprocals[p]
    return Factors(lu, reciprocals)


def _refined(block: Array, sides: Array, space: Workspace) -> tuple[Array, NDArray[np.bool_]]:
    """Return the solution after one step of refinement, and where that step was not small enough to be the last.

    The correction is in proportion to the error of the first solution, and the error left is about its square; a
    pivot that vanishes gives infinities, which fail the same test.
    """
    factors, k = _factor(block, space), max(block.shape[2], sides.shape[1])
    start, residual = space.take(len(sides), k), space.take(len(sides), k)
    start[:] = sides
    x = factors.solve(start)
    np.einsum("ijk,jk->ik", block, x, out=residual)
    np.subtract(sides, residual, out=residual)
    scale: Any = None
    if block.shape[0] > block.shape[1]:
        scale = np.abs(sides).max(axis=0) + np.abs(block).max(axis=(0, 1), initial=0.0) * np.abs(x).max(
            axis=0, initial=0.0
        )
        broken = ~(np.abs(residual).max(axis=0) <= INCONSISTENT * scale)
    correction = factors.solve(residual)
    doubtful = _is_large(correction, x)
    if scale is not None:
        doubtful |= broken
    x += correction
    return x, doubtful


def _is_large(correction: Array, x: Array) -> NDArray[np.bool_]:
    """Tell where a correction is not small beside the solution: by squares, and by size where those do not tell."""
    size, step = np.einsum("jk,jk->k", x, x), np.einsum("jk,jk->k", correction, correction)
    large: NDArray[np.bool_] = ~((step <= SMALL_CORRECTION**2 * size) & (size > 1e-280) & (size < 1e280))
    unsure = np.flatnonzero(large)
    if len(unsure):
        steps, sizes = (np.abs(v[:, unsure]).max(axis=0, initial=0.0) for v in (correction, x))
        large[unsure] = ~(steps <= SMALL_CORRECTION * sizes)
    return large


def _in_another_order(block: Array, sides: Array) -> tuple[Array, NDArray[np.int_]]:
    """Solve with the rows of each network in the order of partial pivoting; return also the status of each."""
    order, singular = _partial_pivoting(block)
    across = np.arange(block.shape[2])[:, None]
    permuted = np.ascontiguousarray(block[order, :, across].transpose(1, 2, 0))
    x, _ = _refined(permuted, sides[order, across].T, Workspace())
    scale = np.abs(sides).max(axis=0, initial=0.0) + (np.abs(block) * np.abs(x)).sum(axis=1).max(axis=0, initial=0.0)
    left = np.abs(sides - (block * x).sum(axis=1)).max(axis=0, initial=0.0) > INCONSISTENT * scale
    broken = left & (block.shape[0] > block.shape[1])
    found = np.where(singular | ~np.isfinite(x).all(axis=0) | (left & ~broken), SINGULAR, OTHER_ORDER)
    return x, np.where(broken & ~singular, BROKEN_CONDITION, found)


def _partial_pivoting(block: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the order of rows that partial pivoting takes in each matrix, and where the block is singular."""
    work = np.array(np.moveaxis(block, -1, 0))
    count, m, rank = work.shape
    order = np.tile(np.arange(m), (count, 1))
    across = np.arange(count)
    largest = np.abs(work).max(axis=(1, 2), initial=0.0)
    singular = np.zeros(count, dtype=bool)
    for p in range(rank):
        best = p + np.abs(work[:, p:, p]).argmax(axis=1)
        work[across, p], work[across, best] = work[across, best].copy(), work[across, p].copy()
        order[across, p], order[across, best] = order[across, best].copy(), order[across, p].copy()
        pivot = work[:, p, p]
        tiny = ~(np.abs(pivot) > 1e-14 * largest)
        singular |= tiny
        factors = work[:, p + 1 :, p] / np.where(tiny, 1.0, pivot)[:, None]
        work[:, p + 1 :] -= factors[:, :, None] * work[:, p, None, :]
    return order, singular


def _columns(values: Array, chosen: NDArray[np.intp]) -> Array:
    """Return the chosen networks of a feature-major array, the last axis, which may be of length 1."""
    return values[..., chosen] if values.shape[-1] > 1 else np.repeat(values, len(chosen), axis=-1)
