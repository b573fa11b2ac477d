"""Determinants of matrices of polynomials, fraction-free, in FLINT's sparse multivariate polynomials.

References:
    E. H. Bareiss, Sylvester's identity and multistep integer-preserving Gaussian elimination,
    Math. Comp. 22 (1968).
"""

from collections.abc import Sequence

import sympy
from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from symbinv.errors import BudgetError

TERM_LIMIT = 200_000


def determinant_is_zero(rows: Sequence[Sequence[sympy.Expr]], term_limit: int = TERM_LIMIT) -> bool:
    """Tell, by expansion, whether a determinant of rational functions is identically zero.

    Args:
        rows: A square table of rational functions of symbols.
        term_limit: The largest number of terms that an intermediate polynomial may have.

    Raises:
        BudgetError: Where an intermediate polynomial is larger.

    Example:
        >>> a, b = sympy.symbols("a b")
        >>> determinant_is_zero([[a, b], [a * b, b**2]])
        True
    """
    cleared = [_clear_row(row) for row in rows]
    names = sorted({s for row in cleared for e in row for s in e.free_symbols}, key=str)
    context = fmpq_mpoly_ctx.get([f"v{i}" for i in range(len(names))] or ["v0"], Ordering.lex)
    table = [[_to_flint(e, names, context) for e in row] for row in cleared]
    return bool(_bareiss(table, term_limit) == 0)


def _clear_row(row: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    fractions = [sympy.fraction(sympy.together(e)) for e in row]
    common = sympy.lcm_list([d for _, d in fractions])
    return [sympy.cancel(n * common / d) for n, d in fractions]


def _to_flint(expression: sympy.Expr, names: list[sympy.Symbol], context: fmpq_mpoly_ctx) -> fmpq_mpoly:
    if not names:
        return context.constant(fmpq(int(expression.p), int(expression.q)))
    terms = sympy.Poly(expression, *names).terms()
    return context.from_dict({monomial: fmpq(int(c.p), int(c.q)) for monomial, c in terms})


def _bareiss(table: list[list[fmpq_mpoly]], term_limit: int) -> fmpq_mpoly:
    size = len(table)
    previous = table[0][0].context().constant(1)
    for p in range(size - 1):
        pivot_row = next((i for i in range(p, size) if table[i][p] != 0), None)
        if pivot_row is None:
            return previous * 0
        if pivot_row != p:
            table[p], table[pivot_row] = table[pivot_row], [-e for e in table[p]]
        for i in range(p + 1, size):
            for j in range(p + 1, size):
                product = table[p][p] * table[i][j] - table[i][p] * table[p][j]
                table[i][j] = product // previous
                if len(table[i][j]) > term_limit:
                    raise BudgetError(
                        f"an expanded determinant must have at most {term_limit} terms, not {len(table[i][j])}."
                    )
        previous = table[p][p]
    return table[size - 1][size - 1]
