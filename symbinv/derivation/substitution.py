"""Substitute a claimed solution into a layer's equations and show what is left over."""

from collections.abc import Sequence

import sympy

from symbinv.algebra.named import Update
from symbinv.derivation.steps import SubstitutionChecked
from symbinv.inverse.layer import LayerInverse


def check_solution(title: str, step: LayerInverse, claimed: Sequence[sympy.Eq]) -> SubstitutionChecked:
    """Substitute unknown = expression into the equations after elimination, which are equivalent to W x = r.

    The rows are taken as elimination left them, multipliers k by name and updated entries written out, because
    residuals are shortest there.

    Args:
        title: Whose solution it is.
        step: The layer.
        claimed: Equations unknown = expression, which may use the layer's symbols, its r_i and multipliers, and
            unknowns of equations for later columns.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> step = invert(Network.generic([2, 1], ["sigmoid"])).step(1)
        >>> (x1, x2), (r,), w = step.unknowns, step.sides, step.weights
        >>> check_solution("right", step, [sympy.Eq(x1, (r - w[0, 1] * x2) / w[0, 0])]).residuals
        (0,)
        >>> check_solution("wrong", step, [sympy.Eq(x1, (r - x2) / w[0, 0])]).residuals
        (x_2*(w_{12} - 1),)
    """
    updates: dict[sympy.Symbol, sympy.Expr] = {}
    for definition in step.definitions:
        if isinstance(definition, Update):
            updates[definition.name] = definition.value.xreplace(updates)
    values: dict[sympy.Symbol, sympy.Expr] = {}
    for equation in sorted(claimed, key=lambda e: -step.unknowns.index(e.lhs)):
        values[equation.lhs] = equation.rhs.xreplace(values)
    x = [values.get(s, s) for s in step.unknowns]
    echelon, pushed = step.reduction.echelon, step.fiber.pushed
    everything = step.named_values({r: r for r in step.sides})
    residuals = []
    for i in range(echelon.rows):
        row = sympy.Add(*(echelon[i, j] * x[j] for j in range(echelon.columns))) - pushed[i, 0]
        left_over = sympy.factor(sympy.together(row.xreplace(updates)))
        vanishes = sympy.cancel(sympy.together(left_over.xreplace(everything))) == 0
        residuals.append(sympy.Integer(0) if vanishes else left_over)
    return SubstitutionChecked(title, tuple(claimed), tuple(residuals))
