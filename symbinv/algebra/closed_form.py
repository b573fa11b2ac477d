"""closed_form: the pivot variables of a reduction as ratios of determinants, on request.

Written out, x_p = (sum_i A_{pi} r_i - sum_f B_{pf} x_f) / D with D the determinant of the pivot block (where no factor
is common to all of a row), so one proviso, D != 0, takes the place of the named form's one per pivot: the named form
fails where a leading minor vanishes though the system is solvable. The price is size, m! terms a determinant, so
the number of terms is predicted first and a limit refuses it.

References:
    G. Cramer, 1750; E. H. Bareiss, Math. Comp. 22 (1968).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, factorial, prod

import sympy

from symbinv.algebra.elimination import RowReduction
from symbinv.algebra.operation import Swap
from symbinv.errors import BudgetError, ShapeError
from symbinv.exact.determinant import solve_by_determinants
from symbinv.exact.polynomial import TERM_LIMIT

PREDICTION_LIMIT = 1 << 14  # minors that are counted one by one


@dataclass(frozen=True)
class DeterminantRatio:
    """One pivot variable: (sum of sides_i r_i - sum of free_f x_f) / denominator.

    Attributes:
        column: The pivot column, from 0.
        denominator: A polynomial; the pivot block's determinant less what is common to the whole row.
        sides: The polynomial coefficient of every right side, in the order of the matrix's rows.
        free: The polynomial coefficient of every free variable, in the order of `reduction.free`.
    """

    column: int
    denominator: sympy.Expr
    sides: tuple[sympy.Expr, ...]
    free: tuple[sympy.Expr, ...]

    def numerator(self, right_side: Sequence[sympy.Expr], values: Sequence[sympy.Expr]) -> sympy.Expr:
        """Return the numerator for given right sides and free variables, grouped by them and not expanded."""
        positive = (a * r for a, r in zip(self.sides, right_side, strict=True) if a != 0)
        negative = (-b * x for b, x in zip(self.free, values, strict=True) if b != 0)
        return sympy.Add(*positive, *negative)


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """All solutions of W x = r as ratios of polynomials.

    Attributes:
        reduction: What was solved; its pivots and free columns.
        determinant: Of the pivot block: the proviso is that it does not vanish.
        denominators: Of the rows of W, where entries are ratios: they must not vanish either.
        ratios: One per pivot, in the order of `reduction.pivots`.
        condition_rows: One per row without a pivot: polynomial coefficients of the right sides whose sum must vanish.
    """

    reduction: RowReduction
    determinant: sympy.Expr
    denominators: tuple[sympy.Expr, ...]
    ratios: tuple[DeterminantRatio, ...]
    condition_rows: tuple[tuple[sympy.Expr, ...], ...]

    @property
    def provisos(self) -> tuple[sympy.Expr, ...]:
        """What must not vanish for the closed form to hold; numbers are left out."""
        return tuple(e for e in (self.determinant, *self.denominators) if not e.is_number)

    @property
    def terms(self) -> int:
        """The number of terms of the determinant and all numerators together."""
        polynomials = [self.determinant, *(e for r in self.ratios for e in (*r.sides, *r.free))]
        return sum(len(sympy.Add.make_args(e)) for e in polynomials if e != 0)

    def conditions(self, right_side: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        """Return what must vanish for a solution to exist."""
        self._check(right_side, self.reduction.matrix.rows, "right_side", "row")
        return tuple(
            sympy.Add(*(q * r for q, r in zip(row, right_side, strict=True) if q != 0)) for row in self.condition_rows
        )

    def solve(self, right_side: Sequence[sympy.Expr], values: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        """Return x for given right sides and free variables, one ratio per pivot.

        Raises:
            ShapeError: Where a sequence has the wrong length.
        """
        self._check(right_side, self.reduction.matrix.rows, "right_side", "row")
        self._check(values, len(self.reduction.free), "values", "free variable")
        x: list[sympy.Expr] = [sympy.Integer(0)] * self.reduction.matrix.columns
        for j, value in zip(self.reduction.free, values, strict=True):
            x[j] = value
        for ratio in self.ratios:
            x[ratio.column] = ratio.numerator(right_side, values) / ratio.denominator
        return tuple(x)

    def _check(self, entries: Sequence[sympy.Expr], count: int, name: str, what: str) -> None:
        if len(entries) != count:
            raise ShapeError(f"{name} must have one entry per {what} ({count}), not {len(entries)}.")


def closed_form(reduction: RowReduction, limit: int = TERM_LIMIT) -> ClosedForm:
    """Write the pivot variables of a reduction as ratios of determinants.

    Args:
        reduction: From `reduce_rows`; the pivots and free columns are taken from it.
        limit: The largest number of terms that all polynomials together may have.

    Raises:
        BudgetError: Where more terms are predicted.

    Example:
        >>> from symbinv.algebra.elimination import reduce_rows
        >>> a, b, c, d, p, q = sympy.symbols("a b c d p q")
        >>> form = closed_form(reduce_rows([[a, b], [c, d]]))
        >>> form.solve([p, q], []), form.provisos
        (((-b*q + d*p)/(a*d - b*c), (a*q - c*p)/(a*d - b*c)), (a*d - b*c,))
    """
    predicted = predicted_terms(reduction)
    if predicted > limit:
        raise BudgetError(
            f"a closed form may have at most {limit} terms, but this one would have up to {predicted}; "
            "keep the named form, or raise limit=."
        )
    order, rank = _row_order(reduction), reduction.rank
    table = reduction.matrix.to_sympy().tolist()
    solved = solve_by_determinants([table[i] for i in order], rank, reduction.pivots, reduction.free)

    def in_order(entries: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        """Return coefficients of the sides in the matrix's own order of rows."""
        back: list[sympy.Expr] = [sympy.Integer(0)] * len(order)
        for i, e in zip(order, entries, strict=True):
            back[i] = e
        return tuple(back)

    ratios = tuple(
        DeterminantRatio(column, bottom, in_order(sides), columns)
        for column, (bottom, sides, columns) in zip(reduction.pivots, solved.pivots, strict=True)
    )
    conditions = tuple(in_order(row) for row in solved.conditions)
    return ClosedForm(reduction, solved.determinant, tuple(dict.fromkeys(solved.scale)), ratios, conditions)


