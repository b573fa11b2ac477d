"""Krawczyk's test: proof by ball arithmetic that the constraint has an exact solution near a point.

Of the n0 inputs, q are moved and the others held at their (exact) values, so that c becomes square. If
K(X) = x - Y c(x) + (I - Y J(X)) (X - x) lies inside the box X around x, then X holds exactly one solution.

References:
    R. Krawczyk, Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken, Computing 4 (1969);
    S. M. Rump, Verification methods, Acta Numerica 19 (2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.exact.ball import ball, precision
from symbinv.network.constraint import Constraint

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PointCertificate:
    """An exact solution lies within `radius` of `point`, entry by entry, differing in `moved` inputs only.

    Attributes:
        point: The doubles around which the box lies.
        radius: Half its width.
        moved: The inputs that may differ, from 0.
        bits: The working precision at which the proof succeeded.
    """

    point: tuple[float, ...]
    radius: float
    moved: tuple[int, ...]
    bits: int

    def check(self, constraint: Constraint) -> bool:
        """Repeat the proof from the point, the radius and the moved inputs alone."""
        return _contracts(constraint, np.array(self.point), self.moved, self.radius, self.bits)


def certify_point(
    constraint: Constraint,
    x: Array,
    *,
    radii: Sequence[float] = (1e-13, 1e-11, 1e-9, 1e-7),
    bits: Sequence[int] = (64, 128, 256),
) -> PointCertificate | None:
    """Prove that an exact solution of c lies near x; None where no tried radius and precision proves it.

    Args:
        constraint: c.
        x: (n0,), near a solution.
        radii: Half widths to try, relative to 1 + |x|, smallest first.
        bits: Precisions to try.
    """
    _, jacobian = constraint.linearize(x[None, :])
    moved = _well_conditioned_columns(jacobian[0])
    if moved is None:
        return None
    scale = 1.0 + float(np.abs(x).max(initial=0.0))
    for working in bits:
        for relative in radii:
            radius = relative * scale
            if _contracts(constraint, x, moved, radius, working):
                return PointCertificate(tuple(x.tolist()), radius, moved, working)
    return None


def _well_conditioned_columns(jacobian: Array) -> tuple[int, ...] | None:
    from scipy.linalg import qr

    q = jacobian.shape[0]
    if q > jacobian.shape[1] or not np.isfinite(jacobian).all():
        return None
    _, r, order = qr(jacobian, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(r))
    if q and diagonal[-1] <= 1e-14 * diagonal[0]:
        return None
    return tuple(sorted(int(j) for j in order[:q]))


def _contracts(constraint: Constraint, x: Array, moved: Sequence[int], radius: float, bits: int) -> bool:
    q = len(moved)
    if q == 0:
        return True
    with precision(bits):
        center = [ball(float(v)) for v in x]
        value, _ = constraint.balls(center)
        wide: list[Any] = [ball(float(v), radius) if j in moved else center[j] for j, v in enumerate(x)]
        _, jacobian = constraint.balls(wide)
        _, middle = constraint.linearize(x[None, :])
        inverse = np.linalg.inv(middle[0][:, list(moved)])
        y = [[ball(float(e)) for e in row] for row in inverse]
        for i in range(q):
            shift = sum((y[i][k] * value[k] for k in range(q)), ball(0))
            spread = ball(0)
            for j, column in enumerate(moved):
                entry = sum((y[i][k] * jacobian[k][column] for k in range(q)), ball(0))
                spread += abs((1 if i == j else 0) - entry) * ball(radius)
            if not abs(shift) + spread < ball(radius):
                return False
    return True
