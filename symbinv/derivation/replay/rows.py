"""The replay of a linear system: row operations, the reduced form, back-substitution, conditions.

Nothing here eliminates: operations are carried out as the steps state them, and a reduced form is proved by the
matrix T that its right side shows. Every method takes a step, proves it from what was proved before, keeps it, and
returns what the proof rests on; where something does not hold it raises `StepFailedError`, which says what.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy

from symbinv.algebra.elimination import RECORD_LIMIT
from symbinv.algebra.named import PROOF_SIZE, Definition, Ratio, Update
from symbinv.algebra.operation import AddMultiple, Operation, Scale, Swap
from symbinv.derivation import steps
from symbinv.derivation.replay.equality import EXACT, Claim, Judge, weakest
from symbinv.derivation.replay.terms import (
    Form,
    Names,
    StepFailedError,
    add_form,
    divisors,
    linear_form,
    listed,
    need,
    short,
)
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_fraction


class SystemReplay:
    """What has been proved of one layer's linear system.

    Args:
        judge: Decides equality.
        names: All symbols so far.
        unknowns: Of the system.
        side_names: The symbols r_i.

    Attributes:
        coefficients: The matrix that the layer's weights make; set when these are given.
        table, side: The current rows, and the right side in names; `forms` is it in the r_i, over numbers.
        pivots: Columns, in the order of their rows.
        order: The rows of the matrix in the order that swaps have put them in, from 0.
    """

    coefficients: ExactMatrix

    def __init__(
        self,
        judge: Judge,
        names: Names,
        unknowns: Sequence[sympy.Symbol],
        side_names: Sequence[sympy.Symbol],
    ) -> None:
        self.judge, self.names = judge, names
        self.unknowns, self.side_names = tuple(unknowns), list(side_names)
        self.definitions: dict[sympy.Symbol, Definition] = {}
        self.meanings: dict[sympy.Symbol, sympy.Expr] = {}
        self.names_of_sides: set[sympy.Expr] = set()
        self.hidden_zeros: list[tuple[int, Claim]] = []
        self.solved: list[steps.PivotSolved] = []
        self.written = 0
        self.pivots: list[int] = []
        self.order: list[int] = []
        self.rank = 0
        self.reduced_sides: list[Form] | None = None

    @property
    def free(self) -> tuple[sympy.Symbol, ...]:
        """The unknowns without a pivot."""
        return tuple(x for j, x in enumerate(self.unknowns) if j not in set(self.pivots))

    def same(self, left: sympy.Expr, right: sympy.Expr, message: str) -> Claim:
        """Return what an equality rests on; the step fails with the message where it does not hold."""
        claim = self.judge.equal(left, right)
        if claim is None or not divisors(left) <= divisors(right):  # nor may it be divided by more than is stated
            raise StepFailedError(message)
        return claim

    def augmented(self, step: steps.Augmented) -> Claim:
        """Prove the system to be the kept rows and unknown columns of W, with -1 for the shift."""
        need(step.unknowns == self.unknowns, "the unknowns must be what enters the layer, the shift last")
        need(step.sides == tuple(self.side_names), "the right side must be the named r_i")
        need(step.matrix == self.coefficients, "the matrix must be the weights of the kept rows and unknown columns")
        self.matrix = step.matrix
        self.is_rational = step.matrix.is_rational
        self.table: list[list[Any]] = step.matrix.fractions() if self.is_rational else step.matrix.to_sympy().tolist()
        self.side: list[sympy.Expr] = list(step.sides)
        self.order = list(range(len(self.side)))
        self.forms: list[Form] = [{r: Fraction(1)} for r in self.side_names]
        self.divisors = set() if self.is_rational else divisors(*step.matrix.to_sympy())
        self.known = set(self.side_names) | step.matrix.free_symbols()
        return EXACT

    def operated(self, step: steps.RowsOperated) -> Claim:
        """Carry out the stated operations and prove the stated rows to be the result, up to the names defined here."""
        need(bool(step.operations), "there must be an operation")
        here = self._define(step.definitions)
        for operation in step.operations:
            self._operate(operation)
        need(step.matrix.shape == self.matrix.shape, f"the matrix must keep its shape {self.matrix.shape}")
        need(len(step.sides) == len(self.side), "the right side must keep its length")
        claims = []
        rows = step.matrix.to_sympy().tolist() if here else []
        mentioned: list[sympy.Expr] = []
        for operation in step.operations if here else ():
            if isinstance(operation, AddMultiple):
                q = operation.target
                mentioned += [-operation.factor, *rows[q], step.sides[q]]
        order = list(dict.fromkeys(e for e in mentioned if e in here))
        need(order == list(here), "the names must be defined in the order in which the operations use them")
        self.names_of_sides.update(e for e in step.sides if e in here)
        if self.is_rational:
            need(step.matrix.is_rational and step.matrix.fractions() == self.table, "the rows do not follow")
        else:
            stated = step.matrix.to_sympy().tolist()
            for i, (given, found) in enumerate(zip(stated, self.table, strict=True)):
                for j, (new, value) in enumerate(zip(given, found, strict=True)):
                    claims.append(self._entry(new, value, here, f"entry ({i + 1}, {j + 1})", step.operations))
            self.table = stated
        for i, (new, value) in enumerate(zip(step.sides, self.side, strict=True)):
            claims.append(self._entry(new, value, here, f"right side {i + 1}", step.operations))
        self.side = list(step.sides)
        return weakest(claims)

    def _define(self, definitions: Sequence[Definition]) -> dict[sympy.Symbol, sympy.Expr]:
        """Take new names in; each must be new, and stand for what is known by then."""
        here: dict[sympy.Symbol, sympy.Expr] = {}
        for definition in definitions:
            name, value = definition.name, definition.value
            self.names.bind([name])
            self._stated_only(value if isinstance(definition, Update) else definition.numerator)
            unknown = value.free_symbols - self.known
            need(not unknown, f"{name} must stand for what was defined before, not for {listed(unknown)}")
            self.known.add(name)
            self.definitions[name] = definition
            self.meanings[name] = here[name] = value
        return here

    def _operate(self, operation: Operation) -> None:
        size = range(len(self.side))
        match operation:
            case Swap(first, second):
                need(first in size and second in size, "a row operation must name rows of the matrix")
                tables: tuple[list[Any], ...] = (self.table, self.side, self.forms, self.order)
                for table in tables:
                    table[first], table[second] = table[second], table[first]
            case Scale():
                raise StepFailedError("rows are swapped and added, not scaled, in a derivation")
            case AddMultiple(target, source, factor):
                need(target in size and source in size, "a row operation must name rows of the matrix")
                need(target != source, "a multiple of a row must be added to another row")
                self._stated_only(factor)
                unknown = factor.free_symbols - self.known
                need(not unknown, f"a factor must consist of what is defined, not of {listed(unknown)}")
                self.side[target] += factor * self.side[source]
                if self.is_rational:
                    q = to_fraction(factor)
                    pairs = zip(self.table[target], self.table[source], strict=True)
                    self.table[target] = [a + q * b for a, b in pairs]
                    add_form(self.forms[target], q, self.forms[source])
                else:
                    pairs = zip(self.table[target], self.table[source], strict=True)
                    self.table[target] = [a + factor * b if b != 0 else a for a, b in pairs]

    def _stated_only(self, expression: sympy.Expr) -> None:
        """Ask that every division is a definition k = a / b, by a pivot, but for what the weights divide by."""
        for base in divisors(expression) - self.divisors:
            raise StepFailedError(f"a division by {short(base)} must be a definition of its own")

    def _entry(
        self,
        new: sympy.Expr,
        value: sympy.Expr,
        here: dict[sympy.Symbol, sympy.Expr],
        place: str,
        operations: Sequence[Operation],
    ) -> Claim:
        """Prove a stated entry: by the names defined here, which is local; a hidden zero by all names."""
        if new == value or here.get(new) == value:
            return EXACT
        claim = self.judge.equal(new, value, here)
        if claim is None and new == 0:
            claim = self.judge.vanishes(value, self.meanings)
            if claim is not None:
                size = max((o.source + 2 for o in operations if isinstance(o, AddMultiple)), default=1)
                self.hidden_zeros.append((size, claim))
        if claim is None:
            raise StepFailedError(f"{place} must be {short(value)}, not {short(new)}")
        return claim

    # -- numbers: the reduced form --------------------------------------------------------------------

    def reduced(self, step: steps.RowsReduced) -> Claim:
        """Prove [R | T r] to be the reduced form: T is invertible, T W = R, and R has its pivots."""
        m, n = self.matrix.shape
        need(step.unknowns == self.unknowns, "the unknowns must be those of the system")
        need(step.matrix.shape == (m, n) and len(step.sides) == m, f"the reduced matrix must have shape {(m, n)}")
        places, rank = list(step.pivots), len(step.pivots)
        need(len(set(places)) == rank <= m and all(0 <= j < n for j in places), "pivots must be distinct columns")
        need(step.nullity == n - rank, f"the nullity must be {n - rank}, not {step.nullity}")
        unit = ExactMatrix.build(m, rank, lambda i, j: int(i == j))
        need(step.matrix.select(columns=places) == unit, "every pivot column must be a column of the identity")
        below = step.matrix.select(rows=range(rank, m))
        need(below.rows == 0 or below.is_zero(), "the rows without a pivot must be zero")
        forms = [linear_form(s, self.side_names) for s in step.sides]
        transform = ExactMatrix([[form.get(r, Fraction(0)) for r in self.side_names] for form in forms])
        need(transform @ self.matrix == step.matrix, "the reduced matrix must be T times the matrix, T from T r")
        need(transform.rank() == m, "T must be invertible")
        if m * n <= RECORD_LIMIT:
            self._is_echelon(places)
        self.rank, self.pivots, self.reduced_matrix, self.reduced_sides = rank, places, step.matrix, forms
        return EXACT

    def _is_echelon(self, places: Sequence[int]) -> None:
        """Ask that the row operations shown have led to an echelon form with these pivots."""
        done = all(not row[p] for i, p in enumerate(places) for row in self.table[i + 1 :])
        done = done and all(self.table[i][p] for i, p in enumerate(places))
        done = done and not any(e for row in self.table[len(places) :] for e in row)
        need(done, "the row operations before must have led to an echelon form with these pivots")

    def layer_solved(self, step: steps.LayerSolved) -> Claim:
        """Prove the pivot variables from the reduced form."""
        free = tuple(x for j, x in enumerate(self.unknowns) if j not in set(self.pivots))
        need(step.free == free, f"the free variables must be {listed(free)}")
        order = sorted(self.pivots)
        found = [e.lhs for e in step.solution]
        wanted = [self.unknowns[j] for j in order]
        need(found == wanted, f"there must be one solution for each of {listed(wanted)}")
        names = [*self.side_names, *free]
        for equation, p in zip(step.solution, order, strict=True):
            i = self.pivots.index(p)
            form = dict(self.reduced_sides[i]) if self.reduced_sides is not None else {}
            row = self.reduced_matrix.select(rows=[i]).fractions()[0]
            for j, e in enumerate(row):
                if e and j != p:
                    form[self.unknowns[j]] = -e
            need(linear_form(equation.rhs, names) == form, f"{equation.lhs} does not follow from its reduced row")
        return EXACT

    # -- symbols: back-substitution --------------------------------------------------------------------

    def count_rows(self) -> int:
        """Return the number of rows that are not zero, and see that they come first."""
        zero = [all(self._is_zero(e) for e in row) for row in self.table]
        rank = next((i for i, z in enumerate(zero) if z), len(zero))
        return rank if all(zero[rank:]) else -1

    def _is_zero(self, entry: Any) -> bool:
        if isinstance(entry, Fraction) or entry.is_Rational or entry.is_Symbol:
            return bool(entry == 0)
        return self.judge.vanishes(entry) is not None

    def pivot_solved(self, step: steps.PivotSolved) -> Claim:
        """Prove one pivot variable from its row, solved rows from the last to the first."""
        if not self.solved:
            self.rank = self.count_rows()
            need(self.rank > 0, "the rows that are zero must come last")
        i = self.rank - 1 - len(self.solved)
        need(i >= 0, "every row with a pivot is solved already")
        row = self.table[i]
        need(step.unknown in self.unknowns, f"{step.unknown} is no unknown of the layer")
        p = self.unknowns.index(step.unknown)
        need(p not in self.pivots, f"{step.unknown} is solved already")
        claims = [self.same(step.pivot, row[p], f"the pivot of {step.unknown} must be {short(row[p])}")]
        need(self.judge.is_nonzero(step.pivot, self.meanings), f"the pivot of {step.unknown} must not vanish")
        others = [(e, x) for j, (e, x) in enumerate(zip(row, self.unknowns, strict=True)) if j != p]
        present = [(e, x) for e, x in others if not self._is_zero(e)]
        need([x for _, x in step.others] == [x for _, x in present], f"row {i + 1} holds other unknowns")
        for (given, x), (e, _) in zip(step.others, present, strict=True):
            claims.append(self.same(given, e, f"the entry of {x} in row {i + 1} must be {short(e)}"))
        claims.append(self.same(step.side, self.side[i], f"the right side of row {i + 1} must be {self.side[i]}"))
        for below in self.table[i + 1 :]:
            need(self._is_zero(below[p]), f"the column of {step.unknown} must be zero below its pivot")
        self.pivots.insert(0, p)
        self.solved.append(step)
        return weakest(claims)

    @property
    def to_write_out(self) -> list[steps.PivotSolved]:
        """The solved pivots that the paper's form writes out: where there are few, and they hold names."""
        names = {d.name for d in self._updates()}
        if self.rank > steps.WRITTEN_OUT_RANK:
            return []
        return [s for s in self.solved if names & {s.side, s.pivot, *(e for e, _ in s.others)}]

    def _updates(self) -> list[Update]:
        """Return the updated entries that have names, those of the right side last."""
        found = [d for d in self.definitions.values() if isinstance(d, Update)]
        return sorted(found, key=lambda d: d.name in self.names_of_sides)

    def written_out(self, step: steps.PivotWrittenOut) -> Claim:
        """Prove a written-out pivot: one that was solved, with the layer's own definitions."""
        need(step.solved == self.to_write_out[self.written], "what is written out must be the pivot as it was solved")
        need(list(step.definitions) == self._updates(), "the names must be those that the layer defined")
        self.written += 1
        return EXACT

    # -- what remains -----------------------------------------------------------------------------------

    def conditions(self, step: steps.ConditionsStated) -> Claim:
        """Prove the consistency conditions, the pivots assumed not to vanish, and what the zeros rest on."""
        claims: list[Claim] = []
        if not self.side_names:
            left: list[Any] = []
        elif self.is_rational and self.matrix.rows * self.matrix.columns > RECORD_LIMIT and self.reduced_sides:
            left = self.reduced_sides[self.rank :]
        else:
            left = self.forms[self.rank :] if self.is_rational else self.side[self.rank :]
        need(len(step.conditions) == len(left), f"there must be one condition per row without a pivot, {len(left)}")
        for given, wanted in zip(step.conditions, left, strict=True):
            if isinstance(wanted, dict):
                need(linear_form(given, self.side_names) == wanted, f"the condition {short(given)} does not follow")
            else:
                claims.append(self.same(given, wanted, f"the condition must be {short(wanted)}"))
        assumed = []
        if self.side_names and not self.is_rational:
            pivots = [self.table[i][p] for i, p in enumerate(self.pivots)]
            assumed = list(dict.fromkeys(e for e in pivots if e.is_zero is not False))
            divided = [d.denominator for d in self.definitions.values() if isinstance(d, Ratio)]
            for e in divided:
                need(e in assumed or e.is_zero is False, f"{e} is divided by and must be a pivot")
        need(list(step.assumptions) == assumed, f"the pivots assumed not to vanish must be {listed(assumed)}")
        claims.append(self._zero_claim(step.zero_claim))
        return weakest(claims)

    def _zero_claim(self, stated: str) -> Claim:
        found = weakest(claim for _, claim in self.hidden_zeros)
        large = any(size > PROOF_SIZE for size, _ in self.hidden_zeros)
        allowed = {"exact"} if found == EXACT else {"probabilistic"}
        if large:
            allowed.add("probabilistic")
        need(stated in allowed, f"the zeros are {' or '.join(sorted(allowed))}, not {stated!r}")
        return found
