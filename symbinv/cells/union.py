"""Measures of a union of disjoint cells: its volume and its bounding box, exact."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cmp_to_key
from math import factorial
from typing import Any

import numpy as np
import sympy

from symbinv.cells.half_space_search import OpenCell
from symbinv.errors import NotSupportedError
from symbinv.exact.integer import exact_sum
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.policy import to_rational
from symbinv.polyhedra.cell import Cell
from symbinv.polyhedra.maximum import maximum
from symbinv.polyhedra.real_cell import RealCell
from symbinv.polyhedra.volume import simplices

AnyCell = Cell | RealCell | OpenCell
EXACT_LIMIT = 1000  # cells, beyond which a rounded volume is summed in doubles


def total_volume(cells: Sequence[AnyCell], width: int) -> Any:
    """Return the sum of the volumes of cells of one dimension."""
    if not cells:
        return Fraction(0)
    by_square: dict[Fraction, list[tuple[int, int]]] = {}
    if any(isinstance(cell, RealCell) for cell in cells):
        return sympy.Add(*(cell.volume for cell in cells))
    for cell in cells:
        if not isinstance(cell, Cell):
            return cell.volume
        if cell.squared_volume is None:
            return sympy.oo
        rational, square = cell.squared_volume
        by_square.setdefault(square, []).append((rational.numerator, rational.denominator))
    if cells[0].dimension == width:
        return exact_sum(by_square[Fraction(1)])
    return sympy.Add(
        *(to_rational(exact_sum(terms)) * sympy.sqrt(to_rational(square)) for square, terms in by_square.items())
    )


def rounded_volume(cells: Sequence[AnyCell], width: int) -> float:
    """Return the volume of cells of one dimension as a double: rounded once for few cells, in doubles for many."""
    bounded = [c for c in cells if isinstance(c, Cell) and c.is_bounded and c.dimension == width]
    if len(cells) <= EXACT_LIMIT or len(bounded) < len(cells):
        return float(total_volume(cells, width))
    total = 0.0
    for cell in bounded:
        points = np.array([[float(e) for e in v] for v in cell.vertices])
        corners = points[list(simplices(cell.masks, width))]
        total += float(np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])).sum())
    return total / factorial(width)


def bounds_of(cells: Sequence[AnyCell], width: int) -> tuple[tuple[Any, Any], ...]:
    """Return the lower and upper end of every input over the closure of cells."""
    ends = []
    closed = [cell for cell in cells if not isinstance(cell, OpenCell)]
    if len(closed) < len(cells):
        return tuple(_range_of([cell for cell in cells if isinstance(cell, OpenCell)], j, width) for j in range(width))
    for j in range(width):
        rational = [v[j] for cell in closed if isinstance(cell, Cell) for v in cell.vertices]
        values = [LogLinear.rational(e) for e in ({min(rational), max(rational)} if rational else ())]
        values += [v[j] for cell in closed if isinstance(cell, RealCell) for v in cell.real_vertices]
        ordered = sorted(values, key=cmp_to_key(_compare))
        low, high = _plain(ordered[0]), _plain(ordered[-1])
        directions = [r[j] for cell in closed for r in cell.rays]
        directions += [s * line[j] for cell in closed for line in cell.lines for s in (1, -1)]
        if any(d < 0 for d in directions):
            low = -sympy.oo
        if any(d > 0 for d in directions):
            high = sympy.oo
        ends.append((low, high))
    return tuple(ends)


def _range_of(cells: Sequence[OpenCell], input_: int, width: int) -> tuple[Any, Any]:
    """Return the ends of one input over cells without vertices, by linear programs."""
    ends = []
    for sign in (-1, 1):
        unit = [Fraction(sign * int(j == input_)) for j in range(width)]
        found = [maximum(cell.polyhedron, unit) for cell in cells]
        largest = [e for e in found if e is not None]
        ends.append(sign * max(largest) if len(largest) == len(found) else sign * sympy.oo)
    return ends[0], ends[1]


def _compare(a: LogLinear, b: LogLinear) -> int:
    sign = (a - b).sign()
    if sign is None:
        raise NotSupportedError("the order of two thresholds with nested logarithms could not be decided.")
    return sign


def _plain(number: LogLinear) -> Any:
    return number.constant if number.is_rational else number.to_sympy()
