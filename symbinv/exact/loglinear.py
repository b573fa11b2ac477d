"""Exact real numbers of the form q0 + sum q_i f_i(u_i), with rational q and elementary f.

The right sides that inverted activations produce have this form: log(y/(1-y)) is log y - log(1-y).
Where every term is the logarithm of a rational number, zero is decidable: e^{-q0} is transcendental for
rational q0 other than 0 (Hermite and Lindemann) and prod r_i^{q_i} is algebraic, so
q0 + sum q_i log r_i = 0 exactly when q0 = 0 and prod r_i^{q_i} = 1, and the latter is
arithmetic in a coprime base of the r_i (no factoring). Signs of numbers that are not zero are settled by
balls of growing precision. Deeper nesting (log of such a number) keeps its enclosures, but zero may
remain undecided; then `sign` returns None.

References:
    I. Niven, Irrational Numbers, 1956, theorem 9.1 (Hermite and Lindemann).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy
from flint import arb, ctx

from symbinv.errors import InexactError
from symbinv.exact.ball import PRECISION_LIMIT, ball, decide_sign, precision, to_float
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational


@dataclass(frozen=True)
class Function:
    """An elementary function that may stand in an exact real: its name, on balls, and in SymPy."""

    name: str
    ball: Callable[[arb], arb]
    expression: Callable[[sympy.Expr], sympy.Expr]


LOG = Function("log", lambda u: u.log(), sympy.log)


@dataclass(frozen=True, eq=False, repr=False)
class Atom:
    """One application f(u); equal to another where f and a rational u agree, else only to itself."""

    function: Function
    argument: "LogLinear"
    _enclosures: dict[int, arb] = field(default_factory=dict, repr=False)

    @property
    def is_log_of_rational(self) -> bool:
        """Whether the atom is the logarithm of a rational number."""
        return self.function is LOG and self.argument.is_rational

    def _key(self) -> tuple[str, Any]:
        return self.function.name, self.argument.constant if self.argument.is_rational else id(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"{self.function.name}({self.argument!r})"

    def enclose(self) -> arb:
        """Return a ball around the value at the current precision."""
        bits = ctx.prec
        if bits not in self._enclosures:
            self._enclosures[bits] = self.function.ball(self.argument.enclose())
        return self._enclosures[bits]

    def to_sympy(self) -> sympy.Expr:
        """Return the value as a SymPy expression."""
        return self.function.expression(self.argument.to_sympy())


@dataclass(frozen=True, repr=False)
class LogLinear:
    """An exact real number: a rational plus rational multiples of atoms.

    Example:
        >>> number = LogLinear.log(6) - LogLinear.log(2) - LogLinear.log(3)
        >>> number.sign()
        0
        >>> (LogLinear.log(2) - LogLinear.rational(Fraction(69, 100))).sign()
        1
    """

    constant: Fraction
    terms: tuple[tuple[Atom, Fraction], ...] = ()

    @classmethod
    def rational(cls, value: Fraction | int) -> "LogLinear":
        """Return a rational number."""
        return cls(Fraction(value))

    @classmethod
    def log(cls, argument: "LogLinear | Fraction | int") -> "LogLinear":
        """Return the logarithm of a number that is known to be positive."""
        return cls.apply(LOG, argument)

    @classmethod
    def apply(cls, function: Function, argument: "LogLinear | Fraction | int") -> "LogLinear":
        """Return function(argument); log 1 is the number 0."""
        inner = argument if isinstance(argument, LogLinear) else cls.rational(argument)
        if function is LOG and inner.is_rational:
            if inner.constant <= 0:
                raise InexactError(f"the argument of a logarithm must be positive, not {inner.constant}.")
            if inner.constant == 1:
                return cls.rational(0)
        return cls(Fraction(0), ((Atom(function, inner), Fraction(1)),))

    @property
    def is_rational(self) -> bool:
        """Whether the number is written without atoms."""
        return not self.terms

    @property
    def is_decidable(self) -> bool:
        """Whether zero can be decided: all atoms are logarithms of rationals."""
        return all(atom.is_log_of_rational for atom, _ in self.terms)

    def __add__(self, other: "LogLinear") -> "LogLinear":
        return combine([Fraction(1), Fraction(1)], [self, other])

    def __sub__(self, other: "LogLinear") -> "LogLinear":
        return combine([Fraction(1), Fraction(-1)], [self, other])

    def __neg__(self) -> "LogLinear":
        return self * Fraction(-1)

    def __mul__(self, factor: Fraction | int) -> "LogLinear":
        factor = Fraction(factor)
        if factor == 0:
            return LogLinear.rational(0)
        return LogLinear(self.constant * factor, tuple((a, q * factor) for a, q in self.terms))

    __rmul__ = __mul__

    def enclose(self) -> arb:
        """Return a ball around the number at the current precision."""
        total = ball(self.constant)
        for atom, factor in self.terms:
            total += ball(factor) * atom.enclose()
        return total

    def is_zero(self) -> bool | None:
        """Tell whether the number is zero; None where that could not be decided."""
        if self.is_rational:
            return self.constant == 0
        if self.is_decidable:
            return self.constant == 0 and _product_is_one([(a.argument.constant, q) for a, q in self.terms])
        found = decide_sign(self.enclose)
        return None if found is None else found == 0

    def sign(self, limit: int = PRECISION_LIMIT) -> int | None:
        """Return -1, 0 or 1; None where balls of `limit` bits do not tell and zero is undecidable."""
        if self.is_rational:
            return (self.constant > 0) - (self.constant < 0)
        if self.is_decidable:
            if self.is_zero():
                return 0
            limit = 1 << 30  # the number is not zero, so some precision settles its sign
        return decide_sign(self.enclose, limit)

    def to_sympy(self) -> sympy.Expr:
        """Return the number as a SymPy expression."""
        return sympy.Add(to_rational(self.constant), *(to_rational(q) * atom.to_sympy() for atom, q in self.terms))

    def __repr__(self) -> str:
        """Return a short text: written out, nested numbers double in length at every level."""
        if self.is_rational:
            text = str(self.constant)
            return f"LogLinear({text})" if len(text) <= 40 else f"LogLinear(≈ {float(self):.17g})"
        return f"LogLinear({len(self.terms)} terms, ≈ {float(self):.17g})"

    def __float__(self) -> float:
        if not self.is_rational:
            return nearest_double(self)
        try:
            return float(self.constant)
        except OverflowError:
            return math.copysign(math.inf, self.constant)


def nearest_double(number: LogLinear) -> float:
    """Return the number as a double, correct to 2 units in the last place wherever balls converge."""
    bits = 64
    while bits <= PRECISION_LIMIT:
        with precision(bits):
            value = number.enclose()
            if value.rel_accuracy_bits() >= 54 or (value.is_exact() and value.is_finite()):
                return to_float(value)
        bits *= 2
    with precision(PRECISION_LIMIT):
        return to_float(number.enclose())


def combine(coefficients: Iterable[Fraction], numbers: Iterable[LogLinear]) -> LogLinear:
    """Return the sum of coefficient times number."""
    constant = Fraction(0)
    terms: dict[Atom, Fraction] = {}
    for factor, number in zip(coefficients, numbers, strict=True):
        if factor == 0:
            continue
        constant += factor * number.constant
        for atom, q in number.terms:
            terms[atom] = terms.get(atom, Fraction(0)) + factor * q
    return LogLinear(constant, tuple((a, q) for a, q in terms.items() if q))


def apply_matrix(matrix: ExactMatrix, numbers: Sequence[LogLinear]) -> list[LogLinear]:
    """Return matrix times a vector of exact reals; the products are done in one exact matrix product."""
    atoms = list(dict.fromkeys(atom for number in numbers for atom, _ in number.terms))
    place = {atom: 1 + k for k, atom in enumerate(atoms)}
    table = [[Fraction(0)] * (1 + len(atoms)) for _ in numbers]
    for row, number in zip(table, numbers, strict=True):
        row[0] = number.constant
        for atom, q in number.terms:
            row[place[atom]] = q
    if matrix.rows == 0 or not numbers:
        return [LogLinear.rational(0)] * matrix.rows
    product = matrix @ ExactMatrix(table)
    results = []
    for i in range(product.rows):
        terms = tuple((atom, q) for k, atom in enumerate(atoms) if (q := product.fraction(i, 1 + k)))
        results.append(LogLinear(product.fraction(i, 0), terms))
    return results


def _product_is_one(powers: list[tuple[Fraction, Fraction]]) -> bool:
    """Tell whether prod r^q = 1 for positive rational r and rational q."""
    base = _coprime_base([n for r, _ in powers for n in (r.numerator, r.denominator) if n > 1])
    for b in base:
        exponent = Fraction(0)
        for r, q in powers:
            exponent += q * (_valuation(r.numerator, b) - _valuation(r.denominator, b))
        if exponent != 0:
            return False
    return True


def _coprime_base(numbers: list[int]) -> list[int]:
    """Return pairwise coprime integers > 1 of which every given integer is a product of powers."""
    base: list[int] = []
    waiting = list(numbers)
    while waiting:
        n = waiting.pop()
        if n == 1:
            continue
        for k, b in enumerate(base):
            common = math.gcd(n, b)
            if common > 1:
                del base[k]
                waiting += [common, n // common, b // common] if (n, b) != (common, common) else [common]
                break
        else:
            base.append(n)
    return base


def _valuation(n: int, b: int) -> int:
    count = 0
    while n % b == 0:
        n //= b
        count += 1
    return count
