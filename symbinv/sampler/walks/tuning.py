"""The walk's warm-up: burn-in, then step size and number of steps, chosen by what they yield for their cost.

Acceptance is a poor guide on a manifold (it may stay the same for all small steps, as the force leaves the
determinants out), so each candidate (h, steps) is tried on all chains, and the one with the smallest
estimated autocorrelation time of its slowest input times its cost is kept. Costs are counted in steps, not in seconds,
so that a draw is the same on every machine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbinv.sampler.walks.walk import Manifold, Place

Array = NDArray[np.float64]
BURN_IN = 30
TRIAL = 12
OVERHEAD = 1.0  # what a trajectory costs besides its steps, in steps
STEP_CHOICES = (2, 3, 5, 8, 12, 18, 27)


@dataclass(eq=False)
class Group:
    """Chains that move together, with their own random numbers."""

    place: Place
    rng: np.random.Generator


@dataclass(frozen=True)
class Tuning:
    """What the warm-up chose.

    Attributes:
        h: Step size in u.
        steps: Leapfrog steps a trajectory.
        time: Estimated autocorrelation time of the slowest input, in trajectories.
        trajectories: How many the warm-up took, all chains together.
    """

    h: float
    steps: int
    time: float
    trajectories: int


@dataclass(frozen=True, eq=False)
class Round:
    """What some trajectories of one group did: (draws, n, chains), mean acceptance, share lost to the check."""

    x: Array
    accepted: float
    lost: float


def run_group(manifold: Manifold, group: Group, h: float, steps: int, count: int, every: int = 1) -> Round:
    """Move one group `count` times and keep every `every`-th place."""
    kept, accepted, lost = [], 0.0, 0.0
    with np.errstate(all="ignore"):
        for i in range(count):
            group.place, chance, off = manifold.move(group.place, h, steps, group.rng)
            accepted += chance.mean() / count
            lost += off.mean() / count
            if (i + 1) % every == 0:
                kept.append(group.place.x.copy())
    x = np.array(kept) if kept else np.zeros((0, *group.place.u.shape))
    return Round(x, float(accepted), float(lost))


def warm_up(manifold: Manifold, group: Group) -> Tuning:
    """Burn in and choose step size and number of steps; the chains are left where they came to."""
    chains = group.place.u.shape[1]
    moved = 0
    h = 0.3
    for _ in range(BURN_IN // 5):
        accepted = run_group(manifold, group, h, 5, 5).accepted
        h = float(np.clip(h * np.exp(accepted - 0.65), 1e-3, 2.0))
        moved += 5

    tried: dict[tuple[float, int], tuple[float, float]] = {}

    def score(h: float, steps: int) -> float:
        nonlocal moved
        key = (round(h, 6), steps)
        if key not in tried:
            time = autocorrelation_time(run_group(manifold, group, h, steps, TRIAL).x)
            moved += TRIAL
            tried[key] = ((steps + OVERHEAD) * time, time)
        return tried[key][0]

    steps = min(STEP_CHOICES[1:5], key=lambda choice: score(h, choice))
    if steps == STEP_CHOICES[4]:
        steps = min(STEP_CHOICES[4:], key=lambda choice: score(h, choice))
    for factor in (1.3, 1 / 1.3):
        while h * factor < 2.0 and score(h * factor, steps) < 0.97 * score(h, steps):
            h *= factor
    near = STEP_CHOICES.index(steps)
    steps = min(STEP_CHOICES[max(near - 1, 0) : near + 2], key=lambda choice: score(h, choice))
    return Tuning(h, steps, tried[(round(h, 6), steps)][1], moved * chains)


def autocorrelation_time(draws: Array) -> float:
    """Return (1 + r) / (1 - r) for the largest lag-1 correlation r of any coordinate: (draws, n, chains) -> number.

    Means are taken over all chains, so that chains which stay apart count as slow.
    """
    z = draws - draws.mean(axis=(0, 2), keepdims=True)
    variance = (z * z).mean(axis=(0, 2))
    lag = (z[1:] * z[:-1]).mean(axis=(0, 2))
    scale = np.abs(draws).max(axis=(0, 2)) ** 2 * 1e-24 + 1e-300
    r = float(np.max(np.where(variance > scale, lag / np.maximum(variance, 1e-300), 0.0), initial=0.0))
    return (1 + r) / max(1 - r, 1e-4)
