"""Typed steps that speak of parameters: the closed form by determinants, and the cases of a matrix of symbols."""

from dataclasses import dataclass

import sympy

from symbinv.exact.matrix import ExactMatrix


@dataclass(frozen=True)
class PivotRatio:
    """One pivot variable as a ratio: unknown = (sum of a * r - sum of b * x) / denominator.

    Attributes:
        unknown: The pivot variable.
        sides: Pairs of a polynomial a and a right side r.
        free: Pairs of a polynomial b and a free variable x.
        denominator: A polynomial.
    """

    unknown: sympy.Symbol
    sides: tuple[tuple[sympy.Expr, sympy.Expr], ...]
    free: tuple[tuple[sympy.Expr, sympy.Symbol], ...]
    denominator: sympy.Expr

    @property
    def value(self) -> sympy.Expr:
        """The ratio as one expression."""
        top = sympy.Add(*(a * r for a, r in self.sides), *(-b * x for b, x in self.free))
        return top / self.denominator


@dataclass(frozen=True)
class ClosedFormGiven:
    """The pivot variables of a layer as ratios of determinants.

    Attributes:
        layer: From 1.
        determinant: Of the pivot block; it must not vanish.
        ratios: One per pivot.
        conditions: What must vanish for a solution to exist.
        denominators: Of the entries, which must not vanish either.
    """

    layer: int
    determinant: sympy.Expr
    ratios: tuple[PivotRatio, ...]
    conditions: tuple[sympy.Expr, ...]
    denominators: tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class CaseTreeGiven:
    """The system [matrix | sides] whose cases follow, and how many there are."""

    matrix: ExactMatrix
    sides: tuple[sympy.Symbol, ...]
    unknowns: tuple[sympy.Symbol, ...]
    count: int


@dataclass(frozen=True)
class CaseSolved:
    """One case of a tree, with all solutions there.

    Attributes:
        number: From 1.
        equations: Polynomials in the parameters that vanish.
        nonzero: Polynomials that do not.
        matrix: The matrix in this case.
        ratios: The pivot variables.
        free: The variables without a pivot.
        conditions: What must vanish for a solution to exist, in the right sides.
    """

    number: int
    equations: tuple[sympy.Expr, ...]
    nonzero: tuple[sympy.Expr, ...]
    matrix: ExactMatrix
    ratios: tuple[PivotRatio, ...]
    free: tuple[sympy.Symbol, ...]
    conditions: tuple[sympy.Expr, ...]

    @property
    def rank(self) -> int:
        """The number of pivots."""
        return len(self.ratios)
