"""A witness: an input whose forward pass hits the target, sought in floats and proved by balls."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.exact.ball import ball, precision
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.pattern import Inequality
from symbinv.network.constraint import Constraint, project
from symbinv.network.krawczyk import PointCertificate, certify_point
from symbinv.network.network import Layer

Array = NDArray[np.float64]
SCALES = (0.3, 1.0, 3.0, 10.0, 100.0, 1e3, 1e4)
STARTS = 32
SEED = 20


@dataclass(frozen=True)
class Witness:
    """An input on the fiber: numeric, or certified where a proof came with it."""

    x: Array
    certificate: PointCertificate | None


def find_witness(
    constraint: Constraint,
    box: ExactMatrix | None,
    inequalities: Sequence[Inequality],
    hints: Sequence[Array] = (),
) -> Witness | None:
    """Seek an input with c(x) = 0 that stays in the box and on the pattern.

    Random starts of several sizes (far ones included) are projected together by damped Gauss-Newton; of those
    that arrive, the nearest to the origin (the box's middle) that can be proved is taken.

    Args:
        constraint: c.
        box: (n0, 2) or None.
        inequalities: The pattern's, on activations of the constraint's layers.
        hints: Inputs to try first.
    """
    ends = None if box is None else box.to_numpy()
    starts = np.vstack([*(np.asarray(h, dtype=float)[None, :] for h in hints), _starts(constraint.inputs, ends)])
    with np.errstate(all="ignore"):
        found = project(constraint, starts, box=ends)
    points = found.points[found.converged]
    if not len(points):
        return None
    middle = np.zeros(constraint.inputs) if ends is None else ends.mean(axis=1)
    order = np.argsort(np.abs(points - middle).max(axis=1), kind="stable")
    kept = [x for x in points[order] if _holds_in_floats(constraint, inequalities, x)]
    for x in kept[:8]:
        certificate = certify_point(constraint, x)
        if certificate and stays_inside(constraint, certificate, box, inequalities):
            return Witness(x, certificate)
    return Witness(kept[0], None) if kept else None


def stays_inside(
    constraint: Constraint, certificate: PointCertificate, box: ExactMatrix | None, inequalities: Sequence[Inequality]
) -> bool:
    """Tell whether the whole certified box lies inside the input box and on the pattern, rigorously."""
    radius = Fraction(certificate.radius)
    if box is not None:
        for j, (low, high) in enumerate(box.fractions()):
            reach = radius if j in certificate.moved else Fraction(0)
            value = Fraction(certificate.point[j])
            if value - reach < low or value + reach > high:
                return False
    with precision(certificate.bits):
        x = [
            ball(v, certificate.radius) if j in certificate.moved else ball(v) for j, v in enumerate(certificate.point)
        ]
        for q in inequalities:
            a = _activations(constraint.layers[: q.level], x)
            value = sum((ball(w) * e for w, e in zip(q.row.fractions()[0], a, strict=True)), ball(0))
            if not (value < ball(q.inner)):
                return False
    return True


def _activations(layers: Sequence[Layer], x: Sequence[Any]) -> list[Any]:
    from symbinv.network.network import Network

    return Network(tuple(layers)).forward_ball(list(x)) if layers else list(x)


def _holds_in_floats(constraint: Constraint, inequalities: Sequence[Inequality], x: Array) -> bool:
    for q in inequalities:
        a = x
        for layer in constraint.layers[: q.level]:
            a = layer.activation.numeric(layer.float_weights @ a + layer.float_bias)
        if float((q.row.to_numpy() @ a)[0]) > float(q.bound):
            return False
    return True


def _starts(inputs: int, ends: Array | None) -> Array:
    rng = np.random.default_rng(SEED)
    if ends is not None:
        return np.asarray(ends[:, 0] + (ends[:, 1] - ends[:, 0]) * rng.uniform(size=(4 * STARTS, inputs)))
    return np.vstack([scale * rng.normal(size=(STARTS, inputs)) for scale in SCALES])


def nearest_attainable(layer: Layer, target: Array) -> float:
    """Return the distance (largest entry) from a target to the nearest output of one layer, approximately."""
    from scipy.optimize import least_squares

    weights, bias, f = layer.float_weights, layer.float_bias, layer.activation
    start = np.zeros(weights.shape[1])
    if f.inverse is not None:
        with np.errstate(all="ignore"):
            z = f.inverse.numeric(target) - bias
        if np.isfinite(z).all():
            start = np.linalg.lstsq(weights, z, rcond=None)[0]

    def miss(a: Array) -> Array:
        return np.asarray(f.numeric((weights @ a + bias)[None, :])[0] - target)

    fit = least_squares(miss, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return float(np.abs(fit.fun).max())
