"""What a point must satisfy beyond its own derivation: the forward check, the box and the pattern."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.inverse.invert import Inverse
from symbinv.inverse.output_set import OutputSet
from symbinv.inverse.pattern import unit_ranges

Array = NDArray[np.float64]
FORWARD_TOLERANCE = 1e-9


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
    """Tell which points the network takes to the target, within 1e-9 of its size, entry by entry."""
    target = np.array([float(v) for v in inverse.target])
    with np.errstate(all="ignore"):
        error = np.abs(inverse.network.forward(points) - target)
    return np.asarray((error <= FORWARD_TOLERANCE * (1 + np.abs(target))).all(axis=1))


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
