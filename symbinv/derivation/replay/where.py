"""Where: the real parameters at which given polynomials vanish and others do not, and what follows there.

Equations that are linear in a symbol, with a coefficient that does not vanish, are solved for it, and sums of squares
are taken apart; what is left stays open, and its multiples vanish. Every answer but "unknown" is a proof.
"""

from collections.abc import Iterable, Sequence

import sympy

from symbinv.derivation.replay.equality import EXACT, Claim, Judge
from symbinv.exact.polynomial import Ring

SIGNS = ("positive", "negative", "nonnegative", "nonpositive", "nonzero")


class Where:
    """Real values of symbols, in so far as SymPy's assumptions on them allow.

    Args:
        judge: Decides equality of large expressions.
        symbols: All of them.
        equations: Polynomials that vanish.
        nonzero: Polynomials that do not.

    Attributes:
        is_impossible: Whether there are surely no such values.

    Example:
        >>> a, b, c = sympy.symbols("a b c")
        >>> here = Where(Judge(), (a, b, c), [a * b - c], [b, c])
        >>> here.is_nonzero(a), here.is_nonzero(a + 1), here.vanishes(a * b**2 - b * c)
        (True, False, True)
        >>> Where(Judge(), (a, b), [a**2 + b**2], [b]).is_impossible
        True
    """

    def __init__(
        self,
        judge: Judge,
        symbols: Iterable[sympy.Symbol],
        equations: Iterable[sympy.Expr],
        nonzero: Iterable[sympy.Expr],
    ) -> None:
        self.symbols = tuple(sorted(symbols, key=str))
        self.is_impossible = False
        self._judge, self._ring = judge, Ring(self.symbols)
        self._nonzero = tuple(nonzero)
        self._meanings: dict[sympy.Symbol, sympy.Expr] = {}
        self._factor()
        self._open = self._settled(list(equations))

    def vanishes(self, expression: sympy.Expr) -> bool:
        """Tell whether an expression, whose divisors do not vanish here, surely is zero."""
        there = self._ring.rational_function(expression.xreplace(self._meanings))
        top = self._ring.rational_function(there.parts()[0])
        return top.is_zero or any((top / self._ring.rational_function(e)).parts()[1].is_number for e in self._open)

    def equal(self, left: sympy.Expr, right: sympy.Expr) -> Claim | None:
        """Return what the equality of two expressions rests on here; None where it does not follow."""
        claim = self._judge.equal(left, right, self._meanings)
        return EXACT if claim is None and self._open and self.vanishes(left - right) else claim

    def is_nonzero(self, expression: sympy.Expr) -> bool:
        """Tell whether an expression surely is not zero."""
        if expression in self._nonzero:
            return True
        there = self._ring.rational_function(expression.xreplace(self._meanings))
        return not there.is_zero and all(self._never_zero(f) for f in there.factors())

    def _factor(self) -> None:
        """Take what does not vanish apart into irreducible factors, the solved symbols replaced."""
        found = [self._ring.rational_function(e.xreplace(self._meanings)) for e in self._nonzero]
        self.is_impossible = self.is_impossible or any(f.is_zero for f in found)
        self._factors = frozenset(f for q in found for f in q.factors())

    def _never_zero(self, factor: sympy.Expr) -> bool:
        return factor in self._factors or self._has_one_sign(factor)

    def _has_one_sign(self, polynomial: sympy.Expr) -> bool:
        """Tell by SymPy's rules for signs whether a polynomial is never zero, its symbols real."""
        signed = {}
        for s in polynomial.free_symbols:
            kept = {k: True for k in SIGNS if getattr(s, f"is_{k}") or (k == "nonzero" and s in self._factors)}
            signed[s] = sympy.Dummy(s.name, real=True, **kept)
        value = polynomial.xreplace(signed)
        return bool(value.is_positive or value.is_negative or value.is_zero is False)

    def _settled(self, waiting: list[sympy.Expr]) -> list[sympy.Expr]:
        """Solve equations as long as one can be; return those left open."""
        again = True
        while again and not self.is_impossible:
            again = False
            left: list[sympy.Expr] = []
            for equation in waiting:
                there = self._ring.rational_function(equation.xreplace(self._meanings))
                if there.is_zero:
                    continue
                unknown = [f for f in there.factors() if not self._never_zero(f)]
                if not unknown:
                    self.is_impossible = True
                elif len(unknown) == 1 and self._solve(unknown[0]):
                    again = True
                else:
                    parts = _squares(unknown[0], self._ring) if len(unknown) == 1 else ()
                    left += parts or (sympy.Mul(*unknown),)
                    again = again or bool(parts)
            waiting = left
        return waiting

    def _solve(self, polynomial: sympy.Expr) -> bool:
        """Solve an equation that is linear in some symbol; False where no coefficient surely does not vanish."""
        for s in sorted(polynomial.free_symbols, key=str):
            if sympy.degree(polynomial, s) != 1:
                continue
            coefficient = polynomial.coeff(s, 1)
            if self.is_nonzero(coefficient):
                rest = sympy.expand(polynomial - coefficient * s)
                new = {s: self._ring.rational_function(-rest / coefficient).to_sympy()}
                for name, value in self._meanings.items():
                    divisor = self._ring.rational_function(value).parts()[1].xreplace({s: new[s]})
                    if self._ring.rational_function(divisor).is_zero:  # what surely does not vanish would vanish
                        self.is_impossible = True
                        return True
                    new[name] = self._ring.rational_function(value.xreplace({s: new[s]})).to_sympy()
                self._meanings = new
                self._factor()
                return True
        return False


