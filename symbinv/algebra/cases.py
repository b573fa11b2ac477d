"""reduce_cases: every case of a matrix of symbols, none twice, each with its own reduction.

Elimination branches wherever it would divide by something that may vanish: not zero, and it is the pivot; zero,
and the equation is solved for one of its symbols, put into the matrix, and the elimination starts again. An equation
linear in some symbol is always solved (its coefficient is first split into zero or not); a square form that is
a sum of squares is taken apart over the reals. What remains, irreducible and at least quadratic in every symbol, stays
as an equation; the case is then right wherever it holds, even if it never does.

Symbols stand for real numbers; those that SymPy assumes positive or non-zero need no case where they vanish.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy

from symbinv.algebra.elimination import RowReduction, reduce_named, reduce_rows
from symbinv.algebra.fiber import AffineFiber, solve_fiber
from symbinv.errors import BudgetError, OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_fraction, to_rational
from symbinv.exact.polynomial import RationalFunction, Ring, ring_of

CASE_LIMIT = 1000


@dataclass(frozen=True, eq=False)
class Case:
    """One case: where certain polynomials vanish and others do not, with the reduction that holds there.

    Attributes:
        equations: Polynomials that vanish, each simplified by those before it.
        nonzero: Polynomials that do not vanish, irreducible.
        substitution: Symbols that the equations determine, in terms of the others.
        matrix: The matrix with the substitution made.
        reduction: Of that matrix; what it assumes is implied by `nonzero`.
    """

    equations: tuple[sympy.Expr, ...]
    nonzero: tuple[sympy.Expr, ...]
    substitution: Mapping[sympy.Symbol, sympy.Expr]
    matrix: ExactMatrix
    reduction: RowReduction

    @property
    def rank(self) -> int:
        """The number of pivots."""
        return self.reduction.rank

    @property
    def pivots(self) -> tuple[int, ...]:
        """The pivot columns, from 0."""
        return self.reduction.pivots

    @property
    def free(self) -> tuple[int, ...]:
        """The columns without a pivot, from 0."""
        return self.reduction.free

    @property
    def when(self) -> tuple[Any, ...]:
        """The case's relations on the parameters: equations first, then what does not vanish."""
        zero = sympy.Integer(0)
        return (
            *(sympy.Eq(e, zero, evaluate=False) for e in self.equations),
            *(sympy.Ne(e, zero, evaluate=False) for e in self.nonzero),
        )

    def holds(self, values: Mapping[sympy.Symbol, Any]) -> bool:
        """Tell whether numbers for the symbols fall in this case."""
        exact = {s: v if isinstance(v, sympy.Expr) else to_rational(to_fraction(v)) for s, v in values.items()}
        return all(e.subs(exact) == 0 for e in self.equations) and all(e.subs(exact) != 0 for e in self.nonzero)

    def fiber(self, right_side: ExactMatrix) -> AffineFiber:
        """Return all solutions in this case; its `conditions` are the case's consistency conditions."""
        if not right_side.is_rational:
            right_side = ExactMatrix(right_side.to_sympy().xreplace(dict(self.substitution)))
        return solve_fiber(self.reduction, right_side)


