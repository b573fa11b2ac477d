"""certify: proof by ball arithmetic that an exact preimage point lies near each sample.

The test is Krawczyk's (`network/krawczyk.py`): q of the inputs are moved, the others held at the sample's exact
doubles. For many points the floats do their part at once: the Jacobians, the choice of moved inputs
(by pivoted elimination over all points together) and the preconditioners Y; only c at the point and J over the
box are enclosed, point by point. No claim rests on a float: whatever Y is, a contraction proves the point.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import OptionError
from symbinv.inverse.invert import Inverse
from symbinv.network.constraint import Constraint
from symbinv.network.krawczyk import BallMap, PointCertificate
from symbinv.sampler.compile import Sampler
from symbinv.sampler.samples import Samples

Array = NDArray[np.float64]
RADIUS = 1e-11
BITS = (64, 128, 256, 512, 1024)
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Certified:
    """Certificates of points, None where no proof was found at any precision tried."""

    certificates: tuple[PointCertificate | None, ...]

    @property
    def proved(self) -> NDArray[np.bool_]:
        """Which points are certified."""
        return np.array([c is not None for c in self.certificates], dtype=bool)


def certify_points(
    constraint: Constraint,
    points: Array,
    *,
    radii: Sequence[float] = (RADIUS, 100 * RADIUS, 1e-7),
    bits: Sequence[int] = BITS,
) -> Certified:
    """Prove for each point that an exact solution of c lies within a radius, in the moved inputs.

    Args:
        constraint: c.
        points: (k, n0), near solutions.
        radii: Half widths of the boxes, relative to 1 + |x|, tried in turn.
        bits: Working precisions; each radius is tried with the first, and what is left with the next ones.
    """
    k = len(points)
    found: list[PointCertificate | None] = [None] * k
    left = np.arange(k)
    for working in bits:
        prover = BallMap(constraint, working)
        for relative in radii:
            open_points: list[int] = []
            for begin in range(0, len(left), BLOCK):
                chosen = left[begin : begin + BLOCK]
                moved, inverses, usable = moved_inputs(constraint, points[chosen])
                scales = (1 + np.abs(points[chosen]).max(axis=1, initial=0.0)) * relative
                rows = zip(chosen.tolist(), moved.tolist(), inverses.tolist(), scales.tolist(), usable, strict=True)
                for i, columns, inverse, radius, fine in rows:
                    x = points[i].tolist()
                    if fine and prover.contracts(x, columns, radius, inverse):
                        found[i] = PointCertificate(tuple(x), radius, tuple(columns), working)
                    else:
                        open_points.append(i)
            left = np.array(open_points, dtype=int)
            if not len(left):
                return Certified(tuple(found))
    return Certified(tuple(found))


def moved_inputs(constraint: Constraint, points: Array) -> tuple[NDArray[np.int_], Array, NDArray[np.bool_]]:
    """Choose q well-conditioned columns of the Jacobian at each point, and invert them.

    Returns:
        The columns (k, q) in ascending order, the inverses (k, q, q), and where they are usable.
    """
    with np.errstate(all="ignore"):
        _, jacobian = constraint.linearize(points)
        k, q, n = jacobian.shape
        work, chosen = jacobian.copy(), np.zeros((k, q), dtype=int)
        rows = np.arange(k)
        for step in range(min(q, n)):  # Gram-Schmidt: take the longest column, remove its direction
            length = np.einsum("kqn,kqn->kn", work, work)
            if step:
                np.put_along_axis(length, chosen[:, :step], -1.0, axis=1)
            best = np.argmax(length, axis=1)
            chosen[:, step] = best
            direction = work[rows, :, best]
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            work -= direction[:, :, None] * np.einsum("kq,kqn->kn", direction, work)[:, None, :]
        chosen.sort(axis=1)
        square = np.take_along_axis(jacobian, chosen[:, None, :], axis=2)
        determinant = np.linalg.det(square) if q <= n else np.zeros(k)
        usable = np.isfinite(determinant) & (determinant != 0)
        inverse = np.linalg.inv(np.where(usable[:, None, None], square, np.eye(q)))
        return chosen, inverse, usable & np.isfinite(inverse).all(axis=(1, 2))


def certify(samples: Samples, source: Sampler | Inverse | None = None) -> Samples:
    """Return the samples with the status "certified" where a proof was found; the other points keep theirs.

    Args:
        samples: From a draw, of double precision.
        source: The sampler or inverse from which they come; needed for samples read from a file.

    Raises:
        OptionError: For samples of another network or target, or without a constraint.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> from symbinv.sampler.compile import compile_sampler
        >>> network = Network.from_arrays([[[1, 2, -1]]], [[0]], ["sigmoid"], box=[[-1, 1]] * 3)
        >>> sampler = compile_sampler(invert(network, ["0.5"]))
        >>> set(certify(sampler.draw(20, method="random", seed=0)).status.tolist())
        {'certified'}
    """
    inverse = source.inverse if isinstance(source, Sampler) else source or samples.inverse
    if inverse is None:
        raise OptionError("samples read from a file do not know their network; give certify(samples, inverse) both.")
    if inverse.constraint is None or tuple(float(v) for v in inverse.target) != samples.target:
        raise OptionError("samples must come from this inverse, with a target of numbers; these do not.")
    if samples.points.shape[1:] != (inverse.network.sizes[0],):
        raise OptionError(f"samples must have {inverse.network.sizes[0]} inputs, not {samples.points.shape[1:]}.")
    result = certify_points(inverse.constraint, samples.points.astype(np.float64))
    status: Any = np.where(result.proved, "certified", samples.status).astype("<U9")
    radius = max((c.radius for c in result.certificates if c), default=0.0)
    note = f"{int(result.proved.sum()):,} of {len(samples):,} points certified, within {radius:.1e}."
    report = replace(samples.report, notes=(*samples.report.notes, note))
    return replace(samples, status=status, report=report, certificates=result.certificates)
