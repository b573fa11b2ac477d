from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from symbinv import InexactError, OptionError, rationalize
from symbinv.exact.policy import to_fraction

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite)
def test_exact_keeps_the_binary_value(value):
    assert float(to_fraction(value)) == value
    assert to_fraction(value) == Fraction(value)


@given(finite)
def test_decimal_is_what_python_prints(value):
    assert to_fraction(value, "decimal") == Fraction(repr(value))
    assert float(to_fraction(value, "decimal")) == value


@given(st.floats(-1e6, 1e6), st.integers(1, 1000))
def test_rationalize_is_as_near_as_its_denominator_allows(value, bound):
    near = to_fraction(value, rationalize(bound))
    assert near.denominator <= bound
    assert abs(near - Fraction(value)) <= Fraction(1, bound + 1)  # Dirichlet


def test_float32_means_its_own_value_and_its_own_decimal():
    assert to_fraction(np.float32(0.1)) == Fraction(13421773, 134217728)
    assert to_fraction(np.float32(0.1), "decimal") == Fraction(1, 10)


@pytest.mark.parametrize("policy", ["exact", "decimal", rationalize(3)])
@pytest.mark.parametrize(
    ("given_value", "meant"),
    [
        ("0.8", Fraction(4, 5)),
        (" 4/5 ", Fraction(4, 5)),
        ("-1e-3", Fraction(-1, 1000)),
        (".5", Fraction(1, 2)),
        (Decimal("0.1"), Fraction(1, 10)),
        (sympy.Rational(22, 7), Fraction(22, 7)),
        (Fraction(355, 113), Fraction(355, 113)),
        (np.int64(7), Fraction(7)),
    ],
)
def test_written_numbers_are_taken_as_written_under_every_policy(given_value, meant, policy):
    assert to_fraction(given_value, policy) == meant


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("-inf"), Decimal("NaN")])
def test_numbers_that_are_not_finite_are_refused(bad):
    with pytest.raises(InexactError, match="finite"):
        to_fraction(bad)


@pytest.mark.parametrize("bad", ["", "x", "1/0", "0x10", "1e99999", "1/2/3", "__import__('os')", "9" * 5000, "1_000"])
def test_text_that_is_no_number_is_refused(bad):
    with pytest.raises(InexactError, match="number|fraction"):
        to_fraction(bad)


@pytest.mark.parametrize("bad", [True, None, [1], sympy.sqrt(2), 1j])
def test_other_things_are_refused(bad):
    with pytest.raises(InexactError):
        to_fraction(bad)


def test_an_unknown_policy_is_named():
    with pytest.raises(OptionError, match="'exact', 'decimal'"):
        to_fraction(0.5, "round")
    with pytest.raises(OptionError, match="at least 1"):
        rationalize(0)
