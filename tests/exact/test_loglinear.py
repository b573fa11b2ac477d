from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbinv import ExactMatrix, InexactError
from symbinv.exact.loglinear import LOG, LogLinear, apply_matrix, combine

positive = st.fractions(Fraction(1, 50), 50, max_denominator=50)
small = st.fractions(-5, 5, max_denominator=6)


def number(constant, powers):
    return combine(
        [Fraction(1), *(q for q, _ in powers)],
        [LogLinear.rational(constant), *(LogLinear.log(r) for _, r in powers)],
    )


def with_mpmath(constant, powers):
    with mpmath.workdps(60):
        return mpmath.mpf(constant.numerator) / constant.denominator + mpmath.fsum(
            mpmath.mpf(q.numerator) / q.denominator * mpmath.log(mpmath.mpf(r.numerator) / r.denominator)
            for q, r in powers
        )


@given(small, st.lists(st.tuples(small, positive), max_size=4))
def test_the_sign_is_that_of_the_number(constant, powers):
    value = with_mpmath(constant, powers)
    if abs(value) > mpmath.mpf(10) ** -40:
        assert number(constant, powers).sign() == (1 if value > 0 else -1)


@given(st.lists(positive, min_size=1, max_size=4), st.integers(1, 5))
def test_multiplicative_relations_are_seen(factors, power):
    product = Fraction(1)
    for r in factors:
        product *= r
    left = LogLinear.log(product**power)
    right = combine([Fraction(power)] * len(factors), [LogLinear.log(r) for r in factors])
    assert (left - right).sign() == 0
    assert (left - right - LogLinear.rational(Fraction(1, 10**30))).sign() == -1


def test_near_misses_far_below_double_precision_are_told_apart():
    tiny = Fraction(1, 10**400)
    assert (LogLinear.log(1 + tiny) - LogLinear.rational(tiny)).sign() == -1
    assert LogLinear.log(1 + tiny).sign() == 1


def test_a_logarithm_needs_a_positive_argument():
    with pytest.raises(InexactError, match="positive, not 0"):
        LogLinear.log(0)


def test_zero_of_nested_logarithms_stays_undecided():
    nested = LogLinear.apply(LOG, LogLinear.log(4)) - LogLinear.apply(LOG, LogLinear.log(2))  # log 2
    assert (nested - LogLinear.log(2)).sign(limit=256) is None
    assert (nested - LogLinear.log(3)).sign() == -1


@given(st.lists(st.lists(small, min_size=2, max_size=2), min_size=1, max_size=3), positive, positive)
def test_a_matrix_is_applied_entry_by_entry(rows, p, q):
    vector = [LogLinear.log(p) - LogLinear.rational(1), LogLinear.log(q)]
    for row, result in zip(rows, apply_matrix(ExactMatrix(rows), vector), strict=True):
        assert (result - combine(row, vector)).sign() == 0


def test_floats_of_logarithms_are_correct():
    z = LogLinear.log(Fraction(0.8)) - LogLinear.log(1 - Fraction(0.8))
    with mpmath.workdps(50):
        assert float(z) == pytest.approx(float(mpmath.log(mpmath.mpf(0.8) / (1 - mpmath.mpf(0.8)))), rel=1e-15)
