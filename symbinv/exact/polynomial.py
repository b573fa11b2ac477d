"""Polynomials and rational functions in many symbols, exactly, in FLINT's sparse `fmpz_mpoly`.

A `Ring` fixes the symbols; a `RationalFunction` is a numerator and a denominator over it, common factors removed.
Expressions are turned into them by arithmetic, not by SymPy's expansion, so that a limit on the number of terms
is met before the work is done. FLINT's objects stay inside these types.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

import sympy
from flint import Ordering, fmpz, fmpz_mpoly, fmpz_mpoly_ctx

from symbinv.errors import BudgetError, InexactError

TERM_LIMIT = 200_000
PRODUCT_LIMIT = 20_000_000  # pairs of terms that one product may multiply


class Ring:
    """Polynomials with integer coefficients in given symbols.

    Args:
        symbols: The symbols, most significant first in every printed polynomial.
        term_limit: The largest number of terms that a polynomial may have.

    Example:
        >>> a, b = sympy.symbols("a b")
        >>> ring = Ring([a, b])
        >>> ring.rational_function((a**2 - b**2) / (2 * a - 2 * b)).to_sympy()
        a/2 + b/2
    """

    def __init__(self, symbols: Iterable[sympy.Symbol], term_limit: int = TERM_LIMIT) -> None:
        self.symbols = tuple(dict.fromkeys(symbols))
        self.term_limit = term_limit
        names = tuple(f"v{i}" for i in range(max(len(self.symbols), 1)))
        self._context = fmpz_mpoly_ctx.get(names, Ordering.lex)
        self._generators = dict(zip(self.symbols, self._context.gens(), strict=False))
        self._known: dict[sympy.Expr, RationalFunction] = {}
        places = sorted(range(len(self.symbols)), key=lambda k: cmp_to_key(sympy.Basic.compare)(self.symbols[k]))
        self._rank_in_products = {k: place for place, k in enumerate(places)}
        self.zero, self.one = self.integer(0), self.integer(1)

    def integer(self, value: int) -> "RationalFunction":
        """Return a whole number."""
        return RationalFunction(self, self._context.constant(fmpz(value)), self._context.constant(fmpz(1)))

    def rational_function(self, expression: sympy.Expr) -> "RationalFunction":
        """Return an expression as numerator and denominator.

        Raises:
            InexactError: For what is no rational function of the ring's symbols, and for division by zero.
            BudgetError: Where a polynomial on the way would be too large.
        """
        known = self._known.get(expression)
        if known is None:
            known = self._known[expression] = self._convert(expression)
        return known

    def _convert(self, expression: sympy.Expr) -> "RationalFunction":
        if expression.is_Rational:
            constant = self._context.constant
            return RationalFunction(self, constant(fmpz(int(expression.p))), constant(fmpz(int(expression.q))))
        if expression in self._generators:
            return RationalFunction(self, self._generators[expression], self.one.numerator)
        if expression.is_Add or expression.is_Mul:
            total = self.rational_function(expression.args[0])
            for part in expression.args[1:]:
                other = self.rational_function(part)
                total = total + other if expression.is_Add else total * other
            return total
        if expression.is_Pow and expression.exp.is_Integer:
            return self.rational_function(expression.base) ** int(expression.exp)
        raise InexactError(
            "a rational function of the symbols with rational coefficients is needed, "
            f"not {expression}; give each other expression a name of its own."
        )

    def product(self, a: fmpz_mpoly, b: fmpz_mpoly) -> fmpz_mpoly:
        """Return a * b, or raise BudgetError where that would be too large."""
        if len(a) * len(b) > PRODUCT_LIMIT:
            raise BudgetError(
                f"a product of polynomials must have at most {PRODUCT_LIMIT} pairs of terms, not {len(a) * len(b)}; "
                "keep the named form."
            )
        return self.checked(a * b)

    def checked(self, polynomial: fmpz_mpoly) -> fmpz_mpoly:
        """Return a polynomial, or raise BudgetError where it has too many terms."""
        if len(polynomial) > self.term_limit:
            raise BudgetError(
                f"an expanded polynomial must have at most {self.term_limit} terms, not {len(polynomial)}; "
                "keep the named form."
            )
        return polynomial

    def to_sympy(self, polynomial: fmpz_mpoly) -> sympy.Expr:
        """Return a polynomial as an expanded SymPy expression."""
        return self.terms_to_sympy(polynomial.to_dict())

    def terms_to_sympy(self, monomials: Mapping[tuple[int, ...], Any]) -> sympy.Expr:
        """Return the sum of coefficient times monomial, given as exponents of the symbols."""
        return sympy.Add(*(self._term(monomial, coefficient) for monomial, coefficient in monomials.items()))

    def _term(self, monomial: tuple[int, ...], coefficient: Any) -> sympy.Expr:
        """Return one term; a product of distinct symbols is put together in SymPy's own order, without its search."""
        used = [(k, e) for k, e in enumerate(monomial) if e]
        number = sympy.Integer(int(coefficient))
        if len(used) < 2 or any(e != 1 for _, e in used):
            return sympy.Mul(number, *(self.symbols[k] ** int(e) for k, e in used))
        factors = [self.symbols[k] for k in sorted((k for k, _ in used), key=self._rank_in_products.__getitem__)]
        return sympy.Mul._from_args(factors if number == 1 else [number, *factors], True)