@dataclass(frozen=True, eq=False)
class CaseTree:
    """All cases of a matrix: all real numbers for its symbols, where its entries are defined, fall in exactly one.

    Example:
        >>> a, b = sympy.symbols("a b")
        >>> for case in reduce_cases([[a, b]]):
        ...     print(case.when, case.pivots)
        (Ne(a, 0),) (0,)
        (Eq(a, 0), Ne(b, 0)) (1,)
        (Eq(a, 0), Eq(b, 0)) ()
    """

    matrix: ExactMatrix
    cases: tuple[Case, ...]

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def __getitem__(self, number: int) -> Case:
        return self.cases[number]

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols of the matrix, by name."""
        return ring_of(self.matrix.to_sympy().tolist()).symbols

    def case_of(self, values: Mapping[sympy.Symbol, Any]) -> Case:
        """Return the one case into which numbers for all symbols fall.

        Raises:
            OptionError: Where a symbol has no number, or an entry is not defined at the numbers.
        """
        missing = [s for s in self.symbols if s not in values]
        if missing:
            raise OptionError(f"values must name every symbol of the matrix; {missing[0]} is missing.")
        for case in self.cases:
            if case.holds(values):
                return case
        raise OptionError("values must not make a denominator of the matrix zero or break a symbol's assumptions.")


def reduce_cases(
    matrix: Any,
    *,
    free: Iterable[int] = (),
    superscript: Sequence[int] = (),
    limit: int = CASE_LIMIT,
) -> CaseTree:
    """Reduce a matrix in every case of its symbols.

    Exact? Yes; every branch is a polynomial relation. Complete? Yes: the cases are disjoint and cover all real values.
    A case whose remaining equations have no real solution may be listed. Cost: a generic m x n matrix has
    T(m, n) = m T(m-1, n-1) + T(m, n-1) cases (2 x 3: 13, 3 x 5: 136).

    Args:
        matrix: (m, n), as for `reduce_rows`.
        free: Columns that shall have a pivot only where the others leave a row without one.
        superscript: Numbers put above every name that is given.
        limit: The largest number of cases.

    Raises:
        BudgetError: Where there are more cases than the limit.

    Example:
        >>> tree = reduce_cases([[sympy.Symbol("a"), 1], [1, sympy.Symbol("a")]])
        >>> [(case.when, case.rank) for case in tree]
        [((Ne(a, 0), Ne(a + 1, 0), Ne(a - 1, 0)), 2), ((Eq(a + 1, 0),), 1), ((Eq(a - 1, 0),), 1), ((Eq(a, 0),), 2)]
    """
    exact = matrix if isinstance(matrix, ExactMatrix) else ExactMatrix(matrix)
    held_back = list(free)
    order = [*(j for j in range(exact.columns) if j not in held_back), *held_back]
    rows = exact.to_sympy().tolist()
    walker = _Walker(rows, ring_of(rows), order)
    cases: list[Case] = []
    for state in walker.leaves(_State(nonzero=walker.denominators())):
        if len(cases) == limit:
            raise BudgetError(f"a case tree may have at most {limit} cases, and there are more; raise it with limit=.")
        cases.append(_case(exact, order, state, tuple(superscript)))
    return CaseTree(exact, tuple(cases))


def _case(exact: ExactMatrix, order: Sequence[int], state: "_State", superscript: tuple[int, ...]) -> Case:
    matrix = exact
    if state.substitution:
        matrix = ExactMatrix(exact.to_sympy().xreplace(state.substitution).applyfunc(sympy.cancel))
    if state.open:
        reduction = reduce_named(matrix, order, superscript, vanishing=state.vanishing)
    else:
        reduction = reduce_rows(matrix, order=order, superscript=superscript)
    return Case(state.equations, tuple(state.nonzero), state.substitution, matrix, reduction)


@dataclass(frozen=True)
class _State:
    """What a branch knows: `open` are the equations that no symbol could be solved from."""

    equations: tuple[sympy.Expr, ...] = ()
    open: tuple[sympy.Expr, ...] = ()
    nonzero: tuple[sympy.Expr, ...] = ()
    substitution: dict[sympy.Symbol, sympy.Expr] = field(default_factory=dict)
    vanishing: frozenset[tuple[int, int, int]] = frozenset()


@dataclass(frozen=True)
class _Walker:
    rows: list[list[sympy.Expr]]
    ring: Ring
    order: list[int]

    def denominators(self) -> tuple[sympy.Expr, ...]:
        """Return what must not vanish for the entries to be defined."""
        functions = [self.ring.rational_function(e) for row in self.rows for e in row]
        factors = [f for q in functions if not q.denominator.is_constant() for f in q.reciprocal().factors()]
        return tuple(dict.fromkeys(factors))

    def leaves(self, state: _State) -> Iterator[_State]:
        """Yield the leaves below a branch: the branch where an entry is not zero first."""
        waiting: list[_State] = [state]
        while waiting:
            current = waiting.pop()
            unknown, vanishing = self._eliminate(current)
            if not unknown:
                yield _State(
                    current.equations, current.open, current.nonzero, current.substitution, frozenset(vanishing)
                )
                continue
            below = list(self._assume(current, unknown))
            for k, factor in enumerate(unknown):
                for part in self._assume(current, unknown[:k]):
                    below += self._equate(part, [factor])
            waiting += reversed(below)

    def _eliminate(self, state: _State) -> tuple[tuple[sympy.Expr, ...], set[tuple[int, int, int]]]:
        """Eliminate as far as the branch knows; return the undecided factors of the entry that stops it, if any."""
        table = [[self.ring.rational_function(e.xreplace(state.substitution)) for e in row] for row in self.rows]
        original = list(range(len(table)))
        vanishing: set[tuple[int, int, int]] = set()
        step = 0
        for column in self.order:
            if step == len(table):
                break
            self._note_zeros(table, original, step, state, vanishing)
            pivot = None
            for i in range(step, len(table)):
                if table[i][column].is_zero:
                    continue
                unknown = tuple(f for f in table[i][column].factors() if not self._is_nonzero(f, state))
                if unknown:
                    return unknown, vanishing
                pivot = i
                break
            if pivot is None:
                continue
            table[step], table[pivot] = table[pivot], table[step]
            original[step], original[pivot] = original[pivot], original[step]
            for i in range(step + 1, len(table)):
                if not table[i][column].is_zero:
                    factor = table[i][column] / table[step][column]
                    table[i] = [e - factor * s for e, s in zip(table[i], table[step], strict=True)]
            step += 1
        self._note_zeros(table, original, step, state, vanishing)
        return (), vanishing

    def _note_zeros(
        self,
        table: list[list[RationalFunction]],
        original: list[int],
        step: int,
        state: _State,
        vanishing: set[tuple[int, int, int]],
    ) -> None:
        """Set entries to zero that an open equation makes zero."""
        if not state.open:
            return
        for i in range(step, len(table)):
            for j, entry in enumerate(table[i]):
                if not entry.is_zero and set(entry.factors()) & set(state.open):
                    vanishing.add((step, original[i], j))
                    table[i][j] = self.ring.zero

    def _is_nonzero(self, factor: sympy.Expr, state: _State) -> bool:
        return factor in state.nonzero or factor.is_zero is False or _is_definite(factor)

    def _assume(self, state: _State, factors: Sequence[sympy.Expr]) -> Iterator[_State]:
        """Yield the branch in which the factors do not vanish, unless an open equation says they do."""
        if not set(factors) & set(state.open):
            new = [f for f in factors if not self._is_nonzero(f, state)]
            yield _State(state.equations, state.open, (*state.nonzero, *new), state.substitution)

    def _equate(self, state: _State, polynomials: Sequence[sympy.Expr]) -> Iterator[_State]:
        """Yield the disjoint branches in which all polynomials vanish; none where that is impossible."""
        if not polynomials:
            yield state
            return
        function = self.ring.rational_function(polynomials[0].xreplace(state.substitution))
        rest = polynomials[1:]
        if function.is_zero:
            yield from self._equate(state, rest)
            return
        factors = function.factors()
        if len(factors) != 1:
            for k, factor in enumerate(factors):
                for part in self._assume(state, factors[:k]):
                    yield from self._equate(part, [factor, *rest])
            return
        factor = factors[0]
        if self._is_nonzero(factor, state):
            return
        if factor in state.open:
            yield from self._equate(state, rest)
            return
        yield from self._solve(state, factor, rest)

    def _solve(self, state: _State, factor: sympy.Expr, rest: Sequence[sympy.Expr]) -> Iterator[_State]:
        """Solve an irreducible equation for a symbol, splitting on its coefficient where that may vanish."""
        choices = []
        for s in self.ring.symbols:
            if s in factor.free_symbols and sympy.degree(factor, s) == 1:
                coefficient = factor.coeff(s, 1)
                unknown = [
                    f for f in self.ring.rational_function(coefficient).factors() if not self._is_nonzero(f, state)
                ]
                choices.append((len(unknown), len(sympy.Add.make_args(coefficient)), s, coefficient, unknown))
        if not choices:
            parts = self._sum_of_squares(factor)
            if parts is not None:
                yield from self._equate(state, [*parts, *rest])
            else:
                known = _State((*state.equations, factor), (*state.open, factor), state.nonzero, state.substitution)
                yield from self._equate(known, rest)
            return
        _, _, symbol, coefficient, unknown = min(choices, key=lambda c: (c[0], c[1]))
        remainder = sympy.expand(factor - coefficient * symbol)
        for part in self._assume(state, unknown):
            solved = self._substitute(part, symbol, sympy.cancel(-remainder / coefficient), factor)
            if solved is not None:
                known, again = solved
                yield from self._equate(known, [*again, *rest])
        for k, zero in enumerate(unknown):
            for part in self._assume(state, unknown[:k]):
                yield from self._equate(part, [zero, factor, *rest])

    def _substitute(
        self, state: _State, symbol: sympy.Symbol, value: sympy.Expr, equation: sympy.Expr
    ) -> tuple[_State, list[sympy.Expr]] | None:
        """Put a solved symbol everywhere; None where something that must not vanish then does."""
        if (symbol.is_zero is False and value == 0) or _contradicts(symbol, value):
            return None
        new = {symbol: value}
        substitution = {s: sympy.cancel(v.xreplace(new)) for s, v in state.substitution.items()} | new
        nonzero: list[sympy.Expr] = []
        kept = _State()
        for polynomial in state.nonzero:
            if symbol not in polynomial.free_symbols:
                factors: tuple[sympy.Expr, ...] = (polynomial,)
            else:
                function = self.ring.rational_function(polynomial.xreplace(new))
                if function.is_zero:
                    return None
                factors = function.factors()
            nonzero += [f for f in factors if f not in nonzero and not self._is_nonzero(f, kept)]
        touched = [e for e in state.open if symbol in e.free_symbols]
        untouched = tuple(e for e in state.open if e not in touched)
        return _State((*state.equations, equation), untouched, tuple(nonzero), substitution), touched

    def _sum_of_squares(self, factor: sympy.Expr) -> list[sympy.Expr] | None:
        """Return equations that together say a sum of squares vanishes; None where it is not seen to be one."""
        terms = sympy.Add.make_args(factor)
        if _of_one_sign(terms, even=True):
            return [sympy.Mul(*term.free_symbols) for term in terms]
        for s in self.ring.symbols:
            if s not in factor.free_symbols or sympy.degree(factor, s) != 2:
                continue
            a, b, c = (factor.coeff(s, k) for k in (2, 1, 0))
            if not a.is_number:
                continue
            discriminant = self.ring.rational_function(b**2 - 4 * a * c)
            found = sympy.factor_list(-discriminant.to_sympy())
            if found[0] > 0 and all(power % 2 == 0 for _, power in found[1]):
                root = sympy.Mul(*(f ** (power // 2) for f, power in found[1]))
                return [sympy.expand(root), sympy.expand(2 * a * s + b)]
        return None


def _contradicts(symbol: sympy.Symbol, value: sympy.Expr) -> bool:
    """Tell whether SymPy's assumptions on a symbol rule a value out."""
    if not value.is_number:
        return False
    return bool(
        (symbol.is_positive and not value.is_positive)
        or (symbol.is_negative and not value.is_negative)
        or (symbol.is_nonnegative and value.is_negative)
        or (symbol.is_nonpositive and value.is_positive)
    )


def _is_definite(polynomial: sympy.Expr) -> bool:
    """Tell whether a polynomial is plainly never zero: terms of one sign, one of them never zero."""
    terms = sympy.Add.make_args(polynomial)
    never_zero = any(all(s.is_zero is False for s in t.free_symbols) for t in terms)
    return never_zero and _of_one_sign(terms)


def _of_one_sign(terms: Sequence[sympy.Expr], even: bool = False) -> bool:
    """Tell whether no term changes its sign and all have the same; `even`: by even powers alone."""
    signs = set()
    for term in terms:
        coefficient, monomial = term.as_coeff_Mul()
        signs.add(bool(coefficient > 0))
        for base, power in monomial.as_powers_dict().items():
            if base != 1 and int(power) % 2 and (even or not base.is_nonnegative):
                return False
    return len(signs) == 1
