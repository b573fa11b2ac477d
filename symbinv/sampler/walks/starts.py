"""Where chains start: points of the base measure taken to the manifold by damped Gauss-Newton in u.

Steps are no longer than `REACH` in u, so that starts do not run into the corners of the box, from which a
walk comes back only slowly.
"""

import numpy as np
from numpy.typing import NDArray

from symbinv.sampler.walks.gram import factor, gram, pull, solve
from symbinv.sampler.walks.walk import Manifold

Array = NDArray[np.float64]
REACH = 2.0
RIDGE = 1e-12


def take_to_manifold(
    manifold: Manifold, u: Array, iterations: int = 60, tolerance: float = 1e-10
) -> tuple[Array, NDArray[np.bool_]]:
    """Return points moved towards M, and which of them arrived within a distance of `tolerance` in u."""
    u = u.copy()
    best = np.full(u.shape[1], np.inf)
    with np.errstate(all="ignore"):
        for iteration in range(iterations + 1):
            x, slope, _, _ = manifold.chart.open(u)
            c, jacobian = manifold.fiber.linearize(x)
            c = c - manifold.level
            jacobian = jacobian * slope
            product = gram(jacobian)
            trace = np.einsum("aac->c", product)
            for a in range(len(product)):
                product[a, a] += RIDGE * trace + 1e-290
            inverse, _, good = factor(product)
            step = pull(jacobian, solve(inverse, c))
            length = np.sqrt(np.einsum("nc,nc->c", step, step))
            best = np.where(good & np.isfinite(length), length, np.inf)
            if iteration == iterations or (best <= tolerance).mean() > 0.999:
                break
            step *= np.minimum(1.0, REACH / np.maximum(length, 1e-300))
            np.copyto(step, 0.0, where=~(best < np.inf))
            u -= step
    return u, best <= tolerance
