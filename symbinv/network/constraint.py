"""The constraint c(x) = 0 whose solutions are a fiber of the network, and its Jacobian.

c is written on pre-activations, c(x) = C a(x) - d with a the activations below the layer at which the target
is known (`inverse/reach.py` finds the layer, C and d): it has as many rows as independent conditions, and
no saturated last activation between it and the target. All of it is exact; the float side is rounded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.network import Layer

Array = NDArray[np.float64]
NEAR, VALLEY_STEPS = 1e-3, 12


@dataclass(frozen=True, eq=False)
class Constraint:
    """c(x) = matrix @ a(x) - offset, with a(x) the output of `layers` (x itself where there are none).

    Attributes:
        inputs: n0.
        layers: The smooth or piecewise-linear layers below.
        matrix: (q, n), independent rows, exact.
        offset: q exact reals.
    """

    inputs: int
    layers: tuple[Layer, ...]
    matrix: ExactMatrix
    offset: tuple[LogLinear, ...]

    @property
    def rows(self) -> int:
        """The number q of rows."""
        return self.matrix.rows

    @cached_property
    def float_matrix(self) -> Array:
        """C rounded once, (q, n)."""
        return self.matrix.to_numpy()

    @cached_property
    def float_offset(self) -> Array:
        """D rounded once, (q,)."""
        return np.array([float(d) for d in self.offset])

    def evaluate(self, x: Array) -> Array:
        """Return c at k points: (k, n0) -> (k, q)."""
        a = x
        for layer in self.layers:
            a = layer.activation.numeric(a @ layer.float_weights.T + layer.float_bias)
        return a @ self.float_matrix.T - self.float_offset

    def linearize(self, x: Array) -> tuple[Array, Array]:
        """Return c and its Jacobian at k points: (k, n0) -> (k, q), (k, q, n0)."""
        a, slopes = x, []
        for layer in self.layers:
            z = a @ layer.float_weights.T + layer.float_bias
            a = layer.activation.numeric(z)
            slopes.append(layer.activation.derivative(z, a))
        value = a @ self.float_matrix.T - self.float_offset
        k, q = len(x), self.rows
        jacobian = np.broadcast_to(self.float_matrix, (k, q, self.matrix.columns))
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            scaled = jacobian * slope[:, None, :]
            m, n = layer.weights.shape
            jacobian = (scaled.reshape(k * q, m) @ layer.float_weights).reshape(k, q, n)
        return value, jacobian if self.layers else jacobian.copy()

    def balls(self, x: Sequence[Any]) -> tuple[list[Any], list[list[Any]]]:
        """Return enclosures of c and of its Jacobian over a box of balls, at the current precision."""
        from symbinv.exact.ball import ball_column, ball_matrix

        a = list(x)
        jacobian = None
        for layer in self.layers:
            weights = ball_matrix(layer.weights)
            z = (weights * ball_column(a) + ball_matrix(layer.bias)).entries()
            a = layer.activation.forward_ball(z)
            inner = weights if jacobian is None else weights * jacobian
            slopes = [layer.activation.ball_derivative(u, v) for u, v in zip(z, a, strict=True)]
            jacobian = scale_rows(inner, slopes)
        c = ball_matrix(self.matrix)
        value = (c * ball_column(a)).entries()
        outer = c if jacobian is None else c * jacobian
        return [v - d.enclose() for v, d in zip(value, self.offset, strict=True)], outer.tolist()


def scale_rows(matrix: Any, factors: Sequence[Any]) -> Any:
    """Return an arb_mat with each row times a ball."""
    rows = [[f * e for e in row] for f, row in zip(factors, matrix.tolist(), strict=True)]
    return type(matrix)(len(rows), len(rows[0]), [e for row in rows for e in row])


@dataclass(frozen=True, eq=False)
class Projection:
    """Points after Gauss-Newton.

    Attributes:
        points: (k, n0).
        value: c at the points, (k, q).
        converged: (k,), where every |c| is at most the tolerance or at rounding level.
    """

    points: Array
    value: Array
    converged: NDArray[np.bool_]


def project(
    constraint: Constraint,
    starts: Array,
    *,
    box: Array | None = None,
    iterations: int = 60,
    tolerance: float = 1e-12,
) -> Projection:
    """Move points onto {c = 0} by damped Gauss-Newton, all at once.

    Each step is the least-norm solution of J dx = -c (through the q x q system J J^T, lightly regularised; where that
    stalls, through J^+), halved while |c| does not fall. With a box, steps are taken in u where
    x = lo + (hi - lo) sigmoid(u), so no point leaves the box.

    Args:
        constraint: c and its Jacobian.
        starts: (k, n0), inside the box.
        box: (n0, 2) lower and upper ends, or None.
        iterations: The largest number of steps.
        tolerance: What |c| must reach; relative to the size of the offset.

    References:
        J. Nocedal, S. J. Wright, Numerical Optimization, chapter 10.
    """
    chart = _BoxChart(box) if box is not None else None
    u = chart.to_free(starts) if chart else starts.copy()
    goal = tolerance * (1 + np.abs(constraint.float_offset).max(initial=0.0))
    x = chart.to_box(u) if chart else u
    value, jacobian = (np.array(part) for part in constraint.linearize(x))
    size = _norm(value)
    for _ in range(iterations):
        active = np.flatnonzero(size > goal * 1e-3)
        if not len(active):
            break
        slope = jacobian[active] * chart.slope(u[active])[:, None, :] if chart else jacobian[active]
        step = _least_norm_step(slope, value[active])
        moved = _halve_until_better(constraint, chart, u[active], step, size[active])
        u[active], better = moved
        x = chart.to_box(u) if chart else u
        value[active], jacobian[active] = constraint.linearize(x[active])
        size[active] = _norm(value[active])
        if not better.any():
            break
    stalled = (size > goal) & (size < NEAR)
    if stalled.any():
        u[stalled] = _through_valley(constraint, chart, u[stalled], size[stalled], goal)
        x = chart.to_box(u) if chart else u
    value = constraint.evaluate(x)
    with np.errstate(invalid="ignore"):
        converged = np.isfinite(x).all(axis=1) & (np.abs(value).max(axis=1, initial=0.0) <= goal)
    return Projection(x, value, converged)


def _least_norm_step(jacobian: Array, value: Array) -> Array:
    gram = jacobian @ jacobian.transpose(0, 2, 1)
    ridge = 1e-14 * np.trace(gram, axis1=1, axis2=2)[:, None, None] + 1e-290
    solved = np.linalg.solve(gram + ridge * np.eye(gram.shape[1]), value[:, :, None])
    step: Array = -(jacobian.transpose(0, 2, 1) @ solved)[:, :, 0]
    return np.where(np.isfinite(step), step, 0.0)


def _through_valley(constraint: Constraint, chart: "_BoxChart | None", u: Array, size: Array, goal: float) -> Array:
    """Return points at which Gauss-Newton stalled taken on along a narrow valley of |c|; as they were where it fails.

    Where J is ill-conditioned |c| is small far from the fiber, and every step long enough to matter raises it for
    a moment. So steps are judged by what they leave to go, |J^+ c(u + s du)| < (1 - s/2) |du|, the natural
    monotonicity test, which no scaling of the rows changes.

    References:
        P. Deuflhard, Newton Methods for Nonlinear Problems, section 3.3.
    """
    result, left = u.copy(), np.arange(len(u))
    for _ in range(VALLEY_STEPS):
        x = chart.to_box(u[left]) if chart else u[left]
        value, jacobian = constraint.linearize(x)
        now = _norm(value)
        done = now < size[left]
        result[left[done]], size[left[done]] = u[left[done]], now[done]
        going = (now > goal) & np.isfinite(jacobian).all(axis=(1, 2)) & np.isfinite(now)
        left, value, jacobian = left[going], value[going], jacobian[going]
        if not len(left):
            break
        inverse = np.linalg.pinv(jacobian * chart.slope(u[left])[:, None, :] if chart else jacobian, rcond=1e-15)
        step = -(inverse @ value[:, :, None])[:, :, 0]
        length, scale, trial = _norm(step), np.ones(len(left)), u[left]
        waiting = np.arange(len(left))
        for _ in range(6):
            place = u[left[waiting]] + scale[waiting, None] * step[waiting]
            with np.errstate(all="ignore"):
                ahead = constraint.evaluate(chart.to_box(np.clip(place, -36.0, 36.0)) if chart else place)
                to_go = _norm((inverse[waiting] @ ahead[:, :, None])[:, :, 0])
            fine = to_go < (1 - scale[waiting] / 2) * length[waiting]
            trial[waiting[fine]] = place[fine]
            waiting = waiting[~fine]
            scale[waiting] /= 2
            if not len(waiting):
                break
        moved = np.ones(len(left), dtype=bool)
        moved[waiting] = False
        left, trial = left[moved], trial[moved]
        u[left] = np.clip(trial, -36.0, 36.0) if chart else trial
    return result


def _halve_until_better(
    constraint: Constraint, chart: "_BoxChart | None", u: Array, step: Array, size: Array
) -> tuple[Array, NDArray[np.bool_]]:
    scale = np.ones(len(u))
    result, done = u.copy(), np.zeros(len(u), dtype=bool)
    for _ in range(12):
        left = np.flatnonzero(~done)
        trial = u[left] + scale[left, None] * step[left]
        if chart:
            trial = np.clip(trial, -36.0, 36.0)
        with np.errstate(over="ignore", invalid="ignore"):
            new_size = _norm(constraint.evaluate(chart.to_box(trial) if chart else trial))
        better = new_size < size[left]
        result[left[better]] = trial[better]
        done[left[better]] = True
        scale[left] *= 0.5
        if done.all():
            break
    return result, done


def _norm(value: Array) -> Array:
    size: Array = np.sqrt((value * value).sum(axis=1))
    return np.where(np.isfinite(size), size, np.inf)


class _BoxChart:
    """x = lo + (hi - lo) sigmoid(u); a coordinate whose side has no width stays where it is."""

    def __init__(self, box: Array) -> None:
        self.low, self.width = box[:, 0], box[:, 1] - box[:, 0]

    def to_box(self, u: Array) -> Array:
        small = np.exp(-np.abs(u))
        share = np.where(u >= 0, 1, small) / (1 + small)
        return np.asarray(self.low + self.width * share)

    def to_free(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self.width > 0, (x - self.low) / self.width, 0.5)
        share = np.clip(share, 1e-12, 1 - 1e-12)
        return np.asarray(np.log(share) - np.log1p(-share))

    def slope(self, u: Array) -> Array:
        small = np.exp(-np.abs(u))
        return np.asarray(self.width * small / (1 + small) ** 2)
