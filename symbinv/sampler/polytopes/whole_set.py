"""Uniform points of {x in a box: f(x) in a set} without its cells, where there are too many of them to list.

Where a fair share of the box belongs to the set, plain rejection gives independent points. Else many chains walk by
hit-and-run: a random direction, the chord of the box along it as a bracket, uniform points of the bracket until one
belongs to the set, each that does not becoming the bracket's new end on its side. This leaves the uniform law of any
set as it is, convex or not; only whether an input belongs to the set is asked, by a forward pass in doubles. Chains
may pass from part to part where a chord meets both, and parts that no chain ever sees are not ruled out.

References:
    R. M. Neal, Slice sampling, Ann. Statist. 31 (2003) (shrinkage); C. J. P. Belisle, H. E. Romeijn, R. L. Smith,
    Hit-and-run algorithms for generating multivariate distributions, Math. Oper. Res. 18 (1993).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbinv.sampler.diagnostics import effective_size, split_r_hat

Array = NDArray[np.float64]
Inside = Callable[[Array], NDArray[np.bool_]]
BATCH = 16_384
PROBES = 8  # batches of the box that are tried before anything else
REJECTION = 1 / 200  # share of the box from which on rejection serves
CHAINS = 128
SHORTEST = 60  # points kept of each chain, at least
LONGEST = 32  # times the points first planned
SHRINKINGS = 200
R_HAT = 1.01


@dataclass(frozen=True, eq=False)
class WholeDraw:
    """Points, in words how they came about, and effective sizes and R-hat (None without chains or claim)."""

    points: Array
    law: str
    drawn: int
    ess: Array | None = None
    r_hat: Array | None = None
    chains: int = 0


def draw_whole(inside: Inside, ends: Array, count: int, known: Array, rng: np.random.Generator) -> WholeDraw:
    """Draw uniform points of a set of full dimension inside a box.

    Args:
        inside: Tells which of (k, n) points belong to the set.
        ends: (n, 2), finite.
        count: How many points.
        known: (p, n), points of the set, at least one; where the walk starts if chance finds too few others.
        rng: Where random numbers come from.
    """
    moving = ends[:, 1] > ends[:, 0]
    hits, drawn = [_hits(inside, ends, rng) for _ in range(PROBES)], PROBES * BATCH
    share = sum(map(len, hits)) / drawn
    if share >= REJECTION:
        while sum(map(len, hits)) < count:
            hits.append(_hits(inside, ends, rng))
            drawn += BATCH
        law = f"independent uniform points of the box that reach the target (a share of {share:.3g} of it does)"
        return WholeDraw(np.concatenate(hits)[:count], law, drawn)
    starts = np.concatenate([*hits, known])
    x = starts[np.resize(rng.permutation(len(starts)), CHAINS)]
    law = "hit-and-run with shrinking chords in the whole preimage, uniform"
    sweep = int(moving.sum())
    width = np.where(moving, ends[:, 1] - ends[:, 0], 0.0)
    shape = np.diag(width)
    for _ in range(3):  # directions follow the spread of the chains, then stay as they are
        for _ in range(10 + 2 * sweep):
            x = _step(inside, ends, x, shape, rng)
        spread = np.cov(x.T).reshape(len(ends), -1) + 1e-6 * np.diag(width**2)
        shape = np.zeros_like(spread)
        shape[np.ix_(moving, moving)] = np.linalg.cholesky(spread[np.ix_(moving, moving)])
    kept: list[Array] = []
    planned = more = max(SHORTEST, -(-count // CHAINS))
    while True:
        for _ in range(more):
            for _ in range(sweep):
                x = _step(inside, ends, x, shape, rng)
            kept.append(x.T)
        draws = np.array(kept)
        r_hat = split_r_hat(draws)
        if r_hat.max() <= R_HAT or len(kept) >= LONGEST * planned:
            break
        more = len(kept)
    every = max(1, draws.shape[0] * CHAINS // max(count, 1))
    points = draws[every - 1 :: every].transpose(0, 2, 1).reshape(-1, len(ends))[:count]
    ess = np.minimum(effective_size(draws), len(points)) if r_hat.max() <= R_HAT else None
    return WholeDraw(points, law, draws.shape[0] * CHAINS, ess, r_hat, CHAINS)


def _hits(inside: Inside, ends: Array, rng: np.random.Generator) -> Array:
    x = rng.uniform(ends[:, 0], ends[:, 1], size=(BATCH, len(ends)))
    return np.asarray(x[inside(x)])


def _step(inside: Inside, ends: Array, x: Array, shape: Array, rng: np.random.Generator) -> Array:
    """Move every chain once along a random direction: (k, n) -> (k, n)."""
    way = rng.standard_normal(x.shape) @ shape.T
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.stack([(ends[:, 0] - x) / way, (ends[:, 1] - x) / way])
    both = np.where(way == 0, np.array([-np.inf, np.inf])[:, None, None], np.sort(both, axis=0))
    low, high = both[0].max(axis=1), both[1].min(axis=1)
    new, left = x.copy(), np.arange(len(x))
    for _ in range(SHRINKINGS):
        t = low[left] + (high[left] - low[left]) * rng.uniform(size=len(left))
        trial = np.clip(x[left] + t[:, None] * way[left], ends[:, 0], ends[:, 1])
        good = inside(trial)
        new[left[good]] = trial[good]
        bad = left[~good]
        below = t[~good] < 0
        low[bad[below]], high[bad[~below]] = t[~good][below], t[~good][~below]
        left = bad
        if not len(left):
            break
    return new