def predicted_terms(reduction: RowReduction) -> int:
    """Return an upper bound of the terms computed, exact for a matrix of distinct symbols.

    Example:
        >>> from symbinv.algebra.elimination import reduce_rows
        >>> rows = [[sympy.Symbol(f"w_{i}{j}") for j in range(8)] for i in range(6)]
        >>> predicted_terms(reduce_rows(rows))
        13680
    """
    table = reduction.matrix.to_sympy().tolist()
    order, rank, free = _row_order(reduction), reduction.rank, reduction.free
    if rank == 0:
        return 0
    counts = [[_count(table[i][j]) for j in (*reduction.pivots, *free)] + [1] for i in order[:rank]]
    width = len(counts[0])
    if sum(comb(width, k) for k in range(rank + 1)) <= PREDICTION_LIMIT:
        permanents = _permanents(counts)
        block = tuple(range(rank))
        sets = [(*block[:p], *block[p + 1 :], j) for p in range(rank) for j in range(rank, width)]
        by_counts = permanents(block) + sum(permanents(s) for s in sets)
    else:
        each = min(factorial(rank) * max(max(row) for row in counts) ** rank, prod(sum(row[:rank]) for row in counts))
        by_counts = each * (rank * (width - rank) + 1)
    if reduction.matrix.is_rational:
        return min(by_counts, (rank * (width - rank) + 1) * rank)
    return min(by_counts, _by_degrees(table, rank, width))


def _permanents(counts: list[list[int]]) -> Callable[[tuple[int, ...]], int]:
    known: dict[tuple[int, ...], int] = {(): 1}

    def permanent(columns: tuple[int, ...]) -> int:
        if columns not in known:
            row = counts[len(columns) - 1]
            known[columns] = sum(
                row[j] * permanent(columns[:k] + columns[k + 1 :]) for k, j in enumerate(columns) if row[j]
            )
        return known[columns]

    return permanent


def _by_degrees(table: list[list[sympy.Expr]], rank: int, width: int) -> int:
    """Return how many monomials there are at most of the degree that a determinant can reach."""
    symbols = {s for row in table for e in row for s in e.free_symbols}
    degree = sum(max((_degree(e) for e in row), default=0) for row in table)
    return comb(len(symbols) + degree, degree) * (rank * width + 1)


def _degree(entry: sympy.Expr) -> int:
    top, bottom = sympy.fraction(sympy.together(entry))
    return int(sum(sympy.Poly(e, *e.free_symbols).total_degree() for e in (top, bottom) if e.free_symbols))


def _count(entry: sympy.Expr) -> int:
    if entry == 0:
        return 0
    if entry.is_Pow and entry.exp.is_Integer and entry.base.is_Add:
        return comb(len(entry.base.args) + abs(int(entry.exp)) - 1, abs(int(entry.exp)))
    if entry.is_Mul:
        return prod(_count(e) for e in entry.args)
    return sum(_count(e) for e in entry.args) if entry.is_Add else 1


def _row_order(reduction: RowReduction) -> list[int]:
    """Return the rows of the matrix in the order that elimination put them in."""
    if reduction.operations is None:
        leading = list(reduction.matrix.select(columns=reduction.pivots).T.rref()[1])
        return [*leading, *(i for i in range(reduction.matrix.rows) if i not in leading)]
    order = list(range(reduction.matrix.rows))
    for operation in reduction.operations:
        if isinstance(operation, Swap):
            order[operation.first], order[operation.second] = order[operation.second], order[operation.first]
    return order
