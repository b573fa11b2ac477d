"""Zero tests for rational functions by evaluation modulo large primes.

An expression in many names is too large to expand, yet elimination must know whether it is zero. Every
name carries its value at fixed random points modulo several 61-bit primes. A value that is not zero at one
of them proves that the expression is not zero. A value that is zero at all of them is zero, but for a
probability below (degree / 2^60)^POINTS.

References:
    J. T. Schwartz, Fast probabilistic algorithms for verification of polynomial identities,
    J. ACM 27 (1980); R. Zippel, Probabilistic algorithms for sparse polynomials, EUROSAM 1979.
"""

import random
from fractions import Fraction

import sympy

from symbinv.errors import InexactError

PRIMES = (2305843009213693951, 2305843009213693921, 2305843009213693907, 2305843009213693723)
POINTS = len(PRIMES)
BITS_PER_POINT = 60

Residues = tuple[int, ...]


class ModularPoint:
    """Random values for symbols modulo each of the primes, drawn when a symbol is first met.

    The draw is seeded by the symbol's name alone, so results do not change from run to run.

    Example:
        >>> a, b = sympy.symbols("a b")
        >>> point = ModularPoint()
        >>> any(point.residues((a + b) ** 2 - a**2 - 2 * a * b - b**2))
        False
    """

    def __init__(self) -> None:
        self._values: dict[sympy.Expr, Residues] = {}

    def residues(self, expression: sympy.Expr) -> Residues:
        """Return the value of a rational function of symbols modulo each prime.

        Raises:
            InexactError: For entries that are no rational functions with rational coefficients.
        """
        known = self._values.get(expression)
        if known is None:
            known = self._values[expression] = self._evaluate(expression)
        return known

    def remember(self, name: sympy.Symbol, value: Residues) -> None:
        """Give a defined name the value of what it stands for."""
        self._values[name] = value

    def _evaluate(self, expression: sympy.Expr) -> Residues:
        if expression.is_Rational:
            return of_fraction(Fraction(int(expression.p), int(expression.q)))
        if expression.is_Symbol:
            source = random.Random(f"symbinv {expression.name}")
            return tuple(source.randrange(1, p) for p in PRIMES)
        if expression.is_Add or expression.is_Mul:
            parts = [self.residues(e) for e in expression.args]
            total = parts[0]
            for part in parts[1:]:
                total = add(total, part) if expression.is_Add else multiply(total, part)
            return total
        if expression.is_Pow and expression.exp.is_Integer:
            base = self.residues(expression.base)
            return tuple(pow(v, int(expression.exp), p) for v, p in zip(base, PRIMES, strict=True))
        raise InexactError(
            "entries of a matrix to be reduced must be rational functions of symbols with rational coefficients, "
            f"not {expression}; give each other expression a name of its own."
        )


def of_fraction(value: Fraction) -> Residues:
    """Return a rational number modulo each prime."""
    return tuple(value.numerator * pow(value.denominator, -1, p) % p for p in PRIMES)


def add(a: Residues, b: Residues) -> Residues:
    """Return the sum."""
    return tuple((x + y) % p for x, y, p in zip(a, b, PRIMES, strict=True))


def multiply(a: Residues, b: Residues) -> Residues:
    """Return the product."""
    return tuple(x * y % p for x, y, p in zip(a, b, PRIMES, strict=True))


def divide(a: Residues, b: Residues) -> Residues:
    """Return the quotient; no entry of b may be zero."""
    return tuple(x * pow(y, -1, p) % p for x, y, p in zip(a, b, PRIMES, strict=True))


def subtract_product(a: Residues, b: Residues, c: Residues) -> Residues:
    """Return a - b * c."""
    return tuple((x - y * z) % p for x, y, z, p in zip(a, b, c, PRIMES, strict=True))
