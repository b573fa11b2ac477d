"""Elimination of a general m x n layer, as formulas in the indices: the paper's "Layer N-1".

The formulas are those that `reduce_rows` carries out; a test sets numbers for m, n and the indices and
compares. w(p, i, j) is the entry after step p, w(0, i, j) the given one; likewise r(p, i).
"""

import sympy

from symbinv.derivation.steps import Derivation, GeneralElimination

w, k, r, x = (sympy.Function(name) for name in "wkrx")
p, i, j, m, n = sympy.symbols("p i j m n", integer=True, positive=True)


def _ordered(*terms: sympy.Expr) -> sympy.Expr:
    return sympy.Add(*terms, evaluate=False)


def derive_general() -> Derivation:
    """Return the derivation for a layer of m rows and n >= m columns in general position.

    Example:
        >>> derive_general().steps[0].multiplier
        Eq(k(i, p), w(p - 1, i, p)/w(p - 1, p, p))
    """
    step = GeneralElimination(
        multiplier=sympy.Eq(k(i, p), w(p - 1, i, p) / w(p - 1, p, p)),
        entry=sympy.Eq(w(p, i, j), _ordered(w(p - 1, i, j), -k(i, p) * w(p - 1, p, j))),
        side=sympy.Eq(r(p, i), _ordered(r(p - 1, i), -k(i, p) * r(p - 1, p))),
        back=sympy.Eq(x(p), (r(p - 1, p) - sympy.Sum(w(p - 1, p, j) * x(j), (j, p + 1, n))) / w(p - 1, p, p)),
        definitions=sympy.Sum((m - p) * (n - p + 2), (p, 1, m - 1)),
    )
    return Derivation("Layer N-1: elimination of a general layer with m rows and n columns", (step,))
