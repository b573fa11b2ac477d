"""Charts of the input space: all of R^n mapped onto the inside of a box, or scaled for a Gaussian base.

The walk runs in u; x = x(u) entry by entry. `open` gives everything of a point that the walk needs: x, the slopes
dx/du, the log-density of the base measure in u (the log of its density in x plus the sum of log dx/du) and
the derivative of that. Sides of no width are not charted: their inputs stand still.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import OptionError, ShapeError

Array = NDArray[np.float64]
FAR = 700.0


class Chart(Protocol):
    """x = x(u), feature-major."""

    @property
    def moving(self) -> NDArray[np.int_]:
        """The inputs that are charted."""

    @property
    def still(self) -> Array:
        """All inputs, (n0,); those that do not move stand at these values."""

    def inputs(self, u: Array) -> Array:
        """Return x: (n, k) -> (n, k)."""

    def open(self, u: Array) -> tuple[Array, Array, Array, Array]:
        """Return x, dx/du, the force and the log-density in u: (n, k) three times, then (k,)."""

    def free(self, x: Array) -> Array:
        """Return u of inputs inside: (n, k) -> (n, k)."""

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Return u of points drawn from the base measure, (n, count)."""


@dataclass(frozen=True, eq=False)
class BoxChart:
    """x = low + (high - low) sigmoid(u): the base measure is the uniform one of the box."""

    ends: Array

    def __post_init__(self) -> None:
        if not np.isfinite(self.ends).all():
            raise OptionError("a box must have finite ends; give a base measure `gaussian(center, scale)` instead.")
        width = self.ends[:, 1] - self.ends[:, 0]
        moving = np.flatnonzero(width > 0)
        object.__setattr__(self, "_moving", moving)
        object.__setattr__(self, "_low", self.ends[moving, :1])
        object.__setattr__(self, "_high", self.ends[moving, 1:])
        object.__setattr__(self, "_width", width[moving, None])

    @property
    def moving(self) -> NDArray[np.int_]:
        """The inputs whose side has a width."""
        return self._moving  # type: ignore[attr-defined,no-any-return]

    @property
    def still(self) -> Array:
        """The lower ends."""
        return self.ends[:, 0]

    def inputs(self, u: Array) -> Array:
        """Return x: (n, k) -> (n, k)."""
        t = np.exp(-u)
        t += 1
        np.divide(self._width, t, out=t)  # type: ignore[attr-defined]
        t += self._low  # type: ignore[attr-defined]
        return t

    def open(self, u: Array) -> tuple[Array, Array, Array, Array]:
        """Return x, dx/du, the force and the log-density in u."""
        e = np.exp(-u)
        t = 1 / (1 + e)
        slope = e * t
        force = 2 * slope  # e t = 1 - t
        force -= 1
        slope *= t
        density = np.log(slope).sum(axis=0)
        slope *= self._width  # type: ignore[attr-defined]
        t *= self._width  # type: ignore[attr-defined]
        t += self._low  # type: ignore[attr-defined]
        return t, slope, force, density

    def free(self, x: Array) -> Array:
        """Return u of inputs inside; the ends themselves are moved in by 1e-12 of the width."""
        share = np.clip((x - self._low) / self._width, 1e-12, 1 - 1e-12)  # type: ignore[attr-defined]
        return np.asarray(np.log(share) - np.log1p(-share))

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Return u of uniform points."""
        return rng.logistic(size=(len(self.moving), count))


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A base measure where no box bounds the inputs: independent normals.

    Attributes:
        center: (n0,).
        scale: (n0,), positive, or 0 for inputs that stand still.
    """

    center: Array
    scale: Array

    def to_text(self) -> str:
        """Return the measure's name for reports."""
        plain = np.ptp(self.center) == 0 and np.ptp(self.scale) == 0
        inside = f"{self.center[0]:g}, {self.scale[0]:g}" if plain and len(self.center) else "center, scale"
        return f"gaussian({inside})"


def gaussian(center: object = 0.0, scale: object = 1.0, *, inputs: int | None = None) -> Gaussian:
    """Return the base measure of independent normals with the given centers and standard deviations.

    Args:
        center: One number, or one per input.
        scale: One positive number, or one per input; 0 holds an input still.
        inputs: The number of inputs, where both are single numbers; `draw` fills it in.

    Raises:
        OptionError: For numbers that are not finite, or a negative scale.

    Example:
        >>> gaussian(0, 2, inputs=3).scale.tolist()
        [2.0, 2.0, 2.0]
    """
    c, s = np.asarray(center, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    if not (np.isfinite(c).all() and np.isfinite(s).all() and (s >= 0).all()):
        raise OptionError("gaussian must have a finite center and a finite, non-negative scale.")
    n0 = inputs or max(c.size, s.size)
    if c.size not in (1, n0) or s.size not in (1, n0):
        raise ShapeError(f"gaussian must have one center and scale, or one per input ({n0}), not {c.size}, {s.size}.")
    return Gaussian(np.broadcast_to(c.ravel(), n0).copy(), np.broadcast_to(s.ravel(), n0).copy())


@dataclass(frozen=True, eq=False)
class GaussianChart:
    """x = center + scale u, with the density of independent normals."""

    base: Gaussian

    def __post_init__(self) -> None:
        moving = np.flatnonzero(self.base.scale > 0)
        object.__setattr__(self, "_moving", moving)
        object.__setattr__(self, "_center", self.base.center[moving, None])
        object.__setattr__(self, "_scale", self.base.scale[moving, None])

    @property
    def moving(self) -> NDArray[np.int_]:
        """The inputs with a positive scale."""
        return self._moving  # type: ignore[attr-defined,no-any-return]

    @property
    def still(self) -> Array:
        """The center."""
        return self.base.center

    def inputs(self, u: Array) -> Array:
        """Return x: (n, k) -> (n, k)."""
        return np.asarray(self._center + self._scale * u)  # type: ignore[attr-defined]

    def open(self, u: Array) -> tuple[Array, Array, Array, Array]:
        """Return x, dx/du, the force and the log-density in u."""
        slope = np.broadcast_to(self._scale, u.shape)  # type: ignore[attr-defined]
        return self.inputs(u), slope, -u, -0.5 * (u * u).sum(axis=0)

    def free(self, x: Array) -> Array:
        """Return u of inputs."""
        return np.asarray((x - self._center) / self._scale)  # type: ignore[attr-defined]

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Return u of points of the base measure."""
        return rng.standard_normal(size=(len(self.moving), count))


def whole_inputs(chart: Chart, x: Array) -> Array:
    """Return all inputs, (k, n0), from the moving ones, (n, k)."""
    everything = np.tile(chart.still, (x.shape[1], 1))
    everything[:, chart.moving] = x.T
    return everything
