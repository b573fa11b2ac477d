"""From a closed form and from a tree of cases to typed steps."""

from collections.abc import Mapping, Sequence
from functools import reduce

import sympy

from symbinv.algebra.cases import Case, CaseTree
from symbinv.algebra.closed_form import ClosedForm
from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven, PivotRatio
from symbinv.derivation.steps import Derivation, Step
from symbinv.errors import ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.layer import LayerInverse
from symbinv.notation import symbols


def derive_closed_form(step: LayerInverse, form: ClosedForm) -> ClosedFormGiven:
    """Return the closed form of a layer as a typed step.

    Args:
        step: The layer.
        form: `closed_form(step.reduction)`.

    Raises:
        ShapeError: Where the closed form is of another system.

    Example:
        >>> from symbinv.algebra.closed_form import closed_form
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> step = invert(Network.generic([2, 1], ["tanh"])).step(1)
        >>> derive_closed_form(step, closed_form(step.reduction)).ratios[0].value
        (r_1 - w_{12}*x_2)/w_{11}
    """
    if form.reduction is not step.reduction:
        raise ShapeError(f"form must be the closed form of the reduction of layer {step.index}, not of another one.")
    unknowns, free = step.unknowns, step.free_variables
    ratios = tuple(
        PivotRatio(
            unknowns[r.column],
            tuple((a, s) for a, s in zip(r.sides, step.sides, strict=True) if a != 0),
            tuple((b, x) for b, x in zip(r.free, free, strict=True) if b != 0),
            r.denominator,
        )
        for r in form.ratios
    )
    conditions = form.conditions(step.sides)
    return ClosedFormGiven(step.index, form.determinant, ratios, conditions, form.denominators)


def derive_cases(tree: CaseTree, title: str = "All cases of a linear system") -> Derivation:
    """Return every case of a matrix of symbols with its solutions of W x = r, as a derivation.

    Args:
        tree: From `reduce_cases`.
        title: Of the derivation.

    Example:
        >>> from symbinv.algebra.cases import reduce_cases
        >>> a, b = sympy.symbols("a b")
        >>> first, *cases = derive_cases(reduce_cases([[a, b]])).steps
        >>> [[ratio.value for ratio in case.ratios] for case in cases]
        [[(-b*x_2 + r_1)/a], [r_1/b], []]
    """
    rows, columns = tree.matrix.shape
    sides, unknowns = symbols("r", rows), symbols("x", columns)
    steps: list[Step] = [CaseTreeGiven(tree.matrix, sides, unknowns, len(tree))]
    steps += [_solved(number, case, sides, unknowns) for number, case in enumerate(tree, start=1)]
    return Derivation(title, tuple(steps))


def _solved(number: int, case: Case, sides: Sequence[sympy.Symbol], unknowns: Sequence[sympy.Symbol]) -> CaseSolved:
    fiber = case.fiber(ExactMatrix.column(sides))
    free = tuple(unknowns[j] for j in case.free)
    known: dict[sympy.Symbol, sympy.Expr] = {}
    for definition in (*case.reduction.definitions, *fiber.definitions):
        known[definition.name] = definition.value.xreplace(known)
    x = fiber.substitute(free)
    ratios = tuple(_ratio(unknowns[j], x[j].xreplace(known), sides, free) for j in sorted(case.pivots))
    conditions = tuple(
        sympy.Add(*(a * r for a, r in _ratio(sides[0], c.xreplace(known), sides, ()).sides))
        for c in fiber.conditions
        if c != 0
    )
    return CaseSolved(number, case.equations, case.nonzero, case.matrix, ratios, free, conditions)


def _ratio(
    unknown: sympy.Symbol, value: sympy.Expr, sides: Sequence[sympy.Symbol], free: Sequence[sympy.Symbol]
) -> PivotRatio:
    """Take an expression that is linear in sides and free variables apart, over one denominator."""
    zero: Mapping[sympy.Symbol, sympy.Expr] = {s: sympy.Integer(0) for s in (*sides, *free)}
    fractions = []
    for s in (*sides, *free):
        one = {**zero, s: sympy.Integer(1)}
        fractions.append(sympy.fraction(sympy.cancel(sympy.together(value.xreplace(one)))))
    common = reduce(sympy.lcm, (bottom for _, bottom in fractions), sympy.Integer(1))
    tops = [sympy.expand(sympy.cancel(top * common / bottom)) for top, bottom in fractions]
    count = len(sides)
    positive = tuple((a, s) for a, s in zip(tops[:count], sides, strict=True) if a != 0)
    negative = tuple((sympy.expand(-b), s) for b, s in zip(tops[count:], free, strict=True) if b != 0)
    return PivotRatio(unknown, positive, negative, sympy.expand(common))
