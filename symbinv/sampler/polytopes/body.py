"""What kind of set a linear system describes: empty, flat, one point, unbounded, or a full-dimensional body.

Exact where `polyhedra/feasibility.py` decides, with no tolerance: the system with every row made open has a
point, which is an interior one, or a certificate of Motzkin; the rows to which a certificate gives weight
then hold with equality on the whole set, are moved to the equations, and the question is put again. Bounded is a set
whose rows have a positive combination that vanishes (Stiemke) and that holds no line. Where no answer is found,
or a set is thinner than doubles can tell from a flat one, float LPs decide, with tolerances relative to the
rows' lengths and the set's size, and the answer says so.

References:
    A. Schrijver, Theory of Linear and Integer Programming, section 8.2 (implicit equalities).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.loglinear import LogLinear, apply_matrix
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.feasibility import Certificate, LinearSystem, Point, decide

Array = NDArray[np.float64]
FLAT = 1e-9  # a slack that nowhere exceeds this, relative to the body's size, is taken for an equation in floats


@dataclass(frozen=True, eq=False)
class Body:
    """A bounded polytope in the coordinates of its affine hull: x = origin + basis v, rows v <= right.

    Attributes:
        origin: (n,).
        basis: (n, d), orthonormal columns; d = 0 for a single point.
        rows: (m, d), of length 1.
        right: (m,).
        center: An interior point v, (d,).
        exact: Whether its dimension was decided exactly.
    """

    origin: Array
    basis: Array
    rows: Array
    right: Array
    center: Array
    exact: bool = False

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return int(self.basis.shape[1])


@dataclass(frozen=True)
class NoPoints:
    """An empty set; `exact` tells whether that was proved."""

    exact: bool


def recognise(system: LinearSystem) -> Body | NoPoints:
    """Return what the closure of a linear system is.

    Raises:
        NotSupportedError: For an unbounded set, on which no uniform law exists.
    """
    closed = _closed(system)
    answer = decide(closed)
    if isinstance(answer, Certificate):
        return NoPoints(True)
    hull = None if answer is None else _affine_hull(closed)
    if hull is None:
        found = recognise_in_floats(*_half_spaces(closed), closed.equations.to_numpy(), _floats(closed.right_side))
        if found is None and answer is not None:  # floats see nothing inside; an exact point says otherwise
            return _single(_floats(answer.x), False)
        return NoPoints(False) if found is None else found
    tight, interior = hull
    return _body_inside(tight, interior)


def _closed(system: LinearSystem) -> LinearSystem:
    """Return the closure's system: rows and ends closed, sides without width among the equations."""
    n = len(system.intervals)
    fixed = [j for j, i in enumerate(system.intervals) if i.lower is not None and i.lower == i.upper]
    ends = tuple(REAL_LINE if j in fixed else Interval.closed(i.lower, i.upper) for j, i in enumerate(system.intervals))
    equations, right = system.equations, list(system.right_side)
    for j in fixed:
        equations = equations.above(_unit(j, n))
        right.append(LogLinear.rational(system.intervals[j].lower or Fraction(0)))
    return LinearSystem(
        equations, tuple(right), ends, system.inequalities, system.bounds, (False,) * len(system.bounds)
    )


def _affine_hull(system: LinearSystem) -> tuple[LinearSystem, Point] | None:
    """Move implicit equalities of a non-empty closed system to its equations; return it with an interior point."""
    n = len(system.intervals)
    while True:
        opened = LinearSystem(
            system.equations,
            system.right_side,
            tuple(Interval.open(i.lower, i.upper) for i in system.intervals),
            system.inequalities,
            system.bounds,
            (True,) * len(system.bounds),
        )
        answer = decide(opened)
        if not isinstance(answer, Certificate):
            return None if answer is None else (system, answer)
        multipliers = answer.inequality_multipliers
        rows = [i for i, u in enumerate(multipliers) if u > 0]
        slopes = ExactMatrix.zeros(1, n)
        for weights, matrix in ((answer.equation_multipliers, system.equations), (multipliers, system.inequalities)):
            if matrix.rows:
                slopes = slopes + ExactMatrix([list(weights)]) @ matrix
        ends: dict[int, Fraction] = {}
        for j, slope in enumerate(slopes.fractions()[0]):
            end = system.intervals[j].lower if slope > 0 else system.intervals[j].upper
            if slope and end is not None:
                ends[j] = end
        if not rows and not ends:
            return None
        system = _tightened(system, rows, ends)


