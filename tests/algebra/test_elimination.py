"""Row reduction over the rationals: laws, an independent oracle, choices and errors."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.algebra.elimination import reduce_rows
from symbinv.algebra.fiber import solve_fiber
from symbinv.algebra.operation import AddMultiple, Scale, apply, invert
from symbinv.errors import InexactError, OptionError, ShapeError
from symbinv.exact.matrix import ExactMatrix
from tests.algebra.strategies import fraction_rref, rational_matrices

PATHS = pytest.mark.parametrize("record", [True, False], ids=["recorded", "whole"])


@PATHS
@settings(deadline=None, max_examples=60)
@given(rows=rational_matrices())
def test_the_reduced_form_agrees_with_textbook_elimination(record, rows):
    reduction = reduce_rows(rows, record=record)
    expected, pivots = fraction_rref(rows)
    assert reduction.pivots == pivots
    assert reduction.rref == ExactMatrix(expected)


@PATHS
@settings(deadline=None, max_examples=60)
@given(rows=rational_matrices())
def test_transform_times_matrix_is_the_reduced_form_and_loses_nothing(record, rows):
    reduction = reduce_rows(rows, record=record)
    assert reduction.transform @ reduction.matrix == reduction.rref
    assert reduction.transform.rank() == len(rows)


@PATHS
@settings(deadline=None, max_examples=60)
@given(rows=rational_matrices(), data=st.data())
def test_fiber_solves_the_system_exactly_where_its_conditions_vanish(record, rows, data):
    reduction = reduce_rows(rows, record=record)
    n = len(rows[0])
    assert reduction.rank + reduction.nullity == n == reduction.rank + len(reduction.free)
    x = ExactMatrix.column([data.draw(st.fractions(-3, 3, max_denominator=4)) for _ in range(n)])
    right = reduction.matrix @ x
    fiber = solve_fiber(reduction, right)
    assert all(c == 0 for c in fiber.conditions)
    assert reduction.matrix @ fiber.particular == right
    assert (reduction.matrix @ fiber.null_space).is_zero()
    assert fiber.null_space.rank() == reduction.nullity if fiber.free else True
    assert fiber.substitute([x[j, 0] for j in fiber.free]) == tuple(x[j, 0] for j in range(n))


@settings(deadline=None, max_examples=40)
@given(rows=rational_matrices(max_rows=4))
def test_conditions_refuse_a_right_side_outside_the_column_space(rows):
    reduction = reduce_rows(rows)
    for v in reduction.matrix.left_null_space().fractions():
        right = ExactMatrix.column(v)  # v . v > 0, so v is not in the column space
        assert any(c != 0 for c in solve_fiber(reduction, right).conditions)


@settings(deadline=None, max_examples=40)
@given(rows=rational_matrices())
def test_replaying_the_recorded_operations_gives_the_echelon_form_and_undoing_them_the_matrix(rows):
    reduction = reduce_rows(rows)
    table = [[sympy.Rational(e.numerator, e.denominator) for e in row] for row in rows]
    start = [list(row) for row in table]
    for operation in reduction.operations:
        apply(operation, table)
    assert ExactMatrix(table) == reduction.echelon
    for operation in reversed(reduction.operations):
        apply(invert(operation), table)
    assert table == start


def test_sympy_agrees_on_doubles_taken_exactly():
    weights = np.random.default_rng(3).standard_normal((4, 6)).astype(np.float32)
    expected, pivots = sympy.Matrix(4, 6, [sympy.Rational(float(v)) for v in weights.ravel()]).rref()
    for record in (True, False):
        reduction = reduce_rows(weights, record=record)
        assert (sympy.Matrix(reduction.rref.to_sympy()), reduction.pivots) == (expected, pivots)


def test_a_matrix_that_is_singular_only_in_floats_has_its_exact_rank():
    tiny = Fraction(1, 10**30)
    assert reduce_rows([[1, 1], [1, 1 + tiny]]).rank == 2
    assert reduce_rows([[Fraction(1, 3), Fraction(2, 3)], [Fraction(1, 7), Fraction(2, 7)]]).rank == 1


def test_a_matrix_without_rows_leaves_every_variable_free():
    reduction = reduce_rows(ExactMatrix.zeros(0, 3))
    assert (reduction.rank, reduction.free, reduction.rref.shape) == (0, (0, 1, 2), (0, 3))


def test_a_zero_matrix_has_no_pivot_and_only_conditions():
    fiber = solve_fiber(reduce_rows([[0, 0], [0, 0]]), ExactMatrix.column(sympy.symbols("p q")))
    assert (fiber.pivots, fiber.conditions) == ((), sympy.symbols("p q"))


# -- choices ------------------------------------------------------------------------------------------


@PATHS
def test_chosen_columns_are_free_and_the_solution_is_still_right(record):
    rows = [[1, 2, 3], [2, 5, 7]]
    reduction = reduce_rows(rows, free=[0], record=record)
    assert (reduction.pivots, reduction.free) == ((1, 2), (0,))
    fiber = solve_fiber(reduction, ExactMatrix.column([4, 9]))
    assert reduction.matrix @ fiber.particular == ExactMatrix.column([4, 9])
    assert reduction.transform @ reduction.matrix == reduction.rref


@settings(deadline=None, max_examples=60)
@given(rows=rational_matrices(), data=st.data(), record=st.booleans())
def test_any_order_of_columns_gives_a_right_solution(rows, data, record):
    n = len(rows[0])
    order = data.draw(st.permutations(range(n)))
    reduction = reduce_rows(rows, order=order, record=record)
    assert reduction.rank == len(fraction_rref(rows)[1])
    assert list(reduction.pivots) == [j for j in order if j in reduction.pivots]
    assert reduction.transform @ reduction.matrix == reduction.rref
    assert reduction.rref.select(range(reduction.rank), reduction.pivots) == ExactMatrix.identity(reduction.rank)
    x = ExactMatrix.column([Fraction(j + 1, 3) for j in range(n)])
    fiber = solve_fiber(reduction, reduction.matrix @ x)
    assert reduction.matrix @ fiber.particular == reduction.matrix @ x


@settings(deadline=None, max_examples=40)
@given(rows=rational_matrices(), record=st.booleans())
def test_best_conditioned_keeps_the_rank_and_solves(rows, record):
    reduction = reduce_rows(rows, strategy="best_conditioned", record=record)
    assert reduction.rank == len(fraction_rref(rows)[1])
    x = ExactMatrix.column([Fraction(1, j + 2) for j in range(len(rows[0]))])
    fiber = solve_fiber(reduction, reduction.matrix @ x)
    assert reduction.matrix @ fiber.particular == reduction.matrix @ x


def test_best_conditioned_avoids_a_nearly_singular_pivot_block():
    rows = np.array([[1.0, 1.0, 0.0, 3.0], [1.0, 1.0 + 1e-9, 2.0, 0.0]])
    blocks = [
        rows[:, list(reduce_rows(rows, strategy=s, record=r).pivots)]
        for s, r in (("paper", True), ("best_conditioned", True), ("best_conditioned", False))
    ]
    conditions = [np.linalg.cond(b) for b in blocks]
    assert conditions[0] > 1e8 and max(conditions[1:]) < 10


def test_best_conditioned_keeps_every_multiplier_at_most_one():
    rows = np.random.default_rng(5).standard_normal((5, 8))
    factors = [
        op.factor for op in reduce_rows(rows, strategy="best_conditioned").operations if isinstance(op, AddMultiple)
    ]
    assert len(factors) == 10 and all(abs(f) <= 1 for f in factors)


def test_entries_beyond_the_doubles_do_not_trouble_the_choice():
    assert reduce_rows([[10**400, 1], [1, 10**400]], strategy="best_conditioned").rank == 2


# -- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"free": [2]}, "free columns must lie between 0 and 1"),
        ({"free": [-1]}, "free columns must lie between 0 and 1"),
        ({"free": ["x"]}, "free columns must lie between 0 and 1"),
        ({"free": [0, 1]}, "choose fewer or other free variables"),
        ({"strategy": "best"}, "strategy must be one of paper, fewest_provisos, best_conditioned"),
        ({"order": [0], "strategy": "fewest_provisos"}, "not both"),
        ({"order": [7]}, "columns of the order must lie between 0 and 1"),
        ({"order": [0], "free": [0]}, "must not be free"),
        ({"cases": True, "strategy": "fewest_provisos"}, "takes the pivots of strategy 'paper'"),
    ],
)
def test_wrong_options_are_refused_with_what_helps(options, message):
    with pytest.raises(OptionError, match=message):
        reduce_rows([[1, 2], [3, 4]], **options)


def test_numpy_integers_name_free_columns():
    assert reduce_rows([[1, 2]], free=np.array([0])).free == (0,)


@pytest.mark.parametrize("entry", [float("nan"), float("inf"), "two", None])
def test_entries_that_are_no_numbers_are_refused(entry):
    with pytest.raises(InexactError):
        reduce_rows([[1, entry]])


def test_a_right_side_of_the_wrong_length_is_refused():
    with pytest.raises(ShapeError, match="one entry per row of the matrix \\(1\\)"):
        solve_fiber(reduce_rows([[1, 2]]), ExactMatrix.column([1, 2]))
    with pytest.raises(ShapeError, match="one entry per free variable \\(1\\)"):
        solve_fiber(reduce_rows([[1, 2]]), ExactMatrix.column([1])).substitute([])


def test_scaling_a_row_is_undone_by_the_inverse_factor():
    rows = [[2, 4]]
    apply(Scale(0, Fraction(1, 2)), rows)
    apply(invert(Scale(0, Fraction(1, 2))), rows)
    assert rows == [[2, 4]]
