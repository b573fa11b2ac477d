"""Named elimination: the paper's formulas, laws over symbols, hidden zeros, strategies."""

import random
from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.algebra.elimination import reduce_rows
from symbinv.algebra.fiber import solve_fiber
from symbinv.algebra.named import Ratio, Update
from symbinv.algebra.operation import AddMultiple
from symbinv.errors import InexactError, OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.modular import PRIMES
from tests.algebra.strategies import NAMES, any_symbolic, choices, fraction_rref, generic, symbolic_matrices

a, b, c, d = sympy.symbols("a b c d")


def written_out(expressions, *sources):
    known = {}
    for source in sources:
        for definition in source.definitions:
            known[definition.name] = definition.value.xreplace(known)
    return [e.xreplace(known) for e in expressions]


def number(expression, values):
    """Evaluate by plain rational arithmetic; None where something divides by zero."""
    value = expression.xreplace(values)
    return None if value.has(sympy.zoo, sympy.nan, sympy.oo) else Fraction(int(value.p), int(value.q))


def random_values(symbols, seed, low=-9):
    source = random.Random(seed)
    return {s: sympy.Rational(source.choice([v for v in range(low, 10) if v]), source.randint(1, 5)) for s in symbols}


# -- the paper's 3 -> 2 case --------------------------------------------------------------------------


def paper_layer():
    W, z, x3 = generic(2, 3), sympy.symbols("z_1 z_2"), sympy.Symbol("x_3")
    reduction = reduce_rows(W)
    fiber = solve_fiber(reduction, ExactMatrix.column(z))
    solved = fiber.substitute([x3])
    x1, x2 = written_out(solved[:2], reduction, fiber)
    return W, z, x3, x1, x2


def test_the_corrected_formulas_of_the_paper_come_out():
    W, (z1, z2), x3, x1, x2 = paper_layer()
    k = W[1][0] / W[0][0]
    right_x2 = ((z2 - k * z1) - (W[1][2] - k * W[0][2]) * x3) / (W[1][1] - k * W[0][1])
    assert sympy.cancel(x2 - right_x2) == 0
    assert sympy.cancel(x1 - (z1 - W[0][1] * x2 - W[0][2] * x3) / W[0][0]) == 0


def test_the_formulas_as_printed_in_the_paper_leave_a_residual():
    W, (z1, z2), x3, x1, x2 = paper_layer()
    k2 = W[1][0] / W[0][0]
    printed_x2 = ((z2 - k2) - (W[1][2] - k2 * W[0][2])) / (W[1][1] - k2 * W[0][1])
    printed_x1 = (z1 - printed_x2 - W[0][2] * x3) / W[0][0]

    def residual(x1, x2):
        return [sympy.cancel(row[0] * x1 + row[1] * x2 + row[2] * x3 - z) for row, z in zip(W, (z1, z2), strict=True)]

    assert residual(x1, x2) == [0, 0]
    assert all(r != 0 for r in residual(printed_x1, printed_x2))


def test_names_and_operations_are_the_papers():
    reduction = reduce_rows(generic(2, 3))
    assert [str(q.name) for q in reduction.definitions] == ["k_{21}", "w^{(1)}_{22}", "w^{(1)}_{23}"]
    k = reduction.definitions[0].name
    assert reduction.operations == (AddMultiple(1, 0, -k),)
    assert isinstance(reduction.definitions[0], Ratio) and isinstance(reduction.definitions[1], Update)
    assert [str(e) for e in reduction.assumptions] == ["w_{1,1}", "w^{(1)}_{22}"]


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 5), (4, 6), (5, 6), (6, 8), (9, 10)])
def test_the_number_of_definitions_is_the_formulas(m, n):
    reduction = reduce_rows(generic(m, n))
    fiber = solve_fiber(reduction, ExactMatrix.column(sympy.symbols(f"z_1:{m + 1}")))
    assert len(reduction.definitions) == sum((m - p) * (n - p + 1) for p in range(1, m))
    assert len(reduction.definitions) + len(fiber.definitions) == sum((m - p) * (n - p + 2) for p in range(1, m))
    assert (reduction.rank, reduction.zero_claim) == (m, "exact")


# -- laws ---------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=80)
@given(rows=any_symbolic, data=st.data())
def test_the_solution_holds_wherever_the_assumptions_do(rows, data):
    reduction = reduce_rows(rows, **data.draw(choices(len(rows[0]))))
    n = len(rows[0])
    sides = sympy.symbols(f"r_1:{len(rows) + 1}")
    fiber = solve_fiber(reduction, ExactMatrix.column(sides))
    assert reduction.rank + reduction.nullity == n
    values = random_values(NAMES, 1)
    numeric = [[number(sympy.sympify(e), values) for e in row] for row in rows]
    assert all(e is not None for row in numeric for e in row)
    assumptions = [number(e, values) for e in written_out(reduction.assumptions, reduction)]
    if not all(assumptions):
        return  # the values meet a proviso by accident
    rank = len(fraction_rref(numeric)[1])
    assert rank == reduction.rank
    x = [Fraction(j + 1, 2) for j in range(n)]
    right = [sum((w * v for w, v in zip(row, x, strict=True)), Fraction(0)) for row in numeric]
    known = values | {s: sympy.Rational(v.numerator, v.denominator) for s, v in zip(sides, right, strict=True)}
    free = [sympy.Rational(x[j].numerator, x[j].denominator) for j in fiber.free]
    assert [number(e, known) for e in written_out(fiber.substitute(free), reduction, fiber)] == x
    assert [number(e, known) for e in written_out(fiber.conditions, reduction, fiber)] == [0] * (len(rows) - rank)
    assert set(reduce_rows(rows, free=reduction.free).pivots) == set(reduction.pivots)


