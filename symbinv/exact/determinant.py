"""Determinants of polynomials without fractions: by Bareiss's elimination, or by minors, and systems solved by them.

References:
    E. H. Bareiss, Sylvester's identity and multistep integer-preserving Gaussian elimination,
    Math. Comp. 22 (1968).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, lcm

import sympy
from flint import fmpz_mpoly

from symbinv.errors import InexactError
from symbinv.exact.polynomial import TERM_LIMIT, Ring, ring_of

MINOR_LIMIT = 4096  # minors up to which expansion is taken rather than elimination


def clear_row(ring: Ring, row: Sequence[sympy.Expr]) -> tuple[list[fmpz_mpoly], fmpz_mpoly]:
    """Return a row times the least common multiple of its denominators, and that multiple; for exact/ alone."""
    functions = [ring.rational_function(e) for e in row]
    common = ring.one.numerator
    for f in functions:
        common = ring.product(common, f.denominator // common.gcd(f.denominator))
    if common.is_constant():
        common = ring.integer(lcm(*(int(f.denominator.leading_coefficient()) for f in functions))).numerator
    return [ring.product(f.numerator, common // f.denominator) for f in functions], common


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
    ring = ring_of(rows, term_limit)
    table = [clear_row(ring, row)[0] for row in rows]
    previous = ring.one.numerator
    for p in range(len(table) - 1):
        if not _bring_pivot(table, p, len(table)):
            return True
        bareiss_step(ring, table, p, previous)
        previous = table[p][p]
    return bool(table[-1][-1] == 0)


def _bring_pivot(table: list[list[fmpz_mpoly]], p: int, rows: int) -> bool:
    """Bring a row whose entry in column p is not zero to row p; the row it trades with changes its sign."""
    for i in range(p, rows):
        if table[i][p] != 0:
            if i != p:
                table[p], table[i] = table[i], [-e for e in table[p]]
            return True
    return False


def bareiss_step(ring: Ring, table: list[list[fmpz_mpoly]], p: int, previous: fmpz_mpoly, above: bool = False) -> None:
    """Clear column p below row p, and above it if asked, without fractions; `previous` is the last step's pivot.

    Every entry of the result is a minor of the cleared table, so the division is exact.
    """
    pivot, source = table[p][p], table[p]
    for i in range(0 if above else p + 1, len(table)):
        if i == p:
            continue
        below = table[i][p]
        table[i] = [
            entry * 0 if j == p else (ring.product(pivot, entry) - ring.product(below, s)) // previous
            for j, (entry, s) in enumerate(zip(table[i], source, strict=True))
        ]


@dataclass(frozen=True, eq=False)
class Cramer:
    """A system solved by determinants: determinant * x_p = sides_p . r - columns_p . x_free.

    Attributes:
        determinant: Of the pivot block; the solution holds where it does not vanish.
        scale: What the rows were multiplied by to be free of denominators, one factor a row.
        pivots: One row per pivot variable: denominator, coefficients of the sides, coefficients of the free columns,
            all polynomials without a common factor.
        conditions: One row per equation left over: polynomial coefficients of the sides whose sum must vanish.
    """

    determinant: sympy.Expr
    scale: tuple[sympy.Expr, ...]
    pivots: tuple[tuple[sympy.Expr, tuple[sympy.Expr, ...], tuple[sympy.Expr, ...]], ...]
    conditions: tuple[tuple[sympy.Expr, ...], ...]


def solve_by_determinants(
    rows: Sequence[Sequence[sympy.Expr]],
    rank: int,
    pivots: Sequence[int],
    free: Sequence[int],
    term_limit: int = TERM_LIMIT,
    expand_minors: bool | None = None,
) -> Cramer:
    """Solve W x = r for pivot variables by determinants without fractions, every side r_i a symbol of its own.

    Small systems are expanded by minors, which multiplies only by entries; large ones, with few symbols or they would
    be refused, are eliminated by Bareiss's steps.

    Args:
        rows: W, its rows so ordered that the first `rank` and the pivot columns form a non-singular block.
        rank: The rank of W.
        pivots: The pivot columns, `rank` of them.
        free: The other columns.
        term_limit: The largest number of terms that a polynomial on the way may have.
        expand_minors: Expand by minors or eliminate; by default whichever the size suggests.

    Raises:
        BudgetError: Where a polynomial is larger.
        InexactError: For a singular block, and for entries that are no rational functions.
    """
    sides = [sympy.Dummy(f"r{i}") for i in range(len(rows))]
    symbols = [*ring_of(rows).symbols, *sides]
    ring = Ring(symbols, term_limit)
    table, scale = [], []
    for row, side in zip(rows, sides, strict=True):
        cleared, factor = clear_row(ring, [row[j] for j in (*pivots, *free)])
        table.append([*cleared, ring.product(factor, ring.rational_function(side).numerator)])
        scale.append(ring.to_sympy(factor))
    minors = sum(comb(rank + len(free) + 1, k) for k in range(rank + 1))
    by_minors = minors <= MINOR_LIMIT if expand_minors is None else expand_minors
    determinant, solved, left = (_expand_minors if by_minors else _jordan)(ring, table, rank)
    split = _Splitter(ring, len(symbols) - len(sides), len(sides))
    whole = ring.to_sympy(determinant)
    found = []
    for entries in solved:
        common = _common_factor(determinant, entries)
        *columns, side_entry = [e // common for e in entries]
        bottom = whole if common.is_one() else ring.to_sympy(determinant // common)
        found.append((bottom, split(side_entry), tuple(ring.to_sympy(e) for e in columns)))
    return Cramer(whole, tuple(scale), tuple(found), tuple(split(_primitive(e)) for e in left))


Solved = tuple[fmpz_mpoly, list[list[fmpz_mpoly]], list[fmpz_mpoly]]


def _jordan(ring: Ring, table: list[list[fmpz_mpoly]], rank: int) -> Solved:
    """Return the determinant of the block, determinant * (the other columns), and what is left below the block."""
    previous = ring.one.numerator
    for p in range(rank):
        if not _bring_pivot(table, p, rank):
            raise InexactError("the pivot block must not be singular; its determinant vanishes identically.")
        bareiss_step(ring, table, p, previous, above=True)
        for row in table[:p]:
            row[p] = row[p] * 0
        previous = table[p][p]
    return previous, [row[rank:] for row in table[:rank]], [row[-1] for row in table[rank:]]


def _expand_minors(ring: Ring, table: list[list[fmpz_mpoly]], rank: int) -> Solved:
    """Return the same as `_jordan` by expansion along rows, every minor computed once and nothing divided."""
    known: dict[tuple[int, ...], fmpz_mpoly] = {(): ring.one.numerator}

    def minor(columns: tuple[int, ...]) -> fmpz_mpoly:
        """Return the minor of the first len(columns) rows."""
        if columns not in known:
            row, total = table[len(columns) - 1], ring.zero.numerator
            for k, j in enumerate(columns):
                if row[j] != 0:
                    term = ring.product(row[j], minor(columns[:k] + columns[k + 1 :]))
                    total = total - term if (len(columns) - 1 - k) % 2 else total + term
            known[columns] = ring.checked(total)
        return known[columns]

    block = tuple(range(rank))
    width = len(table[0]) if table else rank
    solved = []
    for p in range(rank):
        rest = block[:p] + block[p + 1 :]
        sign = -1 if (rank - 1 - p) % 2 else 1
        solved.append([minor((*rest, j)) * sign for j in range(rank, width)])
    left = []
    for row in table[rank:]:  # the bordered minor, expanded along its last row
        total = ring.product(row[-1], minor(block))
        for p in range(rank):
            total = total - ring.product(row[p], solved[p][-1])
        left.append(total)
    if rank and minor(block) == 0:
        raise InexactError("the pivot block must not be singular; its determinant vanishes identically.")
    return minor(block), solved, left


def _common_factor(determinant: fmpz_mpoly, entries: Sequence[fmpz_mpoly]) -> fmpz_mpoly:
    """Return the common factor, of the sign that makes the determinant over it lead with a positive coefficient."""
    common = determinant
    for e in sorted(entries, key=len):
        if common.is_one():
            break
        common = common.gcd(e) if e != 0 else common
    return -common if (determinant // common).leading_coefficient() < 0 else common


def _primitive(polynomial: fmpz_mpoly) -> fmpz_mpoly:
    return polynomial if polynomial == 0 else polynomial.primitive()[1]


@dataclass(frozen=True)
class _Splitter:
    """Takes a polynomial linear in the last `count` symbols apart into their coefficients."""

    ring: Ring
    first: int
    count: int

    def __call__(self, polynomial: fmpz_mpoly) -> tuple[sympy.Expr, ...]:
        parts: list[dict[tuple[int, ...], int]] = [{} for _ in range(self.count)]
        for monomial, coefficient in polynomial.to_dict().items():
            exponents = list(map(int, monomial))
            k = exponents.index(1, self.first)
            exponents[k] = 0
            parts[k - self.first][tuple(exponents)] = coefficient
        return tuple(self.ring.terms_to_sympy(part) for part in parts)
