"""Constrained Hamiltonian Monte Carlo on {c = 0}: RATTLE over many chains at once, reversibility checked.

With x = x(u), the walk moves in u on M = {c(x(u)) = 0}, whose tangent space is the null space of
J_u = J diag(dx/du). One step of size h from (u, v): half a kick, v + (h/2) F; a drift to u + h v + J_u^T l with l
such that the point is on M again; the velocity that this drift took, half a kick, and its projection to the new
tangent space. Energies are |v|^2/2 - log p(u), where p is the density with respect to the area of M in u:

    surface measure        log p = b(u) + log|dx/du| + 1/2 log det J J^T - 1/2 log det J_u J_u^T
    conditional measure    log p = b(u) + log|dx/du|                    - 1/2 log det J_u J_u^T

(b the base density; area in x is sqrt(det J J^T) delta(c) dx, by the co-area formula). The force is the gradient
of the first two terms alone: what it leaves out the acceptance puts right. l is found by Broyden's method from
the inverse of J_u J_u^T, which costs values of c only. A step counts only where the same solver, started from
the far end with the velocity reversed, comes back to u; without this the chain has no invariant law
to speak of where two solutions l compete.

References:
    H. C. Andersen, RATTLE, J. Comput. Phys. 52 (1983); T. Lelievre, M. Rousset, G. Stoltz, Hybrid Monte Carlo
    methods for sampling probability measures on submanifolds, Numer. Math. 143 (2019); E. Zappa, M.
    Holmes-Cerfon, J. Goodman, Monte Carlo on manifolds, Comm. Pure Appl. Math. 71 (2018); C. T. Kelley,
    Iterative Methods for Linear and Nonlinear Equations, section 7.3 (Broyden's method with stored steps).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from symbinv.network.fibermap import FiberMap
from symbinv.sampler.walks.chart import Chart
from symbinv.sampler.walks.gram import factor, gram, pull, push, solve

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
FORWARD = 1e-9  # how near to M, in u, a drift must come
BACKWARD = 1e-5  # how near to its start the reversed drift must come back
FORWARD_ITERATIONS = 12
BACKWARD_ITERATIONS = 10


@dataclass(frozen=True, eq=False)
class Place:
    """Points of M and what the walk knows there, one chain a column.

    Attributes:
        u: (n, k).
        x: The inputs, (n, k).
        force: (n, k).
        jacobian: J_u, (q, n, k).
        inverse: A with (J_u J_u^T)^{-1} = A^T A, (q, q, k).
        density: log p where it was asked for, (k,).
        good: Where J_u has full row rank and all is finite, (k,).
    """

    u: Array
    x: Array
    force: Array
    jacobian: Array
    inverse: Array
    density: Array
    good: Mask


@dataclass(frozen=True, eq=False)
class Manifold:
    """{c(x(u)) = level} with a measure on it: what is walked on.

    Attributes:
        fiber: c and its Jacobian.
        chart: x(u).
        measure: "surface" or "conditional".
        level: Values that c takes, (q, 1) or (q, k); 0 for the fiber itself.
    """

    fiber: FiberMap
    chart: Chart
    measure: str
    level: Array | float = 0.0

    def value(self, u: Array) -> Array:
        """Return c(x(u)) - level."""
        return np.asarray(self.fiber.value(self.chart.inputs(u)) - self.level)

    def place(self, u: Array, with_density: bool = True) -> Place:
        """Return what the walk needs at points u."""
        x, slope, force, base = self.chart.open(u)
        _, jacobian = self.fiber.linearize(x)
        in_x = jacobian
        jacobian = jacobian * slope
        inverse, log_det_u, good = factor(gram(jacobian))
        density = base
        if with_density:
            density = base - 0.5 * log_det_u
            if self.measure == "surface":
                density += 0.5 * factor(gram(in_x))[1]
            good &= np.isfinite(density)
        return Place(u, x, force, jacobian, inverse, density, good)

    def restore(self, u: Array, at: Place, tolerance: float, iterations: int) -> tuple[Array, Mask]:
        """Move points back to M along the rows of J_u at another place; return them and where that succeeded.

        Distances are measured in u to first order, sqrt(c^T (J J^T)^{-1} c), so they do not depend on how
        the rows of c are scaled. Converged chains stand still while others go on.
        """
        whole, arrived = u.copy(), np.zeros(u.shape[1], dtype=bool)
        active: NDArray[np.int_] | None = None  # None: all columns
        manifold, inverse, jacobian, u = self, at.inverse, at.jacobian, whole
        steps: list[Array] = []
        sizes: list[Array] = []
        for iteration in range(iterations + 1):
            c = manifold.value(u)
            z = -solve(inverse, c)
            distance = -np.einsum("qc,qc->c", c, z)
            with np.errstate(invalid="ignore"):
                done = distance <= tolerance * tolerance
            if iteration == iterations or done.all():
                break
            for j in range(len(steps) - 1):
                z += steps[j + 1] * (np.einsum("qc,qc->c", steps[j], z) / sizes[j])
            if steps:
                z /= 1 - np.einsum("qc,qc->c", steps[-1], z) / sizes[-1]
            np.copyto(z, 0.0, where=done | ~np.isfinite(z))
            if 3 * np.count_nonzero(done) > 2 * len(done):  # go on with the others alone
                left = np.flatnonzero(~done)
                if active is not None:
                    whole[:, active] = u
                arrived[done if active is None else active[done]] = True
                active = left if active is None else active[left]
                u, z = u[:, left], z[:, left]
                inverse, jacobian = inverse[:, :, left], jacobian[:, :, left]
                steps, sizes = [s[:, left] for s in steps], [s[left] for s in sizes]
                manifold = manifold.part(left)
            u += pull(jacobian, z)
            steps.append(z)
            sizes.append(np.einsum("qc,qc->c", z, z) + 1e-300)
        if active is None:
            return u, done
        whole[:, active] = u
        arrived[active] = done
        return whole, arrived

    def part(self, columns: NDArray[np.int_]) -> "Manifold":
        """Return the manifold of some chains (their own levels, where chains have their own)."""
        if isinstance(self.level, np.ndarray) and self.level.shape[1] > 1:
            return replace(self, level=self.level[:, columns])
        return self

    def tangent(self, at: Place, v: Array) -> Array:
        """Return velocities without their part normal to M."""
        return v - pull(at.jacobian, solve(at.inverse, push(at.jacobian, v)))

    def step(self, at: Place, v: Array, h: Array, last: bool) -> tuple[Place, Array, Mask]:
        """Make one step; return the new place, the velocities and where the step is reversible."""
        half = v + 0.5 * h * at.force
        u, arrived = self.restore(at.u + h * half, at, FORWARD, FORWARD_ITERATIONS)
        np.copyto(u, at.u, where=~arrived)
        new = self.place(u, with_density=last)
        good = arrived & new.good
        w = self.tangent(new, (u - at.u) / h + 0.5 * h * new.force)
        back, returned = self.restore(u - h * (w - 0.5 * h * new.force), new, BACKWARD, BACKWARD_ITERATIONS)
        with np.errstate(invalid="ignore"):
            good &= returned & (np.abs(back - at.u).max(axis=0) <= 10 * BACKWARD)
        return new, w, good

    def move(self, at: Place, h: float, steps: int, rng: np.random.Generator) -> tuple[Place, Array, Mask]:
        """Make one trajectory with a Metropolis decision.

        Args:
            at: Where the chains are, with densities.
            h: Step size; each chain takes its own, between 0.8 h and 1.2 h.
            steps: Leapfrog steps.
            rng: Of this group of chains.

        Returns:
            The new place, the acceptance probabilities, and which trajectories were lost to the reversibility check.
        """
        n, k = at.u.shape
        own = np.asarray(h * rng.uniform(0.8, 1.2, size=k))
        v = self.tangent(at, rng.standard_normal((n, k)))
        threshold = rng.uniform(size=k)
        energy = 0.5 * np.einsum("nc,nc->c", v, v) - at.density
        new, good = at, at.good.copy()
        for i in range(steps):
            new, v, fine = self.step(new, v, own, last=i == steps - 1)
            good &= fine
        with np.errstate(invalid="ignore", over="ignore"):
            change = energy - 0.5 * np.einsum("nc,nc->c", v, v) + new.density
            chance = np.where(good & np.isfinite(change), np.exp(np.minimum(change, 0.0)), 0.0)
        accepted = threshold < chance
        return merge(at, new, accepted), np.asarray(chance), np.asarray(~good)


def merge(old: Place, new: Place, taken: Mask) -> Place:
    """Return new places where taken, old ones elsewhere."""
    stay = ~taken
    for name in ("u", "x", "force", "jacobian", "inverse", "density", "good"):
        np.copyto(getattr(new, name), getattr(old, name), where=stay)
    return new