@settings(deadline=None, max_examples=40)
@given(rows=symbolic_matrices(max_rows=3, max_columns=3))
def test_transform_and_null_space_hold_over_symbols(rows):
    reduction = reduce_rows(rows)
    values = random_values(NAMES, 2)
    if not all(number(e, values) for e in written_out(reduction.assumptions, reduction)):
        return
    W = reduction.matrix.to_sympy()

    def evaluate(matrix):
        table = matrix.to_sympy() if isinstance(matrix, ExactMatrix) else matrix
        flat = written_out(list(table), reduction)
        return sympy.Matrix(*table.shape, [sympy.Rational(str(number(e, values))) for e in flat])

    T, R = evaluate(reduction.transform), evaluate(reduction.rref)
    assert T * evaluate(W) == R
    expected, pivots = evaluate(W).rref()
    assert (R, reduction.pivots) == (expected, pivots)
    if reduction.free:
        fiber = solve_fiber(reduction, ExactMatrix.zeros(len(rows), 1))
        assert (evaluate(W) * evaluate(fiber.null_space)).is_zero_matrix


@settings(deadline=None, max_examples=40)
@given(rows=any_symbolic)
def test_every_strategy_reaches_the_same_rank_and_fewest_provisos_needs_no_more(rows):
    paper, fewest = reduce_rows(rows), reduce_rows(rows, strategy="fewest_provisos")
    assert paper.rank == fewest.rank
    assert len(fewest.assumptions) <= fewest.rank


# -- hidden zeros -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "pivots"),
    [
        ([[a, b, c], [a, b, d]], (0, 2)),
        ([[a, b], [2 * a, 2 * b]], (0,)),
        ([[a * b, b**2], [a**2, a * b]], (0,)),
        ([[(a + b) ** 2 - a**2 - 2 * a * b - b**2, 1]], (1,)),
        ([[a, b, c], [b, c, a], [a + b, b + c, a + c]], (0, 1)),
        ([[1 / a - 1 / b, 1], [(b - a) / (a * b), 1]], (0,)),
        ([[a, -a, 0], [0, a, -a], [-a, 0, a]], (0, 1)),
    ],
)
def test_zeros_in_disguise_are_seen_and_proved(rows, pivots):
    reduction = reduce_rows(rows)
    assert (reduction.pivots, reduction.zero_claim) == (pivots, "exact")


def test_a_zero_too_large_to_expand_is_reported_as_probabilistic():
    rows = generic(8, 9)
    rows[7] = [sum(row[j] for row in rows[:7]) for j in range(9)]
    reduction = reduce_rows(rows)
    assert (reduction.rank, reduction.zero_claim) == (7, "probabilistic")


def test_entries_made_to_vanish_modulo_the_primes_are_not_taken_for_zero():
    trap = 1
    for p in PRIMES:
        trap *= p
    assert reduce_rows([[trap * a, b], [c, d]]).pivots == (0, 1)
    assert reduce_rows([[a / PRIMES[1], b], [c, d]]).pivots == (0, 1)
    assert reduce_rows([[a, b], [a, b * (1 + trap)]]).rank == 2


def test_symbols_of_one_name_and_different_assumptions_are_different_numbers():
    positive = sympy.Symbol("a", positive=True)
    assert reduce_rows([[a, 1], [positive, 1]]).rank == 2
    assert reduce_rows([[sympy.Dummy("t"), 1], [sympy.Dummy("t"), 1]]).rank == 2


def test_a_pivot_known_to_be_positive_needs_no_proviso():
    p = sympy.Symbol("p", positive=True)
    assert reduce_rows([[p, 1]]).assumptions == ()


def test_names_clash_with_no_symbol_of_the_matrix():
    clash = sympy.Symbol("w^{(1)}_{22}"), sympy.Symbol("k_{21}")
    reduction = reduce_rows([[a, *clash], [b, c, d]])
    assert not {q.name for q in reduction.definitions} & reduction.matrix.free_symbols()
    assert [str(q.name)[0] for q in reduction.definitions] == ["l", "u", "u"]


# -- strategies and errors ----------------------------------------------------------------------------


def test_fewest_provisos_takes_the_softmax_shift_and_other_numbers_first():
    rows = [[*row, -1] for row in generic(2, 3)]
    paper, fewest = reduce_rows(rows), reduce_rows(rows, strategy="fewest_provisos")
    assert (paper.pivots, len(paper.assumptions)) == ((0, 1), 2)
    assert (fewest.pivots[0], len(fewest.assumptions)) == (3, 1)


def test_fewest_provisos_uses_a_symbol_again():
    assert reduce_rows([[a, b], [0, a]], strategy="fewest_provisos").assumptions == (a,)


def test_best_conditioned_refuses_symbols():
    with pytest.raises(OptionError, match="needs numbers, not symbols"):
        reduce_rows([[a, b]], strategy="best_conditioned")


@pytest.mark.parametrize(
    "entry", [sympy.sin(a), sympy.sqrt(2) * a, a ** sympy.Rational(1, 2), sympy.Symbol("A", commutative=False)]
)
def test_entries_that_are_no_rational_functions_are_refused(entry):
    with pytest.raises(InexactError, match="must be rational functions of symbols"):
        reduce_rows([[entry, a]])


def test_division_by_a_hidden_zero_is_refused():
    with pytest.raises(InexactError, match="must not divide by zero"):
        reduce_rows([[1 / ((a + b) ** 2 - a**2 - 2 * a * b - b**2), a]])
