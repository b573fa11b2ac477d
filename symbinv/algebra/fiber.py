"""solve_fiber: all solutions x of W x = r, from the reduction of W and any right side r.

The solutions form an affine space, x = particular + null_space @ t with t the free variables, wherever every
consistency condition vanishes. The right side may hold symbols (the next layer's pre-activations) and is
never asked whether it is zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy

from symbinv.algebra.elimination import RowReduction
from symbinv.algebra.named import Definition, Update
from symbinv.algebra.operation import AddMultiple, Operation, Swap
from symbinv.errors import ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.notation import step_superscript, symbol, unused


@dataclass(frozen=True, eq=False)
class AffineFiber:
    """The solutions of matrix @ x = right_side.

    Attributes:
        reduction: The reduced matrix, shared by all right sides.
        right_side: (m, 1), as given.
        pushed: (m, 1), after the operations of the forward elimination (the reduced form where those
            were not kept).
        definitions: Names given to entries of `pushed` (symbolic matrices only).
    """

    reduction: RowReduction
    right_side: ExactMatrix
    pushed: ExactMatrix
    definitions: tuple[Definition, ...] = ()

    @property
    def pivots(self) -> tuple[int, ...]:
        """The columns whose variables are determined, from 0."""
        return self.reduction.pivots

    @property
    def free(self) -> tuple[int, ...]:
        """The columns whose variables are free, from 0."""
        return self.reduction.free

    @property
    def conditions(self) -> tuple[sympy.Expr, ...]:
        """What must vanish for a solution to exist, one expression per row without a pivot."""
        return tuple(self.pushed[i, 0] for i in range(self.reduction.rank, self.pushed.rows))

    @cached_property
    def particular(self) -> ExactMatrix:
        """The solution with all free variables zero, (n, 1)."""
        zeros = [sympy.Integer(0)] * len(self.free)
        return ExactMatrix.column(self.substitute(zeros))

    @cached_property
    def null_space(self) -> ExactMatrix:
        """A basis of {W x = 0}, (n, n - r): column f has a one at the f-th free variable."""
        n = self.reduction.matrix.columns
        rref = self.reduction.rref
        row_of = {p: i for i, p in enumerate(self.pivots)}

        def entry(j: int, f: int) -> sympy.Expr:
            if j in row_of:
                return -rref[row_of[j], self.free[f]]
            return sympy.Integer(int(self.free[f] == j))

        return ExactMatrix.build(n, len(self.free), entry)

    def substitute(self, values: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        """Return x for given values (or symbols) of the free variables, by back-substitution.

        Each pivot variable is (r_i - sum of later entries times their x) / pivot, as on paper, not expanded.
        """
        if len(values) != len(self.free):
            raise ShapeError(f"values must have one entry per free variable ({len(self.free)}), not {len(values)}.")
        n = self.reduction.matrix.columns
        x: list[sympy.Expr] = [sympy.Integer(0)] * n
        for j, value in zip(self.free, values, strict=True):
            x[j] = value
        if self.reduction.matrix.is_rational:
            solved = self._rational_pivots(values)
            for j, e in zip(self.pivots, solved, strict=True):
                x[j] = e
            return tuple(x)
        echelon = self.reduction.echelon
        for i in reversed(range(self.reduction.rank)):
            p = self.pivots[i]
            rest = sympy.Add(*(echelon[i, j] * x[j] for j in range(n) if j != p and echelon[i, j] != 0))
            x[p] = (self.pushed[i, 0] - rest) / echelon[i, p]
        return tuple(x)

    def _rational_pivots(self, values: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        rank = range(self.reduction.rank)
        constant = (self.reduction.transform.select(rows=rank)) @ self.right_side
        if not self.free:
            return [constant[i, 0] for i in rank]
        slopes = self.reduction.rref.select(rows=rank, columns=self.free)
        moved = slopes @ ExactMatrix.column(values)
        return [constant[i, 0] - moved[i, 0] for i in rank]


def solve_fiber(reduction: RowReduction, right_side: ExactMatrix, superscript: Sequence[int] = ()) -> AffineFiber:
    """Solve matrix @ x = right_side with the operations of a reduction.

    Args:
        reduction: From `reduce_rows`.
        right_side: (m, 1), numbers or expressions.
        superscript: Numbers put above every name that is given.

    Raises:
        ShapeError: Where the right side does not have one entry per row.

    Example:
        >>> from symbinv.algebra.elimination import reduce_rows
        >>> fiber = solve_fiber(reduce_rows([[1, 2, 3], [2, 4, 7]]), ExactMatrix.column([1, 3]))
        >>> fiber.particular.to_sympy().T, fiber.null_space.to_sympy().T
        (Matrix([[-2, 0, 1]]), Matrix([[-2, 1, 0]]))
    """
    if right_side.shape != (reduction.matrix.rows, 1):
        raise ShapeError(
            f"the right side must have one entry per row of the matrix ({reduction.matrix.rows}), "
            f"not shape {right_side.shape}."
        )
    if reduction.matrix.is_rational:
        if reduction.operations is None:
            return AffineFiber(reduction, right_side, reduction.transform @ right_side)
        column = [right_side[i, 0] for i in range(right_side.rows)]
        _push_plain(reduction.operations, column)
        return AffineFiber(reduction, right_side, ExactMatrix.column(column))
    column = [right_side[i, 0] for i in range(right_side.rows)]
    definitions = _push_named(reduction, column, tuple(superscript))
    return AffineFiber(reduction, right_side, ExactMatrix.column(column), tuple(definitions))


def _push_plain(operations: Sequence[Operation], column: list[sympy.Expr]) -> None:
    for operation in operations:
        match operation:
            case Swap(first, second):
                column[first], column[second] = column[second], column[first]
            case AddMultiple(target, source, factor):
                column[target] += factor * column[source]


def _push_named(reduction: RowReduction, column: list[sympy.Expr], superscript: tuple[int, ...]) -> list[Definition]:
    """Push a column through the operations, naming every updated entry r^{(p)}_i."""
    taken = {s for e in column for s in e.free_symbols} | reduction.matrix.free_symbols()
    letter = unused(("r", "s", "q"), taken, step_superscript(superscript))
    definitions: list[Definition] = []
    for operation in reduction.operations or ():
        match operation:
            case Swap(first, second):
                column[first], column[second] = column[second], column[first]
            case AddMultiple(target, source, factor):
                if column[source] == 0:
                    continue
                value = column[target] + factor * column[source]
                if not value.is_number:
                    name = symbol(letter, target + 1, superscript=(*superscript, source + 1))
                    definitions.append(Update(name, column[target], -factor, column[source]))
                    value = name
                column[target] = value
    return definitions