@dataclass(frozen=True, eq=False)
class RationalFunction:
    """numerator / denominator without common factors, the denominator's leading coefficient positive."""

    ring: Ring
    numerator: fmpz_mpoly
    denominator: fmpz_mpoly

    @property
    def is_zero(self) -> bool:
        """Whether the function is identically zero; a proof, since everything is expanded."""
        return bool(self.numerator == 0)

    @property
    def is_constant(self) -> bool:
        """Whether the function is a number."""
        return bool(self.numerator.is_constant() and self.denominator.is_constant())

    @property
    def terms(self) -> int:
        """The number of terms of numerator and denominator together."""
        return len(self.numerator) + len(self.denominator)

    def __add__(self, other: "RationalFunction") -> "RationalFunction":
        times = self.ring.product
        if self.denominator == other.denominator:
            return self._reduced(self.ring.checked(self.numerator + other.numerator), self.denominator)
        top = times(self.numerator, other.denominator) + times(other.numerator, self.denominator)
        return self._reduced(self.ring.checked(top), times(self.denominator, other.denominator))

    def __neg__(self) -> "RationalFunction":
        return RationalFunction(self.ring, -self.numerator, self.denominator)

    def __sub__(self, other: "RationalFunction") -> "RationalFunction":
        return self + (-other)

    def __mul__(self, other: "RationalFunction") -> "RationalFunction":
        times = self.ring.product
        return self._reduced(times(self.numerator, other.numerator), times(self.denominator, other.denominator))

    def __truediv__(self, other: "RationalFunction") -> "RationalFunction":
        return self * other.reciprocal()

    def __pow__(self, exponent: int) -> "RationalFunction":
        base = self if exponent >= 0 else self.reciprocal()
        result = self.ring.one
        for digit in bin(abs(exponent))[2:]:
            result = result * result
            if digit == "1":
                result = result * base
        return result

    def reciprocal(self) -> "RationalFunction":
        """Return 1 over the function."""
        if self.is_zero:
            raise InexactError("an expression must not divide by zero.")
        return self._reduced(self.denominator, self.numerator)

    def _reduced(self, top: fmpz_mpoly, bottom: fmpz_mpoly) -> "RationalFunction":
        if not bottom.is_one():
            common = top.gcd(bottom)
            top, bottom = top // common, bottom // common
            if bottom.leading_coefficient() < 0:
                top, bottom = -top, -bottom
        return RationalFunction(self.ring, top, bottom)

    def factors(self) -> tuple[sympy.Expr, ...]:
        """Return the distinct irreducible factors of the numerator that are no numbers, smallest first."""
        found = [f for f, _ in self.numerator.factor()[1]] if not self.is_zero else []
        positive = [f if f.leading_coefficient() > 0 else -f for f in found if not f.is_constant()]
        return tuple(self.ring.to_sympy(f) for f in sorted(positive, key=lambda f: (len(f), f.total_degree(), str(f))))

    def parts(self) -> tuple[sympy.Expr, sympy.Expr]:
        """Return numerator and denominator as expanded SymPy expressions."""
        return self.ring.to_sympy(self.numerator), self.ring.to_sympy(self.denominator)

    def to_sympy(self) -> sympy.Expr:
        """Return the function as an expanded SymPy expression."""
        top, bottom = self.parts()
        if bottom == 1:
            return top
        if bottom.is_Rational:
            return sympy.Add(*(term / bottom for term in sympy.Add.make_args(top)))
        return top / bottom


def ring_of(rows: Sequence[Sequence[sympy.Expr]], term_limit: int = TERM_LIMIT) -> Ring:
    """Return the ring of all symbols that occur in a table, in the order of their names."""
    return Ring(sorted({s for row in rows for e in row for s in e.free_symbols}, key=_natural), term_limit)


def _natural(symbol: sympy.Symbol) -> tuple[str, str]:
    return str(symbol), str(sorted(symbol.assumptions0.items()))
