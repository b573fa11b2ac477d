"""Are two expressions equal? The judge of every step that is replayed, and what its answers rest on.

Both sides are read as rational functions of atoms: symbols, and applications of anything else (log y_1,
w(p, i, j), a Sum), each an indeterminate of its own. What is equal so is equal whatever the atoms stand for. Small
differences are expanded over the integers, which is a proof; where that grows too large, both sides are evaluated at
random points modulo random primes, with an error bound from the degrees and the sizes of the coefficients.

A polynomial N != 0 of degree d whose coefficients have at most b bits is taken for zero modulo one prime with
probability at most d / 2^61 + b / (61 * 2^55): a uniform point is a root with probability at most d / p (Schwartz and
Zippel), and of the more than 2^55 primes between 2^61 and 2^62 at most b / 61 divide all coefficients.

References:
    J. T. Schwartz, Fast probabilistic algorithms for verification of polynomial identities,
    J. ACM 27 (1980); R. Zippel, Probabilistic algorithms for sparse polynomials, EUROSAM 1979.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor, log2
from random import SystemRandom

import sympy

from symbinv.errors import BudgetError, InexactError
from symbinv.exact.modular import UnluckyPointError
from symbinv.exact.polynomial import RationalFunction, Ring

KINDS = ("exact", "certified", "probabilistic", "numeric")  # from the strongest to the weakest
TERM_LIMIT = 20_000  # of an expanded polynomial, in a proof
PRIMES = 4
MORE_PRIMES = 16  # where degrees are so large that four would leave a doubt
WANTED_BITS = 80
ATTEMPTS = 4

Meanings = Mapping[sympy.Symbol, sympy.Expr]


@dataclass(frozen=True)
class Claim:
    """What an answer rests on.

    Attributes:
        kind: "exact" on rational arithmetic and proved rules, "certified" on ball arithmetic, "probabilistic" on
            residues modulo random primes, "numeric" on floating point.
        bits: Of a probabilistic claim: the error is below 2^-bits.
        residual: Of a numeric claim.
    """

    kind: str
    bits: int = 0
    residual: float = 0.0

    def __str__(self) -> str:
        if self.kind == "probabilistic":
            return f"probabilistic (error < 2^-{self.bits})"
        return f"numeric (residual {self.residual:.2g})" if self.kind == "numeric" else self.kind


EXACT = Claim("exact")


def weakest(claims: Iterable[Claim]) -> Claim:
    """Return the claim that all of them make together; errors of probabilistic ones add up.

    Example:
        >>> str(weakest([EXACT, Claim("probabilistic", 90), Claim("probabilistic", 90)]))
        'probabilistic (error < 2^-89)'
    """
    found = list(claims)
    kind = max((c.kind for c in found), key=KINDS.index, default="exact")
    if kind == "probabilistic":
        doubt = sum((Fraction(1, 1 << c.bits) for c in found if c.kind == kind), Fraction(0))
        return Claim(kind, bits=(doubt.denominator // doubt.numerator).bit_length() - 1)
    return Claim(kind, residual=max((c.residual for c in found), default=0.0))


class Judge:
    """Decides equality of expressions, up to what given names stand for.

    Example:
        >>> a, b, k = sympy.symbols("a b k")
        >>> judge = Judge()
        >>> str(judge.equal((a + b) ** 2, a**2 + 2 * a * b + b**2)), judge.equal(sympy.log(a), sympy.log(b))
        ('exact', None)
        >>> str(judge.equal(b - k * a, 0 * a, {k: b / a}))
        'exact'
    """

    def __init__(self, term_limit: int = TERM_LIMIT) -> None:
        self.term_limit = term_limit
        self._random = SystemRandom()

    def equal(self, left: sympy.Expr, right: sympy.Expr, meanings: Meanings | None = None) -> Claim | None:
        """Return what the equality of two expressions rests on; None where they differ as rational functions.

        Args:
            left, right: Expressions.
            meanings: What names stand for, in other names and symbols, without a circle.
        """
        if left == right:
            return EXACT
        if left.is_Rational and right.is_Rational:
            return None
        known = dict(meanings or {})
        try:
            return EXACT if self._expanded(left, right, known).is_zero else None
        except BudgetError:
            return self._by_residues(left, right, known)

    def vanishes(self, expression: sympy.Expr, meanings: Meanings | None = None) -> Claim | None:
        """Return what it rests on that an expression is zero; None where it is not."""
        return self.equal(expression, sympy.Integer(0), meanings)

    def is_nonzero(self, expression: sympy.Expr, meanings: Meanings) -> bool:
        """Tell whether an expression is surely not identically zero: one residue that is not zero proves it."""
        if expression.is_Rational:
            return bool(expression != 0)
        for _ in range(ATTEMPTS):
            try:
                return self._point(meanings).value(expression) != 0
            except UnluckyPointError:
                continue
        return False

    def _expanded(self, left: sympy.Expr, right: sympy.Expr, meanings: Meanings) -> RationalFunction:
        found: dict[sympy.Expr, sympy.Symbol] = {}
        _collect(left, meanings, found)
        _collect(right, meanings, found)
        expansion = _Expansion(Ring(found.values(), self.term_limit), found, meanings)
        return expansion.value(left) - expansion.value(right)

    def _by_residues(self, left: sympy.Expr, right: sympy.Expr, meanings: Meanings) -> Claim | None:
        bits, lost = 0, 0
        points = 0
        while points < MORE_PRIMES and (points < PRIMES or bits < WANTED_BITS):
            point = self._point(meanings)
            try:
                if point.value(left) != point.value(right):
                    return None
            except UnluckyPointError:
                lost += 1
                if lost > ATTEMPTS:
                    raise InexactError("an expression must not divide by zero, and one does everywhere.") from None
                continue
            points += 1
            bits = point.bits(left, right) * points
        return Claim("probabilistic", bits=bits) if bits > 0 else None

    def _point(self, meanings: Meanings) -> "_Point":
        return _Point(self._random, meanings)


def _is_operation(expression: sympy.Expr) -> bool:
    """Tell whether an expression is a sum, product or whole power, whose parts are looked into."""
    return bool(expression.is_Add or expression.is_Mul or (expression.is_Pow and expression.exp.is_Integer))


def _collect(expression: sympy.Expr, meanings: Meanings, found: dict[sympy.Expr, sympy.Symbol]) -> None:
    """Give every atom below an expression, names opened, a symbol of its own."""
    seen: set[sympy.Expr] = set()
    waiting = [expression]
    while waiting:
        current = waiting.pop()
        if current in seen or current.is_Rational:
            continue
        seen.add(current)
        if current in meanings:
            waiting.append(meanings[current])
        elif _is_operation(current):
            waiting += current.args[:1] if current.is_Pow else current.args
        elif current not in found:
            found[current] = current if current.is_Symbol else sympy.Dummy()


@dataclass
class _Expansion:
    """Expressions as rational functions of atoms, every part computed once."""

    ring: Ring
    atoms: Mapping[sympy.Expr, sympy.Symbol]
    meanings: Meanings

    def __post_init__(self) -> None:
        self._known: dict[sympy.Expr, RationalFunction] = {}

    def value(self, expression: sympy.Expr) -> RationalFunction:
        known = self._known.get(expression)
        if known is None:
            known = self._known[expression] = self._compute(expression)
        return known

    def _compute(self, expression: sympy.Expr) -> RationalFunction:
        if expression in self.meanings:
            return self.value(self.meanings[expression])
        if expression.is_Add or expression.is_Mul:
            total = self.value(expression.args[0])
            for part in expression.args[1:]:
                total = total + self.value(part) if expression.is_Add else total * self.value(part)
            return total
        if _is_operation(expression):
            return self.value(expression.base) ** int(expression.exp)
        return self.ring.rational_function(self.atoms.get(expression, expression))


@dataclass(frozen=True)
class _Size:
    """Bounds on degree and bits of coefficients of numerator and denominator."""

    degree: int
    below: int
    bits: float
    bits_below: float


class _Point:
    """A random point modulo a random prime, with bounds on the size of every polynomial that is evaluated there."""

    def __init__(self, source: SystemRandom, meanings: Meanings) -> None:
        self.prime = int(sympy.nextprime(source.randrange(1 << 61, (1 << 62) - 1000)))
        self._random, self._meanings = source, meanings
        self._known: dict[sympy.Expr, tuple[int, _Size]] = {}

    def value(self, expression: sympy.Expr) -> int:
        """Return an expression's residue; UnluckyPointError where a denominator has none."""
        return self._both(expression)[0]

    def bits(self, left: sympy.Expr, right: sympy.Expr) -> int:
        """Return k so that two different expressions agree here with probability below 2^-k."""
        total = _add(self._both(left)[1], self._both(right)[1])
        doubt = min(total.degree, 1 << 99) / 2**61 + total.bits / (61 * 2**55)
        return floor(-log2(doubt)) if 0 < doubt < 1 else 0

    def _both(self, expression: sympy.Expr) -> tuple[int, _Size]:
        known = self._known.get(expression)
        if known is None:
            known = self._known[expression] = self._compute(expression)
        return known

    def _compute(self, expression: sympy.Expr) -> tuple[int, _Size]:
        p = self.prime
        if expression.is_Rational:
            top, bottom = int(expression.p), int(expression.q)
            size = _Size(0, 0, float(max(abs(top), 1).bit_length()), float(bottom.bit_length()))
            return top * self._inverse(bottom) % p, size
        if expression in self._meanings:
            return self._both(self._meanings[expression])
        if expression.is_Add or expression.is_Mul:
            value, size = self._both(expression.args[0])
            for part in expression.args[1:]:
                other, its = self._both(part)
                value = (value + other if expression.is_Add else value * other) % p
                size = _add(size, its) if expression.is_Add else _multiply(size, its)
            return value, size
        if _is_operation(expression):
            value, size = self._both(expression.base)
            k = abs(int(expression.exp))
            if expression.exp < 0:
                value, size = self._inverse(value), _Size(size.below, size.degree, size.bits_below, size.bits)
            size = _Size(size.degree * k, size.below * k, size.bits * k, size.bits_below * k)
            return pow(value, k, p), size
        return self._random.randrange(p), _Size(1, 0, 1.0, 1.0)

    def _inverse(self, value: int) -> int:
        if value % self.prime == 0:
            raise UnluckyPointError(f"a denominator must not vanish modulo {self.prime}.")
        return pow(value, -1, self.prime)


def _add(a: _Size, b: _Size) -> _Size:
    return _Size(
        max(a.degree + b.below, b.degree + a.below),
        a.below + b.below,
        max(a.bits + b.bits_below, b.bits + a.bits_below) + 1,
        a.bits_below + b.bits_below,
    )


def _multiply(a: _Size, b: _Size) -> _Size:
    return _Size(a.degree + b.degree, a.below + b.below, a.bits + b.bits, a.bits_below + b.bits_below)