def _tightened(system: LinearSystem, rows: Sequence[int], ends: dict[int, Fraction]) -> LinearSystem:
    n = len(system.intervals)
    equations, right = system.equations, list(system.right_side)
    if rows:
        equations = equations.above(system.inequalities.select(rows=rows))
        right += [LogLinear.rational(system.bounds[i]) for i in rows]
    for j, end in ends.items():
        equations = equations.above(_unit(j, n))
        right.append(LogLinear.rational(end))
    left = [i for i in range(len(system.bounds)) if i not in rows]
    return LinearSystem(
        equations,
        tuple(right),
        tuple(REAL_LINE if j in ends else interval for j, interval in enumerate(system.intervals)),
        system.inequalities.select(rows=left) if left else ExactMatrix.zeros(0, n),
        tuple(system.bounds[i] for i in left),
        (False,) * len(left),
    )


def _body_inside(system: LinearSystem, interior: Point) -> Body | NoPoints:
    """Return the body of a closed system whose rows are all open at an exact point of it."""
    n = len(system.intervals)
    origin = _floats(interior.x)
    rank = system.equations.rank() if system.equations.rows else 0
    if rank == n:
        return _single(origin, True)
    if not all(i.is_bounded or (i == REAL_LINE and _is_fixed(system, j)) for j, i in enumerate(system.intervals)):
        _refuse_unbounded(system, rank)
    basis = np.eye(n)
    if rank:
        matrix = system.equations.to_numpy()
        basis = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))[2][rank:].T
    rows, _ = _half_spaces(system)
    slack = np.array(_slacks(system, interior))
    whole = np.linalg.norm(rows, axis=1)
    inner = rows @ basis
    size = np.linalg.norm(inner, axis=1)
    turning = size > 1e-12 * whole  # the others are constant on the hull, and open there
    inner, slack = inner[turning] / size[turning, None], slack[turning] / size[turning]
    center, radius = _widest_ball(inner, slack)
    if center is None or radius <= FLAT * float(slack.max()):
        floats = recognise_in_floats(*_half_spaces(system), system.equations.to_numpy(), _floats(system.right_side))
        return floats or _single(origin, False)
    return Body(origin, basis, inner, slack, center, True)


def _is_fixed(system: LinearSystem, j: int) -> bool:
    """Tell whether the equations hold an input at one value."""
    wider = system.equations.above(_unit(j, len(system.intervals))) if system.equations.rows else None
    return wider is not None and wider.rank() == system.equations.rank()


def _refuse_unbounded(system: LinearSystem, rank: int) -> None:
    """Raise where the set holds a ray: no positive combination of its rows vanishes, or they do not span."""
    n = len(system.intervals)
    rows = [row for row in system.inequalities.fractions() if any(row)] if system.bounds else []
    for j, interval in enumerate(system.intervals):
        rows += [[Fraction(s * int(k == j)) for k in range(n)] for s in _sides(interval)]
    spanning = ExactMatrix(rows) if rows else ExactMatrix.zeros(0, n)
    whole = spanning.above(system.equations) if rows and system.equations.rows else spanning
    if rows and whole.rank() == n:
        count = system.equations.rows
        columns = (spanning.above(system.equations) if count else spanning).T
        positive = (Interval(Fraction(0), None),) * len(rows) + (REAL_LINE,) * count
        zero = (LogLinear.rational(0),) * n
        answer = decide(LinearSystem.of_intervals(columns, zero, positive))
        if isinstance(answer, Point):
            return
        if answer is None and _is_bounded_in_floats(columns.to_numpy(), len(rows)):
            return
    raise NotSupportedError("the polytope is unbounded, and no uniform law exists on it; give a box.")


def _is_bounded_in_floats(columns: Array, positive: int) -> bool:
    from scipy.optimize import linprog

    width = columns.shape[1]
    ends = [(1, None)] * positive + [(None, None)] * (width - positive)
    answer = linprog(np.zeros(width), A_eq=columns, b_eq=np.zeros(len(columns)), bounds=ends, method="highs")
    return bool(answer.status == 0)


def _sides(interval: Interval) -> list[int]:
    return [s for s, end in ((-1, interval.lower), (1, interval.upper)) if end is not None]


def _half_spaces(system: LinearSystem) -> tuple[Array, Array]:
    """Return all inequalities of a system, ends of intervals included, in floats."""
    n = len(system.intervals)
    rows = [system.inequalities.to_numpy()] if system.bounds else []
    right = [float(b) for b in system.bounds]
    for j, interval in enumerate(system.intervals):
        for side in _sides(interval):
            rows.append(side * np.eye(n)[j : j + 1])
            right.append(side * float(interval.upper if side > 0 else interval.lower))  # type: ignore[arg-type]
    return np.concatenate(rows) if rows else np.zeros((0, n)), np.array(right)


