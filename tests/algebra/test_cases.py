"""Case trees: complete, disjoint, right in every case."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.algebra.cases import CaseTree, reduce_cases
from symbinv.algebra.elimination import RowReduction, reduce_rows
from symbinv.errors import BudgetError, OptionError
from symbinv.exact.matrix import ExactMatrix
from tests.algebra.strategies import NAMES, fraction_rref, generic, shared_matrices, symbolic_matrices

a, b, c = sympy.symbols("a b c")
mostly_zero = st.one_of(st.just(0), st.just(0), st.sampled_from([1, -1, 2]), st.fractions(-3, 3, max_denominator=3))


def rational(value):
    return sympy.Rational(Fraction(value).numerator, Fraction(value).denominator)


def check_the_case_of(tree, rows, values):
    """The assignment falls in one case, whose rank, pivots and solution are those of the numbers."""
    holding = [case for case in tree if case.holds(values)]
    assert len(holding) == 1 and holding[0] is tree.case_of(values)
    case = holding[0]
    numeric = [[Fraction(str(sympy.sympify(e).xreplace(values))) for e in row] for row in rows]
    assert case.pivots == fraction_rref(numeric)[1]
    for s, value in case.substitution.items():
        assert value.xreplace(values) == values[s]
    m, n = len(rows), len(rows[0])
    sides = sympy.symbols(f"r_1:{m + 1}")
    fiber = case.fiber(ExactMatrix.column(sides))
    x = [Fraction(j + 1, 2) for j in range(n)]
    right = {
        s: rational(sum((w * v for w, v in zip(row, x, strict=True)), Fraction(0)))
        for s, row in zip(sides, numeric, strict=True)
    }
    known = dict(values) | right
    for definition in (*case.reduction.definitions, *fiber.definitions):
        known[definition.name] = definition.value.xreplace(known)
    assert [e.xreplace(known) for e in fiber.substitute([rational(x[j]) for j in fiber.free])] == [
        rational(v) for v in x
    ]
    assert len(fiber.conditions) == m - case.rank
    assert all(e.xreplace(known) == 0 for e in fiber.conditions)
    if fiber.conditions:  # off the column space, along the left null space, some condition is broken
        null = sympy.Matrix(m, n, [rational(e) for row in numeric for e in row]).T.nullspace()[0]
        known = dict(values) | {s: right[s] + e for s, e in zip(sides, null, strict=True)}
        for definition in (*case.reduction.definitions, *fiber.definitions):
            known[definition.name] = definition.value.xreplace(known)
        assert any(e.xreplace(known) != 0 for e in fiber.conditions)


@settings(deadline=None, max_examples=60)
@given(rows=symbolic_matrices(max_rows=2, max_columns=3), data=st.data())
def test_every_assignment_of_numbers_falls_in_exactly_one_case_and_is_solved_there(rows, data):
    tree = reduce_cases(rows)
    for _ in range(4):
        values = {s: rational(data.draw(mostly_zero)) for s in NAMES}
        if any(sympy.sympify(e).xreplace(values).has(sympy.zoo, sympy.nan) for row in rows for e in row):
            continue  # an entry divides by zero there
        check_the_case_of(tree, rows, values)


@settings(deadline=None, max_examples=30)
@given(rows=shared_matrices(max_rows=3, max_columns=3), data=st.data())
def test_shared_weights_fall_in_one_case_whatever_their_numbers(rows, data):
    tree = reduce_cases(rows)
    for _ in range(3):
        check_the_case_of(tree, rows, {s: rational(data.draw(mostly_zero)) for s in NAMES})


GENERIC = {shape: reduce_cases(generic(*shape)) for shape in [(2, 3), (3, 2), (3, 3), (1, 4)]}


@settings(deadline=None, max_examples=120)
@given(shape=st.sampled_from(sorted(GENERIC)), data=st.data())
def test_generic_matrices_are_solved_for_all_numbers_zeros_included(shape, data):
    rows = generic(*shape)
    values = {s: rational(data.draw(mostly_zero)) for row in rows for s in row}
    if data.draw(st.booleans()) and shape[0] > 1:  # dependent rows
        factor = rational(data.draw(mostly_zero))
        values |= {t: factor * values[s] for s, t in zip(rows[0], rows[-1], strict=True)}
    check_the_case_of(GENERIC[shape], rows, values)


@pytest.mark.parametrize(("shape", "count"), [((1, 4), 5), ((2, 3), 13), ((3, 3), 34), ((3, 4), 73)])
def test_the_number_of_generic_cases_is_the_recurrences(shape, count):
    def cases(m, n):
        return 1 if m == 0 or n == 0 else m * cases(m - 1, n - 1) + cases(m, n - 1)

    assert cases(*shape) == count == len(reduce_cases(generic(*shape)))


def test_the_first_cases_of_the_papers_layer_are_in_the_order_of_the_page():
    (w11, w12, _), (w21, w22, _) = rows = generic(2, 3)
    tree = reduce_cases(rows)
    assert set(tree[0].nonzero) == {w11, sympy.expand(w11 * w22 - w12 * w21)}
    assert (tree[3].equations, tree[3].nonzero[0]) == ((w11,), w21)
    assert (tree[12].rank, len(tree[12].equations)) == (0, 6)


def test_impossible_cases_are_dropped():
    assert [c.when for c in reduce_cases([[1 + a**2, b]])] == [()]
    assert [case.pivots for case in reduce_cases([[a, 1], [a, 1]])] == [(0,), (1,)]
    p = sympy.Symbol("p", positive=True)
    assert len(reduce_cases([[p, a]])) == 1
    assert len(reduce_cases([[p + 1, a], [a, -p]])) == 1  # the determinant is -p (p + 1) - a^2


def test_sums_of_squares_vanish_only_where_every_square_does():
    tree = reduce_cases([[a**2 + b**2, 1]])
    assert set(tree[1].equations) == {a, b}
    circulant = reduce_cases([[a, b, c], [c, a, b], [b, c, a]])
    assert all(case.rank != 1 or case.holds({a: 2, b: 2, c: 2}) for case in circulant)


def test_an_equation_that_no_symbol_solves_stays_and_its_case_is_right():
    polynomial = a**3 - b**2 - 1
    tree = reduce_cases([[polynomial, c], [b, polynomial]])
    on_curve = {a: sympy.Integer(1), b: sympy.Integer(0), c: sympy.Integer(5)}
    assert (tree.case_of(on_curve).pivots, tree.case_of(on_curve).reduction.zero_claim) == ((1,), "exact")
    off_origin = {a: sympy.cbrt(5), b: sympy.Integer(2), c: sympy.Integer(5)}
    assert tree.case_of(off_origin).pivots == (0, 1)


def test_chosen_free_columns_take_a_pivot_only_where_they_must():
    tree = reduce_cases([[a, b]], free=[0])
    assert [case.pivots for case in tree] == [(1,), (0,), ()]


def test_reduce_rows_returns_the_tree_when_asked_for_cases():
    assert isinstance(reduce_rows([[a, b]], cases=True), CaseTree)
    assert isinstance(reduce_rows([[a, b]]), RowReduction)
    assert len(reduce_rows([[1, 2], [2, 4]], cases=True)) == 1
    assert len(reduce_rows([[a, b]], cases=True)) == 3


def test_a_tree_larger_than_its_limit_is_refused():
    with pytest.raises(BudgetError, match=r"at most 5 cases.*limit="):
        reduce_cases(generic(2, 3), limit=5)


def test_values_that_do_not_fit_are_refused():
    tree = reduce_cases([[1 / a, b]])
    with pytest.raises(OptionError, match="b is missing"):
        tree.case_of({a: 1})
    with pytest.raises(OptionError, match="denominator"):
        tree.case_of({a: 0, b: 1})
    assert tree.case_of({a: 2, b: 0}).pivots == (0,)
