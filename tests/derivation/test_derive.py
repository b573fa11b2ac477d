import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.algebra.named import Ratio, Update
from symbinv.derivation.derive import derive
from symbinv.derivation.general import derive_general, i, j, k, m, n, p, r, w
from symbinv.derivation.steps import RowsOperated, RowsReduced, SubstitutionChecked
from symbinv.derivation.substitution import check_solution

from ..strategies import matrices


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (3, 5), (4, 4), (4, 6)])
def test_the_general_formulas_are_what_the_elimination_does(rows, columns):
    general = derive_general().steps[0]
    step = si.invert(si.Network.generic([columns, rows], ["tanh"])).step(1)
    named = {d.name: d for d in step.definitions}
    weights = step.weights

    def entry(level, a, b):
        name = sympy.Symbol(f"w^{{({level})}}_{{{a}{b}}}")
        return name if level else weights[a - 1, b - 1]

    def side(level, a):
        return sympy.Symbol(f"r^{{({level})}}_{a}") if level else sympy.Symbol(f"r_{a}")

    def said(equation, values):
        text = equation.rhs.subs(values)
        text = text.replace(w, lambda *at: entry(*map(int, at))).replace(r, lambda *at: side(*map(int, at)))
        return text.replace(k, lambda a, b: sympy.Symbol(f"k_{{{a}{b}}}"))

    seen = 0
    for level in range(1, rows):
        for row in range(level + 1, rows + 1):
            here = {p: level, i: row}
            for equation, name in (
                (general.multiplier, sympy.Symbol(f"k_{{{row}{level}}}")),
                (general.side, side(level, row)),
                *((general.entry, entry(level, row, column)) for column in range(level + 1, columns + 1)),
            ):
                column = int(str(name)[-2]) if equation is general.entry else 0
                assert sympy.simplify(said(equation, {**here, j: column}) - named[name].value) == 0
                seen += 1
    assert seen == len(named) == general.definitions.subs({m: rows, n: columns}).doit()


@given(st.integers(1, 4), st.integers(1, 5), st.data())
@settings(max_examples=40, deadline=None)
def test_replaying_the_shown_operations_gives_the_shown_matrices(rows, columns, data):
    weights = data.draw(matrices(rows, columns))
    inverse = si.invert(si.Network.from_arrays([weights], [[0] * rows], ["identity"]))
    table = sympy.Matrix(weights).row_join(sympy.Matrix(inverse.step(1).sides))
    meaning = {}
    for step in derive(inverse).steps:
        if isinstance(step, RowsOperated):
            for definition in step.definitions:
                meaning[definition.name] = definition.value.xreplace(meaning)
            for operation in step.operations:
                match operation:
                    case si.Swap(first, second):
                        table.row_swap(first, second)
                    case si.AddMultiple(target, source, factor):
                        table[target, :] += factor * table[source, :]
            shown = step.matrix.to_sympy().row_join(sympy.Matrix(step.sides).xreplace(meaning))
            assert (shown - table).applyfunc(sympy.expand).is_zero_matrix
        elif isinstance(step, RowsReduced):
            assert step.matrix.to_sympy() == sympy.ImmutableMatrix(sympy.Matrix(weights).rref()[0])


def test_the_papers_printed_formulas_leave_a_residual_and_the_corrected_ones_none():
    from derivations.cases import paper_3_2

    printed, correct = (s for s in paper_3_2().steps if isinstance(s, SubstitutionChecked))
    assert any(residual != 0 for residual in printed.residuals)
    assert correct.residuals == (0, 0)


def test_a_claim_that_is_wrong_by_one_sign_is_found():
    step = si.invert(si.Network.generic([3, 2], ["sigmoid"])).step(1)
    first, second = (
        sympy.Eq(e.lhs, e.rhs.xreplace({v: s for s, v in step.side_values.items()})) for e in step.solution()
    )
    wrong = check_solution("wrong", step, [first, sympy.Eq(second.lhs, -second.rhs)])
    assert any(residual != 0 for residual in wrong.residuals)


def test_names_are_defined_before_they_are_used():
    inverse = si.invert(si.Network.generic([6, 5, 4], ["tanh", "tanh"]))
    known = set()
    for step in derive(inverse).steps:
        if isinstance(step, RowsOperated):
            for definition in step.definitions:
                assert isinstance(definition, Ratio | Update)
                uses = {s for s in definition.value.free_symbols if s.name.startswith("k") or "," in s.name}
                assert uses <= known | {definition.name}
                known.add(definition.name)
