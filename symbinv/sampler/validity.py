"""What a point must satisfy beyond its own derivation: the forward check, the box and the pattern.

Two tolerances, both relative to 1 + |y| (1 + |d| for the constraint): a point further than FORWARD_TOLERANCE from the
target is dropped and counted; one that is kept and still misses TOLERANCE has the status "failed".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.output_set import OutputSet
from symbinv.inverse.invert import Inverse
from symbinv.inverse.pattern import unit_ranges
from symbinv.network.constraint import project

Array = NDArray[np.float64]
FORWARD_TOLERANCE = 1e-9
TOLERANCE = 1e-12
NEAR_ENOUGH = 1e-3
CORRECTIONS = 2


def residuals(inverse: Inverse, points: Array) -> Array:
    """Return max over outputs of |f(x) - y|, (k,)."""
    if not len(points):
        return np.zeros(0)
    target = np.array([float(v) for v in inverse.target])
    return np.asarray(np.abs(inverse.network.forward(points) - target).max(axis=1))


def misses(inverse: Inverse, points: Array) -> Array:
    """Return by how much points miss the outputs and the constraint, the worst entry relative to its size, (k,)."""
    if not len(points):
        return np.zeros(0)
    target = np.array([float(v) for v in inverse.target])
    with np.errstate(all="ignore"):
        miss = (np.abs(inverse.network.forward(points) - target) / (1 + np.abs(target))).max(axis=1)
        constraint = inverse.constraint
        if constraint is not None and constraint.rows:
            value = np.abs(constraint.evaluate(points)) / (1 + np.abs(constraint.float_offset))
            miss = np.maximum(miss, value.max(axis=1))
    return np.asarray(miss)


def statuses(inverse: Inverse, points: Array) -> NDArray[np.str_]:
    """Return "numeric" for points that reach outputs and constraint within 1e-12 of their size, "failed" for others."""
    return np.where(misses(inverse, points) <= TOLERANCE, "numeric", "failed").astype("<U9")


def corrected(inverse: Inverse, points: Array, ends: Array | None = None) -> Array:
    """Return points after at most two Newton corrections of those that miss the target by more than rounding.

    A correction is a least-norm step, so that a point moves no further than its error; it is kept where it brings
    the point nearer to the target and leaves it in the box.
    """
    constraint = inverse.constraint
    if constraint is None or not len(points) or not constraint.rows:
        return points
    before = misses(inverse, points)
    off = (before > TOLERANCE / 10) & (before < NEAR_ENOUGH)
    if not off.any():
        return points
    with np.errstate(all="ignore"):
        moved = project(constraint, points[off], iterations=CORRECTIONS).points
    better = (misses(inverse, moved) < before[off]) & (in_box(moved, ends) | ~in_box(points[off], ends))
    result = points.copy()
    result[np.flatnonzero(off)[better]] = moved[better]
    return result


@dataclass(frozen=True, eq=False)
class Goal:
    """A target in floats: for each of its polyhedra the rows, their bounds, and which of them are equations."""

    parts: tuple[tuple[Array, Array, NDArray[np.bool_]], ...]

    @classmethod
    def of_point(cls, target: Sequence[Any]) -> "Goal":
        """Return the target of a single output."""
        values = np.array([float(v) for v in target])
        return cls(((np.eye(len(values)), values, np.ones(len(values), dtype=bool)),))

    @classmethod
    def of_set(cls, target: OutputSet) -> "Goal":
        """Return the target of a set of outputs."""
        parts = []
        for polyhedron in target.polyhedra:
            pairs = [(h.row, h.bound) for h in polyhedron.half_spaces] + list(polyhedron.equations)
            rows = np.array([[float(e) for e in row] for row, _ in pairs]).reshape(-1, target.width)
            equal = np.arange(len(pairs)) >= len(polyhedron.half_spaces)
            parts.append((rows, np.array([float(b) for _, b in pairs]), equal))
        return cls(tuple(parts))

    def misses(self, outputs: Array) -> Array:
        """Return by how much outputs, (k, m), miss the target; 0 inside, relative to 1 + abs of each bound."""
        if not self.parts:
            return np.full(len(outputs), np.inf)
        found = []
        for rows, bounds, equal in self.parts:
            gap = outputs @ rows.T - bounds
            gap = np.where(equal, np.abs(gap), np.maximum(gap, 0.0)) / (1 + np.abs(bounds))
            found.append(gap.max(axis=1, initial=0.0))
        return np.asarray(np.min(found, axis=0))


def forward_hits(inverse: Inverse, points: Array) -> NDArray[np.bool_]:
    """Tell which points reach the target and satisfy the constraint within 1e-9 of their size, entry by entry.

    The outputs alone would let pass whatever saturates: next to 1e-300, 1e-299 is no distance.
    """
    return np.asarray(misses(inverse, points) <= FORWARD_TOLERANCE)


def in_box(points: Array, ends: Array | None) -> NDArray[np.bool_]:
    """Tell which points lie in a box; all of them where there is none."""
    if ends is None:
        return np.ones(len(points), dtype=bool)
    return np.asarray(((points >= ends[:, 0]) & (points <= ends[:, 1])).all(axis=1))


def on_pattern(inverse: Inverse, points: Array) -> NDArray[np.bool_]:
    """Tell which points have the inverse's activation pattern; all of them where it has none."""
    kept = np.ones(len(points), dtype=bool)
    a: Any = points
    for layer, units in zip(inverse.network.layers, inverse.pattern, strict=True):
        z = a @ layer.float_weights.T + layer.float_bias
        ranges = unit_ranges(layer, units)
        if ranges is not None:
            slack = 1e-9 * (1 + np.abs(z))
            for i, range_ in enumerate(ranges):
                if range_.lower is not None:
                    kept &= z[:, i] >= float(range_.lower) - slack[:, i]
                if range_.upper is not None:
                    kept &= z[:, i] <= float(range_.upper) + slack[:, i]
        a = layer.activation.numeric(z)
    return kept
