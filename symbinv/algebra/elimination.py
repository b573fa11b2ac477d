"""reduce_rows: a matrix to its RowReduction, once; any right side is pushed through afterwards.

Elimination runs as on paper: forward, column by column from the left, then back-substitution. Over the
rationals the operations are kept up to RECORD_LIMIT entries, a size that somebody may print; above it only the
result is kept and FLINT computes it whole. Over symbols the elimination is named (algebra/named.py).
The right side never takes part in a pivot decision, so every zero test is decidable.

Which pivots are taken is the reader's choice: the paper's (from the left, the first that is not zero), those that
need the fewest assumptions, or, over numbers, those whose block is best conditioned. Floats propose the last; what
is computed with them is exact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import sympy

from symbinv.algebra.named import STRATEGIES, Definition, NamedElimination
from symbinv.algebra.operation import AddMultiple, Operation, Swap, apply
from symbinv.errors import InexactError, OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.modular import UnluckyPointError
from symbinv.exact.policy import to_rational

if TYPE_CHECKING:
    from symbinv.algebra.cases import CaseTree

RECORD_LIMIT = 1024
ATTEMPTS = 4


@dataclass(frozen=True, eq=False)
class RowReduction:
    """The reduction of a matrix by row operations.

    Attributes:
        matrix: What was reduced, (m, n).
        echelon: After forward elimination; the reduced form itself where operations were not kept.
        pivots: Pivot columns from 0, in the order of their rows.
        operations: Forward elimination, in order; None above RECORD_LIMIT entries.
        definitions: Names given to multipliers and updated entries, in order (symbols only).
        assumptions: Expressions taken to be non-zero, one per symbolic pivot.
        zero_claim: "exact" where every zero was proved, else "probabilistic".
    """

    matrix: ExactMatrix
    echelon: ExactMatrix
    pivots: tuple[int, ...]
    operations: tuple[Operation, ...] | None
    definitions: tuple[Definition, ...] = ()
    assumptions: tuple[sympy.Expr, ...] = ()
    zero_claim: str = "exact"

    @property
    def rank(self) -> int:
        """The number of pivots."""
        return len(self.pivots)

    @property
    def nullity(self) -> int:
        """The dimension of the null space."""
        return self.matrix.columns - self.rank

    @property
    def free(self) -> tuple[int, ...]:
        """The columns without a pivot, from 0."""
        return tuple(j for j in range(self.matrix.columns) if j not in self.pivots)

    @cached_property
    def transform(self) -> ExactMatrix:
        """The matrix T with T @ matrix = rref; in names where the matrix has symbols."""
        return self._reduced[1]

    @cached_property
    def rref(self) -> ExactMatrix:
        """The reduced row echelon form; in names where the matrix has symbols."""
        if self.operations is None:
            return self.echelon
        return self._reduced[0]

    @cached_property
    def _reduced(self) -> tuple[ExactMatrix, ExactMatrix]:
        if self.matrix.is_rational:
            return self._rational_reduced()
        return self._symbolic_reduced()

    def _rational_reduced(self) -> tuple[ExactMatrix, ExactMatrix]:
        m, n = self.matrix.shape
        if self.rank == m:  # T inverts the pivot block; cheaper than reducing [W | I]
            transform = self.matrix.select(columns=self.pivots).solve(ExactMatrix.identity(m))
        else:
            order = (*self.pivots, *self.free, *range(n, n + m))
            joint = self.matrix.beside(ExactMatrix.identity(m)).select(columns=order)
            transform = joint.rref()[0].select(columns=range(n, n + m))
        return transform @ self.matrix, transform

    def _symbolic_reduced(self) -> tuple[ExactMatrix, ExactMatrix]:
        m = self.matrix.rows
        left = [list(row) for row in self.echelon.to_sympy().tolist()]
        right = [[sympy.Integer(int(i == j)) for j in range(m)] for i in range(m)]
        for operation in self.operations or ():
            apply(operation, right)
        for i in reversed(range(self.rank)):
            pivot = left[i][self.pivots[i]]
            left[i] = [e / pivot for e in left[i]]
            right[i] = [e / pivot for e in right[i]]
            for above in range(i):
                factor = left[above][self.pivots[i]]
                if factor != 0:
                    left[above] = [e - factor * s for e, s in zip(left[above], left[i], strict=True)]
                    left[above][self.pivots[i]] = sympy.Integer(0)
                    right[above] = [e - factor * s for e, s in zip(right[above], right[i], strict=True)]
        return ExactMatrix(left), ExactMatrix(right)

    def values(self) -> dict[sympy.Symbol, sympy.Expr]:
        """Return what each defined name stands for, in the matrix's own symbols, not expanded."""
        known: dict[sympy.Symbol, sympy.Expr] = {}
        for definition in self.definitions:
            known[definition.name] = definition.value.xreplace(known)
        return known