def _squares(polynomial: sympy.Expr, ring: Ring) -> tuple[sympy.Expr, ...]:
    """Return what must vanish where a sum of squares does; () where it is not seen to be one.

    4 a p = (2 a s + b)^2 + (4 a c - b^2) for p = a s^2 + b s + c, a number a, and a last part that is a square.
    """
    terms = sympy.Add.make_args(polynomial)
    parts = [t.as_coeff_Mul() for t in terms]
    even = all(int(k) % 2 == 0 for _, monomial in parts for k in monomial.as_powers_dict().values() if monomial != 1)
    if even and len({bool(c > 0) for c, _ in parts}) == 1:
        return tuple(sympy.Mul(*sorted(t.free_symbols, key=str)) for t in terms)
    for s in ring.symbols:
        if s in polynomial.free_symbols and sympy.degree(polynomial, s) == 2:
            a, b, c = (polynomial.coeff(s, k) for k in (2, 1, 0))
            number, factors = sympy.factor_list(4 * a * c - b**2)
            if a.is_number and number > 0 and all(k % 2 == 0 for _, k in factors):
                return (sympy.expand(2 * a * s + b), sympy.Mul(*(f for f, _ in factors)))
    return ()


def cover(
    judge: Judge,
    symbols: Sequence[sympy.Symbol],
    cases: Sequence[tuple[Sequence[sympy.Expr], Sequence[sympy.Expr]]],
    nonzero: Iterable[sympy.Expr],
) -> str:
    """Return why the cases are not shown to be disjoint and complete, or "" where they are.

    A decision tree is rebuilt: at each node a polynomial that vanishes in some of the cases left and does not in the
    others, until one case is left, whose relations follow from the path, or none, on a path that is impossible.

    Args:
        judge, symbols: As for `Where`.
        cases: Equations and what does not vanish, of each case.
        nonzero: What does not vanish in any case.

    Example:
        >>> a, b = sympy.symbols("a b")
        >>> cover(Judge(), (a, b), [([], [a]), ([a], [b]), ([a, b], [])], [])
        ''
        >>> cover(Judge(), (a, b), [([], [a]), ([a], [b])], [])
        'the cases leave out where a, b = 0'
    """
    return _Tree(judge, tuple(symbols), cases).cover(range(len(cases)), (), tuple(nonzero))


class _Tree:
    def __init__(
        self,
        judge: Judge,
        symbols: tuple[sympy.Symbol, ...],
        cases: Sequence[tuple[Sequence[sympy.Expr], Sequence[sympy.Expr]]],
    ) -> None:
        self.judge, self.symbols, self.cases = judge, symbols, cases
        self.places = [Where(judge, symbols, *case) for case in cases]
        self.known: dict[tuple[int, sympy.Expr], bool | None] = {}

    def cover(self, left: Sequence[int], equations: tuple[sympy.Expr, ...], nonzero: tuple[sympy.Expr, ...]) -> str:
        """Return why the cases left do not cover a path, or ""."""
        if len(left) < 2:
            return self._leaf(left, equations, nonzero)
        for p in dict.fromkeys(e for i in left for e in (*self.cases[i][1], *self.cases[i][0])):
            sides: dict[bool | None, list[int]] = {}
            for i in left:
                sides.setdefault(self._vanishes(i, p), []).append(i)
                if None in sides:
                    break
            if set(sides) == {True, False}:
                return self.cover(sides[False], equations, (*nonzero, p)) or self.cover(
                    sides[True], (*equations, p), nonzero
                )
        return f"cases {left[0] + 1} and {left[1] + 1} are not told apart"

    def _leaf(self, left: Sequence[int], equations: tuple[sympy.Expr, ...], nonzero: tuple[sympy.Expr, ...]) -> str:
        here = Where(self.judge, self.symbols, equations, nonzero)
        if here.is_impossible:
            return ""
        if not left:
            return f"the cases leave out where {_shown(equations, nonzero)}"
        for e in self.cases[left[0]][0]:
            if not here.vanishes(e):
                return self.cover((), equations, (*nonzero, e)) or self.cover(left, (*equations, e), nonzero)
        for e in self.cases[left[0]][1]:
            if not here.is_nonzero(e):
                return self.cover((), (*equations, e), nonzero) or self.cover(left, equations, (*nonzero, e))
        return ""

    def _vanishes(self, case: int, polynomial: sympy.Expr) -> bool | None:
        """Tell whether a polynomial vanishes in a case, True, or does not, False; None where neither follows."""
        key = (case, polynomial)
        if key not in self.known:
            place = self.places[case]
            self.known[key] = True if place.vanishes(polynomial) else False if place.is_nonzero(polynomial) else None
        return self.known[key]


def _shown(equations: Sequence[sympy.Expr], nonzero: Sequence[sympy.Expr]) -> str:
    parts = ((equations, "= 0"), (nonzero, "!= 0"))
    return " and ".join(f"{', '.join(map(str, found[:6]))} {sign}" for found, sign in parts if found) or "any values"
