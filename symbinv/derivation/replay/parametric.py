"""The replay of statements about parameters: a closed form by determinants, and the cases of a matrix of symbols.

A solution x_P = L r - B x_F of W x = r is proved by L W = [I, B] on pivot and free columns, and by conditions C r = 0
with C W = 0, as many as rows without a pivot and independent. Every solution is then of that form, since L W x = L r.
Conversely C W = 0 leaves W no rank beyond the pivots, so W = W_P [I, B], and (I - W_P L) W = 0 makes the rows of
I - W_P L combinations of those of C: where C r = 0, W_P L r = r.
"""

from collections.abc import Sequence

import sympy

from symbinv.algebra.elimination import RECORD_LIMIT
from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven, PivotRatio
from symbinv.derivation.replay.equality import EXACT, Claim, Judge, weakest
from symbinv.derivation.replay.layer import LayerReplay
from symbinv.derivation.replay.terms import Names, StepFailedError, divisors, listed, need, short
from symbinv.derivation.replay.where import Where, cover
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.exact.polynomial import Ring

Row = list[sympy.Expr]


def closed_form(step: ClosedFormGiven, layer: LayerReplay, judge: Judge) -> Claim:
    """Prove the ratios of a layer that was solved, their determinant and the denominators of its entries."""
    matrix = layer.coefficients
    is_recorded = not matrix.is_rational or matrix.rows * matrix.columns <= RECORD_LIMIT
    need(is_recorded, "a matrix so large is reduced without its row operations, and has no closed form here")
    symbols = matrix.free_symbols()
    pivots = [layer.unknowns[p] for p in layer.pivots]
    stated = [r.unknown for r in step.ratios]
    need(stated == pivots, f"there must be one ratio for each of {listed(pivots)}, in the order of the pivots")
    _are_polynomials((step.determinant, *step.denominators), symbols)
    rows = matrix.to_sympy().tolist()
    scales = [_common_denominator(rows[i]) for i in layer.order]
    wanted = list(dict.fromkeys(scales))
    need(len(step.denominators) == len(wanted), f"the denominators of the rows must be {listed(wanted)}")
    claims = []
    for given, scale in zip(step.denominators, wanted, strict=True):
        claims.append(layer.same(given, scale, f"the denominator of a row must be {short(scale)}, not {short(given)}"))
    entries = [layer.table[i][p] for i, p in enumerate(layer.pivots)]
    product = sympy.Mul(*(e if isinstance(e, sympy.Expr) else to_rational(e) for e in entries), *scales[: len(entries)])
    claim = judge.equal(step.determinant, product, layer.meanings)
    if claim is None:
        raise StepFailedError("the determinant must be that of the pivot block, the rows times their denominators")
    here = Where(judge, symbols, (), (step.determinant, *step.denominators))
    system = _System(here, rows, layer.side_names, layer.unknowns)
    return weakest([*claims, claim, system.solved(step.ratios, layer.free, step.conditions)])


