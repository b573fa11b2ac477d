"""reduce_rows: a matrix to its RowReduction, once; any right side is pushed through afterwards.

Elimination runs as on paper: forward, column by column from the left, then back-substitution. Over the
rationals the operations are kept up to RECORD_LIMIT entries, a size that somebody may print; above it only the
result is kept and FLINT computes it whole. Over symbols the elimination is named (algebra/named.py).
The right side never takes part in a pivot decision, so every zero test is decidable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import sympy

from symbinv.algebra.named import Definition, NamedElimination
from symbinv.algebra.operation import AddMultiple, Operation, Swap, apply
from symbinv.errors import NotSupportedError, OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational

RECORD_LIMIT = 1024


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


def reduce_rows(
    matrix: Any,
    *,
    free: Iterable[int] | None = None,
    cases: bool = False,
    superscript: Sequence[int] = (),
    record: bool | None = None,
) -> RowReduction:
    r"""Reduce a matrix by row operations, exactly.

    Forward elimination takes the first entry of each column that is not zero as pivot, from the left, as on
    paper. Columns without a pivot belong to free variables.

    Args:
        matrix: (m, n): an ExactMatrix, a SymPy matrix, nested lists or a NumPy array; entries are
            numbers or rational functions of symbols.
        free: Columns (from 0) that shall have no pivot.
        cases: Reserved for the complete list of parameter cases.
        superscript: Numbers put above every name that is given.
        record: Whether to keep the operations; by default up to 1024 entries.

    Returns:
        The reduction. Symbolic pivots that were taken to be non-zero stand in `assumptions`.

    Raises:
        InexactError: For entries that are neither numbers nor rational functions of symbols.
        OptionError: Where the chosen columns cannot all be free.

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
    if cases:
        raise NotSupportedError("the list of parameter cases (cases=True) is not supported yet.")
    exact = matrix if isinstance(matrix, ExactMatrix) else ExactMatrix(matrix)
    chosen = _check_free(free, exact.columns)
    columns = [j for j in range(exact.columns) if j not in chosen]
    if exact.is_rational:
        keep = exact.rows * exact.columns <= RECORD_LIMIT if record is None else record
        reduction = _reduce_recorded(exact, columns) if keep else _reduce_whole(exact, columns)
    else:
        reduction = _reduce_named(exact, columns, tuple(superscript))
    if chosen and not _is_zero_below(reduction):
        raise OptionError(
            f"the free columns must leave columns of full rank, but without {sorted(chosen)} the rank is only "
            f"{reduction.rank}; choose fewer or other free variables."
        )
    return reduction


def _check_free(free: Iterable[int] | None, columns: int) -> frozenset[int]:
    chosen = frozenset(free or ())
    wrong = [j for j in chosen if not isinstance(j, int) or not 0 <= j < columns]
    if wrong:
        raise OptionError(f"free columns must lie between 0 and {columns - 1}, not {sorted(wrong, key=str)}.")
    return chosen


def _is_zero_below(reduction: RowReduction) -> bool:
    rest = reduction.echelon.select(rows=range(reduction.rank, reduction.matrix.rows))
    return rest.rows == 0 or rest.is_zero()


def _reduce_named(matrix: ExactMatrix, columns: Sequence[int], superscript: tuple[int, ...]) -> RowReduction:
    state = NamedElimination([list(row) for row in matrix.to_sympy().tolist()], superscript)
    state.eliminate(columns)
    return RowReduction(
        matrix,
        state.matrix(),
        tuple(state.pivots),
        tuple(state.operations),
        tuple(state.definitions),
        tuple(state.assumptions),
        state.zero_claim,
    )


def _reduce_recorded(matrix: ExactMatrix, columns: Sequence[int]) -> RowReduction:
    rows = matrix.fractions()
    operations: list[Operation] = []
    pivots: list[int] = []
    for column in columns:
        step = len(pivots)
        pivot = next((i for i in range(step, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
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
    if len(columns) == matrix.columns:
        reduced, pivots = matrix.rref()
        return RowReduction(matrix, reduced, pivots, None)
    held_back = [j for j in range(matrix.columns) if j not in set(columns)]
    order = [*columns, *held_back]
    reduced, places = matrix.select(columns=order).rref()
    rank = sum(p < len(columns) for p in places)
    back = [order.index(j) for j in range(matrix.columns)]
    return RowReduction(matrix, reduced.select(columns=back), tuple(order[p] for p in places[:rank]), None)
