"""Rational numbers in arrays, and the square roots that a normalisation needs."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import InexactError


def objects(values: Sequence[Fraction]) -> NDArray[Any]:
    """Return Fractions as an array of objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def square_root(value: Fraction) -> tuple[Fraction, bool]:
    """Return the positive square root of a rational number, and whether it is exact.

    Where it is irrational, it is the nearest double (round half to even cannot occur).

    Raises:
        InexactError: For zero and negative numbers.

    Example:
        >>> square_root(Fraction(9, 4)), square_root(Fraction(2))[0] == Fraction(2**0.5)
        ((Fraction(3, 2), True), True)
    """
    if value <= 0:
        raise InexactError(f"a variance with its epsilon must be positive, not {float(value):g}.")
    p, q = value.numerator, value.denominator
    if isqrt(p) ** 2 == p and isqrt(q) ** 2 == q:
        return Fraction(isqrt(p), isqrt(q)), True
    shift = 2 * max(0, 140 - (p.bit_length() - q.bit_length()) // 2)
    root = Fraction(2 * isqrt((p << shift) // q) + 1, 2 << (shift // 2))  # odd last bit: never on a tie of doubles
    return Fraction(root.numerator / root.denominator), False
