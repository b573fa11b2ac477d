"""Closed forms: ratios of determinants against SymPy's, laws over every matrix, sizes predicted."""

from math import factorial

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.algebra.closed_form import closed_form, predicted_terms
from symbinv.algebra.elimination import reduce_rows
from symbinv.algebra.fiber import solve_fiber
from symbinv.errors import BudgetError, ShapeError
from symbinv.exact.determinant import solve_by_determinants
from symbinv.exact.matrix import ExactMatrix
from tests.algebra.strategies import any_symbolic, choices, generic, rational_matrices, symbolic_matrices


def sides(m):
    return sympy.symbols(f"r_1:{m + 1}")


def unknowns(reduction):
    return [sympy.Symbol(f"x_{j + 1}") for j in reduction.free]


def test_the_papers_layer_in_closed_form():
    W = generic(2, 3)
    (w11, w12, w13), (w21, w22, w23) = W
    form = closed_form(reduce_rows(W))
    D = w11 * w22 - w12 * w21
    first, second = form.ratios
    assert (first.denominator, second.denominator, form.provisos) == (D, D, (D,))
    assert (first.sides, second.sides) == ((w22, -w12), (-w21, w11))
    assert (first.free, second.free) == ((w13 * w22 - w12 * w23,), (w11 * w23 - w13 * w21,))


@settings(deadline=None, max_examples=30)
@given(rows=any_symbolic, data=st.data())
def test_substituting_the_closed_form_gives_the_right_side_back(rows, data):
    reduction = reduce_rows(rows, **data.draw(choices(len(rows[0]))))
    form = closed_form(reduction)
    r = sides(len(rows))
    x = form.solve(r, unknowns(reduction))
    residual = [sympy.Add(*(w * v for w, v in zip(row, x, strict=True))) - s for row, s in zip(rows, r, strict=True)]
    zero = [sympy.cancel(sympy.together(e)) for e in residual]
    assert sum(e == 0 for e in zero) >= form.reduction.rank
    conditions = form.conditions(r)
    assert len(conditions) == len(rows) - reduction.rank
    if len(conditions) == 1 and conditions[0] != 0:  # what is left is a multiple of the condition
        assert all(sympy.cancel(e / conditions[0]).free_symbols.isdisjoint(r) for e in zero)


@settings(deadline=None, max_examples=40)
@given(rows=any_symbolic)
def test_conditions_vanish_on_the_column_space_and_not_identically(rows):
    form = closed_form(reduce_rows(rows))
    x = sympy.symbols(f"x_1:{len(rows[0]) + 1}")
    attained = [sympy.Add(*(w * v for w, v in zip(row, x, strict=True))) for row in rows]
    assert all(sympy.cancel(sympy.together(c)) == 0 for c in form.conditions(attained))
    assert all(any(q != 0 for q in row) for row in form.condition_rows)


@settings(deadline=None, max_examples=40)
@given(rows=symbolic_matrices())
def test_no_factor_is_common_to_a_whole_row(rows):
    for ratio in closed_form(reduce_rows(rows)).ratios:
        assert sympy.gcd_list([ratio.denominator, *ratio.sides, *ratio.free]) in (1, -1)


@settings(deadline=None, max_examples=40)
@given(rows=rational_matrices(max_rows=4, max_columns=5))
def test_numbers_are_solved_as_the_fiber_solves_them(rows):
    for record in (True, False):
        reduction = reduce_rows(rows, record=record)
        r = [sympy.Rational(i + 1, 3) for i in range(len(rows))]
        free = [sympy.Rational(j + 1, 2) for j in reduction.free]
        fiber = solve_fiber(reduction, ExactMatrix.column(r))
        form = closed_form(reduction)
        consistent = all(c == 0 for c in fiber.conditions)
        assert consistent == all(c == 0 for c in form.conditions(r))
        if consistent:
            assert form.solve(r, free) == fiber.substitute(free)


@settings(deadline=None, max_examples=60)
@given(rows=symbolic_matrices())
def test_expansion_by_minors_and_elimination_agree(rows):
    reduction = reduce_rows(rows)
    from symbinv.algebra.closed_form import _row_order

    ordered = [reduction.matrix.to_sympy().tolist()[i] for i in _row_order(reduction)]
    by_minors, by_bareiss = (
        solve_by_determinants(ordered, reduction.rank, reduction.pivots, reduction.free, expand_minors=way)
        for way in (True, False)
    )
    assert sympy.expand(by_minors.determinant - by_bareiss.determinant) == 0
    assert by_minors.pivots == by_bareiss.pivots
    assert all(
        tuple(q) in (tuple(p), tuple(-e for e in p))
        for p, q in zip(by_minors.conditions, by_bareiss.conditions, strict=True)
    )


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 5), (4, 6), (5, 6)])
def test_the_prediction_is_exact_for_distinct_symbols(m, n):
    reduction = reduce_rows(generic(m, n))
    form = closed_form(reduction)
    assert predicted_terms(reduction) == form.terms == factorial(m) * (m * (n - m + 1) + 1)


@settings(deadline=None, max_examples=30)
@given(rows=symbolic_matrices())
def test_the_prediction_is_never_too_small(rows):
    reduction = reduce_rows(rows)
    determinant = closed_form(reduction).determinant
    assert reduction.rank == 0 or len(sympy.Add.make_args(determinant)) <= predicted_terms(reduction)


def test_determinant_is_sympys():
    reduction = reduce_rows(generic(4, 4))
    expected = sympy.Matrix(generic(4, 4)).det(method="berkowitz")
    assert sympy.expand(closed_form(reduction).determinant - expected) == 0


def test_a_closed_form_too_large_is_refused_with_the_count_before_the_work():
    reduction = reduce_rows(generic(16, 20))
    with pytest.raises(
        BudgetError, match=r"at most 200000 terms, but this one would have up to \d+; keep the named form"
    ):
        closed_form(reduction)
    with pytest.raises(BudgetError, match="up to 312;"):
        closed_form(reduce_rows(generic(4, 6)), limit=311)


def test_many_rows_with_one_symbol_are_not_refused():
    a = sympy.Symbol("a")
    rows = [[a if i == j == 0 else (i * j + i + 2 * j) % 7 + (10 * (i == j)) for j in range(14)] for i in range(13)]
    form = closed_form(reduce_rows(rows))
    assert form.determinant.is_polynomial(a) and form.terms < 1000


def test_entries_with_denominators_state_them_as_provisos():
    a, b = sympy.symbols("a b")
    form = closed_form(reduce_rows([[1 / a, b]]))
    assert form.provisos == (a,)
    assert form.solve([sympy.Symbol("r")], [sympy.Symbol("x")])[0] == a * sympy.Symbol("r") - a * b * sympy.Symbol("x")


def test_lengths_that_do_not_fit_are_refused():
    form = closed_form(reduce_rows(generic(1, 2)))
    with pytest.raises(ShapeError, match=r"one entry per row \(1\), not 2"):
        form.solve([1, 2], [1])
    with pytest.raises(ShapeError, match=r"one entry per free variable \(1\), not 0"):
        form.solve([1], [])
