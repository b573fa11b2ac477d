"""Close cells that cannot reach the target: zonotopes over the exact vertices of a cell, with error radii.

Over a cell whose units are decided up to some stage, the pre-activations are affine, so their extremes lie at
vertices. Beyond, every undecided unit becomes slope * z + shift plus a noise term; the affine part is carried
as its values at the vertices, the noise as generators, and every rounding of a double as a radius. A cell
is closed when some row of every disjunct of the target fails over all of it by more than the radius.

Slopes are multiples of 1/256, exact in doubles, and are what a certificate stores: any slope gives a valid
bound, and whoever recomputes it with the same slopes in rationals gets one that is at least as tight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.search import Goal
from symbinv.cells.splitting import Batch
from symbinv.cells.stages import TINY, UNIT, Array, Stage

GRID = 256.0
SLACK = 1 + 1e-9  # covers the rounding of radii themselves
GROUP = 192


@dataclass(frozen=True)
class Bound:
    """Why a cell was closed: the slopes of the undecided units, stage by stage from the cell's own.

    Attributes:
        layer: The network's layer (from 1) before which the cell stands.
        slopes: One tuple per stage; None for a unit that the bounds show on one piece, else its
            slope times 256.
    """

    layer: int
    slopes: tuple[tuple[int | None, ...], ...]


class Zonotopes:
    """Prune cells of batches by the goal.

    Args:
        stages: The stages with kinks.
        goal: The target.
        keep_slopes: Whether to return the slopes that close a cell.
    """

    def __init__(self, stages: Sequence[Stage], goal: Goal, keep_slopes: bool = False) -> None:
        self.stages, self.goal, self.keep_slopes = list(stages), goal, keep_slopes

    def __call__(self, batch: Batch, rows: Sequence[int]) -> list[object | None]:
        """Return for each chosen cell a reason to close it, or None (as for all that are unbounded)."""
        chosen = list(rows)
        tail = batch.pool.tail[: len(batch.pool.generators)]
        if not tail.all():
            rays = set(np.flatnonzero(tail == 0.0).tolist())
            chosen = [i for i in chosen if rays.isdisjoint(batch.pieces[i].ids)]
        reasons: dict[int, object | None] = {}
        for start in range(0, len(chosen), GROUP):
            group = chosen[start : start + GROUP]
            with np.errstate(all="ignore"):
                reasons.update(zip(group, self._close(batch, group), strict=True))
        return [reasons.get(i) for i in rows]

    def _close(self, batch: Batch, rows: Sequence[int]) -> list[object | None]:
        lists = [batch.pieces[i].ids for i in rows]
        lengths = np.fromiter(map(len, lists), dtype=np.intp, count=len(lists))
        flat = np.fromiter(chain.from_iterable(lists), dtype=np.intp, count=int(lengths.sum()))
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        owner = np.repeat(np.arange(len(rows)), lengths)
        values = batch.pool.values[flat]
        error = np.maximum.reduceat(batch.pool.radius[flat], starts, axis=0)
        noise = Noise(len(rows))
        decided = batch.decided[list(rows)]
        if batch.stage is self.goal.stage:
            low, high = _range(values, error, noise, starts)
            return self._verdicts(low, high, batch.stage.layer, [])
        begin = next(i for i, s in enumerate(self.stages) if s is batch.stage)
        kept: list[NDArray[np.int16]] = []
        for position, stage in enumerate(self.stages[begin:], start=begin):
            low, high = _range(values, error, noise, starts)
            slope, shift, spread, unstable = relax(stage, low, high, decided if position == begin else None)
            if self.keep_slopes:
                kept.append(np.where(unstable, slope * GRID, -32768).astype(np.int16))
            size = np.maximum.reduceat(np.abs(values), starts, axis=0)
            values = values * slope[owner] + shift[owner]
            error = np.abs(slope) * error + 4 * UNIT * (np.abs(slope) * size + np.abs(shift)) + TINY
            noise.scale(slope)
            error += 2 * UNIT * noise.size
            noise.add(unstable, spread)
            above = self.stages[position + 1] if position + 1 < len(self.stages) else self.goal.stage
            values, error = _affine(above, values, error, noise, starts)
        low, high = _range(values, error, noise, starts)
        return self._verdicts(low, high, batch.stage.layer, kept)

    def _verdicts(self, low: Array, high: Array, layer: int, kept: list[NDArray[np.int16]]) -> list[object | None]:
        closed = np.ones(len(low), dtype=bool)
        for disjunct in self.goal.disjuncts:
            fails = np.zeros(len(low), dtype=bool)
            for row, side in disjunct:
                fails |= low[:, row] > 0 if side < 0 else high[:, row] < 0
            closed &= fails
        if not self.keep_slopes:
            return [Bound(layer, ()) if c else None for c in closed.tolist()]
        reasons: list[object | None] = []
        for i, c in enumerate(closed.tolist()):
            table = tuple(tuple(None if q == -32768 else q for q in part[i].tolist()) for part in kept) if c else ()
            reasons.append(Bound(layer, table) if c else None)
        return reasons


class Noise:
    """The noise terms of cells: for each, rows that may be added with any factors between -1 and 1.

    The terms that the units of one stage add are a block, with the rows of a cell beside each other.

    Attributes:
        size: Sums of absolute values of a cell's rows, (cells, units).
    """

    def __init__(self, cells: int) -> None:
        self.cells = cells
        self.size: Array | float = 0.0
        self._blocks: list[tuple[Array, NDArray[np.intp], NDArray[np.intp]]] = []  # rows, their cells, first rows
        self._fresh: tuple[NDArray[np.intp], NDArray[np.intp], Array] | None = None  # cells, units, spreads

    def scale(self, slope: Array) -> None:
        """Multiply by a factor for every unit of every cell."""
        self._blocks = [(rows * slope[cells], cells, first) for rows, cells, first in self._blocks]
        self._measure(slope.shape[1])

    def add(self, unstable: NDArray[np.bool_], spread: Array) -> None:
        """Add a term for every unstable unit, which moves that unit alone."""
        cells, units = np.nonzero(unstable)
        self._fresh = cells, units, spread[cells, units]
        self.size = self.size + np.where(unstable, spread, 0.0)

    def map(self, weights: Array) -> None:
        """Multiply by a matrix, (units above, units)."""
        self._blocks = [(rows @ weights.T, cells, first) for rows, cells, first in self._blocks]
        if self._fresh is not None and len(self._fresh[0]):
            cells, units, spread = self._fresh
            first = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
            self._blocks.append((spread[:, None] * weights.T[units], cells, first))
        self._fresh = None
        self._measure(weights.shape[0])

    def _measure(self, width: int) -> None:
        size = np.zeros((self.cells, width))
        for rows, cells, first in self._blocks:
            size[cells[first]] += np.add.reduceat(np.abs(rows), first, axis=0)
        self.size = size


def _range(values: Array, error: Array, noise: Noise, starts: NDArray[np.intp]) -> tuple[Array, Array]:
    radius = (error + noise.size) * SLACK + TINY
    low, high = np.minimum.reduceat(values, starts, axis=0), np.maximum.reduceat(values, starts, axis=0)
    return low - radius - UNIT * 2 * np.abs(low), high + radius + UNIT * 2 * np.abs(high)


def _affine(stage: Stage, values: Array, error: Array, noise: Noise, starts: NDArray[np.intp]) -> tuple[Array, Array]:
    w, b = stage.float_weights, stage.float_bias
    gamma = (w.shape[1] + 6) * UNIT * 1.01
    size = np.maximum.reduceat(np.abs(values), starts, axis=0) + noise.size
    error = ((error + gamma * size) @ np.abs(w).T + gamma * np.abs(b)) * SLACK + TINY
    noise.map(w)
    return values @ w.T + b, error


def relax(
    stage: Stage, low: Array, high: Array, decided: NDArray[np.int8] | None
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Enclose every unit by slope * z + shift +- spread over low <= z <= high.

    Args:
        stage: Gives the pieces.
        low, high: (cells, units).
        decided: The columns that splitting has decided, (cells, units * kinks), or None.

    Returns:
        slope, shift, spread and which units are not on one piece, (cells, units) each.
    """
    kinks = stage.float_kinks
    count = len(kinks)
    at_kink = 2 * UNIT * np.abs(kinks)
    if decided is not None:
        sides = decided.reshape(len(low), stage.units, count)
        for k in range(count):
            low = np.where(sides[:, :, k] == 1, np.maximum(low, kinks[k] - at_kink[k]), low)
            high = np.where(sides[:, :, k] == -1, np.minimum(high, kinks[k] + at_kink[k]), high)
    first = (low[:, :, None] >= kinks).sum(axis=2)
    last = (high[:, :, None] > kinks).sum(axis=2)
    if decided is not None:  # exact decisions stand where the rounding of a kink would blur them
        first = np.maximum(first, (sides == 1).sum(axis=2))
        last = np.minimum(last, count - (sides == -1).sum(axis=2))
    single = first >= last
    slopes = np.array([float(p.slope) for p in stage.pieces])
    intercepts = np.array([float(p.intercept) for p in stage.pieces])
    at_low = slopes[first] * low + intercepts[first]
    at_high = slopes[last] * high + intercepts[last]
    width = np.where(high > low, high - low, 1.0)
    grid = np.clip(np.round((at_high - at_low) / width * GRID), -32000, 32000) / GRID
    slope = np.where(single, slopes[np.minimum(first, count)], np.where(np.isfinite(grid), grid, 0.0))
    lowest = np.minimum(at_low - slope * low, at_high - slope * high)
    highest = np.maximum(at_low - slope * low, at_high - slope * high)
    for k in range(count):
        inside = (low < kinks[k]) & (high > kinks[k])
        value = slopes[k] * kinks[k] + intercepts[k] - slope * kinks[k]
        lowest = np.where(inside, np.minimum(lowest, value), lowest)
        highest = np.where(inside, np.maximum(highest, value), highest)
    largest = np.maximum(np.abs(low), np.abs(high)) + (np.abs(kinks).max() if count else 0.0)
    scale = (np.abs(slopes).max() + np.abs(slope)) * largest + np.abs(intercepts).max()
    shift = np.where(single, intercepts[np.minimum(first, count)], (lowest + highest) / 2)
    spread = np.where(single, 0.0, (highest - lowest) / 2 * SLACK + 16 * UNIT * scale)
    return slope, shift, spread, ~single