@overload
def reduce_rows(
    matrix: Any,
    *,
    free: Iterable[int] | None = None,
    cases: Literal[False] = False,
    strategy: str = "paper",
    order: Sequence[int] | None = None,
    superscript: Sequence[int] = (),
    record: bool | None = None,
    names: Sequence[Any] | None = None,
) -> RowReduction: ...


@overload
def reduce_rows(
    matrix: Any,
    *,
    free: Iterable[int] | None = None,
    cases: Literal[True],
    superscript: Sequence[int] = (),
) -> "CaseTree": ...


def reduce_rows(
    matrix: Any,
    *,
    free: Iterable[int] | None = None,
    cases: bool = False,
    strategy: str = "paper",
    order: Sequence[int] | None = None,
    superscript: Sequence[int] = (),
    record: bool | None = None,
    names: Sequence[Any] | None = None,
) -> "RowReduction | CaseTree":
    r"""Reduce a matrix by row operations, exactly.

    Forward elimination takes the first entry of each column that is not zero as pivot, from the left, as on
    paper. Columns without a pivot belong to free variables.

    Args:
        matrix: (m, n): an ExactMatrix, a SymPy matrix, nested lists or a NumPy array; entries are
            numbers or rational functions of symbols.
        free: Columns (from 0) that shall have no pivot.
        cases: Return the complete list of parameter cases instead; see `symbinv.algebra.cases.reduce_cases`.
        strategy: "paper" (columns from the left, the first entry that is not zero), "fewest_provisos" (entries
            that need no assumption first) or "best_conditioned" (numbers only: large, independent columns first).
        order: Columns in the order in which pivots are sought, for "paper"; the others follow from the left.
        superscript: Numbers put above every name that is given.
        record: Whether to keep the operations; by default up to 1024 entries.
        names: What the columns are called in messages; by default their numbers, from 0.

    Returns:
        The reduction. Symbolic pivots that were taken to be non-zero stand in `assumptions`.

    Raises:
        InexactError: For entries that are neither numbers nor rational functions of symbols.
        OptionError: Where the chosen columns cannot all be free, and for unknown strategies and columns.

    Example:
        >>> r = reduce_rows([[1, 2, 3], [2, 4, 7]])
        >>> r.pivots, r.free, r.rref.to_sympy()
        ((0, 2), (1,), Matrix([
        [1, 2, 0],
        [0, 0, 1]]))
        >>> a, b, c, d = sympy.symbols("a b c d")
        >>> reduce_rows([[a, b, c], [a, b, d]]).pivots
        (0, 2)

    References:
        The elimination is the one of "Analyzing Neural Network Input Spaces through Network Inversion",
        with every pivot's non-vanishing stated.
    """
    exact = matrix if isinstance(matrix, ExactMatrix) else ExactMatrix(matrix)
    chosen = _check_free(free, exact.columns)
    columns = _column_order(exact, chosen, strategy, order)
    if cases:
        if strategy != "paper" or order is not None:
            raise OptionError("a list of parameter cases takes the pivots of strategy 'paper' and no order.")
        from symbinv.algebra.cases import reduce_cases

        return reduce_cases(exact, free=chosen, superscript=superscript)
    if exact.is_rational:
        keep = exact.rows * exact.columns <= RECORD_LIMIT if record is None else record
        largest = strategy == "best_conditioned"
        reduction = _reduce_recorded(exact, columns, largest) if keep else _reduce_whole(exact, columns)
    else:
        reduction = reduce_named(exact, columns, tuple(superscript), strategy)
    if chosen:
        _check_rank(reduction, chosen, names)
    return reduction


def _check_free(free: Iterable[int] | None, columns: int) -> frozenset[int]:
    return frozenset(_check_columns(() if free is None else free, columns, "free columns"))


def _check_columns(chosen: Iterable[int], columns: int, what: str) -> list[int]:
    asked = list(chosen)
    try:
        numbers = [index(j) for j in asked]
    except TypeError:
        numbers = [-1]
    if any(not 0 <= j < columns for j in numbers):
        raise OptionError(f"{what} must lie between 0 and {columns - 1}, not {sorted(asked, key=str)}.")
    return numbers


def _column_order(matrix: ExactMatrix, free: frozenset[int], strategy: str, order: Sequence[int] | None) -> list[int]:
    """Return the columns in which pivots are sought, in order."""
    if strategy not in STRATEGIES:
        raise OptionError(f"strategy must be one of {', '.join(STRATEGIES)}, not {strategy!r}.")
    columns = [j for j in range(matrix.columns) if j not in free]
    if strategy == "best_conditioned":
        if not matrix.is_rational:
            raise OptionError("strategy 'best_conditioned' needs numbers, not symbols; take 'fewest_provisos'.")
        columns = _independent_first(matrix, columns)
    if order is None:
        return columns
    if strategy != "paper":
        raise OptionError(f"give either an order of columns or strategy {strategy!r}, not both.")
    first = list(dict.fromkeys(_check_columns(order, matrix.columns, "columns of the order")))
    if free.intersection(first):
        raise OptionError(f"columns of the order must not be free, but {sorted(free.intersection(first))} are.")
    return [*first, *(j for j in columns if j not in first)]


