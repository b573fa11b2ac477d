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

from symbinv.exact.ball import ball, ball_column, ball_matrix, precision
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
    _, middle = constraint.linearize(x[None, :])
    square = middle[0][:, list(moved)]
    if square.shape[0] != square.shape[1] or not np.isfinite(square).all():
        return False
    try:
        inverse = np.linalg.inv(square)
    except np.linalg.LinAlgError:
        return False
    return BallMap(constraint, bits).contracts(x.tolist(), list(moved), radius, inverse.tolist())


class BallMap:
    """A constraint's matrices as balls of one precision, made once for many points.

    Args:
        constraint: c.
        bits: The working precision.
    """

    def __init__(self, constraint: Constraint, bits: int) -> None:
        self.bits, self.rows = bits, constraint.rows
        with precision(bits):
            self._layers = [
                (ball_matrix(layer.weights), ball_matrix(layer.bias), layer.activation) for layer in constraint.layers
            ]
            self._last = ball_matrix(constraint.matrix)
            self._offset = ball_column([d.enclose() for d in constraint.offset])
        self._ball, self._table = type(ball(0)), type(self._last)
        self._first: dict[tuple[int, ...], Any] = {}

    def contracts(self, x: Sequence[float], moved: Sequence[int], radius: float, inverse: Any) -> bool:
        """Tell whether Krawczyk's operator with the preconditioner `inverse` maps the box of that radius into itself.

        True proves an exact solution within `radius` of x that differs from x in the moved inputs only. False
        proves nothing.
        """
        q, number = self.rows, self._ball
        if q == 0:
            return True
        with precision(self.bits):
            a = [number(v) for v in x]
            wide = list(a)
            for j in moved:
                wide[j] = number(x[j], radius)
            for weights, bias, activation in self._layers:
                a = activation.forward_ball((weights * ball_column(a) + bias).entries())
            preconditioner = self._table(q, q, [e for row in inverse for e in row])
            shift = (preconditioner * (self._last * ball_column(a) - self._offset)).entries()
            product = (preconditioner * self._jacobian(wide, tuple(moved))).entries()
            goal = number(radius)
            for i in range(q):
                spread = number(0)
                for j in range(q):
                    spread += abs(product[i * q + j] - (1 if i == j else 0))
                if not abs(shift[i]) + spread * goal < goal:
                    return False
        return True

    def _jacobian(self, a: list[Any], moved: tuple[int, ...]) -> Any:
        """Return an enclosure of the moved columns of J over a box."""
        if moved not in self._first:
            source = self._layers[0][0] if self._layers else self._last
            entries = [source[i, j] for i in range(source.nrows()) for j in moved]
            self._first[moved] = self._table(source.nrows(), len(moved), entries)
        through = self._first[moved]
        width = len(moved)
        for level, (weights, bias, activation) in enumerate(self._layers):
            z = (weights * ball_column(a) + bias).entries()
            a = activation.forward_ball(z)
            inner = (through if level == 0 else weights * through).entries()
            slopes = [activation.ball_derivative(u, v) for u, v in zip(z, a, strict=True)]
            scaled = [slopes[i] * inner[i * width + j] for i in range(len(slopes)) for j in range(width)]
            through = self._table(len(slopes), width, scaled)
        return self._last * through if self._layers else through
