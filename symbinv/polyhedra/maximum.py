"""The largest value of a linear form on a polyhedron, exact in any dimension.

A float LP (HiGHS) proposes a vertex and multipliers; both are completed in rationals from the rows that seem tight. The
value stands where the vertex meets every row, the multipliers are not negative and combine the rows into the
form: then it is a bound (weak duality) and is taken. An unbounded form has a ray that proves it.

References:
    D. L. Applegate, W. Cook, S. Dash, D. G. Espinoza, Exact solutions to linear programming problems, Operations
    Research Letters 35 (2007).
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symbinv.errors import NotSupportedError
from symbinv.exact.interval import REAL_LINE
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.feasibility import NEAR_ZERO, LinearSystem, Point, decide
from symbinv.polyhedra.polyhedron import Polyhedron, Vector


def maximum(polyhedron: Polyhedron, form: Sequence[Fraction]) -> Fraction | None:
    """Return the largest value of a form over the closure of a polyhedron; None where there is no bound.

    Args:
        polyhedron: One that is not empty.
        form: One rational per coordinate.

    Raises:
        NotSupportedError: Where neither a value nor a ray could be proved.

    Example:
        >>> triangle = Polyhedron([[-3, 0], [0, -1], [1, 3]], [0, 0, 1])
        >>> maximum(triangle, [Fraction(0), Fraction(1)]), maximum(triangle, [Fraction(1), Fraction(0)])
        (Fraction(1, 3), Fraction(1, 1))
    """
    from scipy.optimize import linprog

    if not any(form):
        return Fraction(0)
    rows = [(*h.row, h.bound) for h in polyhedron.half_spaces if any(h.row)]
    count = len(rows)
    rows += [(*row, right) for row, right in polyhedron.equations]
    scaled = [_unit_size(row) for row in rows]
    table = np.array([[float(e) for e in row] for row in scaled]).reshape(len(rows), polyhedron.width + 1)
    result = linprog(
        [-float(e) for e in form],
        A_ub=table[:count, :-1],
        b_ub=table[:count, -1],
        A_eq=table[count:, :-1],
        b_eq=table[count:, -1],
        bounds=(None, None),
        method="highs",
    )
    if result.status == 0:
        solution: Any = result
        duals = -np.append(solution.ineqlin.marginals, solution.eqlin.marginals)
        value = _prove(scaled, count, tuple(form), solution.x, solution.slack, duals)
        if value is not None:
            return value
    if _has_ray(polyhedron, tuple(form)):
        return None
    raise NotSupportedError("the largest value of an input over a cell could not be proved; its rows are too extreme.")


def _unit_size(row: Vector) -> Vector:
    """Return a positive multiple of a row with largest slope 1."""
    size = max(map(abs, row[:-1]))
    return tuple(e / size for e in row)


def _prove(rows: Sequence[Vector], count: int, form: Vector, guess: Any, slack: Any, duals: Any) -> Fraction | None:
    """Complete a float optimum in rationals; return its value where it is proved."""
    scale = 1.0 + np.abs(guess).max(initial=0.0)
    used = [i for i in range(len(rows)) if i >= count or duals[i] > NEAR_ZERO * (1 + np.abs(duals).max())]
    tight = used + [i for i in range(count) if i not in used and slack[i] <= NEAR_ZERO * scale]
    for chosen in (used, tight):  # the rows that carry the multipliers, then all that touch
        multipliers = _combination([rows[i][:-1] for i in chosen], form)
        if multipliers is None or any(m < 0 for i, m in zip(chosen, multipliers, strict=True) if i < count):
            continue
        value = _dot(multipliers, [rows[i][-1] for i in chosen])
        x = _meet([rows[i] for i in tight], guess)
        if (
            x is not None
            and _is_on(rows, count, x)
            and sum((a * b for a, b in zip(form, x, strict=True)), Fraction(0)) == value
        ):
            return value
    return None


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))


def _combination(rows: Sequence[Vector], form: Vector) -> Vector | None:
    """Return multipliers of independent ones of the rows that add up to a form; None where there are none."""
    if not rows:
        return None
    columns = ExactMatrix([list(e) for e in zip(*rows, form, strict=True)])
    reduced, pivots = columns.rref()
    if len(rows) in pivots:
        return None
    found = [Fraction(0)] * len(rows)
    for i, p in enumerate(pivots):
        found[p] = reduced.fraction(i, len(rows))
    return tuple(found)


def _meet(rows: Sequence[Vector], guess: Any) -> Vector | None:
    """Return a point near a guess on which all rows hold with equality; None where there is none."""
    width = len(guess)
    reduced, pivots = ExactMatrix(rows).rref()
    if width in pivots:
        return None
    x = [Fraction(float(e)) for e in guess]
    free = [j for j in range(width) if j not in pivots]
    for i, p in enumerate(pivots):
        moved = sum((reduced.fraction(i, j) * x[j] for j in free), Fraction(0))
        x[p] = reduced.fraction(i, width) - moved
    return tuple(x)


def _is_on(rows: Sequence[Vector], count: int, x: Vector) -> bool:
    """Tell whether a point meets the first rows as inequalities, the rest as equations."""
    values = (ExactMatrix([row[:-1] for row in rows]) @ ExactMatrix.column(x)).fractions()
    return all(
        value <= row[-1] if i < count else value == row[-1]
        for i, (row, (value,)) in enumerate(zip(rows, values, strict=True))
    )


def _has_ray(polyhedron: Polyhedron, form: Vector) -> bool:
    """Tell whether a direction that never leaves the polyhedron raises the form."""
    rows = [h.row for h in polyhedron.half_spaces] + [tuple(-e for e in form)]
    bounds = [Fraction(0)] * (len(rows) - 1) + [Fraction(-1)]
    equations = [row for row, _ in polyhedron.equations]
    width = polyhedron.width
    system = LinearSystem(
        ExactMatrix(equations) if equations else ExactMatrix.zeros(0, width),
        (LogLinear.rational(0),) * len(equations),
        (REAL_LINE,) * width,
        ExactMatrix(rows),
        tuple(bounds),
        (False,) * len(rows),
    )
    return isinstance(decide(system), Point)
