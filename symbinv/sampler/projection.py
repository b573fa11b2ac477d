"""method="project": random inputs of a box taken to the fiber by batched Gauss-Newton.

Finds points on any smooth network, quickly; their law is not uniform and not otherwise known.
"""

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import OptionError
from symbinv.network.constraint import project
from symbinv.sampler.compile import Sampler
from symbinv.sampler.samples import Report
from symbinv.sampler.validity import forward_hits, in_box, on_pattern

Array = NDArray[np.float64]
BATCH = 4096
ROUNDS_WITHOUT_POINTS = 8
LAW = "random inputs of the box, projected by Gauss-Newton; the law is not uniform"


def draw_projected(sampler: Sampler, count: int, ends: Array | None, seed: int | None) -> tuple[Array, Report]:
    """Return `count` valid points, fewer where the box seems to hold none, and the report."""
    inverse = sampler.inverse
    constraint = inverse.constraint
    if constraint is None:
        raise OptionError("method 'project' needs a network and a target of numbers.")
    if ends is None:
        raise OptionError(
            "method 'project' starts from random inputs of a box; give `box=` with a lower and an upper end per input."
        )
    rng = np.random.default_rng(seed)
    kept: list[Array] = []
    drawn = found = barren = 0
    lost = {0: 0, -1: 0}
    while found < count and barren < ROUNDS_WITHOUT_POINTS:
        starts = rng.uniform(ends[:, 0], ends[:, 1], size=(min(BATCH, max(64, 2 * (count - found))), len(ends)))
        with np.errstate(all="ignore"):
            points = project(constraint, starts, box=ends).points
        drawn += len(starts)
        boxed = in_box(points, ends)
        lost[0] += int((~boxed).sum())
        hit = forward_hits(inverse, points[boxed]) & on_pattern(inverse, points[boxed])
        lost[-1] += int((~hit).sum())
        new = points[boxed][hit]
        if inverse.dimension == 0:
            new = _distinct(np.concatenate([*kept, new]))
            barren = barren + 1 if len(new) == found else 0
            kept, found = [new], len(new)
            continue
        barren = 0 if len(new) else barren + 1
        kept.append(new)
        found += len(new)
    points = np.concatenate(kept)[:count] if kept else np.zeros((0, len(ends)))
    notes: tuple[str, ...] = ()
    if inverse.dimension == 0:
        notes = ("The preimage has dimension 0: each distinct solution found stands once; there may be others.",)
    report = Report("project", LAW, None, drawn, len(points), {k: v for k, v in lost.items() if v}, {}, seed, notes)
    return points, report


def _distinct(points: Array) -> Array:
    """Return one of every group of points that agree to nine digits."""
    scale = 1e-9 * (1 + np.abs(points).max(initial=0.0))
    _, first = np.unique(np.round(points / scale).astype(np.float64), axis=0, return_index=True)
    return points[np.sort(first)]
