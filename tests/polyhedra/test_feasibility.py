"""Points and certificates of linear systems, against HiGHS and against tampering."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from symbinv import ExactMatrix, ShapeError
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.polyhedra.feasibility import Certificate, LinearSystem, Point, decide, is_solution

from ..strategies import matrices, short


def system_of(equations, right, rows, bounds, strict, n, intervals=None):
    return LinearSystem(
        ExactMatrix(equations) if equations else ExactMatrix.zeros(0, n),
        tuple(LogLinear.rational(r) for r in right),
        tuple(intervals or [Interval.open(None, None)] * n),
        ExactMatrix(rows) if rows else ExactMatrix.zeros(0, n),
        tuple(bounds),
        tuple(strict),
    )


@st.composite
def systems(draw):
    n = draw(st.integers(1, 3))
    q, p = draw(st.integers(0, 2)), draw(st.integers(0, 5))
    equations, rows = draw(matrices(q, n)), draw(matrices(p, n))
    right, bounds = [draw(short) for _ in range(q)], [draw(short) for _ in range(p)]
    strict = [draw(st.booleans()) for _ in range(p)]
    return system_of(equations, right, rows, bounds, strict, n)


def highs_margin(system):
    """Return the largest t with every open row met by t (t <= 1), None where the closed rows have no point."""
    n = len(system.intervals)
    g = np.hstack([system.inequalities.to_numpy(), np.array(system.strict, float).reshape(-1, 1)])
    e = np.hstack([system.equations.to_numpy(), np.zeros((system.equations.rows, 1))])
    lp = linprog(
        [0] * n + [-1],
        A_ub=g if len(g) else None,
        b_ub=[float(b) for b in system.bounds] if len(g) else None,
        A_eq=e if len(e) else None,
        b_eq=[float(r) for r in system.right_side] if len(e) else None,
        bounds=[(None, None)] * n + [(None, 1)],
    )
    return lp.x[-1] if lp.status == 0 else None


@given(systems())
@settings(max_examples=150, deadline=None)
def test_the_answer_is_proved_and_is_highss(system):
    answer = decide(system)
    margin = highs_margin(system)
    has_open = any(system.strict)
    if isinstance(answer, Point):
        assert is_solution(system, answer.x)
        assert margin is not None and (not has_open or margin > -1e-7)
    else:
        assert isinstance(answer, Certificate)
        assert answer.check()
        assert margin is None or (has_open and margin < 1e-7)


@given(systems(), st.integers(0, 10), st.fractions(-2, 2, max_denominator=3))
@settings(max_examples=100, deadline=None)
def test_a_certificate_never_passes_on_a_system_that_has_a_point(system, place, change):
    answer = decide(system)
    if not isinstance(answer, Point):
        return
    multipliers = [Fraction(0)] * len(system.bounds)
    if multipliers:
        multipliers[place % len(multipliers)] = abs(change)
    forged = Certificate(system, (change,) * system.equations.rows, tuple(multipliers))
    assert not forged.check()


def test_a_touch_is_a_point_where_closed_and_a_motzkin_certificate_where_open():
    row = ExactMatrix([[1, 1]])
    for interval, kind in ((Interval.closed(0, 1), Point), (Interval.open(0, 1), Certificate)):
        answer = decide(LinearSystem.of_intervals(row, [LogLinear.rational(2)], [interval] * 2))
        assert isinstance(answer, kind)


def test_logarithms_on_the_boundary_are_decided_without_rounding():
    row = ExactMatrix([[1, 1]])
    six = LogLinear.log(6) - LogLinear.log(2) - LogLinear.log(3)  # zero
    unit = [Interval.open(0, 1)] * 2
    assert isinstance(decide(LinearSystem.of_intervals(row, [six], unit)), Certificate)
    tiny = six + LogLinear.rational(Fraction(1, 10**6))
    assert isinstance(decide(LinearSystem.of_intervals(row, [tiny], unit)), Point)


def test_a_changed_certificate_is_refused():
    system = system_of([], [], [[1], [-1]], [0, -1], [False, False], 1)  # x <= 0 and x >= 1
    certificate = decide(system)
    assert certificate.check()
    u = certificate.inequality_multipliers
    assert not replace(certificate, inequality_multipliers=(u[0], 2 * u[1])).check()
    assert not replace(certificate, inequality_multipliers=(-u[0], -u[1])).check()
    assert not replace(certificate, system=replace(system, bounds=(Fraction(2), Fraction(-1)))).check()


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match="one interval per variable"):
        LinearSystem.of_intervals(ExactMatrix([[1, 1]]), [LogLinear.rational(0)], [Interval.open(0, 1)])