def _independent_first(matrix: ExactMatrix, columns: Sequence[int]) -> list[int]:
    """Return columns so that each is the one farthest from the span of those before it (QR with pivoting)."""
    try:
        rest = matrix.select(columns=columns).to_numpy().copy()
    except InexactError:
        return list(columns)
    largest = np.abs(rest).max(initial=0.0)
    if not rest.size or not np.isfinite(largest) or largest == 0:
        return list(columns)
    rest /= largest
    left, chosen = list(range(len(columns))), []
    while left:
        sizes = (rest[:, left] ** 2).sum(axis=0)
        best = left.pop(int(sizes.argmax()))
        chosen.append(columns[best])
        length = float(np.sqrt((rest[:, best] ** 2).sum()))
        if length > 0:
            unit = rest[:, best] / length
            rest -= np.outer(unit, unit @ rest)
    return chosen


def _check_rank(reduction: RowReduction, chosen: frozenset[int], names: Sequence[Any] | None) -> None:
    """Refuse free columns that the others do not span; what is left of them below the pivots tells which."""
    rows = range(reduction.rank, reduction.matrix.rows)
    needed = [j for j in sorted(chosen) if rows and not reduction.echelon.select(rows=rows, columns=[j]).is_zero()]
    if not needed:
        return
    others = [j for j in range(reduction.matrix.columns) if j not in chosen]

    def listed(columns: Sequence[int]) -> str:
        """Return the names of columns, eight at most."""
        shown = [str(j if names is None else names[j]) for j in columns]
        return ", ".join(shown if len(shown) <= 8 else [*shown[:7], "..."])

    left = f"the others, {listed(others)}, have rank {reduction.rank}" if others else "no column is left for a pivot"
    raise OptionError(
        f"free columns must be combinations of the others, but {listed(needed)} {'is' if len(needed) == 1 else 'are'} "
        f"not ({left}); choose fewer or other free variables."
    )


def reduce_named(
    matrix: ExactMatrix,
    columns: Sequence[int],
    superscript: tuple[int, ...] = (),
    strategy: str = "paper",
    vanishing: frozenset[tuple[int, int, int]] = frozenset(),
) -> RowReduction:
    """Reduce a matrix of symbols, naming what is computed; see `reduce_rows`.

    Args:
        matrix: (m, n) with symbols.
        columns: Where pivots may stand.
        superscript: Numbers put above every name.
        strategy: "paper" or "fewest_provisos".
        vanishing: Entries known to be zero from elsewhere: (pivots so far, original row, column).
    """
    rows = matrix.to_sympy().tolist()
    for attempt in range(ATTEMPTS):
        try:
            state = NamedElimination([list(row) for row in rows], superscript, attempt, vanishing)
            state.eliminate(columns, strategy)
        except UnluckyPointError:
            continue
        return RowReduction(
            matrix,
            state.matrix(),
            tuple(state.pivots),
            tuple(state.operations),
            tuple(state.definitions),
            tuple(state.assumptions),
            state.zero_claim,
        )
    raise InexactError("an entry of the matrix must not divide by zero; some denominator vanishes identically.")


def _reduce_recorded(matrix: ExactMatrix, columns: Sequence[int], largest: bool) -> RowReduction:
    rows = matrix.fractions()
    operations: list[Operation] = []
    pivots: list[int] = []
    for column in columns:
        step = len(pivots)
        candidates = [i for i in range(step, len(rows)) if rows[i][column]]
        if not candidates:
            continue
        pivot = max(candidates, key=lambda i: abs(rows[i][column])) if largest else candidates[0]
        if pivot != step:
            operations.append(Swap(step, pivot))
            apply(operations[-1], rows)
        pivots.append(column)
        for i in range(step + 1, len(rows)):
            if rows[i][column]:
                factor: Fraction = -rows[i][column] / rows[step][column]
                operations.append(AddMultiple(i, step, to_rational(factor)))
                apply(AddMultiple(i, step, factor), rows)
    return RowReduction(matrix, ExactMatrix(rows), tuple(pivots), tuple(operations))


def _reduce_whole(matrix: ExactMatrix, columns: Sequence[int]) -> RowReduction:
    if list(columns) == list(range(matrix.columns)):
        reduced, pivots = matrix.rref()
        return RowReduction(matrix, reduced, pivots, None)
    held_back = [j for j in range(matrix.columns) if j not in set(columns)]
    order = [*columns, *held_back]
    reduced, places = matrix.select(columns=order).rref()
    rank = sum(p < len(columns) for p in places)
    back = [order.index(j) for j in range(matrix.columns)]
    return RowReduction(matrix, reduced.select(columns=back), tuple(order[p] for p in places[:rank]), None)
