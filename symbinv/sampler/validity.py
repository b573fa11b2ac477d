"""What a point must satisfy beyond its own derivation: the forward check, the box and the pattern."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.inverse.invert import Inverse
from symbinv.inverse.pattern import unit_ranges

Array = NDArray[np.float64]
FORWARD_TOLERANCE = 1e-9


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
