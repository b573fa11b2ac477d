"""What the pages say is right: their equations, read back and computed in fractions, solve the system."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.algebra.cases import reduce_cases
from symbinv.derivation.parametric import derive_cases, derive_closed_form
from symbinv.derivation.steps import Derivation

from ..algebra.strategies import NAMES, symbolic_matrices
from .formulas import equations, value

GIVEN = ("condition", "forward", "augmented", "step", "reduced", "activation", "residual", "claimed")
numbers = st.fractions(-3, 3, max_denominator=3)


def computed(latex, known):
    """Return what every symbol is worth by the page's own equations, in order; a symbol given twice must agree."""
    known = dict(known)
    for label, factor, symbol, right in equations(latex):
        if any(word in label.split("-", 1)[-1] for word in GIVEN):
            continue
        found = value(right, known) / (value(factor, known) if factor else 1)
        assert known.setdefault(symbol, found) == found, f"{symbol} at {label}"
    return known


def start(draw, names):
    return {name: draw(numbers) for name in names}


def as_number(expression, known):
    return Fraction(str(sympy.Rational(expression.xreplace({s: known[s] for s in expression.free_symbols}))))


def solves(rows, known, sides):
    """Tell whether x_j of a page solve rows x = sides, all as numbers."""
    return all(
        sum(e * known[f"x_{{{j + 1}}}"] for j, e in enumerate(row)) == r for row, r in zip(rows, sides, strict=True)
    )


@given(symbolic_matrices(), st.data(), st.sampled_from(["frac", "cfrac", "inline"]))
@settings(max_examples=60, deadline=None)
def test_the_equations_of_a_symbolic_layer_solve_it(rows, data, fractions):
    try:
        inverse = si.invert(si.Network.from_arrays([rows], [[0] * len(rows)], ["identity"]))
    except si.InexactError:  # a ratio whose denominator vanishes
        assume(False)
    at = start(data.draw, map(str, NAMES))
    symbols = {s: sympy.Rational(at[str(s)].numerator, at[str(s)].denominator) for s in NAMES}
    plain = sympy.Matrix(rows).xreplace(symbols)
    assume(all(e.is_Rational for e in plain))
    matrix = [[Fraction(int(e.p), int(e.q)) for e in plain.row(i)] for i in range(plain.rows)]
    x = [data.draw(numbers) for _ in matrix[0]]
    sides = [sum(e * v for e, v in zip(row, x, strict=True)) for row in matrix]
    free = {f"x_{{{j + 1}}}": x[j] for j in inverse.step(1).reduction.free}
    z = {f"z_{{{i + 1}}}": r for i, r in enumerate(sides)}
    try:
        known = computed(si.to_latex(inverse, fractions=fractions, matrix_size=6), at | z | free)
    except ZeroDivisionError:  # a pivot that the pages take not to be zero
        assume(False)
    assert solves(matrix, known, sides)


@pytest.mark.parametrize("fractions", ["frac", "cfrac", "inline"])
@pytest.mark.parametrize(("units", "inputs"), [(2, 3), (3, 3), (3, 5), (2, 6)])
def test_the_closed_form_on_the_page_is_the_named_form(units, inputs, fractions):
    inverse = si.invert(si.Network.generic([inputs, units], ["tanh"]))
    step = inverse.step(1)
    closed = derive_closed_form(step, si.closed_form(step.reduction))
    pages = [
        si.to_latex(Derivation("", part), fractions=fractions) for part in (si.derive(inverse).steps[3:], (closed,))
    ]
    numbers = {
        f"w_{{{i + 1}{j + 1}}}": Fraction(2 + (3 * i + 5 * j + i * j * j) % 7, 1 + j)
        for i in range(units)
        for j in range(inputs)
    }
    numbers |= {f"r_{{{i + 1}}}": Fraction(3 - i, 2) for i in range(units)}
    numbers |= {f"z_{{{i + 1}}}": Fraction(3 - i, 2) for i in range(units)} | {
        f"b_{{{i + 1}}}": Fraction(0) for i in range(units)
    }
    numbers |= {f"x_{{{j + 1}}}": Fraction(j + 1, 3) for j in step.reduction.free}
    named, ratios = (computed(page, numbers) for page in pages)
    for j in range(1, inputs + 1):
        assert named[f"x_{{{j}}}"] == ratios[f"x_{{{j}}}"]


@given(symbolic_matrices(max_rows=2, max_columns=3), st.data())
@settings(max_examples=40, deadline=None)
def test_the_equations_of_the_case_that_holds_solve_the_system(rows, data):
    tree = reduce_cases(rows)
    derivation = derive_cases(tree)
    at = start(data.draw, map(str, NAMES))
    values = {s: at[str(s)] for s in NAMES}
    symbols = {s: sympy.Rational(v.numerator, v.denominator) for s, v in values.items()}
    plain = sympy.Matrix(rows).xreplace(symbols)
    assume(all(e.is_Rational for e in plain))
    (number,) = [k for k, case in enumerate(tree) if case.holds(symbols)]
    matrix = [[Fraction(int(e.p), int(e.q)) for e in plain.row(i)] for i in range(plain.rows)]
    x = [data.draw(numbers) for _ in matrix[0]]
    sides = [sum(e * v for e, v in zip(row, x, strict=True)) for row in matrix]
    case = derivation.steps[1 + number]
    known = at | {f"x_{{{int(str(s)[2:])}}}": x[int(str(s)[2:]) - 1] for s in case.free}
    known |= {f"r_{{{i + 1}}}": r for i, r in enumerate(sides)}
    latex = si.to_latex(Derivation("", (derivation.steps[0], case)))
    assert solves(matrix, computed(latex, known), sides)
    right = {
        r: sympy.Rational(v.numerator, v.denominator) for r, v in zip(derivation.steps[0].sides, sides, strict=True)
    }
    assert all(c.xreplace(right).xreplace(symbols) == 0 for c in case.conditions)