def _slacks(system: LinearSystem, point: Point) -> list[float]:
    """Return by how much an exact point satisfies each row of `_half_spaces`, computed exactly, rounded once."""
    values = apply_matrix(system.inequalities, point.x) if system.bounds else []
    found = [float(LogLinear.rational(b) - v) for b, v in zip(system.bounds, values, strict=True)]
    for value, interval in zip(point.x, system.intervals, strict=True):
        if interval.lower is not None:
            found.append(float(value - LogLinear.rational(interval.lower)))
        if interval.upper is not None:
            found.append(float(LogLinear.rational(interval.upper) - value))
    return found


def _single(x: Array, exact: bool) -> Body:
    return Body(x, np.zeros((len(x), 0)), np.zeros((0, 0)), np.zeros(0), np.zeros(0), exact)


def _floats(values: Sequence[LogLinear]) -> Array:
    return np.array([float(v) for v in values])


def _unit(j: int, n: int) -> ExactMatrix:
    return ExactMatrix([[int(k == j) for k in range(n)]])


# -- in floats, where the exact question stays open ----------------------------------------------------


def recognise_in_floats(rows: Array, right: Array, equations: Array, values: Array) -> Body | None:
    """Return {rows x <= right, equations x = values} as a body, by tolerances; None where floats find it empty.

    Raises:
        NotSupportedError: For an unbounded set.
    """
    n = rows.shape[1]
    length = np.linalg.norm(rows, axis=1)
    flat_rows = length <= 1e-300
    if (right[flat_rows] < 0).any():
        return None
    rows, right = rows[~flat_rows] / length[~flat_rows, None], right[~flat_rows] / length[~flat_rows]
    origin, basis = _solve_equations(equations, values, n)
    if origin is None:
        return None
    for _ in range(n + 1):
        d = basis.shape[1]
        scale = 1 + float(np.abs(origin).max(initial=0.0))
        inner, slack = rows @ basis, right - rows @ origin
        size = np.linalg.norm(inner, axis=1)
        still = size <= 1e-11
        if (slack[still] < -1e-9 * scale).any():
            return None
        inner, slack = inner[~still] / size[~still, None], slack[~still] / size[~still]
        if d == 0:
            return _single(origin, False)
        if np.linalg.matrix_rank(inner) < d or not _is_bounded_in_floats(inner.T, len(inner)):
            raise NotSupportedError("the polytope is unbounded, and no uniform law exists on it; give a box.")
        center, radius = _widest_ball(inner, slack)
        if center is None or radius < -FLAT * scale:
            return None
        if radius > FLAT * scale:
            return Body(origin, basis, inner, slack, center)
        tight = _always_tight(inner, slack, center, scale)
        shift, local = _solve_equations(inner[tight], slack[tight], d)
        if shift is None or local.shape[1] == d:
            return None
        origin, basis = origin + basis @ shift, basis @ local
    return None


def _solve_equations(equations: Array, values: Array, n: int) -> tuple[Any, Array]:
    """Return a point and an orthonormal basis of {C x = d}; (None, basis) where it is empty."""
    if not len(equations):
        return np.zeros(n), np.eye(n)
    length = np.maximum(np.linalg.norm(equations, axis=1), 1e-300)
    matrix, side = equations / length[:, None], values / length
    u, s, vt = np.linalg.svd(matrix)
    rank = int((s > 1e-11 * max(s.max(initial=0.0), 1e-300) * max(matrix.shape)).sum())
    point = vt[:rank].T @ ((u[:, :rank].T @ side) / s[:rank])
    if np.abs(matrix @ point - side).max() > 1e-9 * (1 + np.abs(side).max() + np.abs(point).max(initial=0.0)):
        return None, vt[rank:].T
    return point, vt[rank:].T


def _widest_ball(rows: Array, right: Array) -> tuple[Any, float]:
    """Return the centre and radius of the largest ball inside, by one LP; a negative radius where there is none."""
    from scipy.optimize import linprog

    d = rows.shape[1]
    reach = 1 + np.abs(right).max(initial=0.0)
    goal = np.zeros(d + 1)
    goal[-1] = -1
    answer: Any = linprog(
        goal,
        A_ub=np.column_stack([rows, np.ones(len(rows))]),
        b_ub=right,
        bounds=[(None, None)] * d + [(-reach, reach)],
        method="highs",
    )
    if answer.status != 0:
        return None, -np.inf
    return answer.x[:d], float(answer.x[d])


def _always_tight(rows: Array, right: Array, center: Array, scale: float) -> NDArray[np.int_]:
    """Return the rows that hold with equality on the whole (flat) set."""
    from scipy.optimize import linprog

    tight = []
    slack = right + 2 * FLAT * scale
    for i in np.flatnonzero(right - rows @ center <= 1e-6 * scale):
        answer = linprog(rows[i], A_ub=rows, b_ub=slack, bounds=[(None, None)] * rows.shape[1], method="highs")
        if answer.status == 0 and right[i] - answer.fun <= 1e-6 * scale:
            tight.append(i)
    return np.array(tight, dtype=int)
