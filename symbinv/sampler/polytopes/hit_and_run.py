"""Coordinate hit-and-run in a rounded polytope, many chains at once.

The polytope is rounded by its analytic centre: the inverse Hessian of the log barrier there is its Dikin ellipsoid.

References:
    S. Boyd, L. Vandenberghe, Convex Optimization, section 8.5.3 (analytic centre); R. L. Smith, Efficient Monte Carlo
    procedures, Oper. Res. 32 (1984) (hit-and-run).
"""

import numpy as np
from numpy.typing import NDArray

from symbinv.sampler.diagnostics import effective_size, split_r_hat
from symbinv.sampler.polytopes.body import Body

Array = NDArray[np.float64]
CHAINS = 64
CENTRE_STEPS = 100
SHORTEST = 40  # sweeps kept of each chain, at least
R_HAT = 1.01
LONGEST = 16  # times the sweeps first planned


def analytic_centre(body: Body) -> tuple[Array, Array]:
    """Return the analytic centre and a matrix that takes the unit ball to the Dikin ellipsoid, by Newton steps."""
    v = body.center.copy()
    rows, right = body.rows, body.right
    for _ in range(CENTRE_STEPS):
        slack = right - rows @ v
        scaled = rows / slack[:, None]
        gradient, hessian = scaled.sum(axis=0), scaled.T @ scaled
        step = -np.linalg.solve(hessian, gradient)
        decrement = float(-gradient @ step)
        if decrement < 1e-12:
            break
        reach = (rows @ step) / slack
        longest = 1.0 / max(float(reach.max()), 1e-300)
        length = min(1.0 if decrement < 0.25 else 1 / (1 + np.sqrt(decrement)), 0.9 * longest)
        v = v + length * step
    slack = right - rows @ v
    scaled = rows / slack[:, None]
    lower = np.linalg.cholesky(scaled.T @ scaled)
    shape = np.linalg.solve(lower, np.eye(len(v))).T
    return v, shape


def hit_and_run(body: Body, count: int, rng: np.random.Generator) -> tuple[Array, Array | None, Array]:
    """Return `count` points of coordinate hit-and-run in the rounded body, (count, n), with ESS and R-hat an input.

    Many chains step together: in each step one coordinate of all of them, the chord's ends from the slacks,
    which are updated and now and then computed afresh. A sweep is one step of each coordinate, in random order;
    a point is kept a sweep. More sweeps follow until R-hat is at most 1.01, or `LONGEST` times as many were made;
    where it is still above, no effective size is given (None).
    """
    center, shape = analytic_centre(body)
    d = body.dimension
    rows = body.rows @ shape
    base = body.right - body.rows @ center
    middle, out = body.origin + body.basis @ center, body.basis @ shape
    w = np.zeros((d, CHAINS))
    columns = [(rows[:, j : j + 1], rows[:, j] > 1e-13, rows[:, j] < -1e-13) for j in range(d)]

    def sweep() -> None:
        slack = base[:, None] - rows @ w
        for j in rng.permutation(d):
            column, up, down = columns[j]
            high = (slack[up] / column[up]).min(axis=0)
            low = (slack[down] / column[down]).max(axis=0)
            t = low + (high - low) * rng.uniform(size=CHAINS)
            w[j] += t
            slack -= column * t

    for _ in range(10 + 2 * d):
        sweep()
    length = max(SHORTEST, -(-count // CHAINS))
    kept = np.empty((0, len(middle), CHAINS))
    planned = length
    while True:
        new = np.empty((length, len(middle), CHAINS))
        for i in range(length):
            sweep()
            new[i] = out @ w
        kept = np.concatenate([kept, new])
        r_hat = split_r_hat(kept)
        if r_hat.max() <= R_HAT or len(kept) >= LONGEST * planned:
            break
        length = len(kept)
    ess = effective_size(kept) if r_hat.max() <= R_HAT else None
    every = max(1, len(kept) * CHAINS // max(count, 1))
    x = kept[every - 1 :: every].transpose(0, 2, 1).reshape(-1, len(middle))
    if len(x) < count:
        x = kept.transpose(0, 2, 1).reshape(-1, len(middle))[-count:]
    return middle + x[:count], None if ess is None else np.minimum(ess, count), r_hat
