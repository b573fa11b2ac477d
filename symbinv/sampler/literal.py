"""The paper's sampling, literally: choose values of the free variables, propagate backward, keep what is valid.

On trained networks of several layers nearly every choice leaves the image of an earlier activation, and the
report says so. The law of the points depends on which variables are free; it is uniform on no surface.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.errors import BudgetError, OptionError
from symbinv.exact.interval import Interval
from symbinv.inverse.invert import Inverse
from symbinv.sampler.compile import Sampler
from symbinv.sampler.samples import Report
from symbinv.sampler.validity import corrected, forward_hits, in_box, on_pattern

Array = NDArray[np.float64]
LITERAL_METHODS = ("grid", "sobol", "lhs", "random")
GRID_LIMIT = 10_000_000
CHUNK = 1 << 16
DEFAULT_REACH = 3.0


def draw_literal(
    sampler: Sampler,
    count: int,
    method: str,
    ends: Array | None,
    ranges: Any,
    per_variable: int,
    seed: int | None,
) -> tuple[Array, Report]:
    """Return valid points and the report; see `symbinv.sampler.draw.draw`."""
    inverse = sampler.inverse
    low_high, notes = free_ranges(inverse, ends, ranges)
    law, near = f"free variables drawn by {method}, propagated backward; uniform on no surface", False
    if sampler.regularization is not None:
        law, near = f"{law}; regularised, so near the preimage and not on it", True
        notes = (*notes, f"Tikhonov regularisation with lambda = {float(sampler.regularization):g}: no exact preimage.")
    kept, lost = [], dict.fromkeys(range(-1, inverse.network.depth + 1), 0)
    drawn = 0
    sides = [1 if low == high else per_variable for low, high in low_high]
    for unit in _unit_points(method, count, sides, seed):
        free = low_high[:, 0] + (low_high[:, 1] - low_high[:, 0]) * unit
        points, left_at = sampler.trace(free)
        drawn += len(free)
        for layer, number in zip(*np.unique(left_at[left_at > 0], return_counts=True), strict=True):
            lost[int(layer)] += int(number)
        points = points[left_at == 0] if near else corrected(inverse, points[left_at == 0])
        boxed = in_box(points, ends)
        lost[0] += int((~boxed).sum())
        hit = on_pattern(inverse, points[boxed])
        if not near:
            hit &= forward_hits(inverse, points[boxed])
        lost[-1] += int((~hit).sum())
        kept.append(points[boxed][hit])
    points = np.concatenate(kept) if kept else np.zeros((0, inverse.network.sizes[0]))
    if drawn and not len(points):
        notes = (
            *notes,
            "No draw was valid: independently drawn free variables leave the ranges of earlier layers. "
            "method='uniform' walks on this preimage, method='project' finds points of it.",
        )
    report = Report(
        method,
        law,
        None,
        drawn,
        len(points),
        {layer: number for layer, number in lost.items() if number},
        {str(s): (float(low), float(high)) for s, (low, high) in zip(inverse.free_variables, low_high, strict=True)},
        seed,
        notes,
    )
    return points, report


def free_ranges(inverse: Inverse, ends: Array | None, ranges: Any) -> tuple[Array, tuple[str, ...]]:
    """Return the interval of every free variable, (d, 2), and notes on those that were assumed."""
    names = inverse.free_variables
    given = _given_ranges(names, ranges)
    table, assumed = [], []
    for step in inverse.steps:
        for j in step.reduction.free:
            name = step.unknowns[j]
            if name in given:
                table.append(given[name])
                continue
            if step.index == 1 and ends is not None:
                table.append(tuple(ends[step.columns[j]]))
                continue
            interval = step.images[j] if j < len(step.images) else Interval(None, None)
            low = -DEFAULT_REACH if interval.lower is None else float(interval.lower)
            high = low + 2 * DEFAULT_REACH if interval.upper is None else float(interval.upper)
            if not interval.is_bounded:
                assumed.append(f"{name} in [{low:g}, {high:g}]")
            table.append((low, high))
    array = np.array(table, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(array).all() or (array[:, 0] > array[:, 1]).any():
        raise OptionError("ranges must be finite, lower ends first.")
    notes = (f"Assumed, as no range or box was given: {', '.join(assumed)}.",) if assumed else ()
    return array, notes


def _given_ranges(names: tuple[sympy.Symbol, ...], ranges: Any) -> dict[sympy.Symbol, tuple[float, float]]:
    if ranges is None:
        return {}
    if isinstance(ranges, Mapping):
        by_name = {str(s): s for s in names}
        unknown = [str(key) for key in ranges if str(key) not in by_name]
        if unknown:
            raise OptionError(f"ranges must name free variables ({', '.join(by_name)}), not {', '.join(unknown)}.")
        return {by_name[str(key)]: (float(low), float(high)) for key, (low, high) in ranges.items()}
    table = np.asarray(ranges, dtype=np.float64)
    if table.shape != (len(names), 2):
        raise OptionError(f"ranges must have shape ({len(names)}, 2), a pair per free variable, not {table.shape}.")
    return {s: (float(low), float(high)) for s, (low, high) in zip(names, table, strict=True)}


def _unit_points(method: str, count: int, sides: Sequence[int], seed: int | None) -> Iterator[Array]:
    """Yield points of the open unit cube, (k, d), in chunks; `sides` are the grid's values a variable."""
    d = len(sides)
    if d == 0:
        yield np.zeros((1, 0))
        return
    if method == "grid":
        yield from _grid(sides)
        return
    rng = np.random.default_rng(seed)
    if method == "lhs":
        from scipy.stats import qmc

        whole = qmc.LatinHypercube(d, rng=rng).random(count)
        yield from (whole[i : i + CHUNK] for i in range(0, count, CHUNK))
        return
    sobol: Any = None
    if method == "sobol":
        from scipy.stats import qmc

        sobol = qmc.Sobol(d, rng=rng)
    for begin in range(0, count, CHUNK):
        size = min(CHUNK, count - begin)
        if sobol is None:
            yield rng.uniform(np.nextafter(0, 1), 1, size=(size, d))
        else:  # a Sobol sequence keeps its balance in blocks of a power of two
            block = sobol.random_base2((size - 1).bit_length())[:size]
            yield np.clip(block, 2.0**-53, 1 - 2.0**-53)


def _grid(sides: Sequence[int]) -> Iterator[Array]:
    per_variable, d = max(sides), sum(side > 1 for side in sides)
    if per_variable < 1:
        raise OptionError(f"per_variable must be at least 1, not {per_variable}.")
    total = math.prod(sides)
    if total > GRID_LIMIT:
        raise BudgetError(
            f"a grid may have at most {GRID_LIMIT:,} points, but {per_variable} values for each of {d} free variables "
            f"make {total:,}; lower per_variable or draw by 'sobol'."
        )
    for begin in range(0, total, CHUNK):
        places = np.unravel_index(np.arange(begin, min(begin + CHUNK, total)), tuple(sides))
        yield (np.column_stack(places) + 0.5) / np.array(sides)
