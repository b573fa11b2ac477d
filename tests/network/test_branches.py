"""Activations that fall and then rise: each branch undone, in doubles, exactly, and where a branch ends."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.exact.ball import precision
from symbinv.exact.loglinear import LogLinear
from symbinv.network.activation import activation
from tests.network.activation_reference import (
    REFERENCE,
    SUBNORMAL,
    close,
    contains,
    m,
    mp,
)

BRANCHED = [n for n in REFERENCE if activation(n).branches is not None]


def branch_root(name, side, a):
    """Return z with f(z) = a on a side, by bisection at 60 digits."""
    f = REFERENCE[name]
    turning = {"abs": mp.mpf(0), "square": mp.mpf(0)}.get(name)
    mp.dps = 60
    try:
        if turning is None:
            turning = mp.findroot(lambda z: mp.diff(f, z), -1.2 if name == "silu" else -0.75)
        inner, outer = turning, turning + side
        while f(outer) < a:
            outer = turning + 2 * (outer - turning)
        for _ in range(190):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if f(middle) < a else (inner, middle)
        return (inner + outer) / 2
    finally:
        mp.dps = 50


@pytest.mark.parametrize("name", BRANCHED)
@settings(deadline=None, max_examples=25)
@given(z=st.one_of(st.floats(-9, 20), st.floats(-1.6, -0.4)))
def test_each_branch_is_undone_to_rounding(name, z):
    f = activation(name)
    a = float(f.numeric(np.array([z]))[0])
    for branch, side in zip(f.branches, (-1, 1), strict=True):
        if not branch.image.contains(Fraction(a)) or abs(a) < 1e-30:
            continue
        found = float(branch.inverse.numeric(np.array([a]))[0])
        if np.isnan(found):  # below the turning value by rounding alone
            assert abs(a - float(branch.image.lower)) < 1e-15
            continue
        assert close(found, branch_root(name, side, m(a)), 1e-12), (name, side, a)


@pytest.mark.parametrize("name", BRANCHED)
@pytest.mark.parametrize(
    "a",
    [
        -0.2784645427610738,
        -0.27846454276107,
        -0.278,
        -0.16997120747990369,
        -0.169,
        -0.1,
        -1e-3,
        -1e-16,
        -1e-100,
        -1e-300,
        -SUBNORMAL,
        SUBNORMAL,
        1e-300,
        1e-9,
        0.3,
        1.0,
        40.0,
        1e6,
        1e300,
    ],
)
def test_branches_are_undone_at_the_ends_of_the_doubles(name, a):
    for branch, side in zip(activation(name).branches, (-1, 1), strict=True):
        found = float(branch.inverse.numeric(np.array([a]))[0]) if branch.image.contains(Fraction(a)) else np.nan
        if np.isnan(found):
            assert not branch.image.contains(Fraction(a)) or Fraction(a) < branch.image.lower + Fraction(1, 10**16)
        elif 1e-15 < abs(a) < 1e10:
            assert close(found, branch_root(name, side, m(a))), (name, side, a)
        elif side > 0 and name in ("silu", "gelu"):
            assert close(found, m(a) * 2 if abs(a) < 1 else m(a)), (name, a)
        elif name in ("silu", "gelu"):  # far left the logarithm of -f is the measure
            z = m(found)
            log_f = mp.log(-z) + (z if name == "silu" else mp.log(mp.erfc(-z / mp.sqrt(2)) / 2))
            assert abs(log_f - mp.log(-m(a))) < m(1e-12) * abs(mp.log(-m(a)))


@pytest.mark.parametrize("name", BRANCHED)
@settings(deadline=None, max_examples=15)
@given(a=st.fractions(Fraction(-1, 8), 3, max_denominator=40))
def test_exact_inverses_of_branches_enclose_the_root(name, a):
    for branch, side in zip(activation(name).branches, (-1, 1), strict=True):
        if not branch.image.contains(a) or (a == 0 and name in ("abs", "square")):
            continue
        exact = branch.inverse.exact(LogLinear.rational(a))
        with precision(150):
            enclosure = exact.enclose()
        assert enclosure.rel_accuracy_bits() > 100 or enclosure.is_zero()
        assert contains(enclosure, branch_root(name, side, m(a)))
        assert branch.z.lower is None or enclosure > arb(float(branch.z.lower)) - 1e-9
        if branch.claim == "exact":
            written = branch.inverse.symbolic(sympy.Rational(a.numerator, a.denominator))
            assert abs(m(str(sympy.N(written, 40))) - branch_root(name, side, m(a))) < m("1e-30") * (1 + abs(a))


def test_gelu_says_that_its_branches_are_numeric():
    left, right = activation("gelu").branches
    assert left.claim == right.claim == "numeric"
    a = sympy.Symbol("a")
    for branch, side in ((left, -1), (right, 1)):
        written = branch.inverse.symbolic(a)
        value = sympy.Rational(-1, 10)
        root = branch_root("gelu", side, m("-0.1"))
        assert abs(m(str(sympy.N(written.subs(a, value), 40))) - root) < m("1e-37")
        with mpmath.workdps(60):
            slope = 1 / mp.diff(REFERENCE["gelu"], root)
        assert abs(m(str(sympy.N(sympy.diff(written, a).subs(a, value), 30))) - slope) < m("1e-25") * abs(slope)


def test_values_below_the_turning_point_have_no_inverse():
    for name in ("silu", "gelu"):
        for branch in activation(name).branches:
            assert np.isnan(branch.inverse.numeric(np.array([-0.3]))).all()
            assert branch.inverse.exact(LogLinear.rational(Fraction(-3, 10))) is None
