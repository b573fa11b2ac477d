"""The verdict on an inverse: is the preimage empty, and what dimension has it?

Exact questions first (`reach.walk_down`), then a witness behind what is left of the network.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.inverse.layer import LayerInverse, piece_image
from symbinv.inverse.pattern import (
    Collapsed,
    Pattern,
    collapse,
    unit_branches,
    unit_pieces,
)
from symbinv.inverse.reach import Reach, walk_down
from symbinv.inverse.target import Target
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown, Verdict
from symbinv.inverse.witness import find_witness, nearest_attainable
from symbinv.network.constraint import Constraint
from symbinv.network.network import Network
from symbinv.polyhedra.feasibility import Certificate


def judge(
    network: Network,
    goal: Target,
    pattern: Pattern,
    box: ExactMatrix | None,
    steps: Sequence[LayerInverse],
    hint: Any,
) -> tuple[Verdict, Constraint | None, int, str]:
    """Return the verdict, the constraint that is left, and the preimage's dimension with its claim.

    Args:
        network, goal, pattern, box: The question.
        steps: One per layer, last layer first.
        hint: An input at which a witness is sought first, or None.
    """
    if goal.empty is not None:
        return goal.empty, None, -1, "exact"
    if not goal.is_numeric or not network.is_rational:
        what = "symbolic target" if not goal.is_numeric else "symbolic weights"
        return Unknown(what), None, _generic_dimension(network, steps), "generic"
    values = goal.fractions()
    if pattern[-1] is not None:
        off = _off_pattern(network, pattern, values)
        if off is not None:
            return off, None, -1, "exact"
    collapsed = collapse(network, pattern)
    z = [steps[0].undo_exactly(i, values[i]) for i in steps[0].rows]
    reach = walk_down(collapsed, steps[0].rows, z, box)
    if reach.empty is not None:
        return _with_distance(reach, collapsed, goal), reach.constraint, -1, reach.empty.claim
    return _seek(network, goal, collapsed, reach, box, hint)


def _off_pattern(network: Network, pattern: Pattern, values: Sequence[Fraction]) -> Empty | None:
    branches = unit_branches(network.layers[-1], pattern[-1]) or ()
    for i, (branch, y) in enumerate(zip(branches, values, strict=False), start=1):
        if not branch.image.contains(y):
            return Empty(
                f"Output {i} cannot be {to_rational(y)} on its {branch.name} branch, whose image is {branch.image}.",
                "exact",
                layer=network.depth,
            )
    pieces = unit_pieces(network.layers[-1], pattern[-1])
    if pieces is None:
        return None
    for i, (piece, y) in enumerate(zip(pieces, values, strict=True), start=1):
        if piece.is_constant:
            fits = y == piece.intercept
        else:
            fits = piece_image(piece).contains(y)
        if not fits:
            return Empty(f"Output {i} cannot be {to_rational(y)} on its piece.", "exact", layer=network.depth)
    return None


def _with_distance(reach: Reach, collapsed: Collapsed, goal: Target) -> Empty:
    """Add the distance to the nearest attainable target where the last affine map itself cannot produce it."""
    empty = reach.empty
    if empty is None:
        raise AssertionError("called with an empty verdict only")
    if reach.constraint is not None or not isinstance(empty.certificate, Certificate):
        return empty  # not a consistency condition
    target = np.array([float(v) for v in goal.fractions()])
    distance = nearest_attainable(collapsed.layers[-1], target)
    return Empty(empty.reason, empty.claim, empty.certificate, empty.layer, distance)


def _seek(
    network: Network, goal: Target, collapsed: Collapsed, reach: Reach, box: ExactMatrix | None, hint: Any
) -> tuple[Verdict, Constraint | None, int, str]:
    constraint = reach.constraint
    if constraint is None:
        raise AssertionError("a walk that is not empty leaves a constraint")
    q, n0 = constraint.rows, network.sizes[0]
    target = np.array([float(v) for v in goal.fractions()])
    if reach.point is not None:
        x = np.array([float(v) for v in reach.point.x])
        residual = _residual(network, x, target)
        if all(r.is_decidable for r in constraint.offset):
            verdict = NonEmpty(tuple(v.to_sympy() for v in reach.point.x), "exact", residual)
        else:  # nested logarithms: known by their balls, too large to write
            radius = float(2.0**-50 * np.abs(x).max(initial=0.0))
            verdict = NonEmpty(tuple(x.tolist()), "certified", residual, radius)
        return verdict, constraint, n0 - q, "exact" if _is_interior(reach, box) else "upper bound"
    if reach.level == 1:
        return Unknown(reach.undecided), constraint, n0 - q, "upper bound"
    found = find_witness(constraint, box, reach.inequalities, [] if hint is None else [hint])
    if found is None:
        reason = reach.undecided or "no input was found from any start, and emptiness was not shown"
        return Unknown(reason), constraint, max(n0 - q, 0), "upper bound"
    radius = found.certificate.radius if found.certificate else 0.0
    proved = found.certificate is not None and not reach.undecided
    verdict = NonEmpty(
        tuple(found.x.tolist()), "certified" if proved else "numeric", _residual(network, found.x, target), radius
    )
    rank = q if found.certificate else _float_rank(constraint, found.x)
    return verdict, constraint, n0 - rank, "certified" if proved else "upper bound"


def _is_interior(reach: Reach, box: ExactMatrix | None) -> bool:
    """Tell whether the exact point satisfies every inequality with room to spare."""
    if reach.point is None:
        return False
    x = reach.point.x
    for j, (low, high) in enumerate(box.fractions() if box is not None else ()):
        if (x[j] - LogLinear.rational(low)).sign() != 1 or (LogLinear.rational(high) - x[j]).sign() != 1:
            return False
    for inequality in reach.inequalities:
        total = LogLinear.rational(inequality.inner)
        for w, v in zip(inequality.row.fractions()[0], x, strict=True):
            total = total - v * w
        if total.sign() != 1:
            return False
    return True


def _residual(network: Network, x: Any, target: Any) -> float:
    return float(np.abs(network.forward(x) - target).max())


def _float_rank(constraint: Constraint, x: Any) -> int:
    return int(np.linalg.matrix_rank(constraint.linearize(x[None, :])[1][0]))


def _generic_dimension(network: Network, steps: Sequence[LayerInverse]) -> int:
    """Return n0 minus the number of independent conditions, for symbols in general position."""
    conditions = steps[0].reduction.rank - (1 if steps[0].shift is not None else 0)
    for step in steps:
        width = len(step.columns)
        if step.index == 1 or conditions < width:
            break
        conditions = min(width, steps[network.depth - step.index + 1].reduction.rank)
    return network.sizes[0] - min(conditions, network.sizes[0])
