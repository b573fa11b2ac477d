"""Zero tests for rational functions by evaluation modulo large primes.

An expression in many names is too large to expand, yet elimination must know whether it is zero. Every
name carries its value at fixed random points modulo several 61-bit primes. A value that is not zero at one
of them proves that the expression is not zero. A value that is zero at all of them is zero, but for a
probability below (degree / 2^60)^POINTS. Numbers made to vanish modulo the primes, or to have no residue, are
met by another set of primes: what is refuted by a proof is done again there (`UnluckyPointError`).

References:
    J. T. Schwartz, Fast probabilistic algorithms for verification of polynomial identities,
    J. ACM 27 (1980); R. Zippel, Probabilistic algorithms for sparse polynomials, EUROSAM 1979.
"""

import random
from fractions import Fraction
from functools import cache

import sympy

from symbinv.errors import InexactError, SymbinvError

PRIMES = (2305843009213693951, 2305843009213693921, 2305843009213693907, 2305843009213693723)
POINTS = len(PRIMES)
BITS_PER_POINT = 60

Residues = tuple[int, ...]


class UnluckyPointError(SymbinvError):
    """A residue that does not exist, or misleads, modulo the primes in use; another attempt takes other primes."""


@cache
def primes_of(attempt: int) -> tuple[int, ...]:
    """Return the primes of an attempt: PRIMES at first, others below them later.

    Example:
        >>> primes_of(0) == PRIMES, set(primes_of(1)) & set(PRIMES)
        (True, set())
    """
    if attempt == 0:
        return PRIMES
    primes = [PRIMES[-1] - attempt * 2**50]
    while len(primes) <= POINTS:
        primes.append(int(sympy.prevprime(primes[-1])))
    return tuple(primes[1:])


class ModularPoint:
    """Random values for symbols modulo each of the primes, drawn when a symbol is first met.

    The draw is seeded by the symbol's name and assumptions alone, so results do not change from run to run.

    Args:
        attempt: Which set of primes is used, from 0.

    Example:
        >>> a, b = sympy.symbols("a b")
        >>> point = ModularPoint()
        >>> any(point.residues((a + b) ** 2 - a**2 - 2 * a * b - b**2))
        False
    """

    def __init__(self, attempt: int = 0) -> None:
        self.primes = primes_of(attempt)
        self._values: dict[sympy.Expr, Residues] = {}

    def residues(self, expression: sympy.Expr) -> Residues:
        """Return the value of a rational function of symbols modulo each prime.

        Raises:
            InexactError: For entries that are no rational functions with rational coefficients.
            UnluckyPointError: For a denominator that vanishes modulo one of the primes.
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
            return of_fraction(Fraction(int(expression.p), int(expression.q)), self.primes)
        if expression.is_Symbol and expression.is_commutative:
            source = random.Random(f"symbinv {_identity(expression)}")
            return tuple(source.randrange(1, p) for p in self.primes)
        if expression.is_Add or expression.is_Mul:
            parts = [self.residues(e) for e in expression.args]
            total = parts[0]
            for part in parts[1:]:
                total = add(total, part, self.primes) if expression.is_Add else multiply(total, part, self.primes)
            return total
        if expression.is_Pow and expression.exp.is_Integer:
            base = self.residues(expression.base)
            return tuple(_power(v, int(expression.exp), p) for v, p in zip(base, self.primes, strict=True))
        raise InexactError(
            "entries of a matrix to be reduced must be rational functions of symbols with rational coefficients, "
            f"not {expression}; give each other expression a name of its own."
        )


def _identity(symbol: sympy.Symbol) -> str:
    """Return a text that tells a symbol from all others, whatever the order in which they were made."""
    assumptions = sorted((k, v) for k, v in symbol.assumptions0.items())
    plain = assumptions == sorted(sympy.Symbol(symbol.name).assumptions0.items())
    number = getattr(symbol, "dummy_index", "")
    return symbol.name if plain and number == "" else f"{symbol.name} {number} {assumptions}"


def _power(value: int, exponent: int, prime: int) -> int:
    if exponent < 0 and value == 0:
        raise UnluckyPointError(f"a denominator must not vanish modulo {prime}.")
    return pow(value, exponent, prime)


def of_fraction(value: Fraction, primes: tuple[int, ...] = PRIMES) -> Residues:
    """Return a rational number modulo each prime."""
    return tuple(value.numerator * _power(value.denominator % p, -1, p) % p for p in primes)


def add(a: Residues, b: Residues, primes: tuple[int, ...] = PRIMES) -> Residues:
    """Return the sum."""
    return tuple((x + y) % p for x, y, p in zip(a, b, primes, strict=True))


def multiply(a: Residues, b: Residues, primes: tuple[int, ...] = PRIMES) -> Residues:
    """Return the product."""
    return tuple(x * y % p for x, y, p in zip(a, b, primes, strict=True))


def divide(a: Residues, b: Residues, primes: tuple[int, ...] = PRIMES) -> Residues:
    """Return the quotient; UnluckyPointError where an entry of b is zero."""
    return tuple(x * _power(y, -1, p) % p for x, y, p in zip(a, b, primes, strict=True))


def subtract_product(a: Residues, b: Residues, c: Residues, primes: tuple[int, ...] = PRIMES) -> Residues:
    """Return a - b * c."""
    return tuple((x - y * z) % p for x, y, z, p in zip(a, b, c, primes, strict=True))
