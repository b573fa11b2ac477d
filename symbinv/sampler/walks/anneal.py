"""Annealed starts: disconnected sheets of a fiber in their right proportion.

Particles start from the base measure in the whole space and follow p_b(u) exp(-b |c|^2 / 2) as b grows, weighted
and resampled (sequential Monte Carlo); as b goes to infinity this density becomes delta(c) dx, the conditional
measure, on every sheet alike. Between levels each particle makes two kinds of moves that leave its law as it is:
a walk along its own level set {c = c(u)} (the constrained walk itself), which reaches far however thin the
shell is, and Hamiltonian steps in the full space, which change c. At the end the particles, by then within a
small fraction of the fiber's own scale, are taken to it, and weighted by sqrt(det J J^T) where area is asked for.

References:
    P. Del Moral, A. Doucet, A. Jasra, Sequential Monte Carlo samplers, J. R. Statist. Soc. B 68 (2006).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbinv.network.fibermap import FiberMap
from symbinv.sampler.walks.chart import Chart
from symbinv.sampler.walks.gram import factor, gram
from symbinv.sampler.walks.starts import take_to_manifold
from symbinv.sampler.walks.walk import Manifold

Array = NDArray[np.float64]
SHELL = 0.02  # how far from the fiber, in u, annealing ends
KEEP = 0.6  # effective share of the particles that a level must leave
LEVELS = 100
LEAPS = 4


@dataclass(frozen=True, eq=False)
class Annealed:
    """Particles on the fiber, (n, k), each of the same weight; and how they came there."""

    u: Array
    levels: int
    distinct: int


@dataclass(eq=False)
class _Cloud:
    """Particles with their c, and the tempered density that they follow."""

    fiber: FiberMap
    chart: Chart
    scale: Array
    u: Array
    c: Array

    def energy(self, u: Array, cold: float) -> tuple[Array, Array, Array]:
        """Return c / scale, the potential and the force."""
        x, slope, force, base = self.chart.open(u)
        c, jacobian = self.fiber.linearize(x)
        c = c / self.scale
        pulled = np.einsum("qnc,qc->nc", jacobian, c / self.scale)
        pulled *= slope
        return c, 0.5 * cold * np.einsum("qc,qc->c", c, c) - base, force - cold * pulled


def anneal(fiber: FiberMap, chart: Chart, measure: str, particles: int, rng: np.random.Generator) -> Annealed | None:
    """Return particles on the fiber in the proportion of the measure, or None where annealing did not arrive."""
    with np.errstate(all="ignore"):
        return _anneal(fiber, chart, measure, particles, rng)


def _anneal(fiber: FiberMap, chart: Chart, measure: str, particles: int, rng: np.random.Generator) -> Annealed | None:
    u = chart.draw(rng, particles)
    c = fiber.value(chart.inputs(u))
    scale = np.maximum(np.sqrt((c * c).mean(axis=1, keepdims=True)), 1e-300)
    cloud = _Cloud(fiber, chart, scale, u, c / scale)
    ancestors = np.arange(particles)
    cold, stride, reach = 0.0, 0.3, 0.3
    for level in range(1, LEVELS + 1):
        square = np.einsum("qc,qc->c", cloud.c, cloud.c)
        cold, weights = _next_level(cold, square)
        chosen = resample(weights, particles, rng)
        cloud.u, cloud.c, ancestors = cloud.u[:, chosen], cloud.c[:, chosen], ancestors[chosen]
        stride = _along(cloud, stride, rng)
        reach = _across(cloud, cold, reach, rng)
        if _distance(cloud) <= SHELL:
            return _arrive(cloud, measure, particles, ancestors, level, rng)
    return None


def _next_level(cold: float, square: Array) -> tuple[float, Array]:
    """Return the next inverse temperature and the weights that lead there."""
    low, high = 0.0, 1.0 / max(float(np.median(square)), 1e-300) + 4 * cold

    def share(growth: float) -> tuple[float, Array]:
        w = np.exp(-0.5 * growth * (square - square.min()))
        return float(w.sum() ** 2 / (w * w).sum() / len(w)), w

    if share(high)[0] < KEEP:
        for _ in range(50):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if share(middle)[0] > KEEP else (low, middle)
    return cold + high, share(high)[1]


def resample(weights: Array, count: int, rng: np.random.Generator) -> NDArray[np.int_]:
    """Return `count` indices by systematic resampling, in a random order."""
    places = (rng.uniform() + np.arange(count)) / count
    total = np.cumsum(weights)
    chosen = np.searchsorted(total / total[-1], places).clip(0, len(weights) - 1)
    return np.asarray(rng.permutation(chosen))


def _along(cloud: _Cloud, stride: float, rng: np.random.Generator) -> float:
    """Walk every particle along its own level set of c; return the adapted step size."""
    manifold = Manifold(cloud.fiber, cloud.chart, "conditional", cloud.c * cloud.scale)
    place = manifold.place(cloud.u)
    place, chance, _ = manifold.move(place, stride, LEAPS, rng)
    cloud.u = place.u
    return float(np.clip(stride * np.exp(0.5 * (chance.mean() - 0.7)), 1e-3, 1.0))


def _across(cloud: _Cloud, cold: float, reach: float, rng: np.random.Generator) -> float:
    """Make Hamiltonian moves in the full space; return the adapted factor of the step size."""
    c, potential, force = cloud.energy(cloud.u, cold)
    steep = 1.0
    for _ in range(2):
        steep = 1 + float(np.median(np.einsum("nc,nc->c", force, force)))
        h = reach * np.sqrt(len(cloud.u) / steep) * rng.uniform(0.7, 1.3, size=cloud.u.shape[1])
        u, v, f = cloud.u, rng.standard_normal(cloud.u.shape), force
        start = potential + 0.5 * np.einsum("nc,nc->c", v, v)
        for _ in range(LEAPS):
            v = v + 0.5 * h * f
            u = u + h * v
            new_c, new_potential, f = cloud.energy(u, cold)
            v = v + 0.5 * h * f
        change = start - new_potential - 0.5 * np.einsum("nc,nc->c", v, v)
        chance = np.where(np.isfinite(change), np.exp(np.minimum(change, 0)), 0.0)
        taken = rng.uniform(size=len(chance)) < chance
        cloud.u, force = np.where(taken, u, cloud.u), np.where(taken, f, force)
        c, potential = np.where(taken, new_c, c), np.where(taken, new_potential, potential)
        reach = float(np.clip(reach * np.exp(0.7 * (chance.mean() - 0.75)), 1e-4, 2.0))
    cloud.c = c
    return reach


def _distance(cloud: _Cloud) -> float:
    """Return the median distance from the fiber in u, to first order, per row of c."""
    x, slope, _, _ = cloud.chart.open(cloud.u)
    c, jacobian = cloud.fiber.linearize(x)
    inverse, _, _ = factor(gram(jacobian * slope))
    scaled = np.einsum("abc,bc->ac", inverse, c)
    return float(np.median(np.sqrt(np.einsum("qc,qc->c", scaled, scaled) / len(c))))


def _arrive(
    cloud: _Cloud, measure: str, particles: int, ancestors: NDArray[np.int_], level: int, rng: np.random.Generator
) -> Annealed | None:
    manifold = Manifold(cloud.fiber, cloud.chart, measure)
    u, arrived = take_to_manifold(manifold, cloud.u, iterations=30)
    if arrived.mean() < 0.5:
        return None
    weights = arrived.astype(np.float64)
    if measure == "surface":
        _, jacobian = cloud.fiber.linearize(cloud.chart.inputs(u))
        half = 0.5 * factor(gram(jacobian))[1]
        half = np.where(arrived, half, -np.inf)
        weights = np.exp(half - half.max())
    chosen = resample(weights, particles, rng)
    return Annealed(u[:, chosen], level, len(np.unique(ancestors[chosen])))