def _common_denominator(row: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return the least common multiple of a row's denominators."""
    ring = Ring(sorted({s for e in row for s in e.free_symbols}, key=str))
    common = sympy.Integer(1)
    for e in row:
        bottom = ring.rational_function(e).parts()[1]
        common = sympy.expand(common * ring.rational_function(bottom / common).parts()[0])
    return common


def _are_polynomials(expressions: Sequence[sympy.Expr], symbols: frozenset[sympy.Symbol]) -> None:
    for e in expressions:
        fits = e.free_symbols <= symbols and e.is_polynomial(*e.free_symbols)
        need(fits, f"{short(e)} must be a polynomial in {listed(symbols)}")


class CasesReplay:
    """What has been proved of a tree of cases.

    Args:
        judge: Decides equality.
        names: All symbols so far.
        step: The system and the number of cases.
    """

    def __init__(self, judge: Judge, names: Names, step: CaseTreeGiven) -> None:
        m, n = step.matrix.shape
        need(len(step.sides) == m and len(step.unknowns) == n, f"there must be {m} right sides and {n} unknowns")
        need(step.count > 0, "there must be a case")
        self.judge, self.given = judge, step
        self.symbols = step.matrix.free_symbols()
        names.use(self.symbols)
        names.bind([*step.sides, *step.unknowns])
        self.rows: list[Row] = step.matrix.to_sympy().tolist()
        self.cases: list[CaseSolved] = []

    @property
    def is_complete(self) -> bool:
        """Whether all cases have come."""
        return len(self.cases) == self.given.count

    def solved(self, step: CaseSolved) -> Claim:
        """Prove the solutions of one case; with the last one, that the cases are disjoint and complete."""
        number, given = len(self.cases) + 1, self.given
        need(step.number == number, f"it must be case {number}, not {step.number}")
        relations = (*step.equations, *step.nonzero)
        _are_polynomials(relations, self.symbols)
        need(len(set(relations)) == len(relations), "a relation of a case must not be stated twice")
        here = Where(self.judge, self.symbols, step.equations, step.nonzero)
        need(not here.is_impossible, "there are no numbers that fall in the case")
        claims = [self._matrix(step.matrix, here)]
        stated = [r.unknown for r in step.ratios]
        need(set(stated) <= set(given.unknowns), f"the pivot variables must be among {listed(given.unknowns)}")
        columns = [given.unknowns.index(x) for x in stated]
        need(columns == sorted(set(columns)), "the pivot variables must come in their order, none twice")
        free = tuple(x for j, x in enumerate(given.unknowns) if j not in columns)
        need(step.free == free, f"the free variables must be {listed(free)}")
        system = _System(here, step.matrix.to_sympy().tolist(), given.sides, given.unknowns)
        claims.append(system.solved(step.ratios, free, step.conditions))
        self.cases.append(step)
        if self.is_complete:
            entries = divisors(given.matrix.to_sympy())
            why = cover(self.judge, list(self.symbols), [(c.equations, c.nonzero) for c in self.cases], entries)
            need(not why, why)
        return weakest(claims)

    def _matrix(self, stated: ExactMatrix, here: Where) -> Claim:
        """Prove the matrix in a case to be the tree's there."""
        need(stated.shape == self.given.matrix.shape, f"the matrix must keep its shape {self.given.matrix.shape}")
        need(stated.free_symbols() <= self.symbols, "the matrix of a case may hold the tree's symbols alone")
        claims = []
        for i, (row, found) in enumerate(zip(self.rows, stated.to_sympy().tolist(), strict=True), start=1):
            for j, (entry, new) in enumerate(zip(row, found, strict=True), start=1):
                for base in divisors(entry, new):
                    need(here.is_nonzero(base), f"entry ({i}, {j}) divides by {short(base)}, which may vanish")
                claim = EXACT if new == entry else here.equal(entry, new)
                if claim is None:
                    raise StepFailedError(f"entry ({i}, {j}) must be {short(entry)} in this case, not {short(new)}")
                claims.append(claim)
        return weakest(claims)


class _System:
    """W x = r at certain parameters."""

    def __init__(
        self, here: Where, rows: list[Row], sides: Sequence[sympy.Symbol], unknowns: Sequence[sympy.Symbol]
    ) -> None:
        self.here, self.rows, self.sides, self.unknowns = here, rows, tuple(sides), tuple(unknowns)
        self.symbols = frozenset(here.symbols)

    def solved(
        self, ratios: Sequence[PivotRatio], free: Sequence[sympy.Symbol], conditions: Sequence[sympy.Expr]
    ) -> Claim:
        """Prove the pivot variables and the conditions to be all that W x = r says."""
        claims = [self._ratio(ratio, free) for ratio in ratios]
        count = len(self.rows) - len(ratios)
        need(len(conditions) == count, f"there must be {count} conditions, one per row without a pivot")
        combinations = [self._condition(c) for c in conditions]
        for stated, combination in zip(conditions, combinations, strict=True):
            for x, value in zip(self.unknowns, self._times(combination), strict=True):
                claim = self.here.equal(value, sympy.Integer(0))
                if claim is None:
                    raise StepFailedError(f"the condition {short(stated)} must not depend on {x}")
                claims.append(claim)
        for k, (stated, row) in enumerate(zip(conditions, combinations, strict=True)):
            others = [c for i, c in enumerate(combinations) if i != k]
            own = [e for i, e in enumerate(row) if e != 0 and all(c[i] == 0 for c in others)]
            need(
                any(map(self.here.is_nonzero, own)), f"the condition {short(stated)} must be independent of the others"
            )
        return weakest(claims)

    def _ratio(self, ratio: PivotRatio, free: Sequence[sympy.Symbol]) -> Claim:
        x = ratio.unknown
        parts = (ratio.sides, ratio.free)
        _are_polynomials((ratio.denominator, *(e for part in parts for e, _ in part)), self.symbols)
        for part, names in zip(parts, (self.sides, tuple(free)), strict=True):
            found = [s for _, s in part]
            need(found == [s for s in names if s in found], f"{x} must be in {listed(names)}, in order, none twice")
            need(all(e != 0 for e, _ in part), f"a term of {x} must not be zero")
        need(self.here.is_nonzero(ratio.denominator), f"the denominator of {x} may vanish")
        taken, others = {s: e for e, s in ratio.sides}, {s: e for e, s in ratio.free}
        combination = [taken.get(r, sympy.Integer(0)) for r in self.sides]
        claims = []
        for unknown, value in zip(self.unknowns, self._times(combination), strict=True):
            wanted = ratio.denominator if unknown == x else others.get(unknown, sympy.Integer(0))
            claim = self.here.equal(value, wanted)
            if claim is None:
                raise StepFailedError(f"the ratio for {x} does not solve the system: {unknown} does not cancel")
            claims.append(claim)
        return weakest(claims)

    def _times(self, combination: Sequence[sympy.Expr]) -> Row:
        """Return a combination of the rows of W."""
        columns = range(len(self.unknowns))
        return [
            sympy.Add(*(q * row[j] for q, row in zip(combination, self.rows, strict=True) if q != 0)) for j in columns
        ]

    def _condition(self, expression: sympy.Expr) -> Row:
        """Return the coefficients of the right sides in a condition."""
        _are_polynomials((expression,), self.symbols.union(self.sides))
        found: dict[sympy.Symbol, sympy.Expr] = {}
        for term in sympy.Add.make_args(expression):
            side = next((r for r in self.sides if r in term.free_symbols), None)
            coefficient, rest = term.as_independent(side, as_Add=False) if side is not None else (term, None)
            need(side is not None and rest == side, f"{short(expression)} must be linear in {listed(self.sides)}")
            found[side] = found.get(side, sympy.Integer(0)) + coefficient
        is_linear = not any(e.has(*self.sides) for e in found.values())
        need(is_linear, f"{short(expression)} must be linear in the right sides")
        return [found.get(r, sympy.Integer(0)) for r in self.sides]
