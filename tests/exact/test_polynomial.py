"""Polynomials, rational functions and residues against SymPy's own algebra."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import BudgetError, InexactError
from symbinv.exact.determinant import determinant_is_zero
from symbinv.exact.modular import PRIMES, ModularPoint, UnluckyPointError, primes_of
from symbinv.exact.polynomial import Ring

x, y, z = sympy.symbols("x y z")
leaves = st.sampled_from([x, y, z, sympy.Integer(2), sympy.Rational(-3, 4), sympy.Integer(1)])
expressions = st.recursive(
    leaves,
    lambda e: st.one_of(
        st.tuples(e, e).map(lambda p: p[0] + p[1]),
        st.tuples(e, e).map(lambda p: p[0] * p[1]),
        st.tuples(e, e).map(lambda p: p[0] / p[1] if p[1] != 0 else p[0]),
        st.tuples(e, st.integers(0, 3)).map(lambda p: p[0] ** p[1]),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=100)
@given(expression=expressions)
def test_conversion_agrees_with_sympys_cancel(expression):
    try:
        function = Ring([x, y, z]).rational_function(expression)
    except InexactError:
        assert sympy.cancel(expression) in (sympy.nan, sympy.zoo) or expression.has(sympy.Pow)
        return
    assert sympy.cancel(function.to_sympy() - expression) == 0
    top, bottom = function.parts()
    assert sympy.gcd(top, bottom).is_number


@settings(deadline=None, max_examples=60)
@given(expression=expressions)
def test_residues_of_an_expression_vanish_exactly_where_it_is_zero(expression):
    try:
        found = any(ModularPoint().residues(expression))
    except UnluckyPointError:
        return  # a denominator that is identically zero
    assert found == (sympy.cancel(expression) != 0)


def test_factors_are_irreducible_and_distinct():
    f = Ring([x, y]).rational_function(-6 * (x - y) ** 2 * (x + y) * x)
    assert set(f.factors()) == {x, x - y, x + y}


def test_limits_are_met_before_the_work():
    ring = Ring([x, y, z], term_limit=1000)
    with pytest.raises(BudgetError, match="at most 1000 terms"):
        ring.rational_function((x + y + z + 1) ** 40)


@pytest.mark.parametrize("expression", [sympy.sin(x), x ** sympy.Rational(1, 2), sympy.pi, 1 / (x - x * 1 + 0 * y)])
def test_what_is_no_rational_function_is_refused(expression):
    with pytest.raises(InexactError):
        Ring([x, y]).rational_function(expression)


@settings(deadline=None, max_examples=40)
@given(st.lists(leaves, min_size=9, max_size=9))
def test_determinants_vanish_where_sympys_do(entries):
    m = sympy.Matrix(3, 3, entries)
    assert determinant_is_zero(m.tolist()) == (sympy.expand(m.det()) == 0)


def test_every_attempt_has_primes_of_its_own():
    families = [primes_of(k) for k in range(4)]
    assert families[0] == PRIMES
    assert len({p for f in families for p in f}) == 16
    assert all(sympy.isprime(p) and p > 2**60 for f in families for p in f)
