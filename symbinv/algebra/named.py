r"""Named elimination: row reduction of a matrix of symbols that names what it computes.

With symbolic entries, expanded elimination grows as m!; the paper's own way does not: every multiplier
gets a name, k_{21} = w_{21}/w_{11}, and so does every updated entry,
w^{(1)}_{22} = w_{22} - k_{21} w_{12}. An m x n matrix then takes sum_{p<m} (m-p)(n-p+1) definitions.

Whether an updated entry is zero is asked of its residues modulo large primes (exact/modular.py): not zero is
a proof; zero is proved by expanding the minor that the entry stands for, or, where that is too large, is
reported as probabilistic. Where the expansion refutes it, the elimination is done again modulo other primes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from symbinv.algebra.operation import AddMultiple, Operation, Swap
from symbinv.errors import BudgetError
from symbinv.exact.determinant import determinant_is_zero
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.modular import ModularPoint, Residues, UnluckyPointError, divide, subtract_product
from symbinv.notation import step_superscript, symbol, unused

ZERO, ONE = sympy.Integer(0), sympy.Integer(1)
PROOF_SIZE = 6  # largest minor that is expanded to prove an entry zero
STRATEGIES = ("paper", "fewest_provisos", "best_conditioned")


@dataclass(frozen=True)
class Ratio:
    """The definition name = numerator / denominator (a multiplier k)."""

    name: sympy.Symbol
    numerator: sympy.Expr
    denominator: sympy.Expr

    @property
    def value(self) -> sympy.Expr:
        """What the name stands for, in earlier names."""
        return self.numerator / self.denominator


@dataclass(frozen=True)
class Update:
    """The definition name = old - multiplier * entry (an updated entry)."""

    name: sympy.Symbol
    old: sympy.Expr
    multiplier: sympy.Expr
    entry: sympy.Expr

    @property
    def value(self) -> sympy.Expr:
        """What the name stands for, in earlier names."""
        return self.old - self.multiplier * self.entry


Definition = Ratio | Update


@dataclass
class NamedElimination:
    """The state of one elimination: its rows, the names given so far, and what was assumed.

    Attributes:
        rows: The current matrix, entries in original symbols and names.
        superscript: Put before the step number in every name: the layer, in a network of several.
        attempt: Which set of primes is used, from 0.
        vanishing: Entries known to be zero from elsewhere: (pivots so far, original row, column).
        zero_claim: "exact", or "probabilistic" once a zero was neither proved nor refuted.
    """

    rows: list[list[sympy.Expr]]
    superscript: tuple[int, ...] = ()
    attempt: int = 0
    vanishing: Collection[tuple[int, int, int]] = ()
    operations: list[Operation] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    assumptions: list[sympy.Expr] = field(default_factory=list)
    pivots: list[int] = field(default_factory=list)
    zero_claim: str = "exact"

    def __post_init__(self) -> None:
        self.point = ModularPoint(self.attempt)
        self.original = [list(row) for row in self.rows]
        self.order = list(range(len(self.rows)))
        self.names: set[sympy.Expr] = set()
        self.residues = [[self.point.residues(e) for e in row] for row in self.rows]
        for i, row in enumerate(self.rows):
            for j, entry in enumerate(row):
                if (0, i, j) in self.vanishing:
                    self._put(i, j, ZERO, (0,) * len(self.residues[i][j]))
                elif entry != 0 and not any(self.residues[i][j]):
                    self._prove_zero([i], [j])
                    row[j] = ZERO
        taken = {s for row in self.rows for e in row for s in e.free_symbols}
        self.entry_letter = unused(("w", "u", "v"), taken, step_superscript(self.superscript))
        self.multiplier_letter = unused(("k", "l", "q"), taken, ",".join(map(str, self.superscript)))

    def eliminate(self, columns: Sequence[int], strategy: str = "paper") -> None:
        """Run forward elimination with pivots sought in the given columns.

        Args:
            columns: Where pivots may stand, in the order in which "paper" takes them.
            strategy: "paper" takes the first entry that is not zero; "fewest_provisos" prefers, at every step,
                entries that need no new assumption, then those that touch the fewest others.
        """
        left = list(columns)
        while len(self.pivots) < len(self.rows):
            found = self._first_pivot(left) if strategy == "paper" else self._cheapest_pivot(left)
            if found is None:
                return
            row, column = found
            left = left[left.index(column) + 1 :] if strategy == "paper" else [j for j in left if j != column]
            self._pivot(row, column)

    def _first_pivot(self, columns: Sequence[int]) -> tuple[int, int] | None:
        below = range(len(self.pivots), len(self.rows))
        return next(((i, j) for j in columns for i in below if any(self.residues[i][j])), None)

    def _cheapest_pivot(self, columns: Sequence[int]) -> tuple[int, int] | None:
        below = range(len(self.pivots), len(self.rows))
        there = [(i, j) for j in columns for i in below if any(self.residues[i][j])]
        in_row = {i: sum(p == i for p, _ in there) for i in below}
        in_column = {j: sum(q == j for _, q in there) for j in columns}

        def cost(place: tuple[int, int]) -> tuple[int, int]:
            i, j = place
            return self._proviso_cost(self.rows[i][j]), (in_row[i] - 1) * (in_column[j] - 1)

        return min(there, key=cost, default=None)

    def _proviso_cost(self, entry: sympy.Expr) -> int:
        """Return 0 where an entry is surely not zero, 1 for an entry of the matrix, 2 for a name."""
        if entry.is_zero is False or entry in self.assumptions or -entry in self.assumptions:
            return 0
        return 2 if entry in self.names else 1

    def _pivot(self, row: int, column: int) -> None:
        step = len(self.pivots)
        if row != step:
            self._swap(step, row)
        entry = self.rows[step][column]
        if entry.is_zero is not False and entry not in self.assumptions:
            self.assumptions.append(entry)
        self.pivots.append(column)
        for i in range(step + 1, len(self.rows)):
            if any(self.residues[i][column]):
                self._clear(i, step, column)

    def _swap(self, first: int, second: int) -> None:
        tables: tuple[list[Any], ...] = (self.rows, self.residues, self.order)
        for table in tables:
            table[first], table[second] = table[second], table[first]
        self.operations.append(Swap(first, second))

    def _clear(self, row: int, step: int, column: int) -> None:
        factor, factor_residues = self._multiplier(row, step, column)
        self.operations.append(AddMultiple(row, step, -factor))
        for j in range(len(self.rows[row])):
            if j == column:
                self._put(row, j, ZERO, (0,) * len(factor_residues))
            elif any(self.residues[step][j]):
                self._update(row, step, j, factor, factor_residues)

    def _multiplier(self, row: int, step: int, column: int) -> tuple[sympy.Expr, Residues]:
        above, below = self.rows[step][column], self.rows[row][column]
        value = divide(self.residues[row][column], self.residues[step][column], self.point.primes)
        if below == above or (above.is_number and (below.is_number or abs(above) == 1)):
            return below / above, value
        name = symbol(self.multiplier_letter, row + 1, column + 1, superscript=self.superscript)
        self.definitions.append(Ratio(name, below, above))
        self.point.remember(name, value)
        return name, value

    def _update(self, row: int, step: int, j: int, factor: sympy.Expr, factor_residues: Residues) -> None:
        old, entry = self.rows[row][j], self.rows[step][j]
        value = subtract_product(self.residues[row][j], factor_residues, self.residues[step][j], self.point.primes)
        if (step + 1, self.order[row], j) in self.vanishing:
            self._put(row, j, ZERO, (0,) * len(value))
            return
        if old.is_number and factor.is_number and entry.is_number:
            self._put(row, j, old - factor * entry, value)
        elif not any(value):
            self._prove_zero([*range(step + 1), row], [*self.pivots, j])
            self._put(row, j, ZERO, value)
        else:
            above = (*self.superscript, step + 1)
            name = symbol(self.entry_letter, row + 1, j + 1, superscript=above)
            self.definitions.append(Update(name, old, factor, entry))
            self._put(row, j, name, value)
            self.names.add(name)
            self.point.remember(name, value)

    def _put(self, row: int, column: int, entry: sympy.Expr, value: Residues) -> None:
        self.rows[row][column], self.residues[row][column] = entry, value

    def _prove_zero(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Prove a hidden zero: an updated entry is this minor of the original, divided by the pivots' minor."""
        minor = [[self.original[self.order[i]][j] for j in columns] for i in rows]
        if self.vanishing or len(minor) > PROOF_SIZE:
            self.zero_claim = "probabilistic"
            return
        try:
            if not determinant_is_zero(minor):
                raise UnluckyPointError("an entry must not be taken for zero that its expansion shows not to be.")
        except BudgetError:
            self.zero_claim = "probabilistic"

    def matrix(self) -> ExactMatrix:
        """Return the current rows as a matrix."""
        return ExactMatrix(self.rows)
