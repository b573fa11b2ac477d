"""compile_batched: one named derivation, run in NumPy for many networks at once.

The derivation of a network of symbols holds for every network of its sizes, wherever its pivots do not vanish. Its
definitions (k_{21} = w_{21}/w_{11}, ...) become array operations on whole blocks of networks, one sweep a pivot, so no
system is solved one by one. One step of iterative refinement brings the residual to rounding level. Where a pivot
vanishes or is so small that one step does not do, the rows of that network are put in the order that partial pivoting
chooses and the same derivation is run again; `status` says so. Where the pivot block itself is singular, the chosen
free variables do not determine the others, and the point is NaN.

References:
    N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 9 and 12.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.algebra.operation import AddMultiple, Swap
from symbinv.errors import NotSupportedError, ShapeError
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse
from symbinv.sampler.compile import inside

Array = NDArray[np.float64]
BLOCK_ENTRIES = 1 << 18  # matrix entries in a block: few calls a network, and copies that stay near the core
SMALL_CORRECTION = 1e-8  # relative step of the refinement up to which one step reaches rounding level
INCONSISTENT = 1e-9  # relative residual of left-over equations

AS_DERIVED, OTHER_ORDER, SINGULAR, BROKEN_CONDITION, OUTSIDE = range(5)
MEANINGS = (
    "as derived",
    "in another pivot order, since a pivot vanished or was small",
    "not determined: the pivot block is singular",
    "without a solution: a consistency condition is broken",
    "left the image of an activation",
)


@dataclass(frozen=True, eq=False)
class BatchedPoints:
    """Inputs of many networks.

    Attributes:
        points: (..., n0); NaN where there is none.
        status: (...), an index of MEANINGS.
    """

    points: Array
    status: NDArray[np.int8]

    @property
    def report(self) -> str:
        """How many networks went which way, one line each."""
        counts = np.bincount(self.status.ravel(), minlength=len(MEANINGS))
        return "\n".join(f"{count} {text}" for count, text in zip(counts, MEANINGS, strict=True) if count)


@dataclass(frozen=True)
class Sweep:
    """One step of the derivation: k = below / pivot for all target rows, then w - k * (pivot row) for all of them.

    Attributes:
        swaps: Pairs of rows exchanged before.
        source: The pivot's row.
        column: The pivot's column.
        targets: The rows that are cleared, a slice where they are neighbours.
        rest: The columns that are updated.
    """

    swaps: tuple[tuple[int, int], ...]
    source: int
    column: int
    targets: Any
    rest: slice

    def run(self, work: Array, scratch: "_Scratch") -> Array:
        """Carry the sweep out in place; return the multipliers, one row a target."""
        _exchange(work, self.swaps)
        below, pivot = work[self.targets, self.column], work[self.source, self.column]
        k: Array = np.divide(below, pivot, out=scratch.take(*below.shape))
        row = work[self.source, self.rest]
        product = np.multiply(k[:, None], row, out=scratch.take(len(k), *row.shape))
        work[self.targets, self.rest] -= product
        return k


@dataclass(frozen=True, eq=False)
class Program:
    """The array operations of one layer's derivation: its sweeps, then back-substitution.

    Attributes:
        step: What was compiled.
        sweeps: The forward elimination, one per pivot that clears anything.
        last_swaps: Pairs of rows exchanged after the last sweep.
    """

    step: LayerInverse
    sweeps: tuple[Sweep, ...]
    last_swaps: tuple[tuple[int, int], ...]

    def factor(self, matrix: Array, sides: Array, scratch: "_Scratch") -> tuple[Array, list[Array], Array]:
        """Eliminate a block of matrices, (m, n, k) feature-major, and their right sides, (m, k), together.

        Returns:
            The echelon forms, the multipliers of each sweep, and the pushed right sides.
        """
        m, n, k = matrix.shape
        if sides.shape[1] != k:  # one matrix for many right sides: they are pushed by themselves
            work, multipliers = scratch.like(matrix), []
            for sweep in self.sweeps:
                multipliers.append(sweep.run(work, scratch))
            _exchange(work, self.last_swaps)
            return work, multipliers, self.push(multipliers, sides, scratch)
        joint, multipliers = scratch.take(m, n + 1, k), []
        joint[:, :n], joint[:, n] = matrix, sides
        for sweep in self.sweeps:
            multipliers.append(sweep.run(joint, scratch))
        _exchange(joint, self.last_swaps)
        return joint[:, :n], multipliers, joint[:, n]

    def push(self, multipliers: Sequence[Array], sides: Array, scratch: "_Scratch") -> Array:
        """Push right sides, (m, k), through the sweeps."""
        width = max([sides.shape[1], *(k.shape[1] for k in multipliers)])
        column = scratch.take(sides.shape[0], width)
        column[:] = sides
        for sweep, k in zip(self.sweeps, multipliers, strict=True):
            _exchange(column, sweep.swaps)
            column[sweep.targets] -= np.multiply(k, column[sweep.source], out=scratch.take(len(k), width))
        _exchange(column, self.last_swaps)
        return column

    def substitute(self, work: Array, column: Array, free: Array | None, scratch: "_Scratch") -> Array:
        """Substitute back, (n, k); overwrites `column`; free variables are zero where None."""
        reduction = self.step.reduction
        rank, width = reduction.rank, max(work.shape[2], column.shape[1], 1 if free is None else free.shape[1])
        if column.shape[1] != width:
            column = np.array(np.broadcast_to(column, (column.shape[0], width)))
        x = scratch.take(reduction.matrix.columns, width)
        product = scratch.take(max(rank, 1), width)
        for f, j in enumerate(reduction.free):
            x[j] = 0.0 if free is None else free[f]
            if free is not None:
                column[:rank] -= np.multiply(work[:rank, j], x[j], out=product[:rank])
        for i in reversed(range(rank)):
            p = reduction.pivots[i]
            np.divide(column[i], work[i, p], out=x[p])
            if i:
                column[:i] -= np.multiply(work[:i, p], x[p], out=product[:i])
        return x


class _Scratch:
    """Memory that is handed out piece by piece and taken back whole, so that no block waits for new pages."""

    def __init__(self, entries: int) -> None:
        self._memory = np.empty(entries)
        self._used = 0

    def take(self, *shape: int) -> Array:
        """Return an array of a shape, contents arbitrary."""
        begin, end = self._used, self._used + math.prod(shape)
        if end > len(self._memory):
            return np.empty(shape)
        self._used = end
        return self._memory[begin:end].reshape(shape)

    def like(self, values: Array) -> Array:
        """Return a copy of an array."""
        copy = self.take(*values.shape)
        copy[:] = values
        return copy

    def clear(self) -> None:
        """Take everything back."""
        self._used = 0


def _exchange(rows: Array, swaps: Sequence[tuple[int, int]]) -> None:
    for first, second in swaps:
        rows[[first, second]] = rows[[second, first]]


@dataclass(frozen=True, eq=False)
class BatchedInverse:
    """An inverse of symbols, ready for numbers of many networks at once.

    Attributes:
        inverse: What was compiled.
        programs: One a layer, last layer first.
    """

    inverse: Inverse
    programs: tuple[Program, ...]

    def backward(self, weights: Any, biases: Any, target: Any, free: Any) -> BatchedPoints:
        """Return the inputs of many networks that give a target, for values of the free variables.

        Args:
            weights: One array (..., m, n) per layer, first layer first; for one layer the array itself.
            biases: One array (..., m) per layer; for one layer the array itself.
            target: (..., m) outputs.
            free: (..., d) values in the order of `inverse.free_variables`. All leading axes broadcast.

        Raises:
            ShapeError: Where arrays do not have the network's sizes, or do not broadcast.
        """
        sizes = self.inverse.network.sizes
        w = _per_layer(weights, len(sizes) - 1, "weights", 2)
        b = _per_layer(biases, len(sizes) - 1, "biases", 1)
        y, t = np.asarray(target, dtype=np.float64), np.asarray(free, dtype=np.float64)
        for index, (wi, bi) in enumerate(zip(w, b, strict=True), start=1):
            _check(wi.shape[-2:], (sizes[index], sizes[index - 1]), f"the weights of layer {index}")
            _check(bi.shape[-1:], (sizes[index],), f"the biases of layer {index}")
        _check(y.shape[-1:], (sizes[-1],), "target")
        _check(t.shape[-1:], (len(self.inverse.free_variables),), "free")
        try:
            lead = np.broadcast_shapes(*(v.shape[:-2] for v in w), *(v.shape[:-1] for v in (*b, y, t)))
        except ValueError as error:
            raise ShapeError("the leading axes of weights, biases, target and free must broadcast.") from error
        count = math.prod(lead)
        flat_w = [_flat(v, lead, 2) for v in w]
        flat_b, flat_y, flat_t = [_flat(v, lead, 1) for v in b], _flat(y, lead, 1), _flat(t, lead, 1)
        points, status = np.empty((count, sizes[0])), np.zeros(count, dtype=np.int8)
        with np.errstate(all="ignore"):
            largest = max(m * (n + 2) for m, n in zip(sizes[1:], sizes, strict=False))
            block = min(max(64, BLOCK_ENTRIES // largest), max(count, 1))
            scratch = _Scratch(8 * largest * block)
            for begin in range(0, count, block):
                cut = slice(begin, min(begin + block, count))
                block_w, block_b = [_cut(v, cut) for v in flat_w], [_cut(v, cut) for v in flat_b]
                found = self._block(block_w, block_b, _cut(flat_y, cut), _cut(flat_t, cut), status[cut], scratch)
                points[cut] = found.T
        points[status >= SINGULAR] = np.nan
        return BatchedPoints(points.reshape(*lead, sizes[0]), status.reshape(lead))

    def _block(
        self,
        weights: list[Array],
        biases: list[Array],
        target: Array,
        free: Array,
        status: NDArray[np.int8],
        scratch: _Scratch,
    ) -> Array:
        """Take one block, networks first, from the target to the inputs; feature-major inside."""
        outputs, used = target.T, 0
        for program in self.programs:
            step = program.step
            layer = step.index - 1
            scratch.clear()
            matrix = scratch.like(np.moveaxis(weights[layer], 0, -1))
            if step.shift is not None:
                matrix = np.concatenate([matrix, np.full((matrix.shape[0], 1, matrix.shape[2]), -1.0)], axis=1)
            sides = step.undo_numerically(outputs) - biases[layer].T
            d = len(step.reduction.free)
            unknowns = _solve_layer(program, matrix, sides, free.T[used : used + d], status, scratch)
            used += d
            outputs = unknowns[: len(step.columns)]
            if step.index > 1:
                good = np.all([inside(v, i) for v, i in zip(outputs, step.images, strict=False)], axis=0)
                status[np.broadcast_to(~good, status.shape) & (status < SINGULAR)] = OUTSIDE
        return np.broadcast_to(outputs, (outputs.shape[0], len(status)))


def compile_batched(inverse: Inverse) -> BatchedInverse:
    """Compile the derivation of a network of symbols to NumPy functions of its weights.

    Requires: weights that are distinct symbols, as `Network.generic` makes them, and one-to-one activations.
    Exact? No; every point is refined to rounding level or marked. Cost: one pass of array operations per definition.

    Raises:
        NotSupportedError: For weights that are not distinct symbols.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> batched = compile_batched(invert(Network.generic([3, 2], ["sigmoid"])))
        >>> W = np.random.default_rng(0).standard_normal((1000, 2, 3))
        >>> found = batched.backward(W, np.zeros(2), [0.8, 0.2], np.zeros((1000, 1)))
        >>> z = np.einsum("kij,kj->ki", W, found.points)
        >>> bool(np.abs(1 / (1 + np.exp(-z)) - [0.8, 0.2]).max() < 1e-10)
        True
    """
    taken: set[sympy.Expr] = set()
    for index, layer in enumerate(inverse.network.layers, start=1):
        entries = [e for row in layer.weights.to_sympy().tolist() for e in row]
        if any(not e.is_Symbol or e in taken for e in entries) or len(set(entries)) < len(entries):
            raise NotSupportedError(
                f"weights of layer {index} must be distinct symbols to be compiled for many networks, as "
                "Network.generic makes them; for one network of numbers use compile_sampler."
            )
        taken.update(entries)
        if layer.activation.inverse is None:
            raise NotSupportedError(f"layer {index}: {layer.activation.name} has no inverse without a pattern.")
    return BatchedInverse(inverse, tuple(_compile(step) for step in inverse.steps))


def _compile(step: LayerInverse) -> Program:
    """Group the recorded operations by the pivot row that they subtract."""
    reduction = step.reduction
    sweeps: list[Sweep] = []
    swaps: list[tuple[int, int]] = []
    targets: list[int] = []
    source = -1

    def close() -> None:
        """End the sweep of the current pivot row."""
        if targets:
            neighbours = targets == list(range(targets[0], targets[0] + len(targets)))
            rows: Any = slice(targets[0], targets[-1] + 1) if neighbours else np.array(targets)
            done = reduction.pivots[: source + 1]
            column = reduction.pivots[source]
            rest = slice(column + 1, None) if done == tuple(range(column + 1)) else slice(None)
            sweeps.append(Sweep(tuple(swaps), source, column, rows, rest))
            swaps.clear()
            targets.clear()

    for operation in reduction.operations or ():
        match operation:
            case Swap(first, second):
                close()
                swaps.append((first, second))
            case AddMultiple(target, from_row, _):
                if from_row != source:
                    close()
                    source = from_row
                targets.append(target)
    close()
    return Program(step, tuple(sweeps), tuple(swaps))


def _solve_layer(
    program: Program, matrix: Array, sides: Array, free: Array, status: NDArray[np.int8], scratch: _Scratch
) -> Array:
    """Solve a block, (m, n, k), refine once, and run again in another order of rows what did not come out well."""
    k = len(status)
    x, doubtful = _refined(program, matrix, sides, free, scratch)
    bad = np.flatnonzero(np.broadcast_to(doubtful, (k,)))
    if not len(bad):
        return x
    x = np.array(np.broadcast_to(x, (x.shape[0], k)))
    part, side, value = (_columns(v, bad) for v in (matrix, sides, free))
    order, singular = _partial_pivoting(part, program.step.reduction.pivots)
    across = np.arange(len(bad))[:, None]
    permuted = part[order, :, across].transpose(1, 2, 0)
    again, _ = _refined(program, np.ascontiguousarray(permuted), side[order, across].T, value, _Scratch(0))
    x[:, bad] = again
    scale = np.abs(side).max(axis=0, initial=0.0) + (np.abs(part) * np.abs(again)).sum(axis=1).max(axis=0)
    left = np.abs(side - (part * again).sum(axis=1)).max(axis=0, initial=0.0) > INCONSISTENT * scale
    rows = program.step.reduction.matrix.rows
    broken = left & (rows > program.step.reduction.rank)
    found = np.where(singular | ~np.isfinite(again).all(axis=0) | (left & ~broken), SINGULAR, OTHER_ORDER)
    found = np.where(broken & ~singular, BROKEN_CONDITION, found)
    status[bad] = np.maximum(status[bad], found)
    return x


def _refined(
    program: Program, matrix: Array, sides: Array, free: Array, scratch: _Scratch
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the solution after one step of refinement, and where that step was not small enough to be the last.

    The correction is in proportion to the error of the first solution, and the error left is about its square; a
    pivot that vanishes gives infinities, which fail the same test.
    """
    work, multipliers, column = program.factor(matrix, sides, scratch)
    x = program.substitute(work, column, free, scratch)
    residual = _residual(matrix, sides, x)
    correction = program.substitute(work, program.push(multipliers, residual, scratch), None, scratch)
    doubtful = _is_large(correction, x)
    if matrix.shape[0] > program.step.reduction.rank:
        scale = np.abs(sides).max(axis=0) + np.abs(matrix).max(axis=(0, 1)) * np.abs(x).max(axis=0)
        doubtful = doubtful | ~(np.abs(residual).max(axis=0) <= INCONSISTENT * scale)
    x += correction
    return x, doubtful


