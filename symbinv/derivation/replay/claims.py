"""The replay of statements about a whole derivation: a substituted solution, and the general formulas."""

from collections.abc import Sequence
from fractions import Fraction

import sympy

from symbinv.derivation.general import i, j, k, m, n, p, r, w, x
from symbinv.derivation.replay.equality import Claim, Judge, weakest
from symbinv.derivation.replay.layer import LayerReplay
from symbinv.derivation.replay.terms import StepFailedError, need
from symbinv.derivation.steps import GeneralElimination, SubstitutionChecked
from symbinv.exact.policy import to_rational


def substitution(step: SubstitutionChecked, layers: Sequence[LayerReplay], judge: Judge) -> Claim:
    """Prove the residuals of a claimed solution: left minus right side of each row after elimination.

    That a residual is not zero is part of what is proved: the step then states that the claim is no solution.
    """
    names = [e.lhs for e in step.claimed]
    layer = next((found for found in layers if names and all(name in found.unknowns for name in names)), None)
    if layer is None or len(set(names)) != len(names):
        raise StepFailedError("each claimed equation must be for an unknown of one layer, none twice")
    values: dict[sympy.Symbol, sympy.Expr] = {}
    for equation in sorted(step.claimed, key=lambda e: -layer.unknowns.index(e.lhs)):
        values[equation.lhs] = equation.rhs.xreplace(values)
    for name, value in values.items():
        need(name not in value.free_symbols, f"the claim for {name} must not hold {name} itself")
    need(len(step.residuals) == len(layer.table), f"there must be {len(layer.table)} residuals")
    claims = []
    for q, (row, side, stated) in enumerate(zip(layer.table, layer.side, step.residuals, strict=True), start=1):
        entries = [to_rational(e) if isinstance(e, Fraction) else e for e in row]
        terms = [e * values.get(s, s) for e, s in zip(entries, layer.unknowns, strict=True)]
        claim = judge.equal(stated, sympy.Add(*terms, -side), layer.meanings)
        if claim is None:
            raise StepFailedError(f"residual {q} must be the left side less the right side of row {q}")
        claims.append(claim)
    return weakest(claims)


def general_elimination(step: GeneralElimination, judge: Judge) -> Claim:
    """Prove the formulas in the indices for all m and n: step p subtracts k(i, p) times row p from row i > p.

    The entries w(p-1, i, j) and r(p-1, i) are indeterminates, so each identity holds whatever they are; that it holds
    for every p, i and j is the induction over p that defines elimination.
    """
    factor = step.multiplier.rhs
    parts = [
        (step.multiplier.lhs, k(i, p), "the multiplier must be k(i, p)"),
        (step.entry.lhs, w(p, i, j), "the entry must be w(p, i, j)"),
        (step.side.lhs, r(p, i), "the right side must be r(p, i)"),
        (step.back.lhs, x(p), "back-substitution must give x(p)"),
        (step.entry.rhs, w(p - 1, i, j) - k(i, p) * w(p - 1, p, j), "the entry must be row i less k times row p"),
        (step.side.rhs, r(p - 1, i) - k(i, p) * r(p - 1, p), "the right side must go with the entries"),
        (factor * w(p - 1, p, p), w(p - 1, i, p), "the multiplier must clear column p of row i"),
        (
            step.back.rhs * w(p - 1, p, p) + sympy.Sum(w(p - 1, p, j) * x(j), (j, p + 1, n)),
            r(p - 1, p),
            "x(p) must solve row p, whose entries left of the pivot are zero",
        ),
    ]
    claims = []
    for stated, wanted, message in parts:
        claim = judge.equal(stated, wanted)
        if claim is None:
            raise StepFailedError(message)
        claims.append(claim)
    # in step p every row below p gets a multiplier, an entry in each column right of p, and a right side
    total, count = step.definitions, (m - p) * (1 + (n - p) + 1)
    if not isinstance(total, sympy.Sum) or total.limits != (sympy.Tuple(p, 1, m - 1),):
        raise StepFailedError("the definitions must be counted over the steps p = 1, ..., m - 1")
    claim = judge.equal(total.function, count)
    if claim is None:
        raise StepFailedError("a step p must make (m - p)(n - p + 2) definitions")
    return weakest([*claims, claim])
