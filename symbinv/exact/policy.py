"""Numbers become exact here, under a stated policy, and nowhere else.

Three policies say which rational a float stands for:

* ``"exact"`` (default): its binary value, 0.8 -> 3602879701896397/4503599627370496;
* ``"decimal"``: the shortest decimal that denotes it, 0.8 -> 4/5;
* ``rationalize(max_denominator)``: the nearest fraction with a bounded denominator.

Integers, `Fraction`, `Decimal`, SymPy's `Rational` and text such as ``"0.8"`` or ``"4/5"`` are taken
exactly as written under every policy.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Rational as RationalNumber
from typing import Any

import numpy as np
import sympy

from symbinv.errors import InexactError, OptionError

_TEXT = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?(\s*/\s*\d+)?\s*")


@dataclass(frozen=True)
class Rationalize:
    """The policy that takes a float for the nearest fraction with denominator <= max_denominator."""

    max_denominator: int


Policy = str | Rationalize


def rationalize(max_denominator: int) -> Rationalize:
    """Return the policy that takes floats for nearby fractions with a bounded denominator.

    Args:
        max_denominator: The largest denominator that may occur; at least 1.

    Example:
        >>> to_fraction(0.3333, rationalize(100))
        Fraction(1, 3)
    """
    if max_denominator < 1:
        raise OptionError(f"max_denominator must be at least 1, not {max_denominator}.")
    return Rationalize(max_denominator)


def check_policy(policy: Policy) -> Policy:
    """Return `policy`, or raise OptionError where it is none of the three."""
    if isinstance(policy, Rationalize) or policy in ("exact", "decimal"):
        return policy
    raise OptionError(f"policy must be 'exact', 'decimal' or rationalize(max_denominator), not {policy!r}.")


def to_fraction(value: Any, policy: Policy = "exact") -> Fraction:
    """Return the rational number that `value` stands for under `policy`.

    Args:
        value: An int, float (Python's or NumPy's), Fraction, Decimal, SymPy Rational, or text
            such as "0.8", "-1e-3" or "4/5".
        policy: What a float stands for; see the module's text.

    Raises:
        InexactError: For NaN, infinities, irrational SymPy numbers and text that is no number.

    Example:
        >>> to_fraction("0.8"), to_fraction(0.5), to_fraction(0.8, "decimal")
        (Fraction(4, 5), Fraction(1, 2), Fraction(4, 5))
    """
    check_policy(policy)
    if isinstance(value, bool | np.bool_):
        raise InexactError(f"a number is needed, not the truth value {bool(value)}.")
    if isinstance(value, float | np.floating):
        return _float_to_fraction(value, policy)
    if isinstance(value, np.integer):
        return Fraction(int(value))
    if isinstance(value, str):
        return _text_to_fraction(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InexactError(f"numbers must be finite, not {value}.")
        return Fraction(value)
    if isinstance(value, sympy.Float):
        return _float_to_fraction(float(value), policy)
    if isinstance(value, sympy.Rational):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, int | RationalNumber):
        return Fraction(value)
    raise InexactError(f"an exact number must be an int, float, Fraction, Decimal, Rational or text, not {value!r}.")


def to_fractions(values: Iterable[Any], policy: Policy = "exact") -> tuple[Fraction, ...]:
    """Return `to_fraction` of each value."""
    return tuple(to_fraction(v, policy) for v in values)


def to_rational(value: Fraction) -> sympy.Rational:
    """Return a Fraction as a SymPy Rational."""
    return sympy.Rational(value.numerator, value.denominator)


def _float_to_fraction(value: float | np.floating[Any], policy: Policy) -> Fraction:
    if not np.isfinite(value):
        raise InexactError(f"numbers must be finite, not {value}; replace NaN and infinite values first.")
    if policy == "decimal":
        return Fraction(str(value))
    exact = Fraction(*value.as_integer_ratio())
    return exact.limit_denominator(policy.max_denominator) if isinstance(policy, Rationalize) else exact


def _text_to_fraction(text: str) -> Fraction:
    if len(text) > 4000 or not _TEXT.fullmatch(text):
        raise InexactError(f"a number must look like 0.8, -1e-3 or 4/5, not {text[:60]!r}.")
    head, _, tail = text.partition("/")
    denominator = int(tail) if tail.strip() else 1
    if denominator == 0:
        raise InexactError(f"a fraction must not have denominator 0: {text[:60]!r}.")
    return Fraction(head.strip()) / denominator
