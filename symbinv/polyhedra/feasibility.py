"""Does a linear system have a solution? A point, or a certificate that it has none, both exact.

The system is E x = r, G x <= h (rows open or closed), and an interval for every variable (ends open,
closed or infinite). All coefficients are rational; r may be exact reals with logarithms. A float LP (HiGHS)
only proposes: a point is completed and a multiplier vector is rounded in rationals, and each is then checked
exactly, so that no answer rests on a tolerance. Where neither proposal passes, the answer is None.

The certificate is that of Motzkin's transposition theorem (Farkas' lemma where everything is closed):
multipliers l of the equations and u >= 0 of the inequalities such that, with v = l E + u G, every solution has
v.x <= l.r + u.h, while v.x over the intervals is larger, or equal and not attained.

References:
    T. S. Motzkin, Two consequences of the transposition theorem on linear inequalities, Econometrica 19 (1951).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symbinv.errors import ShapeError
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear, apply_matrix, combine
from symbinv.exact.matrix import ExactMatrix

NEAR_ZERO = 1e-9  # proposes which multipliers and slacks are zero; never decides


@dataclass(frozen=True)
class LinearSystem:
    """E x = r, G x <= h, x_j in an interval each.

    Attributes:
        equations: E, (q, n); `right_side` holds q exact reals.
        intervals: One per variable.
        inequalities: G, (p, n); `bounds` holds p rationals and `strict` says which rows are open.
    """

    equations: ExactMatrix
    right_side: tuple[LogLinear, ...]
    intervals: tuple[Interval, ...]
    inequalities: ExactMatrix
    bounds: tuple[Fraction, ...] = ()
    strict: tuple[bool, ...] = ()

    @classmethod
    def of_intervals(
        cls, equations: ExactMatrix, right_side: Sequence[LogLinear], intervals: Sequence[Interval]
    ) -> "LinearSystem":
        """Return a system without inequalities other than the intervals."""
        return cls(equations, tuple(right_side), tuple(intervals), ExactMatrix.zeros(0, equations.columns))

    def __post_init__(self) -> None:
        n = len(self.intervals)
        fits = self.equations.shape == (len(self.right_side), n) and self.inequalities.shape == (len(self.bounds), n)
        if not fits or len(self.strict) != len(self.bounds):
            raise ShapeError(
                f"a system must have one interval per variable and one right side per row, not {n} intervals, "
                f"equations {self.equations.shape} with {len(self.right_side)} right sides and inequalities "
                f"{self.inequalities.shape} with {len(self.bounds)} bounds."
            )


@dataclass(frozen=True)
class Point:
    """An exact solution."""

    x: tuple[LogLinear, ...]


@dataclass(frozen=True)
class Certificate:
    """Multipliers that prove a system to have no solution; see the module's text.

    Attributes:
        system: What they refute.
        equation_multipliers: l, any sign.
        inequality_multipliers: u, none negative.
    """

    system: LinearSystem
    equation_multipliers: tuple[Fraction, ...]
    inequality_multipliers: tuple[Fraction, ...]

    def check(self) -> bool:
        """Verify the certificate in exact arithmetic, from the system alone."""
        system = self.system
        if any(u < 0 for u in self.inequality_multipliers):
            return False
        v = _combine_rows(system, self.equation_multipliers, self.inequality_multipliers)
        smallest, attained = Fraction(0), True
        for slope, interval in zip(v, system.intervals, strict=True):
            if slope == 0:
                continue
            end = interval.lower if slope > 0 else interval.upper
            if end is None:
                return False
            smallest += slope * end
            attained = attained and not (interval.open_lower if slope > 0 else interval.open_upper)
        bound = combine(self.equation_multipliers, system.right_side)
        bound += LogLinear.rational(
            sum((u * h for u, h in zip(self.inequality_multipliers, system.bounds, strict=True)), Fraction(0))
        )
        strict = any(u > 0 and s for u, s in zip(self.inequality_multipliers, system.strict, strict=True))
        sign = (LogLinear.rational(smallest) - bound).sign()
        return sign == 1 or (sign == 0 and (strict or not attained))


def decide(system: LinearSystem) -> Point | Certificate | None:
    """Decide whether a linear system has a solution.

    Returns:
        A `Point` that was checked exactly, a `Certificate` that was checked exactly, or None where
        neither was found (a right side whose sign cannot be decided, or numbers too extreme for the LP).

    Example:
        >>> unit = Interval.open(0, 1)
        >>> row = ExactMatrix([[1, 1]])
        >>> type(decide(LinearSystem.of_intervals(row, [LogLinear.rational(2)], [unit, unit]))).__name__
        'Certificate'
        >>> type(decide(LinearSystem.of_intervals(row, [LogLinear.log(2)], [unit, unit]))).__name__
        'Point'
    """
    inconsistent = _inconsistent_equations(system)
    if inconsistent is not None:
        return inconsistent
    if system.equations.rows and system.equations.rank() == len(system.intervals):
        return _decide_unique(system)
    for everywhere in (True, False):  # a margin on all inequalities, then on the open ones alone
        lp = _solve_margin_lp(system, everywhere)
        if lp is None:
            continue
        x, margin, multipliers = lp
        if margin > 0 or not everywhere:  # without a margin a point may still lie on closed rows
            point = _complete_point(system, x)
            if point is not None:
                return point
        certificate = _round_certificate(system, *multipliers)
        if certificate is not None:
            return certificate
    return None


def _decide_unique(system: LinearSystem) -> Point | Certificate | None:
    """Decide a system whose equations have exactly one solution, without an LP."""
    n = len(system.intervals)
    joint, _ = system.equations.beside(ExactMatrix.identity(system.equations.rows)).rref()
    inverse = joint.select(rows=range(n), columns=range(n, n + system.equations.rows))
    x = apply_matrix(inverse, system.right_side)
    if is_solution(system, x):
        return Point(tuple(x))
    none = (Fraction(0),) * len(system.bounds)
    rows = [(ExactMatrix([[s * int(k == j) for k in range(n)]]), none) for j in range(n) for s in (1, -1)]
    for i in range(len(system.bounds)):
        unit = tuple(Fraction(int(k == i)) for k in range(len(system.bounds)))
        rows.append((system.inequalities.select(rows=[i]), unit))
    for row, multipliers in rows:  # the violated inequality, plus the equations that move it onto x
        left = tuple((-(row @ inverse)).fractions()[0])
        certificate = Certificate(system, left, multipliers)
        if certificate.check():
            return certificate
    return None


def is_solution(system: LinearSystem, x: Sequence[LogLinear]) -> bool:
    """Tell whether a point solves the system, exactly; False also where a sign cannot be decided."""
    for value, interval in zip(x, system.intervals, strict=True):
        if not is_inside(value, interval):
            return False
    for value, right in zip(apply_matrix(system.equations, x), system.right_side, strict=True):
        if (value - right).is_zero() is not True:
            return False
    for value, bound, strict in zip(apply_matrix(system.inequalities, x), system.bounds, system.strict, strict=True):
        sign = (value - LogLinear.rational(bound)).sign()
        if sign is None or sign > 0 or (strict and sign == 0):
            return False
    return True


def is_inside(value: LogLinear, interval: Interval) -> bool | None:
    """Tell whether an exact real lies in an interval; None where a sign cannot be decided."""
    for end, is_open, direction in (
        (interval.lower, interval.open_lower, 1),
        (interval.upper, interval.open_upper, -1),
    ):
        if end is None:
            continue
        sign = (value - LogLinear.rational(end)).sign()
        if sign is None:
            return None
        if sign == -direction or (sign == 0 and is_open):
            return False
    return True


def _combine_rows(system: LinearSystem, left: Sequence[Fraction], right: Sequence[Fraction]) -> list[Fraction]:
    n = len(system.intervals)
    total = ExactMatrix.zeros(1, n)
    for multipliers, matrix in ((left, system.equations), (right, system.inequalities)):
        if matrix.rows:
            total = total + ExactMatrix([list(multipliers)]) @ matrix
    return total.fractions()[0]


def _inconsistent_equations(system: LinearSystem) -> Certificate | None:
    """Return a certificate where the equations alone have no solution: l E = 0 but l r is not 0."""
    null = system.equations.left_null_space() if system.equations.rows else ExactMatrix.zeros(0, 0)
    for row in null.fractions():
        sign = combine(row, system.right_side).sign()
        if sign:
            scaled = tuple(-sign * q for q in row)
            return Certificate(system, scaled, (Fraction(0),) * len(system.bounds))
    return None


def _solve_margin_lp(system: LinearSystem, everywhere: bool) -> tuple[Any, float, tuple[Any, Any]] | None:
    """Maximise the margin t <= 1 by which inequalities hold, in floats; return x, t and the multipliers."""
    from scipy.optimize import linprog

    n = len(system.intervals)
    rows: list[Any] = []
    limits: list[float] = []
    kinds: list[int | None] = []  # index of a general inequality, or None for an interval's end
    g = system.inequalities.to_numpy() if system.bounds else np.zeros((0, n))
    sizes = np.abs(g).max(axis=1, initial=0.0)
    sizes[sizes == 0] = 1.0
    for i, (bound, strict) in enumerate(zip(system.bounds, system.strict, strict=True)):
        rows.append(np.append(g[i] / sizes[i], 1.0 if everywhere or strict else 0.0))
        limits.append(float(bound) / sizes[i])
        kinds.append(i)
    for j, interval in enumerate(system.intervals):
        for end, is_open, side in (
            (interval.lower, interval.open_lower, -1.0),
            (interval.upper, interval.open_upper, 1.0),
        ):
            if end is not None:
                row = np.zeros(n + 1)
                row[j], row[n] = side, 1.0 if everywhere or is_open else 0.0
                rows.append(row)
                limits.append(side * float(end))
                kinds.append(None)
    equations = system.equations.to_numpy()
    result = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.array(rows) if rows else None,
        b_ub=np.array(limits) if rows else None,
        A_eq=np.hstack([equations, np.zeros((len(equations), 1))]) if len(equations) else None,
        b_eq=np.array([float(r) for r in system.right_side]) if len(equations) else None,
        bounds=[(None, None)] * n + [(None, 1.0)],
        method="highs",
    )
    if result.status != 0:
        return None
    left = -result.eqlin.marginals if len(equations) else np.zeros(0)
    right = np.zeros(len(system.bounds))
    for kind, value in zip(kinds, -result.ineqlin.marginals if rows else (), strict=True):
        if kind is not None:
            right[kind] = value / sizes[kind]
    solution: Any = result.x
    return solution[:n], float(solution[n]), (left, right)


def _complete_point(system: LinearSystem, guess: Any) -> Point | None:
    """Turn a float solution into an exact one: tight closed rows become equations, free variables are kept."""
    n = len(system.intervals)
    scale = 1.0 + np.abs(guess).max(initial=0.0)
    equations, right = system.equations, list(system.right_side)
    for i, (bound, strict) in enumerate(zip(system.bounds, system.strict, strict=True)):
        values = system.inequalities.select(rows=[i])
        if not strict and abs(float(bound) - (values.to_numpy() @ guess)[0]) <= NEAR_ZERO * scale:
            equations = equations.above(values)
            right.append(LogLinear.rational(bound))
    for j, interval in enumerate(system.intervals):
        for end, is_open in ((interval.lower, interval.open_lower), (interval.upper, interval.open_upper)):
            if end is not None and not is_open and abs(float(end) - guess[j]) <= NEAR_ZERO * scale:
                equations = equations.above(ExactMatrix([[int(k == j) for k in range(n)]]))
                right.append(LogLinear.rational(end))
                break
    if equations.rows == 0:
        return _checked(system, [LogLinear.rational(Fraction(float(v))) for v in guess])
    joint, pivots = equations.beside(ExactMatrix.identity(equations.rows)).rref()
    pivots = tuple(p for p in pivots if p < n)
    transform = joint.select(rows=range(len(pivots)), columns=range(n, n + equations.rows))
    free = [j for j in range(n) if j not in pivots]
    x: list[LogLinear] = [LogLinear.rational(Fraction(float(v))) for v in guess]
    constants = apply_matrix(transform, right)
    slopes = joint.select(rows=range(len(pivots)), columns=free)
    for i, (p, constant) in enumerate(zip(pivots, constants, strict=True)):
        moved = sum((slopes.fraction(i, f) * x[j].constant for f, j in enumerate(free)), Fraction(0))
        x[p] = constant - LogLinear.rational(moved)
    return _checked(system, x)


def _checked(system: LinearSystem, x: Sequence[LogLinear]) -> Point | None:
    return Point(tuple(x)) if is_solution(system, x) else None


def _round_certificate(system: LinearSystem, left: Any, right: Any) -> Certificate | None:
    """Turn float multipliers into exact ones: those that seem zero are, and so are the slopes v_j that seem so."""
    scale = max(np.abs(left).max(initial=0.0), np.abs(right).max(initial=0.0))
    if scale == 0 or not np.isfinite(scale):
        return None
    left, right = left / scale, right / scale
    used = [i for i, u in enumerate(right) if u > NEAR_ZERO]
    stacked = system.equations.above(system.inequalities.select(rows=used)) if used else system.equations
    y = np.concatenate([left, right[used]])
    slopes = y @ stacked.to_numpy()
    small = [j for j, v in enumerate(slopes) if abs(v) <= NEAR_ZERO * (1 + np.abs(stacked.to_numpy()[:, j]).max())]
    endless = [
        j
        for j, (v, interval) in enumerate(zip(slopes, system.intervals, strict=True))
        if (interval.lower is None and (v >= 0 or interval.upper is None))
        or (interval.upper is None and (v <= 0 or interval.lower is None))
    ]
    for zero_columns in (sorted({*small, *endless}), endless):
        exact = _project(stacked, y, zero_columns)
        if exact is None:
            continue
        multipliers = [Fraction(0)] * len(system.bounds)
        for i, u in zip(used, exact[len(left) :], strict=True):
            multipliers[i] = u
        certificate = Certificate(system, tuple(exact[: len(left)]), tuple(multipliers))
        if certificate.check():
            return certificate
    return None


def _project(stacked: ExactMatrix, y: Any, zero_columns: Sequence[int]) -> list[Fraction] | None:
    """Return rationals near y that make y @ stacked vanish exactly in the given columns."""
    if not zero_columns:
        return [Fraction(float(v)) for v in y]
    basis = stacked.select(columns=zero_columns).left_null_space()
    if basis.rows == 0:
        return None
    coordinates = np.linalg.lstsq(basis.to_numpy().T, y, rcond=None)[0]
    rational = ExactMatrix([[Fraction(float(c)) for c in coordinates]])
    return (rational @ basis).fractions()[0]