def _is_large(correction: Array, x: Array) -> NDArray[np.bool_]:
    """Tell where a correction is not small beside the solution: by squares, and by size where those do not tell."""
    size, step = np.einsum("jk,jk->k", x, x), np.einsum("jk,jk->k", correction, correction)
    large: NDArray[np.bool_] = ~((step <= SMALL_CORRECTION**2 * size) & (size > 1e-280) & (size < 1e280))
    unsure = np.flatnonzero(large)
    if len(unsure):
        steps, sizes = (np.abs(v[:, unsure]).max(axis=0) for v in (correction, x))
        large[unsure] = ~(steps <= SMALL_CORRECTION * sizes)
    return large


def _residual(matrix: Array, sides: Array, x: Array) -> Array:
    """Return r - W x for every network of a block."""
    if matrix.shape[2] == x.shape[1]:
        return np.asarray(sides - np.einsum("ijk,jk->ik", matrix, x))
    return np.asarray(sides - matrix[:, :, 0] @ x)


def _partial_pivoting(matrix: Array, pivots: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the order of rows that partial pivoting takes in each matrix, and where the pivot block is singular."""
    work = np.array(np.moveaxis(matrix[:, list(pivots)], -1, 0))
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


def _per_layer(arrays: Any, depth: int, what: str, axes: int) -> list[Array]:
    one = depth == 1 and not (isinstance(arrays, list | tuple) and len(arrays) == 1 and np.ndim(arrays[0]) >= axes)
    parts = [arrays] if one else list(arrays)
    if len(parts) != depth:
        raise ShapeError(f"{what} must have one array per layer ({depth}), not {len(parts)}.")
    result = [np.asarray(v, dtype=np.float64) for v in parts]
    if any(v.ndim < axes for v in result):
        raise ShapeError(f"{what} must have at least {axes} axes a layer.")
    return result


def _check(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
    if shape != expected:
        raise ShapeError(f"{what} must end in shape {expected}, not {shape}.")


def _flat(values: Array, lead: tuple[int, ...], axes: int) -> Array:
    """Return an array with its leading axes made one; of length 1 where it is the same for all."""
    own, rest = values.shape[: values.ndim - axes], values.shape[values.ndim - axes :]
    if all(size == 1 for size in own):
        return values.reshape(1, *rest)
    return np.broadcast_to(values, (*lead, *rest)).reshape(math.prod(lead), *rest)


def _cut(values: Array, block: slice) -> Array:
    return values if len(values) == 1 else values[block]


def _columns(values: Array, chosen: NDArray[np.intp]) -> Array:
    """Return the chosen networks of a feature-major array, the last axis, which may be of length 1."""
    return values[..., chosen] if values.shape[-1] > 1 else np.repeat(values, len(chosen), axis=-1)
